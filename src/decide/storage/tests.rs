//! Every trial, every condition, every score.

use super::*;

fn finding(disk: Disk) -> Finding {
    Finding { disk, reason: Some("why".into()) }
}

fn steps() -> Vec<ScoreStep> {
    let scores = [
        Score::Primary,
        Score::FormerPrimary,
        Score::Standby,
        Score::FirstStart,
        Score::Detached,
        Score::StandbyDiskFull,
        Score::Withdrawn,
    ];
    let mut all: Vec<ScoreStep> = scores.map(|s| ScoreStep::Set(s, "usual".into())).into();
    all.extend([ScoreStep::AskCluster, ScoreStep::Keep(None), ScoreStep::Keep(Some("usual".into()))]);
    all
}

fn stands() -> impl Iterator<Item = Option<Score>> {
    [
        Score::Primary,
        Score::FormerPrimary,
        Score::Standby,
        Score::FirstStart,
        Score::PrimaryDiskFailing,
        Score::Detached,
        Score::StandbyDiskFull,
        Score::Withdrawn,
    ]
    .into_iter()
    .map(Some)
    .chain([None])
}

/// What stands after a step.
fn result(step: &ScoreStep, before: Option<Score>) -> Option<Score> {
    match step {
        ScoreStep::Set(score, _) => Some(*score),
        ScoreStep::Keep(_) | ScoreStep::Wait(_) | ScoreStep::AskCluster => before,
    }
}

#[test]
fn a_standby_on_such_a_disk_is_the_last_choice_or_none() {
    for disk in Disk::ALL {
        for usual in steps() {
            for score in stands() {
                let memory = Memory { score, ..Memory::default() };
                let step = standby(usual.clone(), &memory, &finding(disk));
                let row = format!("{disk:?} {usual:?} {score:?} -> {step:?}");
                let after = result(&step, score);
                match disk {
                    Disk::Sound | Disk::Slow => assert_eq!(step, usual, "{row}"),
                    Disk::Full => assert!(after.is_none_or(|s| s <= Score::StandbyDiskFull), "{row}"),
                    Disk::ReadOnly | Disk::Broken | Disk::Stuck => {
                        assert!(after.is_none_or(|s| s <= Score::Withdrawn), "{row}");
                    }
                }
                // Nobody becomes a candidate by a bad disk, and nothing is written that stands already.
                let usually = result(&usual, score);
                assert!(after <= usually.or(score).max(score) || disk.is_fit(), "{row}");
                if !disk.is_fit() && score.is_some() && after == score {
                    assert!(
                        !matches!(&step, ScoreStep::Set(s, _) if Some(*s) == score && usual != step),
                        "{row}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_primary_on_such_a_disk_gives_way_to_a_standby_that_has_everything_and_to_no_other() {
    for disk in Disk::ALL {
        for usual in [ScoreStep::Set(Score::Primary, "promoted".into()), ScoreStep::Keep(None)] {
            for score in stands() {
                let memory = Memory { score, ..Memory::default() };
                let step = primary(usual.clone(), &memory, &finding(disk));
                let row = format!("{disk:?} {usual:?} {score:?} -> {step:?}");
                if disk.is_fit() {
                    assert_eq!(step, usual, "{row}");
                } else {
                    let after = result(&step, score).expect("a promoted instance has a score");
                    assert!(
                        after < Score::Standby && after > Score::Detached && after > Score::StandbyDiskFull,
                        "{row}"
                    );
                    assert_eq!(
                        matches!(step, ScoreStep::Set(..)),
                        score != Some(Score::PrimaryDiskFailing),
                        "{row}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_primary_that_crashed_on_such_a_disk_is_not_preferred_any_more() {
    for disk in Disk::ALL {
        for score in stands() {
            let memory = Memory { score, ..Memory::default() };
            let step = crashed(&memory, &finding(disk));
            let was_primary = score == Some(Score::Primary) || score == Some(Score::PrimaryDiskFailing);
            assert_eq!(step.is_some(), was_primary && !disk.is_fit(), "{disk:?} {score:?}");
            if let Some(step) = step {
                assert!(
                    result(&step, score).is_some_and(|s| s <= Score::StandbyDiskFull),
                    "{disk:?} {step:?}"
                );
            }
        }
    }
}
