//! The monitor's decision as a table for `docs/agent.md`: every combination of facts, rows of equal outcome merged.

use crate::pg::control_data::DbState;

use super::facts::{Life, STATES, Word};
use super::monitor::{MonitorOutcome, Occasion, Time, Verdict, decide};

/// Markdown, one row for each process × answer, with the outcomes by control file where they differ.
pub fn monitor() -> String {
    let mut page = String::from(
        "| process | answer | control file | recurring monitor | probe | reason |\n|---|---|---|---|---|---|\n",
    );
    for life in Life::ALL {
        for word in Word::ALL {
            let mut rows: Vec<(Vec<Option<DbState>>, Verdicts)> = Vec::new();
            for state in STATES {
                let verdicts = Verdicts::of(life, word, state);
                match rows.iter_mut().find(|(_, v)| *v == verdicts) {
                    Some((states, _)) => states.push(state),
                    None => rows.push((vec![state], verdicts)),
                }
            }
            for (states, v) in rows {
                let states = if states.len() == STATES.len() {
                    "any".to_owned()
                } else {
                    let names: Vec<String> =
                        states.iter().map(|s| s.map_or("unreadable".into(), |s| s.to_string())).collect();
                    names.join(", ")
                };
                page.push_str(&format!(
                    "| {} | {} | {states} | {} | {} | {} |\n",
                    life.text(),
                    word.text(),
                    text(v.recurring),
                    text(v.probe),
                    v.reason
                ));
            }
        }
    }
    page
}

#[derive(PartialEq)]
struct Verdicts {
    recurring: (Verdict, Verdict),
    probe: (Verdict, Verdict),
    reason: &'static str,
}

impl Verdicts {
    fn of(life: Life, word: Word, state: Option<DbState>) -> Verdicts {
        let both = |occasion| {
            (
                decide(occasion, Time::Left, life, word, state),
                decide(occasion, Time::Spent, life, word, state),
            )
        };
        let recurring = both(Occasion::Recurring);
        let (Verdict::Finish(_, reason) | Verdict::Wait(reason)) = recurring.1;
        Verdicts { recurring, probe: both(Occasion::Probe), reason }
    }
}

fn text((now, at_deadline): (Verdict, Verdict)) -> String {
    let outcome = |o: MonitorOutcome| {
        let name = match o {
            MonitorOutcome::Promoted => "promoted",
            MonitorOutcome::Unpromoted => "unpromoted",
            MonitorOutcome::NotRunning => "not running",
            MonitorOutcome::Failed => "failed",
            MonitorOutcome::FailedPromoted => "failed promoted",
        };
        format!("{name} ({})", o.code().status())
    };
    match (now, at_deadline) {
        (Verdict::Finish(o, _), _) => outcome(o),
        (Verdict::Wait(_), Verdict::Finish(o, _)) => format!("waits, then {}", outcome(o)),
        (Verdict::Wait(_), Verdict::Wait(_)) => "waits".into(),
    }
}
