//! Whether a description makes sense, and the site that it describes.

use std::net::IpAddr;

use ipnet::IpNet;
use toml::Spanned;

use super::describe::{self, Description};
use super::kind::Kind;
use super::problem::{Complaints, Problem};
use super::rules;
use super::site::{AtBoot, Failback, Heuristics, Instance, Node, Site, Witness};
use crate::cluster::timing::{Inputs, Preset, Profile, QuorumDevice};
use crate::ocf::Sync;

/// What PostgreSQL versions the agent knows.
const VERSIONS: std::ops::RangeInclusive<i64> = 13..=18;
/// Debian 12's; the description says it where it is another one.
const DEFAULT_VERSION: u16 = 15;
/// Two data centres of one country.
const DEFAULT_RTT_MS: i64 = 5;
/// The shortest that the computed times are sound with; see `cluster::timing`.
const WATCHDOGS: std::ops::RangeInclusive<i64> = 5..=300;
const DEFAULT_WATCHDOG_S: i64 = 5;
/// Beyond that no token makes a cluster bearable.
const LONGEST_RTT_MS: i64 = 1000;

/// Values that stand in for those of a description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// PostgreSQL's major version.
    pub postgresql: Option<u16>,
    pub preset: Option<Preset>,
    pub at_boot: Option<AtBoot>,
}

/// Checks a description, and makes the site of it.
///
/// # Errors
/// All problems, in the order of their lines.
pub fn site(text: &str, described: &Description, overrides: &Overrides) -> Result<Site, Vec<Problem>> {
    let mut complaints = Complaints::about(text);
    let site = build(described, overrides, &mut complaints);
    let found = complaints.by_line();
    match site {
        Some(site) if found.is_empty() => Ok(site),
        _ => Err(found),
    }
}

/// What can be read is checked on; `None` where nothing further can be said.
fn build(d: &Description, overrides: &Overrides, c: &mut Complaints<'_>) -> Option<Site> {
    let Some(kind) = Kind::parse(d.layout.get_ref()) else {
        let known: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
        let cure = format!("use one of {}", known.join(", "));
        c.at(&d.layout, format!("there is no layout {:?}", d.layout.get_ref()), &cure);
        return None;
    };
    word(&d.name, "a cluster", 32, c);
    let networks = networks(d, c);
    let nodes: Vec<Node> = d.nodes.iter().map(|n| node(n.get_ref(), c)).collect();
    let witness = d.witness.as_ref().map(|w| {
        let w = w.get_ref();
        host_name(&w.name, "the witness", c);
        Witness {
            name: w.name.get_ref().clone(),
            centre: w.centre.get_ref().clone(),
            address: address(&w.address, c),
            heuristics: if w.heuristics == Some(false) { Heuristics::Off } else { Heuristics::PrimaryHere },
        }
    });
    let instances: Vec<Instance> =
        d.instances.iter().enumerate().map(|(i, n)| instance(i, n.get_ref(), kind, &nodes, c)).collect();
    let profile = profile(d, overrides, nodes.len(), c);
    let postgresql = version(d, overrides, c);
    let failback = if d.failback == Some(true) { Failback::Home } else { Failback::Stay };
    let described_at_boot = if d.start_at_boot == Some(false) { AtBoot::StayOut } else { AtBoot::Start };
    let site = Site {
        name: d.name.get_ref().clone(),
        kind,
        networks,
        nodes,
        witness,
        instances,
        postgresql,
        failback,
        at_boot: overrides.at_boot.unwrap_or(described_at_boot),
        profile,
    };
    // The rules compare what they can rely on: each value by itself is good.
    if c.is_empty() {
        rules::apply(d, &site, c);
    }
    Some(site)
}

fn networks(d: &Description, c: &mut Complaints<'_>) -> Vec<IpNet> {
    let mut found = Vec::new();
    for text in std::iter::once(&d.network.clients).chain(d.network.second.as_ref()) {
        match text.get_ref().parse::<IpNet>() {
            Ok(net) if net.trunc() == net && net.prefix_len() < net.max_prefix_len() - 1 => found.push(net),
            Ok(net) => {
                let cure = format!("write the network, such as \"{}\"", widened(net));
                c.at(text, format!("{:?} is not a network of several hosts", text.get_ref()), &cure);
            }
            Err(_) => c.at(
                text,
                format!("{:?} is not a network", text.get_ref()),
                "write an address and the length of its prefix, such as \"10.1.2.0/24\"",
            ),
        }
    }
    found
}

fn widened(net: IpNet) -> IpNet {
    let prefix = net.prefix_len().min(net.max_prefix_len() - 8);
    IpNet::new(net.addr(), prefix).unwrap_or(net).trunc()
}

fn node(n: &describe::Node, c: &mut Complaints<'_>) -> Node {
    host_name(&n.name, "a node", c);
    word(&n.centre, "a data centre", 32, c);
    Node {
        name: n.name.get_ref().clone(),
        centre: n.centre.get_ref().clone(),
        addresses: n.addresses.iter().map(|a| address(a, c)).collect(),
    }
}

fn instance(
    index: usize,
    n: &describe::Instance,
    kind: Kind,
    nodes: &[Node],
    c: &mut Complaints<'_>,
) -> Instance {
    word(&n.name, "an instance", 32, c);
    let port = u16::try_from(*n.port.get_ref()).ok().filter(|p| *p > 0).unwrap_or_else(|| {
        c.at(
            &n.port,
            format!("{} is not a port", n.port.get_ref()),
            "use 1 to 65535; PostgreSQL's own is 5432",
        );
        0
    });
    // Instances without a home go around the nodes.
    let turn = || nodes.get(index % nodes.len().max(1)).map_or(String::new(), |n| n.name.clone());
    let home = n.home.as_ref().map_or_else(turn, |home| {
        if !nodes.iter().any(|n| n.name == *home.get_ref()) {
            let known: Vec<&str> = nodes.iter().map(|n| n.name.as_str()).collect();
            let cure = format!("name one of {}", known.join(", "));
            c.at(home, format!("the home {:?} is no node", home.get_ref()), &cure);
        }
        home.get_ref().clone()
    });
    Instance {
        name: n.name.get_ref().clone(),
        port,
        home,
        primary_ip: address(&n.primary_ip, c),
        standby_ips: n.standby_ips.iter().map(|a| address(a, c)).collect(),
        sync: n.sync.as_ref().map_or(kind.sync(), |word| sync(word, c)),
    }
}

fn sync(word: &Spanned<String>, c: &mut Complaints<'_>) -> Sync {
    let found = Sync::ALL.into_iter().find(|sync| sync.name() == word.get_ref());
    found.unwrap_or_else(|| {
        let names = Sync::ALL.map(|sync| format!("{:?}", sync.name())).join(", ");
        c.at(word, format!("there is no sync {:?}", word.get_ref()), &format!("use one of {names}"));
        Sync::Off
    })
}

fn profile(d: &Description, overrides: &Overrides, nodes: usize, c: &mut Complaints<'_>) -> Profile {
    let t = &d.timing;
    let described = t.profile.as_ref().and_then(|p| {
        let preset = Preset::parse(p.get_ref()).filter(|p| *p != Preset::Paf);
        if preset.is_none() {
            c.at(p, format!("there is no profile {:?}", p.get_ref()), "use \"default\" or \"fast\"");
        }
        preset
    });
    let mut number =
        |value: &Option<Spanned<i64>>, default: i64, range: std::ops::RangeInclusive<i64>, unit: &str| {
            let Some(value) = value else { return default };
            if !range.contains(value.get_ref()) {
                let cure = format!("use {} to {} {unit}", range.start(), range.end());
                c.at(value, format!("{} {unit} are out of range", value.get_ref()), &cure);
                return default;
            }
            *value.get_ref()
        };
    let rtt_ms = number(&t.rtt_ms, DEFAULT_RTT_MS, 0..=LONGEST_RTT_MS, "ms");
    let watchdog_s = number(&t.watchdog_s, DEFAULT_WATCHDOG_S, WATCHDOGS, "s");
    Profile::compute(Inputs {
        preset: overrides.preset.or(described).unwrap_or(Preset::Default),
        nodes: u32::try_from(nodes).unwrap_or(u32::MAX),
        quorum_device: if d.witness.is_some() { QuorumDevice::Present } else { QuorumDevice::Absent },
        rtt_ms: u32::try_from(rtt_ms).unwrap_or(0),
        watchdog_s: u32::try_from(watchdog_s).unwrap_or(0),
    })
}

fn version(d: &Description, overrides: &Overrides, c: &mut Complaints<'_>) -> u16 {
    let described = d.postgresql.version.as_ref().map_or(i64::from(DEFAULT_VERSION), |v| {
        if !VERSIONS.contains(v.get_ref()) {
            let cure = format!("the agent knows {} to {}", VERSIONS.start(), VERSIONS.end());
            c.at(v, format!("PostgreSQL {} is not supported", v.get_ref()), &cure);
        }
        *v.get_ref()
    });
    overrides.postgresql.or(u16::try_from(described).ok()).unwrap_or(DEFAULT_VERSION)
}

fn address(text: &Spanned<String>, c: &mut Complaints<'_>) -> IpAddr {
    text.get_ref().parse().unwrap_or_else(|_| {
        let what = format!("{:?} is not an address", text.get_ref());
        c.at(text, what, "write it in numbers, such as \"10.1.2.3\"");
        IpAddr::from([0, 0, 0, 0])
    })
}

/// A word that goes into names of resources, files and keys.
fn word(text: &Spanned<String>, whose: &str, longest: usize, c: &mut Complaints<'_>) {
    let good = |w: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        w.len() <= longest && w.starts_with(|f: char| f.is_ascii_lowercase()) && w.bytes().all(inner)
    };
    if !good(text.get_ref()) {
        let cure = format!(
            "use a lower-case letter, then letters, digits, dashes and underscores, {longest} at most"
        );
        c.at(text, format!("{:?} can't name {whose}", text.get_ref()), &cure);
    }
}

/// RFC 1123, one label or several, in lower case: Pacemaker compares node names with the host name.
fn host_name(text: &Spanned<String>, whose: &str, c: &mut Complaints<'_>) {
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if text.get_ref().len() > 253 || !text.get_ref().split('.').all(label) {
        let what = format!("{:?} can't be the host name of {whose}", text.get_ref());
        c.at(text, what, "write what hostname prints there: lower-case letters, digits and inner dashes");
    }
}
