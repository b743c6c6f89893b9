//! The description of a site, and what becomes of it; the doctor's and `quorate status`'s whole way from texts to lines for a person.

use std::sync::OnceLock;

use quorate::cli::doctor::site;
use quorate::cluster::corosync::tools;
use quorate::cluster::crm_mon;
use quorate::decide::doctor::examine;
use quorate::decide::doctor::facts::{Facts, Server, Unknown};
use quorate::decide::doctor::read::{Gathered, Text, read};
use quorate::decide::overview::{Seen, overview};
use quorate::layout::{Overrides, examples, kind::Kind, proof, render};
use quorate::pg::conf::{self, Line};

use super::{Target, joined, parts, text};

/// The texts that the doctor reads, in the order of the parts of an input.
fn doctor(input: &[u8]) -> Option<Facts> {
    let parts = parts(input);
    let part = |index: usize, name: &str| {
        let text = parts.get(index).cloned().ok_or_else(|| Unknown(format!("no {name}")))?;
        Ok(Text { name: name.to_owned(), text })
    };
    let settings = part(3, "postgresql.conf").map(|text| {
        let lines = conf::parse(&text.name, &text.text).unwrap_or_default();
        let settings = lines.into_iter().filter_map(|line| match line {
            Line::Setting(setting) => Some(setting),
            Line::Include { .. } | Line::IncludeDir { .. } => None,
        });
        vec![Server { name: text.name, settings: settings.collect() }]
    });
    // Rendered once: nothing was asked on a node.
    static NOTHING_ASKED: OnceLock<Gathered> = OnceLock::new();
    let nothing_asked = NOTHING_ASKED.get_or_init(|| {
        let site =
            quorate::layout::read(examples::text(Kind::ALL[0]), &Overrides::default()).expect("an example");
        site::gathered(&site).expect("renders")
    });
    let mut gathered = Gathered {
        corosync: part(0, "corosync.conf"),
        cib: part(1, "cib.xml"),
        sbd: part(2, "sbd").map(|text| vec![text.clone(), text]),
        postgresql: settings,
        ..nothing_asked.clone()
    };
    gathered.node.votes =
        part(4, "votes").and_then(|t| tools::votes(&t.text).ok_or(Unknown("no votes".to_owned())));
    read(gathered).ok()
}

fn unknown<T>() -> Result<T, Unknown> {
    Err(Unknown("not asked".to_owned()))
}

fn base(kind: Kind) -> Vec<u8> {
    let overrides = Overrides::default();
    let site = quorate::layout::read(examples::text(kind), &overrides).expect("an example");
    let files = render::render(&site, render::Agent::Quorate).expect("renders");
    let file = |path: &str| files.iter().find(|f| f.path == path).map_or("", |f| f.text.as_str());
    joined(&[
        file("reference/corosync.conf"),
        file("reference/cib.xml"),
        file("reference/sbd"),
        file("reference/postgresql.conf"),
        include_str!("../../doctor/node/quorumtool.txt"),
        include_str!("../../../src/cluster/crm_mon/healthy-2.1.xml"),
    ])
}

const DOCTOR_WORDS: &[&str] = &[
    "no-quorum-policy",
    "stonith-watchdog-timeout",
    "fencing-level",
    "SBD_WATCHDOG_TIMEOUT=",
    "sync_timeout:",
    "votes:",
    "two_node: 1",
    "device {",
    "max_slot_wal_keep_size = ",
    "wal_receiver_timeout = ",
    "maintenance-mode",
    "INFINITY",
    "<nvpair id=\"x\" name=\"stonith-watchdog-timeout\" value=\"10s\"/>",
];

pub const TARGETS: &[Target] = &[
    Target {
        name: "site",
        modules: &["layout"],
        limit: 256 << 10,
        words: &[
            "[[node]]",
            "name = ",
            "address = ",
            "centre = ",
            "[witness]",
            "[network]",
            "second = ",
            "10.0.0.0/8",
            "::1",
            "$(reboot)",
            "'; x",
            "layout = ",
        ],
        seeds: || {
            let mut all: Vec<Vec<u8>> =
                Kind::ALL.iter().map(|kind| examples::text(*kind).as_bytes().to_vec()).collect();
            all.push(include_bytes!("../../sites/six.toml").to_vec());
            all
        },
        run: |input| match quorate::layout::read(&text(input), &Overrides::default()) {
            Ok(site) => {
                render::render(&site, render::Agent::Quorate).expect("what is accepted renders");
                for failure in proof::failures(&site) {
                    let _ = (failure.name(), proof::lost(&site, &failure), proof::quorate(&site, &failure));
                }
                true
            }
            Err(problems) => {
                assert!(!quorate::layout::explain("site.toml", &problems).is_empty());
                false
            }
        },
    },
    Target {
        name: "doctor",
        modules: &["decide::doctor", "cluster::timing"],
        limit: 256 << 10,
        words: DOCTOR_WORDS,
        seeds: || Kind::ALL.iter().map(|kind| base(*kind)).collect(),
        run: |input| match doctor(input) {
            Some(facts) => {
                let report = examine(&facts);
                let _ = (report.kept(), report.worst(), report.exit_code());
                true
            }
            None => false,
        },
    },
    Target {
        name: "status",
        modules: &["decide::overview"],
        limit: 256 << 10,
        words: DOCTOR_WORDS,
        seeds: || Kind::ALL.iter().map(|kind| base(*kind)).collect(),
        run: |input| {
            let Some(facts) = doctor(input) else { return false };
            let report = examine(&facts);
            let status = parts(input)
                .get(5)
                .map_or_else(unknown, |xml| crm_mon::parse(xml).map_err(|e| Unknown(e.to_string())));
            let seen = Seen {
                now: 0,
                host: "srv1",
                status: &status,
                facts: &facts,
                report: &report,
                connected: Ok(true),
                sbd_runs: Ok(true),
                servers: Vec::new(),
                kept: Ok((0, 0)),
            };
            overview(&seen).health.exit_code() < 4
        },
    },
];
