//! What is known, for others: a file for `quorate status`, and the same as metrics for Prometheus' node_exporter (its textfile
//! collector).

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::observations::Observations;
use crate::boundary::clock::boottime;
use crate::boundary::files;
use crate::cluster::checker::{Checker, Counts, Excuse, METRICS, PATH, Watched};
use crate::decide::detector::{Act, Detector, NodeSnapshot, Quorum, Subject};

/// Between two reports.
const ROUND: Duration = Duration::from_secs(5);

/// Where reports go. Handing one over never waits.
pub(super) struct Reports {
    to: SyncSender<Checker>,
    acts: bool,
    last: Option<Instant>,
}

impl Reports {
    pub(super) fn new(acts: bool) -> (Self, Receiver<Checker>) {
        let (to, from) = sync_channel(1);
        (Self { to, acts, last: None }, from)
    }

    /// Reports, where it is time to.
    pub(super) fn offer(
        &mut self,
        detector: &Detector,
        snapshot: &NodeSnapshot,
        observations: &Observations,
        counts: &Counts,
    ) {
        if self.last.is_some_and(|at| at.elapsed() < ROUND) {
            return;
        }
        self.last = Some(Instant::now());
        let _ = self.to.try_send(self.report(detector, snapshot, observations, counts));
    }

    fn report(
        &self,
        detector: &Detector,
        snapshot: &NodeSnapshot,
        observations: &Observations,
        counts: &Counts,
    ) -> Checker {
        let armed = detector.armed();
        let latest = observations.latest();
        let now = Instant::now();
        let known = |subject: &Subject| {
            latest.expected.has(*subject)
                || armed.contains(subject)
                || latest.daemons.iter().any(|(s, _)| s == subject)
        };
        let watched = Subject::ALL.into_iter().filter(known).map(|subject| {
            let probe = &latest.probes[subject as usize];
            Watched {
                name: subject.rule().name.to_owned(),
                armed: armed.contains(&subject),
                answers: probe.answers,
                failures: probe.failures(now),
                took_us: u64::try_from(probe.took.as_micros()).unwrap_or(u64::MAX),
                error: probe.error.clone(),
            }
        });
        let written = boottime();
        let excuses = detector.excuses().into_iter().map(|excuse| Excuse {
            name: excuse.subject.rule().name.to_owned(),
            why: excuse.why,
            since: written.before(excuse.for_ms),
        });
        Checker {
            pid: std::process::id(),
            written,
            acts: self.acts,
            quorum_armed: detector.quorum_armed(),
            quorate: match snapshot.quorum {
                Quorum::Quorate => Some(true),
                Quorum::Lost => Some(false),
                Quorum::Unknown => None,
            },
            watched: watched.collect(),
            excuses: excuses.collect(),
            places: snapshot.places.len(),
            places_pending: snapshot.places.iter().filter(|p| p.pending).count(),
            device: latest.device.clone(),
            last_reset: latest.last_reset.clone(),
            group: latest.group.clone(),
            held_reset: detector.held().map(|hold| format!("{}; {}", hold.why, hold.because)),
            counts: counts.clone(),
        }
    }
}

/// Counts an act.
pub(super) fn count(counts: &mut Counts, act: &Act) {
    match act {
        Act::Say(..) | Act::AskUnits | Act::Withdraw { .. } => {}
        Act::AskOthers { .. } => counts.resets_asked += 1,
        Act::Kill { .. } => counts.kills += 1,
        Act::Restart { .. } => counts.restarts += 1,
        Act::Fence { .. } => counts.fences += 1,
        Act::Fail { .. } => counts.failures_told += 1,
        Act::Reset { .. } => counts.resets += 1,
    }
}

/// Writes reports, until nobody is left who could send one.
pub(super) fn write(reports: &Receiver<Checker>) {
    while let Ok(report) = reports.recv() {
        // What can't be written is missed by its age.
        let _ = write_to(Path::new(PATH), &report);
    }
}

fn write_to(path: &Path, report: &Checker) -> std::io::Result<()> {
    let text = serde_json::to_string(report)?;
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    files::replace(path, text.as_bytes())?;
    files::publish(&path.with_file_name(METRICS), report.metrics().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_metrics_are_for_everybody_and_the_report_is_root_s() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("quorated.json");
        // Twice: what is there is replaced.
        for _ in 0..2 {
            write_to(&path, &Checker::default()).unwrap();
        }
        let mode =
            |name: &str| std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("quorated.json"), mode(METRICS)), (0o600, 0o644));
        let mut names: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["quorated.json", METRICS], "and nothing else");
    }
}
