//! What PostgreSQL and its users write: positions, names, what a server says.

use quorate::pg::history::History;
use quorate::pg::lsn::{Lsn, SegmentSize};
use quorate::pg::timeline::Timeline;
use quorate::pg::version::MajorVersion;
use quorate::pg::wal_file::{WalFileName, highest_timeline_at};
use quorate::pg::{probe, rejection, server_log};

use super::{FILE, Target, VALUE, parts, seeds, short, strict, text};

pub const TARGETS: &[Target] = &[
    Target {
        name: "lsn",
        modules: &["pg::lsn"],
        limit: VALUE,
        words: &["0/0", "FFFFFFFF/FFFFFFFF", "/"],
        seeds: || seeds(&["0/3057B30", "FFFFFFFF/FFFFFFFF", "16/B374D848"]),
        run: |input| match strict(input).map(str::parse::<Lsn>) {
            Some(Ok(lsn)) => {
                assert_eq!(lsn.to_string().parse(), Ok(lsn), "printed and read again");
                true
            }
            Some(Err(e)) => short(&e),
            None => false,
        },
    },
    Target {
        name: "timeline",
        modules: &["pg::timeline"],
        limit: VALUE,
        words: &["4294967295"],
        seeds: || seeds(&["1", "4294967295"]),
        run: |input| match strict(input).map(str::parse::<Timeline>) {
            Some(Ok(timeline)) => {
                assert_eq!(timeline.to_string().parse(), Ok(timeline), "printed and read again");
                true
            }
            Some(Err(e)) => short(&e),
            None => false,
        },
    },
    Target {
        name: "version",
        modules: &["pg::version"],
        limit: VALUE,
        words: &["9.6", "13", "17", "18", "."],
        seeds: || seeds(&["15\n", "9.6\n", "18\n"]),
        run: |input| match strict(input).map(str::parse::<MajorVersion>) {
            Some(Ok(version)) => {
                assert_eq!(version.to_string().parse(), Ok(version), "printed and read again");
                true
            }
            Some(Err(e)) => short(&e),
            None => false,
        },
    },
    Target {
        name: "wal-file",
        modules: &["pg::wal_file"],
        limit: VALUE,
        words: &["00000001", ".history", ".partial", "FFFFFFFF"],
        seeds: || seeds(&["000000010000000000000003\n00000002000000000000000A\n00000002.history\n"]),
        run: |input| {
            let names = text(input);
            let at = Lsn(0x0300_0000);
            let size = SegmentSize::DEFAULT;
            let highest = highest_timeline_at(names.lines(), at, size);
            assert!(highest.is_none() || names.lines().any(|n| WalFileName::parse(n, size).is_some()));
            highest.is_some()
        },
    },
    Target {
        name: "history",
        modules: &["pg::history"],
        limit: FILE,
        words: &["no recovery target specified", "0/3000000", "#"],
        seeds: || seeds(&["1\t0/3000000\tno recovery target specified\n\n2\t0/5000060\tbefore 2000-01-01\n"]),
        run: |input| match History::parse(Timeline::new(9).expect("not 0"), &text(input)) {
            Ok(history) => {
                let first = Timeline::FIRST;
                assert!(history.contains(history.timeline()));
                assert_eq!(history.contains(first), history.fork_of(first).is_some());
                true
            }
            Err(e) => short(&e),
        },
    },
    Target {
        name: "server-log",
        modules: &["pg::server_log"],
        limit: 64 << 10,
        words: &[
            "FATAL:",
            "PANIC:",
            "ERROR:",
            "DETAIL:",
            "HINT:",
            "LOG:",
            "the database system is starting up",
        ],
        seeds: || {
            seeds(&[
                "2026-11-28 10:00:00 UTC [1] LOG:  starting PostgreSQL 15.18\n2026-11-28 10:00:00 UTC [1] FATAL:  could not create lock file\n2026-11-28 10:00:00 UTC [1] HINT:  Is another postmaster running?\n",
                "[1]: [1-1] PANIC:  could not locate a valid checkpoint record\n",
            ])
        },
        run: |input| !server_log::why(&text(input)).is_empty(),
    },
    Target {
        name: "rejection",
        modules: &["pg::rejection", "pg::view"],
        limit: VALUE,
        words: &[
            "57P03",
            "57P01",
            "57P02",
            "53300",
            "28P01",
            "the database system is not yet accepting connections",
        ],
        seeds: || {
            seeds(&[
                "57P03\x1ethe database system is starting up\x1e",
                "57P03\x1ethe database system is not accepting connections\x1eHot standby mode is disabled.",
                "28P01\x1epassword authentication failed for user \"x\"",
                "XX000\x1ecould not open file \"base/5\": No such file or directory",
            ])
        },
        run: |input| {
            let parts = parts(input);
            let part = |index: usize| parts.get(index).map_or("", String::as_str);
            !rejection::classify(part(0), part(1), parts.get(2).map(String::as_str)).to_string().is_empty()
        },
    },
    Target {
        name: "probe",
        modules: &["pg::probe", "pg::view"],
        limit: FILE,
        words: &[
            "[\"srv2\",\"streaming\",\"async\",\"0/3000060\",\"0/3000060\"]",
            "null",
            "quorum",
            "f",
            "t",
        ],
        seeds: || {
            seeds(&[
                "f\x1e0/3000060\x1e00000001\x1e\x1e[[\"srv2\",\"streaming\",\"async\",\"0/3000060\",\"0/3000060\"]]",
                "t\x1e\x1e\x1e\x1e\x1e0/3000060\x1e0/3000060\x1e[\"streaming\",\"/run/pg\",5432,1,\"0/3000060\",77]\x1ehost=srv1",
            ])
        },
        run: |input| {
            let row: Vec<Option<String>> =
                parts(input).into_iter().map(|column| Some(column).filter(|c| !c.is_empty())).collect();
            match probe::read(&row) {
                Ok(answer) => answer.role().is_some(),
                // What came is quoted in it: the connection's limit bounds that.
                Err(e) => e.to_string().is_empty(),
            }
        },
    },
];
