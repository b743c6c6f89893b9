//! From texts to facts. A file that its own program would refuse is an error with its line, not a finding.

use super::facts::{
    At, Corosync, Device, Facts, File, Known, Node, Place, Server, Surroundings, Unknown, WATCHDOG,
};
use crate::cluster::corosync::conf::{self, Conf, Entry};
use crate::cluster::corosync::key;
use crate::cluster::sbd::{self, Sbd};
use crate::cluster::{cib, timing};

/// A file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub name: String,
    pub text: String,
}

/// What was gathered, unread.
#[derive(Debug, Clone)]
pub struct Gathered {
    pub corosync: Known<Text>,
    pub cib: Known<Text>,
    pub sbd: Known<Vec<Text>>,
    pub postgresql: Known<Vec<Server>>,
    pub surroundings: Surroundings,
    pub node: Node,
}

/// A file that can't be read as what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Broken {
    pub file: String,
    pub line: usize,
    pub what: String,
}

/// Reads everything.
///
/// # Errors
/// The first file that is broken.
pub fn read(gathered: Gathered) -> Result<Facts, Broken> {
    Ok(Facts {
        corosync: known(gathered.corosync, |text| corosync(&text))?,
        cib: known(gathered.cib, |text| {
            let broken =
                |e: cib::CibError| Broken { file: text.name.clone(), line: e.line, what: e.to_string() };
            Ok(File { content: cib::parse(&text.text).map_err(broken)?, name: text.name })
        })?,
        sbd: known(gathered.sbd, |texts| {
            let mut files: Vec<File<Sbd>> = texts.into_iter().map(sbd_file).collect::<Result<_, _>>()?;
            // Of the other nodes only the file is known.
            if let (Some(own), Ok(unit)) = (files.first_mut(), &gathered.node.sbd_unit) {
                own.content = std::mem::take(&mut own.content).with_environment(unit);
            }
            files.into_iter().map(counts).collect()
        })?,
        postgresql: gathered.postgresql,
        surroundings: gathered.surroundings,
        node: gathered.node,
    })
}

fn known<T, U>(value: Known<T>, read: impl FnOnce(T) -> Result<U, Broken>) -> Result<Known<U>, Broken> {
    match value {
        Ok(text) => Ok(Ok(read(text)?)),
        Err(why) => Ok(Err(why)),
    }
}

fn sbd_file(text: Text) -> Result<File<Sbd>, Broken> {
    let broken = |line, what| Broken { file: text.name.clone(), line, what };
    let content = sbd::parse(&text.text).map_err(|e| broken(e.line, e.to_string()))?;
    Ok(File { content, name: text.name })
}

/// A watchdog timeout that can be counted with.
fn counts(file: File<Sbd>) -> Result<File<Sbd>, Broken> {
    if let Some(set) = file.content.get(WATCHDOG).filter(|set| set.value.parse::<u32>().is_err()) {
        let what = format!("{WATCHDOG}={:?} is no number; write whole seconds", set.value);
        return Err(Broken { file: file.name.clone(), line: set.line.unwrap_or(1), what });
    }
    Ok(file)
}

struct Reader<'a> {
    file: &'a str,
    conf: &'a Conf,
}

impl Reader<'_> {
    fn at<T>(&self, entry: &Entry, value: T) -> At<T> {
        At { value, place: Place::line(self.file, entry.line) }
    }

    fn number(&self, path: &str) -> Result<Option<At<u32>>, Broken> {
        let Some(entry) = self.conf.get(path) else { return Ok(None) };
        match entry.value.parse() {
            Ok(value) => Ok(Some(self.at(entry, value))),
            Err(_) => Err(Broken {
                file: self.file.to_owned(),
                line: entry.line,
                what: format!("{path} {:?} is no number; write a whole one", entry.value),
            }),
        }
    }

    fn number_or(&self, path: &str, default: u32) -> Result<At<u32>, Broken> {
        Ok(self.number(path)?.unwrap_or_else(|| At { value: default, place: Place::of(self.file) }))
    }

    fn word(&self, path: &str) -> Option<At<String>> {
        self.conf.get(path).map(|entry| self.at(entry, entry.value.clone()))
    }

    fn device(&self) -> Result<Option<Device>, Broken> {
        let Some(line) = self.conf.device else { return Ok(None) };
        let sync_timeout =
            self.number_or("quorum.device.sync_timeout", timing::DEFAULT_QDEVICE_SYNC_TIMEOUT_MS)?;
        let on = |mode: &At<String>| mode.value == "on" || mode.value == "sync";
        let heuristics = match self.word("quorum.device.heuristics.mode").filter(on) {
            None => None,
            // corosync-qdevice's own: half of the quorum device's.
            Some(mode) => Some(
                self.number("quorum.device.heuristics.sync_timeout")?
                    .unwrap_or(At { value: sync_timeout.value / 2, place: mode.place }),
            ),
        };
        let commands = self.conf.under("quorum.device.heuristics.exec_").into_iter();
        let commands = commands.filter(|(_, entry)| !entry.value.is_empty());
        let usual = || At { value: "on".to_owned(), place: Place::line(self.file, line) };
        Ok(Some(Device {
            place: Place::line(self.file, line),
            model: self.word("quorum.device.model"),
            timeout: self.number_or("quorum.device.timeout", timing::DEFAULT_QDEVICE_TIMEOUT_MS)?,
            sync_timeout,
            votes: self.number("quorum.device.votes")?,
            algorithm: self.word("quorum.device.net.algorithm"),
            tie_breaker: self.word("quorum.device.net.tie_breaker"),
            host: self.word("quorum.device.net.host"),
            tls: self.word("quorum.device.net.tls").unwrap_or_else(usual),
            heuristics,
            commands: commands
                .map(|(name, entry)| self.at(entry, (format!("exec_{name}"), entry.value.clone())))
                .collect(),
        }))
    }
}

/// Reads a corosync.conf.
///
/// # Errors
/// The line that is wrong.
pub fn corosync(text: &Text) -> Result<Corosync, Broken> {
    let broken = |line, what: String| Broken { file: text.name.clone(), line, what };
    let conf = conf::parse(&text.text).map_err(|e| broken(e.line, e.to_string()))?;
    let reader = Reader { file: &text.name, conf: &conf };
    if conf.nodes.is_empty() {
        return Err(broken(
            text.text.lines().count().max(1),
            "there is no nodelist with a node; without it the votes are unknown".to_owned(),
        ));
    }
    let switches = ["two_node", "auto_tie_breaker", "last_man_standing"].into_iter().filter_map(|name| {
        let set = reader.word(&format!("quorum.{name}"))?;
        (set.value == "1").then(|| At { value: name.to_owned(), place: set.place })
    });
    let node_votes = conf.nodes.iter().filter_map(|node| {
        let (votes, line) = node.votes.clone()?;
        let name = node.name.clone().or(node.addresses.first().cloned()).unwrap_or_default();
        Some(At { value: (name, votes), place: Place::line(&text.name, line) })
    });
    Ok(Corosync {
        file: text.name.clone(),
        token: reader.number_or("totem.token", timing::DEFAULT_TOKEN_MS)?,
        coefficient: reader.number_or("totem.token_coefficient", timing::TOKEN_COEFFICIENT_MS)?,
        consensus: reader.number("totem.consensus")?,
        provider: reader.word("quorum.provider"),
        expected_votes: reader.number("quorum.expected_votes")?,
        node_votes: node_votes.collect(),
        cipher: reader.word("totem.crypto_cipher"),
        switches: switches.collect(),
        downscale: reader.word("quorum.allow_downscale"),
        scheduling: reader.word("system.sched_rr"),
        watchdog_device: reader.word("resources.watchdog_device").filter(|d| d.value != "off"),
        device: reader.device()?,
        key: key::source(&conf),
        nodes: conf.nodes.clone(),
    })
}

impl Surroundings {
    /// Nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        let why = |text: &str| Unknown(text.to_owned());
        Self {
            rtt_ms: Err(why("the round trip between the machines is not known: --rtt-ms")),
            reboot_s: Err(why("how long a reset node takes to come back is not known: --reboot-s")),
            centres: Err(why("where the machines stand is not known: --site")),
            now_s: None,
        }
    }
}

impl Node {
    /// Nothing is known, for one reason.
    #[must_use]
    pub fn unknown(why: &str) -> Self {
        let why = || Unknown(why.to_owned());
        Self {
            votes: Err(why()),
            encrypted: Err(why()),
            certificates: Err(why()),
            systemd_watchdog: Err(why()),
            sbd_enabled: Err(why()),
            sbd_unit: Err(why()),
            at_boot: Err(why()),
            startup_sync: Err(why()),
            members: Err(why()),
            quorated: Err(why()),
            self_fenced: Err(why()),
            disks: Err(why()),
            watchdogs: Err(why()),
            watchdog_proof: Err(why()),
        }
    }
}
