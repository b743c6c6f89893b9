//! Files and tools of corosync and sbd.

use quorate::cluster::corosync::{self, conf, tools};
use quorate::cluster::{attributes, sbd};
use quorate::decide::doctor::read::{self, Text};

use super::{FILE, Target, VALUE, seeds, short, text};

const COROSYNC: &str = "totem {\n    version: 2\n    cluster_name: classic\n    token: 1000\n    crypto_cipher: aes256\n}\nnodelist {\n    node {\n        ring0_addr: 192.168.56.21\n        name: srv1\n        nodeid: 1\n    }\n    node {\n        ring0_addr: 192.168.56.22\n        name: srv2\n        nodeid: 2\n    }\n}\nquorum {\n    provider: corosync_votequorum\n    device {\n        model: net\n        timeout: 2000\n        sync_timeout: 3000\n        net {\n            host: witness\n            algorithm: ffsplit\n        }\n        heuristics {\n            mode: on\n        }\n    }\n}\n";

pub const TARGETS: &[Target] = &[
    Target {
        name: "corosync-conf",
        modules: &["cluster::corosync", "decide::doctor::read"],
        limit: FILE,
        words: &[
            "quorum {",
            "device {",
            "net {",
            "nodelist {",
            "node {",
            "}",
            "sync_timeout:",
            "timeout:",
            "token:",
            "votes:",
            "two_node: 1",
        ],
        seeds: || seeds(&[COROSYNC, "totem {\n}\n"]),
        run: |input| {
            let text = text(input);
            let _ = (corosync::cluster_name(&text), corosync::quorum_device_is_connected(&text));
            let parsed = conf::parse(&text);
            match read::corosync(&Text { name: "corosync.conf".to_owned(), text }) {
                Ok(facts) => {
                    assert!(parsed.is_ok());
                    // The times that are computed of it.
                    let _ = facts.totem().recovery_ms();
                    true
                }
                Err(e) => e.line == 0,
            }
        },
    },
    Target {
        name: "quorumtool",
        modules: &["cluster::corosync::tools"],
        limit: FILE,
        words: &["Quorate: Yes", "Membership information", "A,V,NMW", "NR", "Node ID:", "Expected votes:"],
        seeds: || {
            vec![
                include_bytes!("../../doctor/node/quorumtool.txt").to_vec(),
                include_bytes!("../../doctor/node/qdevice-tool.txt").to_vec(),
            ]
        },
        run: |input| {
            let text = text(input);
            let _ = tools::tls_is_active(&text);
            match tools::votes(&text) {
                Some(votes) => {
                    assert!(votes.members.iter().all(|m| m.id != 0), "0 is the quorum device");
                    true
                }
                None => false,
            }
        },
    },
    Target {
        name: "certutil",
        modules: &["cluster::corosync::tools"],
        limit: FILE,
        words: &["Not After : Fri Nov 24 11:44:00 2126", "Feb", "Dec", ":"],
        seeds: || vec![include_bytes!("../../doctor/node/certutil.txt").to_vec()],
        run: |input| tools::certificate_end(&text(input)).is_some(),
    },
    Target {
        name: "attrd-updater",
        modules: &["cluster::attributes", "decide::election"],
        limit: FILE,
        words: &[
            "name=\"quorate-pgsqld\"",
            "host=\"srv1\"",
            "value=\"1:0/3000060\"",
            ":full",
            ":not-writable",
            "INFINITY",
        ],
        seeds: || {
            seeds(&[
                "name=\"quorate-pgsqld\" host=\"srv1\" value=\"1:0/3000060\"\nname=\"quorate-pgsqld\" host=\"srv2\" value=\"1:0/3000060:full\"\n",
            ])
        },
        run: |input| {
            let values = attributes::parse(&text(input));
            for value in &values {
                let _ = attributes::score(&value.value);
                if let Some((position, fitness)) = quorate::decide::election::parse_ballot(&value.value) {
                    let text = quorate::decide::election::ballot_text(position, fitness);
                    assert_eq!(quorate::decide::election::parse_ballot(&text), Some((position, fitness)));
                }
            }
            !values.is_empty()
        },
    },
    Target {
        name: "sbd",
        modules: &["cluster::sbd", "cluster::panic_action"],
        limit: FILE,
        words: &["SBD_WATCHDOG_TIMEOUT=5", "SBD_WATCHDOG_DEV=/dev/watchdog", "SBD_DELAY_START", "\"", "'"],
        seeds: || {
            seeds(&[
                "# c\nSBD_OPTS=\nSBD_WATCHDOG_DEV=/dev/watchdog\nSBD_WATCHDOG_TIMEOUT=5\nSBD_PACEMAKER=\"yes\"\n",
            ])
        },
        run: |input| match sbd::parse(&text(input)) {
            Ok(sbd) => {
                let _ = quorate::cluster::panic_action::wanted(Some(&text(input)), Some(&text(input)));
                let _ = (
                    sbd.has_device("/dev/watchdog0"),
                    sbd.get("SBD_PACEMAKER").map(|a| sbd::is_yes(&a.value)),
                );
                true
            }
            Err(e) => e.line == 0,
        },
    },
];

/// A word of the executor for a time.
pub fn times(word: &str) -> bool {
    let ok = quorate::cluster::cib::milliseconds(word).is_some();
    ok || quorate::cluster::cib::boolean(word).is_some() || word.len() > VALUE && !short(&word.len())
}
