//! The thread that knows the daemons' processes. At usual priority: it reads control groups and, seldom, all
//! of /proc.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log::Logs;
use super::observations::Observations;
use super::pause;
use crate::boundary::daemons::{Finder, Found};
use crate::boundary::descriptors;
use crate::boundary::host::Level;
use crate::boundary::process::{self, ProcessId};
use crate::decide::clock::{ElapsedTime, Millis};
use crate::decide::detector::{Rule, Search, Shortage, Subject, goes_round};

/// A daemon that starts is seen within this time.
const ROUND: Duration = Duration::from_secs(1);

/// Looks, for ever.
pub(super) fn watch(observations: &Arc<Observations>, logs: &Logs) {
    let begun = Instant::now();
    let mut finder = None;
    let mut search = Search::default();
    let mut work = Work::new();
    let mut complaint = None;
    loop {
        let now = Millis::try_from(begun.elapsed().as_millis())
            .map_or(ElapsedTime::at(Millis::MAX), ElapsedTime::at);
        let error = look(observations, &mut finder, &mut search, &mut work, now).err().map(|e| e.to_string());
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
    work: &mut Work,
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
    let lacking = lacking(observations, &found, work);
    let mut latest = observations.latest();
    (latest.daemons, latest.lacking) = (found, lacking);
    drop(latest);
    result
}

/// How long the processes of those that lack something had run by the look before, in nanoseconds.
type Work = BTreeMap<Subject, (ProcessId, u64)>;

/// Of those that do not answer, the ones that can't take a connection, and why. Here, and not where they are asked: that may never
/// return.
fn lacking(
    observations: &Observations,
    found: &[(Subject, Found)],
    work: &mut Work,
) -> Vec<(Subject, Shortage)> {
    let silent =
        |subject: Subject| observations.latest().probes[subject as usize].failures(Instant::now()) > 0;
    let lacking: Vec<(Subject, ProcessId, Shortage)> = found
        .iter()
        .filter(|(subject, _)| silent(*subject))
        .filter_map(|(subject, f)| Some((*subject, f.process.id, descriptors::shortage_of(f.process.id)?)))
        .collect();
    let ran: Work = lacking
        .iter()
        .filter_map(|(subject, id, _)| Some((*subject, (*id, descriptors::ran(*id)?))))
        .collect();
    let before = std::mem::replace(work, ran);
    lacking
        .into_iter()
        .filter(|(subject, id, _)| {
            let of_it = |work: &Work| work.get(subject).filter(|(of, _)| of == id).map(|(_, ran)| *ran);
            goes_round(of_it(&before), of_it(work))
        })
        .map(|(subject, _, what)| (subject, what))
        .collect()
}

/// Those that the configuration has, and that are not there. corosync's membership has corosync's process.
fn missing(observations: &Observations, found: &[(Subject, Found)]) -> Vec<&'static Rule> {
    let expected = observations.latest().expected;
    let subjects = Subject::ALL.into_iter().filter(|s| *s != Subject::Totem && expected.has(*s));
    subjects.filter(|s| !found.iter().any(|(known, _)| known == s)).map(Subject::rule).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::boundary::clock::Deadline;
    use crate::boundary::command::{Command, Environment};
    use crate::decide::detector::Limits;

    /// A process with so many descriptors of 64, which then does this.
    fn process_with(descriptors: u32, then: &str) -> crate::boundary::command::Detached {
        let script = format!(
            "ulimit -Sn 64; i=3; while [ $i -lt {descriptors} ]; do eval \"exec $i</dev/null\"; i=$((i + 1)); done; \
             echo ready; {then}"
        );
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let log = std::fs::File::create(&path).expect("a log");
        let command = Command::new("/bin/bash").arg("-c").arg(&script).environment(Environment::Clean);
        let process = command.spawn_detached(log).expect("starts");
        let soon = Deadline::after(Duration::from_secs(5));
        while std::fs::read_to_string(&path).is_ok_and(|text| text.is_empty()) && !soon.passed() {
            soon.sleep(Duration::from_millis(5));
        }
        process
    }

    /// A thousand connections to `cib_ro`, by nobody: the daemon does its work all the time.
    #[test]
    fn a_daemon_whose_descriptors_are_used_up_can_not_be_asked() {
        let observations = Arc::new(Observations::new(sync_channel(1).0, Limits::default()));
        // At its limit libqb's loop finds the connection again and again; what sleeps then hangs, for whatever reason.
        let (goes_round, hangs) = ("while :; do :; done", "exec sleep 60");
        for (descriptors, then, lacks, lacks_later) in
            [(60, goes_round, true, true), (60, hangs, true, false), (20, goes_round, false, false)]
        {
            let process = process_with(descriptors, then);
            let info = process::inspect(process.id().pid).expect("/proc").expect("it runs");
            let found = || Found { process: info.clone(), unit: "pacemaker.service".to_owned() };
            observations.answered(Subject::Based);
            observations.latest().daemons = vec![(Subject::Based, found())];
            let mut work = Work::new();
            let mut round = || {
                let (mut finder, mut search) = (None, Search::default());
                // Nothing is looked for that this machine may have.
                observations.latest().expected = crate::decide::detector::Expected::Nothing;
                look(&observations, &mut finder, &mut search, &mut work, ElapsedTime::at(0)).expect("/proc");
                observations.latest().shortage(Subject::Based)
            };
            assert_eq!(round(), None, "it answers");
            observations.failed(Subject::Based, "no answer in time".to_owned());
            assert_eq!(round(), lacks.then_some(Shortage::DaemonFiles), "{descriptors} {then}");
            pause(Duration::from_millis(300));
            assert_eq!(round(), lacks_later.then_some(Shortage::DaemonFiles), "{descriptors} {then}, later");
            observations.answered(Subject::Based);
            assert_eq!(round(), None, "it answers again");
            process::signal(process.id(), nix::sys::signal::Signal::SIGKILL).expect("it is ours to end");
        }
    }
}
