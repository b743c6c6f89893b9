use super::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn attempt(id: i64, at: u64, took: u64, outcome: Outcome) -> Attempt {
    Attempt { id, connection: 1, sent: ms(at), asked: ms(at), ended: ms(at + took), outcome, served: None }
}

fn acked(id: i64, at: u64) -> Attempt {
    attempt(id, at, 5, Outcome::Acked)
}

fn refused(id: i64, at: u64) -> Attempt {
    attempt(id, at, 5, Outcome::Refused("read-only".to_owned()))
}

fn uncertain(id: i64, at: u64) -> Attempt {
    attempt(id, at, 1000, Outcome::Uncertain("no answer".to_owned()))
}

/// Acknowledged writes every 50 ms.
fn beats(from: u64, to: u64) -> Vec<Attempt> {
    (from..to).step_by(50).map(|at| acked(i64::try_from(at).expect("small"), at)).collect()
}

#[test]
fn a_bystander_makes_no_outage() {
    assert_eq!(outage(&beats(0, 10_000), ms(3000), ms(10_000)), Outage::None);
}

#[test]
fn an_outage_lasts_from_the_fault_to_the_first_good_write() {
    let mut history = beats(0, 3000);
    history.push(uncertain(3000, 3000));
    history.push(refused(4010, 4010));
    history.extend(beats(9000, 20_000));
    assert_eq!(outage(&history, ms(3000), ms(20_000)), Outage::Restored(ms(6005)));
}

#[test]
fn a_second_outage_after_a_short_recovery_counts_up_to_the_last_one() {
    let mut history = beats(0, 3000);
    history.push(uncertain(3000, 3000));
    history.extend(beats(5000, 5200));
    history.push(refused(5200, 5200));
    history.extend(beats(11_000, 20_000));
    assert_eq!(outage(&history, ms(3000), ms(20_000)), Outage::Restored(ms(8005)));
}

#[test]
fn a_pause_is_an_interruption_even_if_no_attempt_failed() {
    let mut history = beats(0, 3000);
    history.extend(beats(3900, 9000));
    assert_eq!(outage(&history, ms(3000), ms(9000)), Outage::Restored(ms(905)));
}

#[test]
fn one_failed_attempt_is_an_outage_up_to_the_next_good_one() {
    let mut history = beats(0, 3000);
    history.push(refused(3000, 3000));
    history.extend(beats(3050, 9000));
    assert_eq!(outage(&history, ms(2990), ms(9000)), Outage::Restored(ms(65)));
}

#[test]
fn a_history_that_ends_badly_is_not_restored() {
    let mut history = beats(0, 3000);
    history.push(uncertain(3000, 3000));
    assert_eq!(outage(&history, ms(3000), ms(9000)), Outage::NotRestored);
    history.extend(beats(5000, 6000));
    // Silence at the end: the client itself hung.
    assert_eq!(outage(&history, ms(3000), ms(9000)), Outage::NotRestored);
    assert_eq!(outage(&[], ms(3000), ms(9000)), Outage::NotRestored);
    assert_eq!(Outage::NotRestored.millis(), None);
}

#[test]
fn what_failed_before_the_fault_or_after_the_end_does_not_count() {
    let mut history = beats(0, 1000);
    history.push(refused(1000, 1000));
    history.extend(beats(1050, 9000));
    history.push(refused(9500, 9500));
    assert_eq!(outage(&history, ms(3000), ms(9000)), Outage::None);
}

#[test]
fn an_order_counts_from_the_last_good_write() {
    let mut history = beats(0, 5000);
    history.push(refused(5000, 5000));
    history.extend(beats(6000, 9000));
    // Ordered at 3000; the last good write was answered at 4955.
    assert_eq!(last_good_write(&history, ms(3000), ms(9000)), ms(4955));
    assert_eq!(last_good_write(&beats(0, 5000), ms(3000), ms(9000)), ms(3000));
    // An interruption that was over before the order is not its doing.
    assert_eq!(last_good_write(&history, ms(7000), ms(9000)), ms(7000));
    let mut paused = beats(0, 5000);
    paused.extend(beats(5700, 9000));
    assert_eq!(last_good_write(&paused, ms(3000), ms(9000)), ms(4955));
}

#[test]
fn good_for_starts_anew_after_each_interruption() {
    let mut history = beats(0, 3000);
    assert_eq!(good_for(&history, ms(3000)), ms(2995));
    history.push(refused(3000, 3000));
    assert_eq!(good_for(&history, ms(3005)), Duration::ZERO);
    history.extend(beats(4000, 6000));
    assert_eq!(good_for(&history, ms(6000)), ms(1995));
    assert_eq!(good_for(&history, ms(8000)), Duration::ZERO);
}

#[test]
fn the_longest_pause_includes_both_ends() {
    let history = beats(1000, 2000);
    assert_eq!(longest_pause(&history, ms(0), ms(2000)), ms(1005));
    assert_eq!(longest_pause(&history, ms(1000), ms(5000)), ms(3045));
    assert_eq!(longest_pause(&[], ms(1000), ms(5000)), ms(4000));
}

#[test]
fn a_history_is_told_by_its_series_and_failures() {
    let mut history = beats(0, 200);
    history.push(refused(200, 200));
    history.push(refused(250, 250));
    history.extend(beats(1000, 1100));
    history.extend(beats(2000, 2050));
    let told = describe(&history, ms(100));
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "-0.100 ..     0.055  ids 0 to 150 acknowledged",
            "0.100 ..     0.155  ids 200 to 250 refused: read-only",
            "0.900 ..     0.955  ids 1000 to 1050 acknowledged",
            "1.900 ..     1.905  ids 2000 to 2000 acknowledged",
        ]
    );
}
