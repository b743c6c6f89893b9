//! What quorate's own programs leave for each other, in files and messages that others might have written.

use quorate::cluster::checker::Checker;
use quorate::cluster::clock::BootTime;
use quorate::cluster::corosync::Ring;
use quorate::cluster::group::key::Key;
use quorate::cluster::group::{self, Message, Receiver, Sender};
use quorate::cluster::self_fencing::{How, Left, SelfFenceRecord, SelfFenceRequest, SelfFencingNotice};
use quorate::decide::detector::identity;
use quorate::decide::memory::Memory;
use quorate::pg::instance::Instance;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FILE, Target, VALUE, seeds};

/// What can be read is written as the same.
fn same<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(input: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(input).ok()?;
    let written = serde_json::to_vec(&read).expect("is written");
    assert_eq!(serde_json::from_slice::<T>(&written).ok().as_ref(), Some(&read), "written and read again");
    Some(read)
}

/// corosync's key in the seeds, and the process from which they come.
fn key() -> Key {
    Key::derive(&[7; 256]).expect("is long enough")
}
const RING: Ring = Ring { seq: 9, node_id: 1 };

fn sealed(number: u64, message: &Message) -> Vec<u8> {
    let sender = Sender { node_id: 1, pid: 42, node: "srv1".to_owned(), boot: "b".to_owned() };
    group::seal(&key(), &sender, RING, number, message).expect("is written")
}

pub const TARGETS: &[Target] = &[
    Target {
        name: "group-message",
        modules: &["cluster::group"],
        limit: group::LONGEST + 16,
        words: &[
            "quorated/2 ",
            "\"message\":\"hello\"",
            "\"node_id\":1",
            "\"number\":18446744073709551615",
            "\"ring\":{\"seq\":9,\"node_id\":1}",
        ],
        seeds: || {
            let request = SelfFenceRequest { node_id: 1, node: "srv1".to_owned(), how: How::Reboot };
            vec![sealed(3, &Message::Hello), sealed(4, &Message::Request { boot: "b".to_owned(), request })]
        },
        run: |input| {
            let mut receiver = Receiver::default();
            receiver.formed(RING, &[1, 2]);
            match receiver.open(Some(&key()), 1, 42, input) {
                Ok((sender, _)) => {
                    assert_eq!((sender.node_id, sender.pid), (1, 42), "from whom corosync says it is");
                    assert!(receiver.open(Some(&key()), 1, 42, input).is_err(), "the same message twice");
                    assert!(receiver.open(Some(&key()), 2, 42, input).is_err(), "from another node");
                    true
                }
                Err(_) => false,
            }
        },
    },
    Target {
        name: "agent-memory",
        modules: &["decide::memory"],
        limit: FILE,
        words: &[
            "\"run\":{\"pid\":1,\"start_time\":2}",
            "null",
            "\"score\":1001",
            "\"timeline\":0",
            "\"primary_end\":\"0/1\"",
        ],
        seeds: || {
            let memory = Memory { score: Some(1001.into()), ..Memory::default() };
            vec![serde_json::to_vec(&memory).expect("is written"), b"{}".to_vec()]
        },
        run: |input| {
            same::<Memory>(input).is_some_and(|memory| {
                memory.in_run(None) != Memory { score: Some(7.into()), ..Memory::default() }
            })
        },
    },
    Target {
        name: "instance-record",
        modules: &["pg::instance"],
        limit: FILE,
        words: &[
            "\"role\":\"primary\"",
            "\"phase\":\"stopping\"",
            "\"access\":null",
            "\"postmaster\":{\"pid\":-1,\"start_time\":0}",
        ],
        seeds: || {
            seeds(&[
                "{\"resource\":\"pgsqld\",\"node\":\"srv1\",\"pgdata\":\"/var/lib/postgresql/15/main\",\"postmaster\":{\"pid\":42,\"start_time\":99},\"role\":\"primary\",\"phase\":\"running\",\"access\":{\"socket_dir\":\"/run/postgresql\",\"port\":5432,\"user\":\"postgres\",\"uid\":100,\"gid\":100,\"home\":\"/var/lib/postgresql\",\"dbuser\":\"postgres\",\"dbname\":\"postgres\",\"service\":null}}",
            ])
        },
        run: |input| same::<Instance>(input).is_some(),
    },
    Target {
        name: "quorated-json",
        modules: &["cluster::checker"],
        limit: FILE,
        words: &["\"device\":{\"missing\":\"x\"}", "\"watched\":[]", "\"quorate\":null"],
        seeds: || vec![serde_json::to_vec(&Checker::default()).expect("is written")],
        run: |input| {
            same::<Checker>(input)
                .is_some_and(|checker| checker.is_fresh(BootTime::at(1)) || !checker.metrics().is_empty())
        },
    },
    Target {
        name: "self-fence-record",
        modules: &["cluster::self_fencing"],
        limit: FILE,
        words: &["\"node\":\"srv1\"", "\"node_id\":1", "\"left\":null"],
        seeds: || {
            let notice = SelfFencingNotice {
                node: "srv1".to_owned(),
                boot: "b".to_owned(),
                reason: "r".to_owned(),
                how: How::Reboot,
                within: 5000,
                foreign: Some(vec!["vip".to_owned()]),
            };
            let left = Left { at: BootTime::at(6), ring: RING };
            let record = SelfFenceRecord { notice, node_id: 1, received: BootTime::at(5), left: Some(left) };
            vec![serde_json::to_vec(&record).expect("is written")]
        },
        run: |input| same::<SelfFenceRecord>(input).is_some(),
    },
    Target {
        name: "self-fence-request",
        modules: &["cluster::self_fencing"],
        limit: VALUE,
        words: &["\"node\":\"srv1\"", "\"node_id\":1", "\"how\":\"off\""],
        seeds: || seeds(&["{\"node_id\":1,\"node\":\"srv1\",\"how\":\"reboot\"}"]),
        run: |input| same::<SelfFenceRequest>(input).is_some(),
    },
    Target {
        name: "quorated-toml",
        modules: &["daemon::config"],
        limit: FILE,
        words: &[
            "mode = \"act\"",
            "silent_s = 10",
            "watchdog_device = \"/dev/watchdog1\"",
            "membership_s = 4294967295",
            "state_directories = []",
        ],
        seeds: || {
            vec![
                include_bytes!("../../../dist/quorated.toml").to_vec(),
                b"mode = \"say\"\nsilent_s = 10\n".to_vec(),
            ]
        },
        run: |input| match std::str::from_utf8(input).map(quorate::daemon::configuration_error) {
            Ok(None) => true,
            Ok(Some(why)) => why.is_empty(),
            Err(_) => false,
        },
    },
    Target {
        name: "proc-stat",
        modules: &["boundary::process", "decide::detector::identity"],
        limit: VALUE,
        words: &["(postgres)", ") R ", "18446744073709551615"],
        seeds: || {
            seeds(&[
                "42 (postgres: a) b) S 1 42 42 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 1 0 123456 1000 200 18446744073709551615 1 1 0",
            ])
        },
        run: |input| {
            let stat = String::from_utf8_lossy(input);
            let root = identity::root_group(&stat);
            let unit = identity::control_group(&stat).and_then(|group| identity::unit_of(group, root));
            assert!(unit.is_none_or(|unit| unit.ends_with(".service")), "{unit:?}");
            quorate::boundary::process::parse_stat(&stat).is_some_and(|info| !info.comm.is_empty())
        },
    },
    Target {
        name: "disk-stat",
        modules: &["boundary::disk_stats"],
        limit: VALUE,
        words: &["18446744073709551615", " 1 2 3 "],
        seeds: || seeds(&["  9292  1034 737994  3044  17480 23 419888 9500 0 2920 12544 0 0 0 0 120 7"]),
        run: |input| quorate::boundary::disk_stats::parse(&String::from_utf8_lossy(input)).is_some(),
    },
];
