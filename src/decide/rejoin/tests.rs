use std::collections::BTreeMap;

use super::*;

fn task(phase: Phase, half: bool) -> Task {
    let asked = Task::new("pgsql", "srv1", BTreeMap::new(), Cause::Diverged, Way::Rewind, "data diverged", 0);
    Task { phase, half, source: Some("srv2".into()), ..asked }
}

/// Whatever ends a run: a directory that pg_rewind has written in is never started, and never rewound again.
#[test]
fn a_half_replaced_directory_is_only_copied() {
    for phase in Phase::ALL {
        for way in [Way::Rewind, Way::Copy] {
            let (next, next_way) = resume(phase, way);
            if phase == Phase::Rewinding {
                assert_eq!((next, next_way), (Phase::Copying, Way::Copy));
            }
            assert_ne!(next, Phase::Rewinding, "{phase:?}: begun in the middle");
            assert_ne!(next, Phase::Verifying, "{phase:?}: a copy that nobody knows to be whole");
            // Where the next run begins it does not begin elsewhere once more.
            assert_eq!(resume(next, next_way), (next, next_way), "{phase:?}");
        }
        for worker in [Worker::Runs, Worker::Absent] {
            for primary in [Primary::Known, Primary::Nobody] {
                for half in [false, true] {
                    let task = task(phase, half);
                    let decided = at_start(Some(&task), worker, primary);
                    match task.data() {
                        Data::Ready => {
                            assert_eq!(decided, AtStart::Launch, "{phase:?} {worker:?} {primary:?}")
                        }
                        Data::Half | Data::Untouched => {
                            assert_ne!(decided, AtStart::Launch, "{phase:?} {half} {worker:?} {primary:?}");
                        }
                    }
                    if task.data() == Data::Half {
                        assert_ne!(decided, AtStart::Drop, "{phase:?} {half} {worker:?} {primary:?}");
                    }
                }
            }
        }
    }
    assert_eq!(at_start(None, Worker::Absent, Primary::Nobody), AtStart::Launch);
}

/// After the primary is lost for good the data of this node may be the last ones.
#[test]
fn without_a_primary_untouched_data_are_an_ordinary_candidate() {
    let decided = at_start(Some(&task(Phase::Recovering, false)), Worker::Absent, Primary::Nobody);
    assert_eq!(decided, AtStart::Drop);
    let decided = at_start(Some(&task(Phase::Manual, false)), Worker::Absent, Primary::Nobody);
    assert_eq!(decided, AtStart::Drop);
    let decided = at_start(Some(&task(Phase::Manual, true)), Worker::Absent, Primary::Nobody);
    assert!(matches!(decided, AtStart::Refuse(why) if why.contains("quorate rejoin srv1")));
}

#[test]
fn only_a_primary_of_the_clusters_replaces_data() {
    for cause in [Cause::Diverged, Cause::Forked, Cause::Starved, Cause::Asked] {
        for policy in OnDiverged::ALL {
            // Data that could be the next primary's are touched by nobody.
            let waits = matches!(cause, Cause::Diverged | Cause::Forked) && policy != OnDiverged::Stop;
            let without = wanted(cause, policy, Primary::Nobody, Manager::Pacemaker);
            assert_eq!(without != Wanted::Manual, waits, "{cause:?} {policy:?}");
            assert_eq!(wanted(cause, policy, Primary::Known, Manager::Nobody), Wanted::Manual);
        }
        assert_eq!(wanted(cause, OnDiverged::Stop, Primary::Known, Manager::Pacemaker), Wanted::Manual);
        let copies = wanted(cause, OnDiverged::Copy, Primary::Known, Manager::Pacemaker);
        assert_eq!(copies, Wanted::Rejoin(Way::Copy));
    }
    let rewind = |cause| wanted(cause, OnDiverged::Rewind, Primary::Known, Manager::Pacemaker);
    assert_eq!(rewind(Cause::Diverged), Wanted::Rejoin(Way::Rewind));
    assert_eq!(
        rewind(Cause::Forked),
        Wanted::Rejoin(Way::Copy),
        "pg_rewind sees no difference on one timeline"
    );
}

#[test]
fn a_starved_standby_is_one_that_nothing_reaches() {
    let said = "could not receive data from WAL stream: ERROR:  requested WAL segment 000000010000000000000003 has already been removed";
    let long = Duration::from_secs(60);
    assert!(is_starved(Some(said), long));
    assert!(!is_starved(Some(said), Duration::from_secs(59)));
    assert!(!is_starved(Some("could not connect to the primary server"), long));
    assert!(!is_starved(None, long));
}

#[test]
fn a_request_does_not_rewind_what_can_only_be_copied() {
    let request = Request { way: Way::Rewind, accept_loss: true };
    for (cause, half, policy, way) in [
        (Cause::Diverged, false, OnDiverged::Rewind, Way::Rewind),
        (Cause::Asked, false, OnDiverged::Stop, Way::Rewind),
        (Cause::Forked, false, OnDiverged::Rewind, Way::Copy),
        (Cause::Starved, false, OnDiverged::Stop, Way::Copy),
        (Cause::Diverged, true, OnDiverged::Rewind, Way::Copy),
        (Cause::Diverged, false, OnDiverged::Copy, Way::Copy),
    ] {
        let before = Task { cause, ..task(Phase::Manual, half) };
        let after = request.renewed(before, policy);
        assert_eq!((after.way, after.cause), (way, cause), "{cause:?} {half} {policy:?}");
    }
}

#[test]
fn tries_end() {
    let mut pauses = Duration::ZERO;
    let (mut failures, mut way) = (0, Way::Rewind);
    loop {
        failures += 1;
        match after_failure(failures, Phase::Rewinding, way) {
            AfterFailure::Manual => break,
            AfterFailure::Again(pause, next) => {
                assert_eq!(next, Way::Copy, "never a second time in a directory that it left half done");
                (pauses, way) = (pauses + pause, next);
            }
        }
    }
    assert!(pauses >= PAUSE && pauses < Duration::from_secs(3600), "{pauses:?}");
    assert!(matches!(after_failure(1, Phase::Wanted, Way::Rewind), AfterFailure::Again(_, Way::Rewind)));
}

/// What failed while copying begins again with a phase that succeeds.
#[test]
fn only_progress_ends_the_count() {
    let mut task = task(Phase::Copying, false);
    (task.failures, task.failed_in) = (3, Some(Phase::Verifying));
    for phase in [Phase::Wanted, Phase::Keeping, Phase::Copying, Phase::Verifying] {
        assert_eq!(failures(&task, phase), 3, "{phase:?}");
    }
    assert_eq!(failures(&task, Phase::Swapping), 0);
}

#[test]
fn a_loss_has_a_limit() {
    assert_eq!(loss(None, None), Ok(()));
    assert_eq!(loss(Some(5), Some(5)), Ok(()));
    assert!(
        loss(Some(6), Some(5)).is_err_and(|why| why.contains("6 bytes") && why.contains("rejoin_max_loss=5"))
    );
    assert!(loss(None, Some(5)).is_err());
}

#[test]
fn a_task_survives_the_disk() {
    let task = task(Phase::Copying, true);
    let text = serde_json::to_string(&task).unwrap();
    assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task);
    assert!(task.summary().contains("copying from srv2"));
}
