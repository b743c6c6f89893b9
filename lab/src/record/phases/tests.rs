use super::facts::{Fact, read};
use super::journal::parse;
use super::noticed::{By, noticed, words};
use super::*;
use crate::machines::protocol::{Owner, PowerLoss, Stamp};

/// Captured on Debian 12 (Pacemaker 2.1.5, Corosync 3.1.7), two nodes and a witness; cut to the time of the failover.
const KILL: [&str; 2] =
    [include_str!("testdata/postgres-kill-srv1.txt"), include_str!("testdata/postgres-kill-srv2.txt")];
const POWER_OFF: [&str; 1] = [include_str!("testdata/power-off-srv2.txt")];
const SWITCHOVER: [&str; 2] =
    [include_str!("testdata/switchover-srv1.txt"), include_str!("testdata/switchover-srv2.txt")];
const UNLINK: [&str; 2] =
    [include_str!("testdata/unlink-srv1.txt"), include_str!("testdata/unlink-srv2.txt")];
const CONTROLD_STOP: [&str; 2] =
    [include_str!("testdata/controld-stop-srv1.txt"), include_str!("testdata/controld-stop-srv2.txt")];
const COROSYNC_STOP: [&str; 2] =
    [include_str!("testdata/corosync-stop-srv1.txt"), include_str!("testdata/corosync-stop-srv2.txt")];

fn lines(journals: &[&str]) -> Vec<Line> {
    journals.iter().flat_map(|text| parse(text)).collect()
}

fn watched(first_write_ms: Option<u64>) -> Watched<'static> {
    Watched {
        instance: "main",
        resource: "pgsqld",
        float_ip: "primary-ip",
        outage_ms: first_write_ms,
        writes_stopped_ms: 0,
        first_write_ms,
    }
}

fn of(fault_us: u64, hit: &str, journals: &[&str], first_write_ms: u64) -> Failover {
    let hit = [hit.to_owned()];
    failover(Scene { fault_us, hit: &hit }, watched(Some(first_write_ms)), &lines(journals), &[])
}

fn times(failover: &Failover) -> [Option<u64>; 6] {
    failover.steps().map(|(_, ms)| ms)
}

#[test]
fn a_lost_node() {
    let found = of(1_795_520_461_300_000, "srv1", &POWER_OFF, 19_453);
    // Membership, self-fencing assumed, promote ordered, promote ended, address added.
    assert_eq!(
        times(&found),
        [Some(6_727), Some(18_776), Some(18_811), Some(19_051), Some(19_193), Some(19_453)]
    );
    let fenced = found.fenced.expect("it was fenced");
    assert_eq!(fenced.node, "srv2");
    assert!(fenced.words.contains("targeting srv1"), "{fenced:?}");
}

#[test]
fn a_crash_that_is_mended_where_it_happened() {
    let found = of(1_795_520_430_250_000, "srv1", &KILL, 3_266);
    // Nobody was fenced, and the float IP stayed; the first write was there before the promotion was logged.
    assert_eq!(times(&found), [Some(294), None, Some(3_033), Some(3_266), None, Some(3_266)]);
    assert!(found.detected.expect("noticed").words.ends_with("not running"));
}

#[test]
fn an_order_needs_no_detection() {
    let found = of(1_795_520_525_400_000, "srv2", &SWITCHOVER, 7_305);
    assert_eq!(times(&found), [None, None, Some(6_407), Some(6_850), Some(7_288), Some(7_305)]);
}

#[test]
fn what_an_isolated_node_believes_is_no_detection() {
    let found = of(1_795_520_556_741_967, "srv1", &UNLINK, 18_931);
    let detected = found.detected.clone().expect("noticed");
    assert_eq!((detected.ms, detected.node.as_str()), (6_189, "srv2"));
    assert!(found.fenced.as_ref().expect("fenced").ms > detected.ms);
    // Alone, the isolated node's journal says nothing of the kind.
    let alone = of(1_795_520_556_741_967, "srv1", &UNLINK[..1], 18_931);
    assert_eq!(times(&alone), [None, None, None, None, None, Some(18_931)]);
}

#[test]
fn lines_from_before_the_fault_do_not_count() {
    // The same journal, and a fault after everything in it.
    let found = of(1_795_520_490_000_000, "srv1", &POWER_OFF, 500);
    assert_eq!(times(&found), [None, None, None, None, None, Some(500)]);
}

#[test]
fn what_follows_the_first_good_write_is_no_part_of_the_way() {
    // Writes that were good before the promotion was even ordered owe nothing to it.
    let found = of(1_795_520_461_300_000, "srv1", &POWER_OFF, 8_000);
    assert_eq!(times(&found), [Some(6_727), None, None, None, None, Some(8_000)]);
}

#[test]
fn another_instance_has_its_own_way() {
    let hit = ["srv1".to_owned()];
    let scene = Scene { fault_us: 1_795_520_461_300_000, hit: &hit };
    let other = Watched { resource: "pgsqld-b", float_ip: "primary-ip-b", ..watched(Some(19_453)) };
    let found = failover(scene, other, &lines(&POWER_OFF), &[]);
    assert_eq!(times(&found), [Some(6_727), Some(18_776), None, None, None, Some(19_453)]);
}

#[test]
fn the_supervisor_tells_when_the_node_was_down() {
    let at = |wall_us| Stamp { monotonic_us: 0, wall_us };
    let event = |node: &str, wall_us| Event {
        node: node.to_owned(),
        at: at(wall_us),
        happening: Happening::PowerLost { cause: PowerLoss::Watchdog },
    };
    let hit = ["srv1".to_owned()];
    let scene = Scene { fault_us: 1_000_000, hit: &hit };
    let down = |events: &[Event]| failover(scene, watched(Some(20_000)), &[], events).node_down.map(|m| m.ms);
    assert_eq!(
        down(&[event("srv1", 500_000), event("srv2", 2_000_000), event("srv1", 8_000_000)]),
        Some(7_000)
    );
    // After the writes came back it is no part of this.
    assert_eq!(down(&[event("srv1", 60_000_000)]), None);
}

#[test]
fn the_words_of_both_pacemakers() {
    let promoted = |good| Fact::Ended { action: "promote", resource: "pgsqld", node: "srv2", good };
    for (message, fact) in [
        ("notice: Result of promote operation for pgsqld on srv2: ok", Some(promoted(true))),
        ("notice: Result of promote operation for pgsqld on srv2: OK", Some(promoted(true))),
        ("notice: Result of promote operation for pgsqld on srv2: 0 (ok)", Some(promoted(true))),
        (
            "error: Result of promote operation for pgsqld on srv2: Timed Out after 30s (too slow)",
            Some(promoted(false)),
        ),
        (
            "notice: Result of promote operation for pgsqld on srv2: error (won by another)",
            Some(promoted(false)),
        ),
        ("notice: Result of monitor operation for pgsqld on srv2: Cancelled", None),
        (
            "notice: Initiating promote operation pgsqld:1_promote_0 locally on srv2",
            Some(Fact::Ordered { action: "promote", resource: "pgsqld" }),
        ),
        ("notice: Initiating notify operation pgsqld_pre_notify_promote_0 on srv2", None),
        ("notice: Initiating cancel operation pgsqld_monitor_4000 locally on srv2", None),
        (
            "notice: Peer srv1 was terminated (reboot) by srv2 on behalf of pacemaker-controld.76@srv2: OK",
            Some(Fact::Fenced { node: "srv1" }),
        ),
        (
            "notice: Peer srv1 was terminated (reboot) by srv2 on behalf of pacemaker-controld.76@srv2: Timer expired",
            None,
        ),
        (
            "notice: Peer srv1 was not terminated (reboot) by <anyone> on behalf of pacemaker-controld.76@srv2: No such device",
            None,
        ),
        ("notice: Node srv1 state is now lost", Some(Fact::Lost { node: "srv1" })),
        (
            "notice: Transition 2 action 4 (pgsqld_monitor_3000 on srv1): expected 'promoted' but got 'not running'",
            Some(Fact::Ended { action: "monitor", resource: "pgsqld", node: "srv1", good: false }),
        ),
        (
            "notice: Transition 7 action 4 (pgsqld_monitor_0 on srv1): expected 'not running' but got 'promoted'",
            None,
        ),
        ("notice: Transition 9 (Complete=35, Pending=0): Complete", None),
        ("", None),
        ("Result of  operation for ", None),
    ] {
        assert_eq!(read("pacemaker-controld", message), fact, "{message}");
    }
    let fenced =
        "notice: Operation 'reboot' targeting srv1 by srv2 for pacemaker-controld.76@srv2: OK (complete)";
    assert_eq!(read("pacemaker-fenced", fenced), Some(Fact::Fenced { node: "srv1" }));
    let failed =
        "error: Operation 'reboot' targeting srv1 by srv2 for pacemaker-controld.76@srv2: Error (no device)";
    assert_eq!(read("pacemaker-fenced", failed), None);
    assert_eq!(
        read("pacemaker-schedulerd", "warning: srv1 is unclean"),
        Some(Fact::Unclean { node: "srv1" })
    );
    assert_eq!(
        read("IPaddr2(primary-ip)", "INFO: Adding inet address 192.168.56.120/24 to device eth0"),
        Some(Fact::AddressAdded { resource: "primary-ip" })
    );
    assert_eq!(
        read("corosync", "[TOTEM ] A new membership (1.2a) was formed. Members joined: 2 left: 1"),
        Some(Fact::MembersLeft)
    );
    assert_eq!(read("corosync", "[TOTEM ] A new membership (1.2a) was formed. Members joined: 2"), None);
}

#[test]
fn broken_journals_are_read_as_far_as_they_go() {
    for bad in [
        "",
        "-- Boot 6ad2 --",
        "1795520480.0774 srv2 corosync[1]: short",
        "1795520480,077420 srv2 corosync[1]: comma",
        "+795520480.077420 srv2 corosync[1]: sign",
        "99999999999999999999.000000 srv2 corosync[1]: too large",
        "18446744073709551615.000000 srv2 corosync[1]: too large in microseconds",
        "1795520480.077420 srv2 no tag",
        "   a second line of a message",
    ] {
        assert_eq!(parse(bad), [], "{bad}");
    }
    let good = parse("1795520480.077420 srv2 IPaddr2(primary-ip)[7]: INFO: Adding\n   and more\n");
    assert_eq!(
        good,
        [Line {
            at_us: 1_795_520_480_077_420,
            node: "srv2".to_owned(),
            program: "IPaddr2(primary-ip)".to_owned(),
            message: "INFO: Adding".to_owned(),
        }]
    );
}

#[test]
fn old_results_without_some_field_are_read() {
    let old: Failover = serde_json::from_str(r#"{"instance":"main","detected":{"ms":5}}"#).expect("defaults");
    assert_eq!(times(&old), [Some(5), None, None, None, None, None]);
}

fn who_noticed(fault_us: u64, hit: &str, lines: &[Line], events: &[Event]) -> Vec<(By, u64)> {
    let hit = [hit.to_owned()];
    noticed(Scene { fault_us, hit: &hit }, lines, events).into_iter().map(|n| (n.by, n.mark.ms)).collect()
}

#[test]
fn a_hung_daemon_is_noticed_when_somebody_acts_on_it() {
    // pacemakerd says four times before that it gets no answer, and does nothing about it.
    let found = who_noticed(1_795_569_394_841_000, "srv1", &lines(&CONTROLD_STOP), &[]);
    let (acts, others, ends) = ((By::Pacemakerd, 31_827), (By::Others, 31_866), (By::Pacemaker, 31_909));
    assert_eq!(found, [acts, others, ends, (By::Systemd, 31_919)]);
    // A bystander is none of those who were hit.
    assert_eq!(who_noticed(1_795_569_394_841_000, "srv3", &lines(&CONTROLD_STOP), &[]), []);
    assert_eq!(who_noticed(1_795_569_999_000_000, "srv1", &lines(&CONTROLD_STOP), &[]), []);
}

#[test]
fn sbd_notices_and_the_watchdog_resets() {
    let fault_us = 1_795_569_519_346_000;
    let expired = Event {
        node: "srv1".to_owned(),
        at: Stamp { monotonic_us: 0, wall_us: fault_us + 7_500_000 },
        happening: Happening::WatchdogExpired { of: Owner::Sbd },
    };
    let of_another = Event { node: "srv2".to_owned(), ..expired.clone() };
    let found = who_noticed(fault_us, "srv1", &lines(&COROSYNC_STOP), &[of_another, expired.clone()]);
    assert_eq!(found, [(By::Sbd, 3_450), (By::Others, 6_569), (By::Watchdog, 7_500)]);
    // Nobody else would say that sbd itself has stopped.
    assert_eq!(who_noticed(fault_us, "srv1", &[], &[expired]), [(By::Watchdog, 7_500)]);
}

#[test]
fn a_monitor_may_be_who_notices() {
    let found = who_noticed(1_795_520_430_250_000, "srv1", &lines(&KILL), &[]);
    assert_eq!(found.first(), Some(&(By::Monitor, 294)), "{found:?}");
}

#[test]
fn corosync_misses_its_quorum_device() {
    let journal = "1795571347.236771 srv2 corosync[69]:   [VOTEQ ] lost contact with quorum device Qdevice\n";
    let found = |hit: &str| who_noticed(1_795_571_345_800_000, hit, &parse(journal), &[]);
    assert_eq!(found("srv2"), [(By::Corosync, 1_436)]);
    assert_eq!(found("srv1"), []);
}

#[test]
fn a_monitor_that_lowers_the_score_has_noticed_something() {
    let hit = ["srv2".to_owned()];
    let who = |words: &str| {
        let line = format!("1000.000000 srv2 quorate-postgres[1929]: pgsqld {words}\n");
        noticed(Scene { fault_us: 990_000_000, hit: &hit }, &parse(&line), &[]).len()
    };
    assert_eq!(who("monitor: promotion score 1001 -> 150: the file system of /main is stuck"), 1);
    assert_eq!(who("monitor: promotion score 150 -> 1001: it works again"), 0);
    assert_eq!(who("monitor: promotion score 1002 -> 1001: promoted"), 0);
    assert_eq!(who("monitor: promotion score none -> 550: nobody is promoted"), 0);
    assert_eq!(who("notify: promotion score 900 -> 500: the primary is gone"), 0);
}

#[test]
fn quorateds_suspicion_is_not_yet_its_word() {
    let journal = "1000.000000 srv1 quorated[5]: suspect: pacemaker-controld does not answer\n\
        1001.000000 srv1 quorated[5]: hangs: pacemaker-controld for 4.0 s\n\
        1002.500000 srv1 quorated[5]: reset: pacemaker-controld hangs\n";
    let hit = ["srv1".to_owned()];
    let found = noticed(Scene { fault_us: 998_000_000, hit: &hit }, &parse(journal), &[]);
    assert_eq!(words(&found), "quorated 3.0 s");
    assert_eq!(found[0].mark.words, "quorated: hangs: pacemaker-controld for 4.0 s");
    assert_eq!(words(&[]), "nobody");
}

#[test]
fn the_cable_and_the_power_have_their_times() {
    let event = |node: &str, ms: u64, happening| Event {
        node: node.to_owned(),
        at: Stamp { monotonic_us: 0, wall_us: 1_000_000 + ms * 1000 },
        happening,
    };
    let events = [
        event("srv2", 100, Happening::Unlinked),
        event("srv1", 5_000, Happening::Unlinked),
        event("srv1", 43_000, Happening::PowerLost { cause: PowerLoss::Watchdog }),
    ];
    let scene = Scene { fault_us: 1_000_000, hit: &[] };
    assert_eq!(cut_off(scene, "srv1", &events), Some(5_000));
    assert_eq!(power_lost(scene, "srv1", &events), Some((43_000, PowerLoss::Watchdog)));
    assert_eq!(power_lost(scene, "srv2", &events), None);
}
