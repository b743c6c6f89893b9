//! The kinds of faults, each with all variants that we know of: `kinds/*.txt` says which rules find a change of a sound file. What is
//! called clean is sound as well. The files of `cases/` are whole.

use std::collections::BTreeSet;
use std::path::PathBuf;

use quorate::cli::doctor::site;
use quorate::decide::doctor::facts::{Node, Surroundings, Unknown};
use quorate::decide::doctor::read::{Gathered, Text, read};
use quorate::decide::doctor::{Report, examine};

/// When they are looked at: 2026-11-29.
const NOW: i64 = 1_795_910_400;

fn directory(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/doctor").join(name)
}

fn case_file(name: &str) -> String {
    std::fs::read_to_string(directory("cases").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// As `quorate doctor` with that file alone; corosync.conf and sbd's file with the other's sound one beside them.
fn examined(name: &str, text: String) -> Report {
    let none = || Unknown("not given".to_owned());
    let mut gathered = Gathered {
        corosync: Err(none()),
        cib: Err(none()),
        sbd: Err(none()),
        postgresql: Err(none()),
        surroundings: Surroundings { now_s: Some(NOW), ..Surroundings::unknown() },
        node: Node::unknown("files"),
    };
    let given = |text: String| Text { name: name.to_owned(), text };
    let clean = |name: &str| Text { name: name.to_owned(), text: case_file(name) };
    match name.rsplit('.').next() {
        Some("xml") => gathered.cib = Ok(given(text)),
        Some("conf") => {
            gathered.corosync = Ok(given(text));
            gathered.sbd = Ok(vec![clean("clean.sbd")]);
        }
        Some("sbd") => {
            gathered.cib = Ok(clean("clean.xml"));
            gathered.sbd = Ok(vec![given(text)]);
        }
        Some("pg") => {
            gathered.postgresql = Ok(vec![site::server(&given(text)).expect("PostgreSQL would take it")]);
        }
        _ => panic!("{name}: what is it?"),
    }
    examine(&read(gathered).unwrap_or_else(|e| panic!("{name}: {e}")))
}

fn found(report: &Report) -> BTreeSet<&'static str> {
    for (rule, findings) in report.broken() {
        for finding in findings {
            assert!(!finding.cure.is_empty() && !finding.what.is_empty(), "{}: {finding:?}", rule.name);
        }
    }
    report.broken().map(|(rule, _)| rule.name).collect()
}

struct Variant {
    name: String,
    base: String,
    rules: Vec<String>,
    /// From, to. Nothing to take out: it is added at the end.
    changes: Vec<(String, String)>,
}

fn variants(text: &str) -> Vec<Variant> {
    let mut found: Vec<Variant> = Vec::new();
    let mut base = String::new();
    let mut adds = false;
    for line in text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        let last = found.last_mut();
        if let Some(name) = line.strip_prefix("base ") {
            base = name.to_owned();
        } else if let (Some(taken), Some(last)) = (line.strip_prefix("- "), last) {
            match last.changes.last_mut().filter(|_| !adds) {
                Some((from, _)) => *from = format!("{from}\n{taken}"),
                None => last.changes.push((taken.to_owned(), String::new())),
            }
            adds = false;
        } else if let (Some(added), Some(last)) = (line.strip_prefix('+'), found.last_mut()) {
            if last.changes.is_empty() {
                last.changes.push((String::new(), String::new()));
            }
            let (_, to) = last.changes.last_mut().expect("one");
            *to = format!("{to}{}\n", added.trim_start());
            adds = true;
        } else {
            let (name, rules) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
            let rules = rules.split(' ').map(str::to_owned).collect();
            found.push(Variant { name: name.to_owned(), base: base.clone(), rules, changes: Vec::new() });
            adds = false;
        }
    }
    found
}

fn all_variants() -> Vec<Variant> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory("kinds")).expect("there") {
        found.extend(variants(&std::fs::read_to_string(entry.expect("read").path()).expect("text")));
    }
    assert!(found.len() > 300, "{}", found.len());
    found
}

/// What takes two files: the rule, the resource's parameters, and what each server's file has beside the sound one.
const OF_SEVERAL: &[(Option<&str>, &str, &[&str])] = &[
    (Some("same-settings"), "", &["max_connections = 100", "max_connections = 200"]),
    (Some("same-settings"), "", &["max_prepared_transactions = 10", "max_prepared_transactions = 0"]),
    (None, "", &["max_connections = 100", "max_connections = 100"]),
    // Two instances, as in the layout "packed".
    (None, "", &["max_connections = 100\nport = 5432", "max_connections = 200\nport = 5433"]),
    (Some("data-directory"), "pgdata=/data dbuser=quorate", &["data_directory = '/other'"]),
    (None, "pgdata=/data dbuser=quorate", &["data_directory = '/data/'"]),
    (Some("listens"), "pghost=/run/here dbuser=quorate", &["unix_socket_directories = '/run/there'"]),
    (None, "pghost=/run/here dbuser=quorate", &["unix_socket_directories = '/tmp, /var/run/here'"]),
    (Some("sync-names"), "dbuser=quorate", &["synchronous_standby_names = 'FIRST 1 (srv1, srv2)'"]),
    (None, "sync=first dbuser=quorate", &["synchronous_standby_names = 'FIRST 1 (srv2)'"]),
    (Some("acknowledged"), "sync=first dbuser=quorate", &["synchronous_commit = local"]),
    (None, "dbuser=quorate", &["synchronous_commit = local"]),
];

/// The rules that have a variant.
pub fn covered() -> BTreeSet<String> {
    let several = OF_SEVERAL.iter().filter_map(|(rule, _, _)| rule.map(str::to_owned));
    all_variants().into_iter().flat_map(|v| v.rules).chain(several).collect()
}

#[test]
fn what_takes_two_files() {
    const PRIMITIVE: &str = "provider=\"quorate\" type=\"postgres\">";
    for (rule, parameters, servers) in OF_SEVERAL {
        let clean = case_file("clean.pg");
        let server = |(i, more): (usize, &&str)| {
            let text = clean
                .replace("synchronous_commit = on\n", "")
                .replace("synchronous_standby_names = ''\n", "");
            site::server(&Text { name: format!("{i}.pg"), text: format!("{text}{more}\n") }).expect("sound")
        };
        let pairs: String = parameters
            .split_whitespace()
            .filter_map(|p| p.split_once('='))
            .map(|(n, v)| format!("<nvpair id=\"p-{n}\" name=\"{n}\" value=\"{v}\"/>"))
            .collect();
        let cib = case_file("clean.xml");
        assert!(cib.contains(PRIMITIVE));
        let set = format!("{PRIMITIVE}<instance_attributes id=\"ia\">{pairs}</instance_attributes>");
        let none = || Unknown("not given".to_owned());
        let report = examine(
            &read(Gathered {
                corosync: Err(none()),
                cib: Ok(Text { name: "cib.xml".to_owned(), text: cib.replace(PRIMITIVE, &set) }),
                sbd: Err(none()),
                postgresql: Ok(servers.iter().enumerate().map(server).collect()),
                surroundings: Surroundings::unknown(),
                node: Node::unknown("files"),
            })
            .expect("sound"),
        );
        assert_eq!(found(&report), rule.iter().copied().collect(), "{parameters} {servers:?}");
    }
}

#[test]
fn every_variant_is_found_and_what_is_sound_is_not() {
    let mut wrong = Vec::new();
    for variant in all_variants() {
        let plain: Vec<String> = case_file(&variant.base).lines().map(|l| l.trim().to_owned()).collect();
        let mut text = plain.join("\n") + "\n";
        for (from, to) in &variant.changes {
            assert!(text.contains(from.as_str()), "{}: {from:?} is not in {}", variant.name, variant.base);
            let to = to.trim_end();
            text =
                if from.is_empty() { format!("{text}{to}\n") } else { text.replacen(from.as_str(), to, 1) };
        }
        let expected: BTreeSet<&str> =
            variant.rules.iter().map(String::as_str).filter(|r| *r != "clean").collect();
        let found = found(&examined(&variant.base, text));
        if found != expected {
            wrong.push(format!("{}: {found:?}, expected {expected:?}", variant.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The files of the customer's list.
#[test]
fn each_whole_file_is_found_by_its_rule() {
    for (file, rule) in [
        ("clean.xml", None),
        ("clean.sbd", None),
        ("clean.conf", None),
        ("three.conf", None),
        ("clean.pg", None),
        ("leftover-ban.xml", Some("ban")),
        ("no-notify.xml", Some("clone-notify")),
        ("no-promotable.xml", Some("clone-promotable")),
        ("promoted-max-2.xml", Some("promoted-max")),
        ("monitor-no-roles.xml", Some("monitors")),
        ("ip-without-role.xml", Some("float-ip-follows")),
        ("ip-no-colocation.xml", Some("float-ip-follows")),
        ("null-fencing.xml", Some("fencing-real")),
        ("two-node.conf", Some("quorum-even")),
        ("four-no-device.conf", Some("quorum-even")),
        ("nocrypto.conf", Some("corosync-key")),
        ("rt-timeline.pg", Some("recovery-target")),
    ] {
        let report = examined(file, case_file(file));
        assert_eq!(found(&report), rule.into_iter().collect(), "{file}");
        assert_eq!(report.exit_code(), if rule.is_some() { 2 } else { 0 }, "{file}");
    }
}
