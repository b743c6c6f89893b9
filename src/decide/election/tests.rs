//! The election: situations first, then every combination of facts.

use super::*;
use crate::decide::samples::*;

fn ballots(list: &[(&str, u32, u64)]) -> Vec<Ballot> {
    list.iter()
        .map(|(n, t, l)| Ballot { node: (*n).into(), position: position(*t, *l), fitness: Fitness::Fit })
        .collect()
}

fn candidate(own: Option<WalPosition>, ballots: &[Ballot]) -> Facts<'_> {
    Facts {
        node: "srv1",
        manager: Manager::Pacemaker,
        time: Time::Left,
        position: own,
        disk: Disk::Sound,
        ballots: Ballots::Read(ballots),
        receiver: Receiver::Idle,
        earlier: Earlier::default(),
        knowledge: Knowledge::Current,
        last_role: LastRole::Standby,
        record: &Record::Empty,
        branch: &Branch::Unrecorded,
        voters: OnRecord::Nothing,
        approval: Approval::NotGiven,
        expected: Some(3),
        lag: None,
        maxlag: None,
    }
}

#[test]
fn the_most_advanced_wins_whoever_is_asked() {
    let all = ballots(&[("srv1", 2, 0x100), ("srv2", 2, 0x300), ("srv3", 2, 0x200)]);
    assert!(
        matches!(decide(&candidate(Some(position(2, 0x100)), &all)), Verdict::Lost { to, .. } if to == "srv2")
    );
    assert!(matches!(decide(&candidate(Some(position(2, 0x300)), &all)), Verdict::Won(_)));
}

#[test]
fn the_timeline_comes_before_the_position() {
    let all = ballots(&[("srv2", 3, 0x100)]);
    assert!(matches!(decide(&candidate(Some(position(2, 0xFFFF)), &all)), Verdict::Lost { .. }));
}

#[test]
fn who_does_not_answer_does_not_block() {
    assert!(matches!(decide(&candidate(Some(position(2, 1)), &[])), Verdict::Won(_)));
}

#[test]
fn who_is_ahead_on_a_bad_disk_is_passed_by_only_as_a_primary_that_is_gone() {
    for (fitness, current, unproven) in [
        (Fitness::Fit, false, false),
        (Fitness::DiskFull, false, false),
        (Fitness::NotWritable, false, false),
        (Fitness::FailedPrimary, true, false),
    ] {
        let mut ahead = ballots(&[("srv2", 2, 0x300), ("srv3", 2, 0x100)]);
        ahead[0].fitness = fitness;
        let mut c = candidate(Some(position(2, 0x100)), &ahead);
        assert_eq!(matches!(decide(&c), Verdict::Won(_)), current, "{fitness:?}");
        c.knowledge = Knowledge::Unproven;
        assert_eq!(matches!(decide(&c), Verdict::Won(_)), unproven, "{fitness:?}");
        let told = decide(&c);
        match fitness {
            Fitness::Fit | Fitness::DiskFull => {
                assert!(matches!(told, Verdict::Lost { to, .. } if to == "srv2"))
            }
            Fitness::NotWritable | Fitness::FailedPrimary => {
                assert_eq!(told, Verdict::Refused(Refusal::AnotherIsAhead("srv2".into())));
                c.approval = Approval::Given;
                assert!(matches!(decide(&c), Verdict::Won(_)));
            }
        }
        (c.approval, c.position) = (Approval::NotGiven, Some(position(2, 0x300)));
        assert!(matches!(decide(&c), Verdict::Won(_)), "{fitness:?}: it still votes");
    }
}

#[test]
fn wal_that_arrives_tells_of_a_primary_that_lives() {
    let at = |lsn| Some(position(2, lsn));
    for streams in [Receiver::Streams, Receiver::Idle] {
        assert_eq!(old_primary(at(0x100), at(0x101), streams), OldPrimary::Lives);
        assert_eq!(old_primary(at(0x100), at(0x100), streams), OldPrimary::Silent);
        assert_eq!(old_primary(None, None, streams), OldPrimary::Silent, "the election refuses that");
    }
    assert_eq!(old_primary(None, at(0x100), Receiver::Streams), OldPrimary::Unknown);
    assert_eq!(old_primary(None, at(0x100), Receiver::Idle), OldPrimary::Silent);
}

#[test]
fn two_without_space_do_not_send_the_role_to_and_fro() {
    let mut other = ballots(&[("srv2", 2, 0x100)]);
    for (theirs, won) in [(Fitness::Fit, false), (Fitness::DiskFull, true)] {
        other[0].fitness = theirs;
        let mut c = candidate(Some(position(2, 0x100)), &other);
        c.disk = Disk::Full;
        assert_eq!(matches!(decide(&c), Verdict::Won(_)), won, "{theirs:?}");
    }
}

#[test]
fn a_disk_that_takes_no_writes_is_never_elected_and_a_full_one_only_before_worse() {
    for disk in Disk::ALL {
        for theirs in [0xFF, 0x100, 0x101] {
            let other = ballots(&[("srv2", 2, theirs)]);
            let mut c = candidate(Some(position(2, 0x100)), &other);
            c.disk = disk;
            let won = matches!(decide(&c), Verdict::Won(_));
            let expected = match disk {
                Disk::Sound | Disk::Slow => theirs <= 0x100,
                Disk::Full => theirs < 0x100,
                Disk::ReadOnly | Disk::Broken | Disk::Stuck => false,
            };
            assert_eq!(won, expected, "{disk:?} {theirs:x}");
        }
    }
}

#[test]
fn an_unknown_own_position_never_wins() {
    assert_eq!(decide(&candidate(None, &[])), Verdict::Refused(Refusal::PositionUnknown));
}

#[test]
fn an_unproven_node_needs_everybody_or_the_operator() {
    let two = ballots(&[("srv2", 2, 1)]);
    let mut c = candidate(Some(position(2, 1)), &two);
    c.knowledge = Knowledge::Unproven;
    assert!(matches!(decide(&c), Verdict::Refused(Refusal::Unproven { .. })));
    c.approval = Approval::Given;
    assert!(matches!(decide(&c), Verdict::Won(_)));
    let three = ballots(&[("srv2", 2, 1), ("srv3", 2, 1)]);
    let mut c = candidate(Some(position(2, 1)), &three);
    c.knowledge = Knowledge::Unproven;
    assert!(matches!(decide(&c), Verdict::Won(_)));
}

#[test]
fn maxlag_counts_in_the_election_too() {
    let mut c = candidate(Some(position(2, 1)), &[]);
    (c.lag, c.maxlag) = (Some(2000), Some(1000));
    assert_eq!(decide(&c), Verdict::Refused(Refusal::Lag { bytes: 2000, maxlag: 1000 }));
}

/// Another one, by its place beside the candidate.
fn others() -> Vec<Vec<Ballot>> {
    let mut all = vec![Vec::new()];
    for lsn in [0xFF, 0x100, 0x101] {
        for fitness in Fitness::ALL {
            all.push(vec![Ballot { node: "srv2".into(), position: position(2, lsn), fitness }]);
        }
    }
    all
}

/// Calls `check` with every combination of facts, and says how many there are.
fn every_combination(check: impl Fn(&Facts<'_>)) -> usize {
    let own = position(2, 0x100);
    let mut count = 0;
    let others = others();
    let answers = others.iter().map(|b| Ballots::Read(b)).chain([Ballots::Unread("timed out")]);
    let rounds: Vec<Earlier> = [None, Some(own), Some(position(2, 0xF0))]
        .into_iter()
        .flat_map(|at| [Arrived::Nothing, Arrived::Wal].map(|arrived| Earlier { position: at, arrived }))
        .collect();
    for ballots in answers {
        for earlier in &rounds {
            for disk in Disk::ALL {
                for (knowledge, approval) in
                    [Knowledge::Current, Knowledge::Unproven].into_iter().flat_map(|s| {
                        [Approval::NotAsked, Approval::Given, Approval::NotGiven]
                            .map(|approval| (s, approval))
                    })
                {
                    for bits in 0..(1 << 4) {
                        for (expected, lag) in [None, Some(2), Some(3)]
                            .into_iter()
                            .flat_map(|e| [None, Some(1), Some(3)].map(|l| (e, l)))
                        {
                            let either = |bit: usize| bits & (1 << bit) == 0;
                            let facts = Facts {
                                node: "srv1",
                                manager: if either(0) { Manager::Pacemaker } else { Manager::Nobody },
                                time: if either(1) { Time::Left } else { Time::Over },
                                position: either(2).then_some(own),
                                disk,
                                ballots,
                                receiver: if either(3) { Receiver::Streams } else { Receiver::Idle },
                                earlier: *earlier,
                                knowledge,
                                last_role: LastRole::Standby,
                                record: &Record::Empty,
                                branch: &Branch::Unrecorded,
                                voters: OnRecord::Nothing,
                                approval,
                                expected,
                                lag,
                                maxlag: Some(2),
                            };
                            count += 1;
                            check(&facts);
                        }
                    }
                }
            }
        }
    }
    count
}

/// Whether it may be promoted, said once more: one line for each thing that must hold.
fn may_be_promoted(f: &Facts<'_>) -> bool {
    let (Some(own), Ballots::Read(ballots)) = (f.position, f.ballots) else { return false };
    let others: Vec<&Ballot> = ballots.iter().filter(|b| b.node != f.node).collect();
    let ahead =
        |fitness| others.iter().any(|b| b.fitness == fitness && election_order(b.position, own).is_gt());
    let sends = f.earlier.position.is_some_and(|before| election_order(own, before).is_gt());
    let may_send = f.earlier.position.is_none() && f.receiver == Receiver::Streams;
    let approved = f.approval == Approval::Given;
    let asked =
        f.knowledge == Knowledge::Current || f.manager == Manager::Nobody || f.approval != Approval::NotAsked;
    let everybody = f.expected.is_some_and(|expected| others.len() + 1 >= expected);
    let rooms_elsewhere = f.disk == Disk::Full
        && others.iter().any(|b| b.fitness == Fitness::Fit && election_order(b.position, own).is_eq());
    !sends
        && !may_send
        && (f.earlier.arrived == Arrived::Nothing || others.is_empty())
        && asked
        && matches!(f.disk, Disk::Sound | Disk::Slow | Disk::Full)
        && !ahead(Fitness::Fit)
        && !ahead(Fitness::DiskFull)
        && (!ahead(Fitness::NotWritable) || approved)
        && (!ahead(Fitness::FailedPrimary) || approved || f.knowledge == Knowledge::Current)
        && !rooms_elsewhere
        && f.lag.is_none_or(|lag| lag <= 2)
        && (f.manager == Manager::Nobody || f.knowledge == Knowledge::Current || approved || everybody)
}

#[test]
fn every_combination_of_facts_promotes_only_who_may_be() {
    let count = every_combination(|facts| {
        let verdict = decide(facts);
        let row = || format!("{facts:?} -> {verdict:?}");
        assert_eq!(matches!(verdict, Verdict::Won(_)), may_be_promoted(facts), "{}", row());
        match &verdict {
            // The cluster is asked once, and nothing is waited for past the deadline.
            Verdict::Again(Again::AskCluster) => assert_eq!(facts.approval, Approval::NotAsked, "{}", row()),
            Verdict::Again(Again::ReadBallots | Again::WatchWal { .. }) => {
                assert_eq!(facts.time, Time::Left, "{}", row());
            }
            Verdict::Lost { to, reason } => {
                assert!(to == "srv2" && !reason.is_empty(), "{}", row());
            }
            Verdict::Failed(why) => assert!(!why.to_string().is_empty(), "{}", row()),
            Verdict::Refused(why) => assert!(!why.to_string().is_empty(), "{}", row()),
            Verdict::Won(_) => {}
        }
    });
    assert_eq!(count, 14 * 6 * 6 * 6 * 16 * 9);
}

#[test]
fn wal_that_arrives_is_said_once() {
    let at = |lsn| Some(position(2, lsn));
    let mut facts = candidate(at(0x100), &[]);
    facts.receiver = Receiver::Streams;
    let mut said = Vec::new();
    // A first round, three in which it sends, and one in which it has ended.
    for lsn in [0x100, 0x110, 0x120, 0x130] {
        facts.position = at(lsn);
        let Verdict::Again(Again::WatchWal { earlier, warning }) = decide(&facts) else {
            panic!("{:?}", decide(&facts));
        };
        facts.earlier = earlier;
        said.extend(warning);
    }
    assert_eq!(
        said,
        ["WAL still arrives, at 0/110 on timeline 2: the old primary is alive; waiting until it ends"]
    );
    assert!(matches!(decide(&facts), Verdict::Won(_)), "nobody else has published an older position");
    let told = ballots(&[("srv2", 2, 0x100)]);
    facts.ballots = Ballots::Read(&told);
    assert_eq!(decide(&facts), Verdict::Failed(Failure::BallotsOutdated));
}

#[test]
fn only_a_plan_that_knows_nobody_else_spares_the_question() {
    for (manager, node, running, asks) in [
        (Manager::Nobody, None, &[][..], false),
        (Manager::Pacemaker, Some("srv1"), &[][..], true),
        (Manager::Pacemaker, Some("srv1"), &["srv1"][..], false),
        (Manager::Pacemaker, Some("srv1"), &["srv2"][..], true),
        (Manager::Pacemaker, Some("srv1"), &["srv1", "srv2"][..], true),
    ] {
        assert_eq!(asks_the_others(manager, node, running), asks, "{manager:?} {node:?} {running:?}");
    }
}

#[test]
fn only_the_last_promotions_wal_is_promoted() {
    use crate::decide::promotions::Promotion;
    let last: Promotion = "4:3:7:-:-:0000000a::srv2".parse().unwrap();
    let record = Record::Last(last.clone());
    let own = position(2, 0x300);
    let older = Branch::Other(Mismatch::Older { own, last: last.clone() });
    let unknown = Branch::Other(Mismatch::Unknown { own: position(4, 0x300), last });
    let none = ballots(&[]);
    let with = |branch: &Branch, approval, ballots: &[Ballot]| {
        decide(&Facts { record: &record, branch, approval, ..candidate(Some(own), ballots) })
    };
    for branch in [&older, &unknown] {
        assert_eq!(with(branch, Approval::NotAsked, &none), Verdict::Again(Again::AskCluster));
        assert!(matches!(with(branch, Approval::NotGiven, &none), Verdict::Refused(Refusal::Branch(_))));
        assert!(matches!(with(branch, Approval::Given, &none), Verdict::Won(_)));
    }
    // Who has it is handed over to; who was promoted by hand is not.
    let better = ballots(&[("srv2", 3, 0x100)]);
    assert!(matches!(with(&older, Approval::NotGiven, &better), Verdict::Lost { to, .. } if to == "srv2"));
    let by_hand = ballots(&[("srv3", 4, 0x900)]);
    for branch in [&Branch::Last, &Branch::NotBegun] {
        assert!(matches!(with(branch, Approval::NotGiven, &by_hand), Verdict::Won(_)));
    }
}

#[test]
fn who_hears_from_too_few_of_those_that_have_the_commits_is_not_promoted() {
    let statement = Statement { count: 2, nodes: ["srv1", "srv2", "srv3"].map(str::to_owned).into() };
    let own = position(2, 0x300);
    let verdict = |own, approval, ballots: &[Ballot]| {
        decide(&Facts { voters: OnRecord::Says(&statement), approval, ..candidate(Some(own), ballots) })
    };
    let level = ballots(&[("srv3", 2, 0x300)]);
    assert!(matches!(verdict(own, Approval::NotAsked, &level), Verdict::Won(_)));
    let behind = ballots(&[("srv3", 2, 0x100)]);
    assert!(matches!(verdict(own, Approval::NotAsked, &behind), Verdict::Won(_)), "it answered");
    // One that nothing is known of, and one that is no voter.
    for few in [ballots(&[]), ballots(&[("srv4", 2, 0x300)])] {
        assert_eq!(verdict(own, Approval::NotAsked, &few), Verdict::Again(Again::AskCluster));
        let Verdict::Refused(refusal) = verdict(own, Approval::NotGiven, &few) else { panic!("{few:?}") };
        let text = refusal.to_string();
        assert!(
            text.contains("2 of srv1, srv2, srv3") && text.contains("start srv2, srv3: acknowledged"),
            "{text}"
        );
        assert!(matches!(verdict(own, Approval::Given, &few), Verdict::Won(_)));
    }
    // The last primary itself has what it acknowledged, as long as the data are its own.
    let record = Record::Last("4:2:7:-:-:0000000a::srv1".parse().unwrap());
    let alone = |last_role, knowledge, branch: &Branch| {
        let facts = candidate(Some(own), &[]);
        let voters = OnRecord::Says(&statement);
        let last = Facts { voters, record: &record, last_role, knowledge, branch, ..facts };
        matches!(decide(&last), Verdict::Won(_))
    };
    for (last_role, knowledge, branch, wins) in [
        (LastRole::Primary, Knowledge::Current, Branch::Last, true),
        (LastRole::Standby, Knowledge::Current, Branch::Last, false),
        (LastRole::Primary, Knowledge::Unproven, Branch::Last, false),
        (LastRole::Primary, Knowledge::Current, Branch::Unrecorded, false),
    ] {
        assert_eq!(alone(last_role, knowledge, &branch), wins, "{last_role:?} {knowledge:?} {branch:?}");
    }
    // What a former primary with a broken disk has would be given up.
    let mut ahead = ballots(&[("srv2", 2, 0x400)]);
    ahead[0].fitness = Fitness::FailedPrimary;
    assert!(matches!(
        verdict(own, Approval::NotGiven, &ahead),
        Verdict::Refused(Refusal::TooFewVoters { .. })
    ));
    let unread = Facts { voters: OnRecord::Unread("no answer"), ..candidate(Some(own), &level) };
    assert_eq!(
        decide(&unread),
        Verdict::Again(Again::ReadBallots),
        "a candidate that gives up has lost what it knew"
    );
    let asked = Facts { approval: Approval::NotAsked, ..unread.clone() };
    assert_eq!(decide(&asked), Verdict::Again(Again::AskCluster));
    assert!(matches!(decide(&Facts { approval: Approval::Given, ..unread.clone() }), Verdict::Won(_)));
    assert!(matches!(
        decide(&Facts { time: Time::Over, ..unread }),
        Verdict::Failed(Failure::VotersUnread(_))
    ));
}
