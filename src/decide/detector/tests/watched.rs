//! What is left alone, what reports through another daemon, and what is slow for a reason.

use super::*;

#[test]
fn what_lives_on_in_a_unit_that_is_off_was_not_stopped_by_order() {
    let mut played = Played::healthy();
    played.snapshot.units = vec![("pacemaker.service", Unit::Off)];
    played.stop(Subject::Controld);
    let began = played.at;
    let all = played.run(10_000, |_| {});
    let note = all.iter().find(|(_, a)| matches!(a, Act::Say(LogLevel::Note, t) if t.contains("left alone")));
    assert!(note.is_some(), "{all:?}");
    let kill = all.iter().find(|(_, a)| matches!(a, Act::Kill { .. })).expect("it is killed after all");
    assert!((5000..=6000).contains(&(kill.0 - began)), "{all:?}");
    assert_eq!(played.detector.excuses(), []);
    // Its stop goes on: as long as that takes.
    let mut stopping = Played::healthy();
    stopping.snapshot.units = vec![("pacemaker.service", Unit::Changing)];
    stopping.stop(Subject::Controld);
    assert_eq!(stopping.deeds(600_000, |_| {}), []);
}

#[test]
fn who_is_left_alone_is_told_with_the_reason_and_since_when() {
    let mut played = Played::healthy();
    assert_eq!(played.detector.excuses(), []);
    played.snapshot.cluster.maintenance = Maintenance::On;
    played.stop(Subject::Sbd);
    played.run(60_000, |_| {});
    let excuses = played.detector.excuses();
    let [Excuse { subject: Subject::Sbd, why, for_ms }] = excuses.as_slice() else { panic!("{excuses:?}") };
    assert!(why.contains("maintenance") && (56_000..58_000).contains(for_ms), "{excuses:?}");
    let look = played.look(Subject::Sbd);
    look.process = look.process.map(|(id, _)| (id, RunState::Running));
    played.run(1000, |_| {});
    assert_eq!(played.detector.excuses(), []);
}

/// votequorum's flag falls: the client of the quorum device does not report.
fn unreported(subject: Subject, failures: u32) -> impl FnMut(&mut Played) {
    let mut before = None;
    move |played| {
        let look = played.look(subject);
        look.answers = *before.get_or_insert(look.answers - 1);
        look.failures = failures;
    }
}

#[test]
fn a_quorum_device_that_does_not_report_is_restarted_and_never_resets() {
    let mut played = Played::healthy();
    played.detector.go_by(Limits { device: Limits::device(4000), ..Limits::default() });
    let began = played.at;
    let deeds = played.deeds(30_000, unreported(Subject::Qdevice, 9));
    let [(at, Act::Restart { unit: "corosync-qdevice.service", .. })] = deeds.as_slice() else {
        panic!("once, whatever comes: {deeds:?}")
    };
    assert!((3500..=4500).contains(&(at - began)), "{deeds:?}");
    // While a membership forms it has that time, too.
    let mut forming = Played::healthy();
    let (mut totem, mut device) = (mute(Subject::Totem), unreported(Subject::Qdevice, 9));
    forming.detector.go_by(Limits { device: Limits::device(2000), ..Limits::default() });
    let deeds = forming.deeds(9000, |p| {
        totem(p);
        device(p);
    });
    assert_eq!(deeds, []);
    assert_eq!((Limits::device(2000), Limits::device(10_000)), (3000, 10_000));
    // Where corosync itself hangs nobody says that the device does not report.
    let mut unasked = Played::healthy();
    let all = unasked.run(9000, unreported(Subject::Qdevice, 0));
    assert_eq!(all, [], "it is not even suspect");
}

#[test]
fn one_that_never_had_its_witness_is_not_restarted() {
    let mut played = Played::healthy();
    played.detector = Detector::new(Limits::default());
    let deeds = played.deeds(600_000, unreported(Subject::Qdevice, 9));
    assert_eq!(deeds, []);
}

#[test]
fn a_membership_that_forms_makes_nobody_suspect() {
    // token and consensus 6.6 s, the quorum device 3 s, and the message that was just sent.
    let mut played = Played::healthy();
    let mut totem = mute(Subject::Totem);
    let mut based = mute(Subject::Based);
    let all = played.run(9500, |p| {
        totem(p);
        based(p);
    });
    assert_eq!(all.into_iter().filter(|(_, a)| matches!(a, Act::Say(..))).count(), 0);
    // What takes longer is said before the limit, and one that is silent by itself after half of its time.
    let suspect = |subject| {
        let mut played = Played::healthy();
        let began = played.at;
        let all = played.run(12_000, mute(subject));
        let said = all
            .into_iter()
            .find(|(_, a)| matches!(a, Act::Say(LogLevel::Warning, t) if t.contains("suspect")));
        said.expect("a warning").0 - began
    };
    assert!((11_000..=12_000).contains(&suspect(Subject::Totem)));
    assert!((4500..=5500).contains(&suspect(Subject::Based)));
}
