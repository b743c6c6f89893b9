//! What breaks the rules on the watchdog device: other devices, other drills.

use quorate::cluster::watchdog_proof::{End, ProofRecord};
use quorate::layout::kind::Kind::Classic;

use crate::base::Change::*;
use crate::base::{another, device};
use crate::broken::{Case, case};

fn is_of_softdog(record: &mut ProofRecord) {
    record.device = "/dev/watchdog-sbd".to_owned();
    record.identity = "Software Watchdog".to_owned();
    record.driver = Some("softdog".to_owned());
}

pub const CASES: &[Case] = &[
    case(
        "watchdog-device",
        Classic,
        &[Watchdogs(|all| all.entry = None)],
        "there is no watchdog device /dev/watchdog",
    ),
    case(
        "watchdog-itco",
        Classic,
        &[
            Watchdogs(|all| all.devices = vec![device("watchdog0", "iTCO_wdt", "iTCO_wdt")]),
            Proof(|proof| *proof = None),
        ],
        "is iTCO_wdt, in a virtual machine",
    ),
    // That of another device does not count for it.
    case(
        "watchdog-itco",
        Classic,
        &[Watchdogs(|all| all.devices = vec![device("watchdog0", "iTCO_wdt", "iTCO_wdt")])],
        "was never proven",
    ),
    case(
        "watchdog-bites",
        Classic,
        &[Proof(|proof| {
            another(proof, |record| {
                record.alive_ms = 15_000;
                record.end = Some(End::Lives);
            })
        })],
        "does NOT bite: the node lived for 15.0 s",
    ),
    // With sync_timeout 3 s and a watchdog of 5 s the wait is 10 s, and no more.
    case(
        "watchdog-late",
        Classic,
        &[Proof(|proof| another(proof, |record| record.alive_ms = 9500))],
        "would have to be 15",
    ),
    case("watchdog-proven", Classic, &[Proof(|proof| *proof = None)], "was never proven"),
    case(
        "watchdog-proven",
        Classic,
        &[Proof(|proof| another(proof, |record| record.identity = "iTCO_wdt".to_owned()))],
        "it was of \"iTCO_wdt\"",
    ),
    case(
        "watchdog-proven",
        Classic,
        &[Proof(|proof| another(proof, |record| record.timeout_s = 10))],
        "SBD_WATCHDOG_TIMEOUT is 5 s",
    ),
    case(
        "watchdog-proven",
        Classic,
        &[Proof(|proof| another(proof, |record| record.boot = "now".to_owned()))],
        "it shows nothing",
    ),
    case(
        "watchdog-proven",
        Classic,
        &[Proof(|proof| proof.as_mut().expect("there was one").is_old = true)],
        "ago",
    ),
    case(
        "watchdog-softdog",
        Classic,
        &[
            Watchdogs(|all| {
                all.devices.push(device("watchdog1", "Software Watchdog", "softdog"));
                all.path = "/dev/watchdog-sbd".to_owned();
                all.entry = Some("watchdog1".to_owned());
                all.panic_s = Some(10);
            }),
            Proof(|proof| another(proof, is_of_softdog)),
        ],
        "watchdog0 is i6300ESB timer",
    ),
    case(
        "watchdog-panic",
        Classic,
        &[
            Watchdogs(|all| {
                all.devices = vec![device("watchdog0", "Software Watchdog", "softdog")];
                all.path = "/dev/watchdog-sbd".to_owned();
            }),
            Proof(|proof| another(proof, is_of_softdog)),
        ],
        "kernel.panic is 0",
    ),
    case(
        "watchdog-order",
        Classic,
        &[Watchdogs(|all| all.devices.push(device("watchdog1", "iTCO_wdt", "iTCO_wdt")))],
        "watchdog0 i6300ESB timer (i6300esb) and watchdog1 iTCO_wdt",
    ),
    case(
        "watchdog-nowayout",
        Classic,
        &[Watchdogs(|all| all.devices[0].nowayout = Some(true))],
        "can't be disarmed",
    ),
];
