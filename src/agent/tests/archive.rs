//! A restore_command that hangs.

use super::*;

fn candidate() -> FakeHost {
    let mut host = FakeHost::new(Condition::Standby, position(2, 0x100));
    (host.memory.knowledge, host.status) = (Knowledge::Current, Some(cluster(None)));
    host
}

fn promotion(mut host: FakeHost) -> (OcfCode, Vec<String>, u64) {
    let begun = host.now;
    let report = act(&mut host, Action::Promote, &[]);
    let steps = host.done.iter().filter(|d| ["send", "launch", "promote"].iter().any(|s| d.starts_with(s)));
    assert!(host.did("publish").len() <= 1, "one promotion, one entry: {:?}", host.done);
    (report.code, steps.cloned().collect(), host.now - begun)
}

#[test]
fn a_restore_command_that_hangs_is_left_out_ahead_of_a_promotion() {
    let mut host = candidate();
    host.command_since = Some(host.now - 9_000);
    let (code, steps, _) = promotion(host);
    assert_eq!(
        (code, steps),
        (OcfCode::Success, vec!["send Fast".into(), "launch".into(), "promote".into()])
    );
    // One that has just begun may end yet.
    let mut host = candidate();
    host.command_since = Some(host.now);
    let (code, steps, took) = promotion(host);
    assert_eq!((code, steps.len()), (OcfCode::Success, 3));
    assert!((3_000..5_000).contains(&took), "{took}");
    let (code, steps, took) = promotion(candidate());
    assert_eq!((code, steps), (OcfCode::Success, vec!["promote".to_owned()]));
    assert!(took < 1_000, "{took}");
}

#[test]
fn a_restore_command_that_hangs_after_the_order_is_left_out_and_the_order_repeated() {
    let mut host = candidate();
    host.hangs_when_told = true;
    let (code, steps, took) = promotion(host);
    assert_eq!(
        (code, steps),
        (OcfCode::Success, ["promote", "send Fast", "launch", "promote"].map(String::from).to_vec())
    );
    assert!(took < 6_000, "{took}");
}
