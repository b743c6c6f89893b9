//! Daemons that give no answer because they wait: for a disk, for a processor.

use super::*;
use crate::decide::detector::disk_tests::place;

fn turns(played: &mut Played, subject: Subject, state: RunState) {
    let look = played.look(subject);
    look.process = look.process.map(|(id, _)| (id, state));
}

fn of_pacemaker() -> impl Iterator<Item = Subject> {
    Subject::ALL.into_iter().filter(|s| s.rule().is_of_pacemaker())
}

/// A frozen /var: the scheduler writes pe-input, attrd its log, in their main loops.
#[test]
fn a_daemon_that_waits_for_a_disk_has_the_state_s_time() {
    for subject in of_pacemaker() {
        let mut played = Played::healthy();
        turns(&mut played, subject, RunState::Uninterruptible);
        let all = played.run(60_000, |_| {});
        assert!(
            all.iter().all(|(_, act)| matches!(act, Act::Say(..) | Act::AskUnits)),
            "{subject:?}: {all:?}"
        );
        let told = |(_, act): &&(Millis, Act)| matches!(act, Act::Say(LogLevel::Warning, t) if t.contains("it waited for a disk"));
        assert_eq!(all.iter().filter(told).count(), 1, "{subject:?}: {all:?}");
        assert!(played.detector.condition(&played.snapshot).obstacle.is_some(), "it goes on for nobody");
        // It has come out of it and hangs: its own time, less what it had before.
        turns(&mut played, subject, RunState::Running);
        let began = played.at;
        let deeds = played.deeds(15_000, mute(subject));
        assert!(
            matches!(&deeds[..], [(at, _), ..] if (9500..=10_500).contains(&(at - began))),
            "{subject:?}: {deeds:?}"
        );
        // In the end it hangs for good.
        let mut for_good = Played::healthy();
        turns(&mut for_good, subject, RunState::Uninterruptible);
        let began = for_good.at;
        let deeds = for_good.deeds(301_000, |_| {});
        assert!(matches!(&deeds[..], [(at, _)] if at - began >= 300_000), "{subject:?}: {deeds:?}");
    }
    // While corosync waits the others lose this node.
    let mut played = Played::healthy();
    turns(&mut played, Subject::Corosync, RunState::Uninterruptible);
    assert_eq!(played.deeds(11_000, |_| {}).len(), 1);
}

/// The log's daemon may wait for the same disk, and hold up whoever writes to it.
#[test]
fn while_the_state_s_disk_hangs_no_daemon_is_called_hanging_for_a_silence() {
    let mut played = Played::healthy();
    played.snapshot.places = vec![place(Content::State)];
    assert_eq!(played.deeds(60_000, mute(Subject::Attrd)), []);
    let mut busy = Played::healthy();
    busy.snapshot.places = vec![PlaceObservation { progress: Progress::Advances, ..place(Content::State) }];
    assert_eq!(busy.deeds(10_500, mute(Subject::Attrd)).len(), 1, "a disk that is only busy");
    let mut stopped = Played::healthy();
    stopped.snapshot.places = vec![place(Content::State)];
    stopped.stop(Subject::Attrd);
    assert!(matches!(&stopped.deeds(3500, |_| {})[..], [(_, Act::Kill { .. })]), "stopped by a signal");
}

#[test]
fn one_that_was_killed_and_waits_for_a_disk_ends_with_the_wait() {
    let mut played = Played::healthy();
    played.stop(Subject::Attrd);
    assert!(matches!(&played.deeds(3500, |_| {})[..], [(_, Act::Kill { .. })]));
    turns(&mut played, Subject::Attrd, RunState::Uninterruptible);
    assert_eq!(played.deeds(60_000, |_| {}), []);
    assert!(matches!(&played.deeds(240_000, |_| {})[..], [(_, Act::Reset { .. })]));
}

/// A runaway at real-time priority: neither the daemons nor who asks them run.
#[test]
fn who_gets_no_processor_is_not_called_hanging() {
    for subject in of_pacemaker().chain([Subject::Qdevice]) {
        let mut played = Played::healthy();
        played.snapshot.starved = true;
        assert_eq!(played.deeds(60_000, mute(subject)), [], "{subject:?}");
        assert!(played.detector.condition(&played.snapshot).obstacle.is_some());
        played.snapshot.starved = false;
        assert_eq!(played.deeds(8000, mute(subject)), [], "{subject:?}");
        assert_eq!(played.deeds(5000, mute(subject)).len(), 1, "{subject:?}");
    }
    let mut asked = Played::healthy();
    asked.snapshot.starved = true;
    asked.deeds(TICK, |_| {});
    let obstacle = asked.detector.condition(&asked.snapshot).obstacle;
    assert_eq!(obstacle.as_deref(), Some("its processes get no processor"));
    // corosync runs before all, and so does who asks it.
    let mut played = Played::healthy();
    played.snapshot.starved = true;
    assert!(matches!(&played.deeds(10_500, mute(Subject::Corosync))[..], [(_, Act::Reset { .. })]));
    let mut stopped = Played::healthy();
    stopped.snapshot.starved = true;
    stopped.stop(Subject::Controld);
    assert!(matches!(&stopped.deeds(3500, |_| {})[..], [(_, Act::Kill { .. })]));
}
