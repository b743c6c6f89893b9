use super::*;
use crate::cluster::health::QuorumFact;
use crate::pg::lsn::Lsn;

const NOW: BootTime = BootTime::at(100_000);

fn statistics(role: PgRole) -> Statistics {
    Statistics {
        role,
        timeline: Some(1),
        written: None,
        received: Some(Lsn(0x300_0000)),
        replayed: Some(Lsn(0x300_0000)),
        upstream_end: Some(Lsn(0x300_0000)),
        streams: role == PgRole::Standby,
        paused: false,
        replay_age_s: Some(5.0),
        waiting: 0,
        standbys: Vec::new(),
        slots: Vec::new(),
    }
}

fn instance(role: PgRole) -> InstanceHealth {
    InstanceHealth {
        resource: "pgsqld".into(),
        role,
        phase: Phase::Running,
        postmaster: Postmaster::Runs,
        unmanaged: None,
        answer: Some(Answer { at: NOW, said: Ok(statistics(role)) }),
        safe_mode: None,
        generation: None,
        promotions: std::collections::BTreeMap::new(),
    }
}

fn health() -> Health {
    let quorum = QuorumFact { at: NOW, quorate: true, votes: None };
    Health { looked: NOW, quorum: Some(quorum), ..Health::default() }
}

fn all() -> impl Iterator<Item = Facts> {
    let postmasters = [Postmaster::Runs, Postmaster::Stopped, Postmaster::Gone, Postmaster::Unknown];
    let with = move |node| {
        Said::ALL.into_iter().flat_map(move |said| {
            postmasters.into_iter().flat_map(move |postmaster| {
                [Phase::Running, Phase::Stopping].into_iter().flat_map(move |phase| {
                    [PgRole::Primary, PgRole::Standby].into_iter().map(move |recorded| Facts {
                        node,
                        recorded,
                        phase,
                        postmaster,
                        said,
                    })
                })
            })
        })
    };
    Node::ALL.into_iter().flat_map(with)
}

/// Of 400 combinations one takes writes.
#[test]
fn writes_go_only_where_everything_says_so() {
    let yes: Vec<Facts> = all().filter(|facts| decide(Check::Primary, facts).is_ok()).collect();
    let only = Facts {
        node: Node::Quorate,
        recorded: PgRole::Primary,
        phase: Phase::Running,
        postmaster: Postmaster::Runs,
        said: Said::Primary,
    };
    assert_eq!(yes, [only]);
    assert_eq!(all().count(), 400);
}

#[test]
fn a_node_is_never_both() {
    for facts in all() {
        let primary = decide(Check::Primary, &facts);
        for limit in [None, Some(Limit::Bytes(1))] {
            let replica = decide(Check::Replica(limit), &facts);
            assert!(primary.is_err() || replica.is_err(), "{facts:?}");
            let either = decide(Check::ReadOnly(limit), &facts);
            assert_eq!(either.is_ok(), primary.is_ok() || replica.is_ok(), "{facts:?}");
            if limit.is_some() && replica.is_ok() {
                assert_eq!((facts.node, facts.said), (Node::Quorate, Said::Streams));
            }
        }
        if decide(Check::Health, &facts).is_ok() {
            assert_eq!(facts.node, Node::Quorate);
        }
    }
}

#[test]
fn what_is_old_or_of_another_boot_is_not_known() {
    assert_eq!(Node::of(None, NOW), Node::Unknown);
    assert_eq!(Node::of(Some(&health()), NOW), Node::Quorate);
    assert_eq!(Node::of(Some(&health()), NOW + FRESH_MS), Node::Quorate);
    assert_eq!(Node::of(Some(&health()), NOW + FRESH_MS + 1), Node::Unknown);
    assert_eq!(Node::of(Some(&health()), NOW.before(1)), Node::Unknown, "the file of another boot");
    let quorum = |ms| Health { looked: NOW + ms, ..health() };
    assert_eq!(Node::of(Some(&quorum(FRESH_MS + 1)), NOW + FRESH_MS + 1), Node::QuorumUnknown);
    let lost = QuorumFact { at: NOW, quorate: false, votes: None };
    assert_eq!(Node::of(Some(&Health { quorum: Some(lost), ..health() }), NOW), Node::NoQuorum);
    let ending = Health { ending: Some("fenced".into()), ..health() };
    assert_eq!(Node::of(Some(&ending), NOW), Node::Ending);

    let said = |now| Said::of(&instance(PgRole::Primary), None, now);
    assert_eq!(said(NOW + ANSWER_FRESH_MS), Said::Primary);
    assert_eq!(said(NOW + ANSWER_FRESH_MS + 1), Said::Nothing);
    let silent = Answer { at: NOW, said: Err("no answer within 2.5 s".into()) };
    assert_eq!(
        Said::of(&InstanceHealth { answer: Some(silent), ..instance(PgRole::Primary) }, None, NOW),
        Said::Nothing
    );
}

#[test]
fn a_busy_or_full_primary_stays_one_and_a_dead_one_does_not() {
    let said = |role| Answer { at: NOW, said: Ok(statistics(role)) };
    let next = |before: Option<Answer>, after: u64, asked| heard(before, NOW + after, asked);
    let why = || "no".to_owned();
    for role in [PgRole::Primary, PgRole::Standby] {
        assert_eq!(next(None, 9, Asked::Answered(statistics(role))), Answer { at: NOW + 9, ..said(role) });
        assert_eq!(next(Some(said(role)), 3000, Asked::Silent(why())), said(role), "by its age");
        assert!(next(Some(said(role)), ANSWER_FRESH_MS + 1, Asked::Silent(why())).said.is_err());
        assert!(next(Some(said(role)), 1, Asked::Failed(why())).said.is_err());
        for asked in [Asked::Silent(why()), Asked::Full(why()), Asked::Failed(why())] {
            assert!(next(None, 1, asked).said.is_err(), "nothing was said before");
        }
    }
    let full = |role| next(Some(said(role)), 60_000, Asked::Full(why()));
    assert_eq!(full(PgRole::Primary), Answer { at: NOW + 60_000, ..said(PgRole::Primary) });
    assert!(full(PgRole::Standby).said.is_err(), "its lag is not known");
}

#[test]
fn a_standby_s_lag_against_the_limit() {
    let behind = |bytes: u64, streams: bool| {
        let said = Statistics {
            upstream_end: Some(Lsn(0x300_0000 + bytes)),
            streams,
            ..statistics(PgRole::Standby)
        };
        InstanceHealth { answer: Some(Answer { at: NOW, said: Ok(said) }), ..instance(PgRole::Standby) }
    };
    let check = |instance: &InstanceHealth, lag: Option<&str>| {
        let check = Check::Replica(lag.map(|text| limit(text).unwrap()));
        decide(check, &Facts::of(check, Node::Quorate, instance, NOW))
    };
    assert_eq!(check(&behind(1 << 20, true), Some("1MB")), Ok(Yes::Standby));
    assert_eq!(check(&behind((1 << 20) + 1, true), Some("1MB")), Err(No::Behind));
    assert_eq!(check(&behind(1, true), Some("5s")), Ok(Yes::Standby));
    assert_eq!(check(&behind(1, true), Some("4s")), Err(No::Behind));
    assert_eq!(check(&behind(0, true), Some("0s")), Ok(Yes::Standby), "an idle primary");
    assert_eq!(check(&behind(0, false), Some("1GB")), Err(No::LagUnknown));
    assert_eq!(check(&behind(0, false), None), Ok(Yes::Standby));
}

#[test]
fn units_of_lag() {
    assert_eq!(limit("0"), Ok(Limit::Bytes(0)));
    assert_eq!(limit("16kB"), Ok(Limit::Bytes(16 << 10)));
    assert_eq!(limit("4294967295GB"), Ok(Limit::Bytes(4_294_967_295 << 30)));
    assert_eq!(limit("500ms"), Ok(Limit::Seconds(0.5)));
    assert_eq!(limit("2min"), Ok(Limit::Seconds(120.0)));
    for wrong in ["", "s", "-1", "1.5s", "10 s", "10mb", "99999999999", "1MB1", "\u{661}s"] {
        assert!(limit(wrong).is_err(), "{wrong:?}");
    }
}
