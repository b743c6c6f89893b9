use super::{Sync, *};
use crate::decide::voters::NodeVoters;
use crate::pg::view::Connection;

mod model;

fn set(nodes: &str) -> BTreeSet<String> {
    nodes.split_whitespace().map(str::to_owned).collect()
}

fn names(count: usize, nodes: &str) -> Names {
    Names { count, nodes: set(nodes) }
}

fn policy(sync: Sync, count: usize) -> Policy {
    Policy { sync, count, preference: Preference::Any }
}

/// `b+` streams, `b` runs, `b-` is absent; in capitals it is of another site.
fn peers(words: &str) -> Vec<Peer> {
    let peer = |word: &str| {
        let (name, presence) = match word.strip_suffix('+') {
            Some(name) => (name, Presence::Streams),
            None => match word.strip_suffix('-') {
                Some(name) => (name, Presence::Absent),
                None => (word, Presence::Runs),
            },
        };
        let far = name.chars().all(char::is_uppercase);
        let place = if far { Place::OtherSite } else { Place::SameSite };
        Peer { node: name.to_lowercase(), place, presence }
    };
    words.split_whitespace().map(peer).collect()
}

#[test]
fn whom_commits_wait_for() {
    use Sync::{Prefer, Strict};
    for (sync, count, peers_are, current, then) in [
        (Prefer, 1, "b+ c+", names(0, ""), names(1, "b c")),
        // Who runs and was waited for stays; who only runs, and who is gone, does not come in.
        (Prefer, 1, "b+ c d", names(1, "b c"), names(1, "b c")),
        (Prefer, 1, "b+ c-", names(1, "b c"), names(1, "b")),
        (Prefer, 1, "b c", names(1, "b c"), names(0, "")),
        (Prefer, 2, "b+ c", names(2, "b c"), names(1, "b")),
        (Prefer, 2, "b+ c+ d+", names(1, "b"), names(2, "b c d")),
        (Strict, 1, "b- c-", names(1, "b"), names(1, "b")),
        (Strict, 1, "b- c+", names(1, "b"), names(1, "c")),
        (Strict, 1, "b- c-", names(0, ""), names(1, "b c")),
        (Strict, 2, "b+ c-", names(2, "b c"), names(2, "b c")),
        (Strict, 2, "b+ c- d+", names(2, "b c"), names(2, "b d")),
    ] {
        assert_eq!(
            target(&policy(sync, count), &peers(peers_are), &current),
            then,
            "{sync:?} {count}: {peers_are}"
        );
    }
}

#[test]
fn another_site_goes_first() {
    let policy = Policy { sync: Sync::Prefer, count: 1, preference: Preference::OtherSite };
    for (peers_are, current, then) in [
        ("b+ C+ D+", names(0, ""), names(1, "c d")),
        ("b+ C+ D", names(1, "c d"), names(1, "c d")),
        ("b+ C- D-", names(1, "c d"), names(1, "b")),
        ("b+ C+", names(1, "b"), names(1, "c")),
    ] {
        assert_eq!(target(&policy, &peers(peers_are), &current), then, "{peers_are}");
    }
}

fn standby(name: &str, sync: &str, flush: u64) -> ConnectedStandby {
    ConnectedStandby {
        application_name: name.into(),
        state: "streaming".into(),
        sync_state: SyncState::from(sync),
        sent: None,
        flush: Some(Lsn(flush)),
        connection: Connection::default(),
    }
}

static NOBODY: BTreeSet<String> = BTreeSet::new();

/// What the primary `a` of promotion 3 knows, with nobody streaming.
fn situation<'a>(peers: &'a [Peer], record: Option<&'a Voters>, setting: &'a str) -> Facts<'a> {
    Facts {
        node: "a",
        policy: policy(Sync::Prefer, 1),
        peers,
        generation: 3,
        now: BootTime::at(0),
        record,
        setting,
        standbys: &[],
        lsn: Lsn(100),
        short_for: None,
        confirming: None,
        heard: &NOBODY,
    }
}

fn voters(text: &str) -> Voters {
    text.parse().expect("a record")
}

#[test]
fn the_weaker_record_comes_before_the_weaker_setting() {
    let last = voters("3:5:2:a,b");
    let standbys = [standby("b", "quorum", 90), standby("c", "async", 90)];
    let others = peers("b+ c+");
    let mut facts = Facts { standbys: &standbys, ..situation(&others, Some(&last), "ANY 1 (\"b\")") };
    let weaker = voters("3:6:2:a,b,c");
    assert_eq!(step(&facts), Step::Weaken(weaker.clone()));
    facts.record = Some(&weaker);
    assert_eq!(step(&facts), Step::Configure(names(1, "b c")));
    facts.setting = "ANY 1 (\"b\", \"c\")";
    let standbys = [standby("b", "quorum", 90), standby("c", "quorum", 90)];
    facts.standbys = &standbys;
    assert_eq!(step(&facts), Step::Settled);
}

#[test]
fn the_stronger_record_comes_when_the_standbys_have_what_was_acknowledged_before() {
    let last = voters("3:6:1:a,b");
    let behind = [standby("b", "quorum", 90)];
    let others = peers("b+");
    let mut facts = Facts { standbys: &behind, ..situation(&others, Some(&last), "ANY 1 (\"b\")") };
    let confirming = Confirming { setting: facts.setting.into(), until: Lsn(100) };
    assert_eq!(step(&facts), Step::Confirm(confirming.clone()));
    facts.confirming = Some(&confirming);
    facts.lsn = Lsn(200);
    assert_eq!(step(&facts), Step::Wait, "it lacks what was acknowledged without it");
    let level = [standby("b", "quorum", 100)];
    facts.standbys = &level;
    assert_eq!(step(&facts), Step::Strengthen(voters("3:7:2:a,b")));
    // A walsender that has not read the setting releases commits by the one before.
    let unread = [standby("b", "async", 100)];
    facts.standbys = &unread;
    assert_eq!(step(&facts), Step::Wait);
}

#[test]
fn without_a_standby_prefer_goes_on_alone_once_that_is_on_record() {
    let last = voters("3:6:2:a,b");
    let others = peers("b-");
    let mut facts = situation(&others, Some(&last), "ANY 1 (\"b\")");
    let weaker = voters("3:7:1:a,b");
    assert_eq!(step(&facts), Step::Weaken(weaker.clone()));
    facts.record = Some(&weaker);
    assert_eq!(step(&facts), Step::Configure(Names::default()));
    facts.setting = "";
    let alone = voters("3:8:1:a");
    assert_eq!(step(&facts), Step::Strengthen(alone.clone()), "nobody but the primary has what follows");
    facts.record = Some(&alone);
    assert_eq!(step(&facts), Step::Settled);
    facts.policy = policy(Sync::Strict, 1);
    assert_eq!(step(&facts), Step::Configure(names(1, "b")), "strict: rather no commit");
}

#[test]
fn who_runs_gets_a_moment_to_stream_again() {
    let last = voters("3:6:2:a,b");
    let prefer = policy(Sync::Prefer, 1);
    let others = peers("b");
    let mut facts = Facts {
        policy: prefer,
        short_for: Some(GRACE - 1),
        ..situation(&others, Some(&last), "ANY 1 (\"b\")")
    };
    assert_eq!(step(&facts), Step::Wait);
    facts.short_for = Some(GRACE);
    assert_eq!(step(&facts), Step::Weaken(voters("3:7:1:a,b")));
    let current = names(1, "b");
    for (peers_are, short) in [("b", true), ("b-", false), ("b+", false), ("b- c", false)] {
        assert_eq!(is_short(&prefer, &peers(peers_are), &current), short, "{peers_are}");
    }
}

#[test]
fn what_the_operator_sets_by_hand_is_put_on_record_and_undone() {
    let last = voters("3:6:2:a,b");
    let others = peers("b+");
    let mut facts = situation(&others, Some(&last), "");
    let weaker = voters("3:7:1:a,b");
    for by_hand in ["", "*", "ANY 1 (other)"] {
        facts.setting = by_hand;
        let Step::Weaken(voters) = step(&facts) else { panic!("{by_hand}: {:?}", step(&facts)) };
        assert_eq!(
            voters.statement.as_ref().map(|s| s.count),
            Some(1).filter(|_| by_hand != "ANY 1 (other)").or(Some(2))
        );
    }
    facts.setting = "";
    facts.record = Some(&weaker);
    assert_eq!(step(&facts), Step::Configure(names(1, "b")));
}

#[test]
fn a_number_counts_once_each_walsender_has_read_it() {
    let (last, heard) = (voters("3:6:2:a,b,c"), set("b c"));
    let others = peers("b+ c+");
    let level = [standby("b", "quorum", 100), standby("c", "quorum", 100)];
    let setting = "ANY 2 (\"b\", \"c\")";
    let mut facts = Facts { standbys: &level, ..situation(&others, Some(&last), setting) };
    facts.policy.count = 2;
    assert_eq!(step(&facts), Step::Wait, "b was listed before, and may release commits by ANY 1");
    facts.heard = &heard;
    let confirming = Confirming { setting: setting.into(), until: Lsn(100) };
    assert_eq!(step(&facts), Step::Confirm(confirming.clone()));
    facts.confirming = Some(&confirming);
    assert_eq!(step(&facts), Step::Strengthen(voters("3:7:3:a,b,c")));
}

#[test]
fn two_settings_are_in_force_at_once_for_a_moment() {
    let last = voters("3:6:2:a,b");
    let others = peers("b+ c+");
    let standbys = [standby("b", "quorum", 90), standby("c", "async", 100)];
    let mut facts = Facts { standbys: &standbys, ..situation(&others, Some(&last), "ANY 1 (\"b\")") };
    facts.policy.count = 2;
    // b's walsender may still release what is on one of those that are listed by now, and that may be c.
    assert_eq!(step(&facts), Step::Weaken(voters("3:7:2:a,b,c")));
    // It has not read the next one either, and a third one is to be listed: b may release what is on that one.
    let last = voters("3:7:2:a,b,c");
    let others = peers("b+ c+ d+");
    let standbys = [standby("b", "quorum", 90), standby("c", "quorum", 90), standby("d", "async", 100)];
    let setting = "ANY 2 (\"b\", \"c\")";
    let heard = set("b c");
    let mut facts = Facts { standbys: &standbys, ..situation(&others, Some(&last), setting) };
    facts.policy.count = 2;
    assert_eq!(step(&facts), Step::Weaken(voters("3:8:2:a,b,c,d")));
    facts.heard = &heard;
    assert_eq!(step(&facts), Step::Configure(names(2, "b c d")));
    // d is not listed any more, has not read that, and b is lost: c's walsender will count d.
    let others = peers("b- c+ d-");
    let standbys = [standby("c", "quorum", 90), standby("d", "quorum", 100)];
    let heard = set("c d");
    let mut facts = Facts { standbys: &standbys, heard: &heard, ..situation(&others, Some(&last), setting) };
    facts.policy.count = 2;
    assert_eq!(step(&facts), Step::Weaken(voters("3:8:2:a,b,c,d")));
}

#[test]
fn who_has_replied_twice_has_read_the_setting() {
    let view = |setting: &str, replies: &[(&str, u64)]| PrimaryView {
        lsn: Lsn(100),
        timeline: crate::pg::timeline::Timeline::FIRST,
        standbys: replies
            .iter()
            .map(|(name, at)| ConnectedStandby {
                connection: Connection { replied: Some(*at).filter(|at| *at > 0), ..Connection::default() },
                ..standby(name, "quorum", 100)
            })
            .collect(),
        synchronous_standby_names: setting.into(),
    };
    let mut uptake = Uptake::default();
    for (setting, replies, heard) in [
        ("ANY 2 (b, c)", [("b", 1), ("c", 1)], ""),
        ("ANY 2 (b, c)", [("b", 2), ("c", 1)], ""),
        ("ANY 2 (b, c)", [("b", 2), ("c", 0)], ""),
        ("ANY 2 (b, c)", [("b", 3), ("c", 4)], "b"),
        ("ANY 2 (b, c)", [("b", 3), ("c", 5)], "b"),
        ("ANY 2 (b, c)", [("b", 3), ("c", 6)], "b c"),
        // Of another setting they say nothing.
        ("ANY 2 (b, d)", [("b", 4), ("c", 7)], ""),
        ("ANY 2 (b, c)", [("b", 5), ("c", 8)], ""),
    ] {
        assert_eq!(uptake.hear(&view(setting, &replies)), set(heard), "{setting} {replies:?}");
    }
}

#[test]
fn a_record_that_was_lost_begins_above_every_older_one() {
    let others = peers("b-");
    let alone = |record, now| Facts { record, now, ..situation(&others, None, "") };
    let Step::Strengthen(first) = step(&alone(None, BootTime::at(5_000))) else {
        panic!("nothing is on record")
    };
    let last = Voters { sequence: first.sequence + 7, ..first };
    // Every pacemaker-attrd began anew; a node that was cut off before brings the last one back.
    let Step::Strengthen(again) = step(&alone(None, BootTime::at(65_000))) else {
        panic!("nothing is on record")
    };
    let on = |voters: &Voters| NodeVoters { node: "b".into(), voters: voters.clone() };
    assert_eq!(Voters::latest(&[on(&again), on(&last)]), Some(again.clone()));
    // Two in one millisecond, and a clock of another node.
    for now in [0, again.sequence] {
        let next = Voters::after(Some(&again), 3, None, BootTime::at(now));
        assert_eq!(Voters::latest(&[on(&next), on(&again)]), Some(next));
    }
}

#[test]
fn nobody_who_streams_is_not_waited_for_in_each_call() {
    let last = voters("3:6:2:a,b");
    let others = peers("b- c-");
    let strict = policy(Sync::Strict, 1);
    let setting = "ANY 1 (\"b\")";
    let mut facts = Facts { policy: strict, ..situation(&others, Some(&last), setting) };
    assert_eq!(step(&facts), Step::Settled);
    let weaker = voters("3:7:1:a,b");
    facts.record = Some(&weaker);
    assert_eq!(step(&facts), Step::Confirm(Confirming { setting: setting.into(), until: Lsn(100) }));
    let confirming = Confirming { setting: setting.into(), until: Lsn(100) };
    facts.confirming = Some(&confirming);
    assert_eq!(step(&facts), Step::Later);
    let behind = [standby("b", "quorum", 90)];
    facts.standbys = &behind;
    assert_eq!(step(&facts), Step::Wait);
}

#[test]
fn off_takes_the_promise_back_first() {
    let (last, ended) = (voters("3:6:2:a,b"), voters("3:7:0:"));
    let mut facts = Facts { policy: policy(Sync::Off, 1), ..situation(&[], Some(&last), "ANY 1 (\"b\")") };
    assert_eq!(step(&facts), Step::Weaken(ended.clone()));
    facts.record = Some(&ended);
    assert_eq!(step(&facts), Step::Release);
    facts.record = None;
    assert_eq!(step(&facts), Step::Release, "no standby had confirmed yet");
}

#[test]
fn a_candidate_waits_for_those_that_answered() {
    let last = voters("3:6:2:a,b,c");
    let (set, on_record) =
        at_promotion(&policy(Sync::Prefer, 1), "b", &peers("c+"), Some(&last), 4, BootTime::at(0));
    assert_eq!(set, Some(names(1, "c")));
    assert_eq!(on_record, Some(voters("4:7:2:a,b,c")));
    let (set, on_record) = at_promotion(&policy(Sync::Prefer, 1), "b", &[], Some(&last), 4, BootTime::at(0));
    assert_eq!((set, on_record), (Some(Names::default()), Some(voters("4:7:1:a,b,c"))));
    let (set, on_record) =
        at_promotion(&policy(Sync::Strict, 1), "b", &peers("c+"), None, 1, BootTime::at(0));
    assert_eq!((set, on_record), (Some(names(1, "c")), None), "nothing is promised yet");
    let (set, on_record) = at_promotion(&policy(Sync::Strict, 1), "b", &[], Some(&last), 4, BootTime::at(0));
    assert_eq!((set, on_record), (Some(names(1, "a c")), Some(voters("4:7:2:a,b,c"))), "rather no commit");
    assert_eq!(
        at_promotion(&policy(Sync::Strict, 1), "b", &[], None, 1, BootTime::at(0)),
        (None, None),
        "nobody is known"
    );
    let (set, on_record) =
        at_promotion(&policy(Sync::Off, 1), "b", &peers("c+"), Some(&last), 4, BootTime::at(0));
    assert_eq!((set, on_record), (None, None), "it may fail, and the next one has to know");
}
