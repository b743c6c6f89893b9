//! The thread that knows the daemons' processes. At usual priority: it reads control groups and, seldom, all
//! of /proc.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log::Logs;
use super::observations::Observations;
use super::pause;
use crate::boundary::daemons::{Finder, Found};
use crate::boundary::host::Level;
use crate::boundary::process;
use crate::decide::clock::{ElapsedTime, Millis};
use crate::decide::detector::{Rule, Search, Subject};

/// A daemon that starts is seen within this time.
const ROUND: Duration = Duration::from_secs(1);

/// Looks, for ever.
pub(super) fn watch(observations: &Arc<Observations>, logs: &Logs) {
    let begun = Instant::now();
    let mut finder = None;
    let mut search = Search::default();
    let mut complaint = None;
    loop {
        let now = Millis::try_from(begun.elapsed().as_millis())
            .map_or(ElapsedTime::at(Millis::MAX), ElapsedTime::at);
        let error = look(observations, &mut finder, &mut search, now).err().map(|e| e.to_string());
        if complaint != error {
            if let Some(error) = &error {
                logs.line(Level::Warning, format!("a daemon can't be watched: {error}"));
            }
            complaint = error;
        }
        pause(ROUND);
    }
}

fn look(
    observations: &Arc<Observations>,
    finder: &mut Option<Finder>,
    search: &mut Search,
    now: ElapsedTime,
) -> std::io::Result<()> {
    let finder = match finder {
        Some(finder) => finder,
        None => finder.insert(Finder::new()?),
    };
    let mut found = observations.latest().daemons.clone();
    found.retain(|(_, f)| matches!(process::alive(f.process.id), Ok(Some(_))));
    let missing = missing(observations, &found);
    let mut result = Ok(());
    if !missing.is_empty() {
        result = finder.in_units(&missing).map(|more| found.extend(more));
    }
    let missing = self::missing(observations, &found);
    let signs: Vec<(Subject, bool)> = missing
        .iter()
        .map(|rule| (rule.subject, observations.latest().probes[rule.subject as usize].answers_now()))
        .collect();
    if search.is_due(now, &signs) {
        result = result.and(finder.anywhere(&missing).map(|more| found.extend(more)));
    }
    observations.latest().daemons = found;
    result
}

/// Those that the configuration has, and that are not there. corosync's membership has corosync's process.
fn missing(observations: &Observations, found: &[(Subject, Found)]) -> Vec<&'static Rule> {
    let expected = observations.latest().expected;
    let subjects = Subject::ALL.into_iter().filter(|s| *s != Subject::Totem && expected.has(*s));
    subjects.filter(|s| !found.iter().any(|(known, _)| known == s)).map(Subject::rule).collect()
}
