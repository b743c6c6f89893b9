//! The thread that decides: twice a second, and at once when a postmaster ended.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::command_queue::{CommandQueue, Job};
use super::config::Mode;
use super::keepalive::Keepalive;
use super::line::Line;
use super::log::Logs;
use super::observations::Observations;
use super::report::{self, Reports};
use super::resets::{Outgoing, Resets};
use super::self_fence::{self, Means};
use super::standstill::{Standstill, Told};
use super::threads::Threads;
use crate::boundary::clock::boottime;
use crate::boundary::host::Level;
use crate::boundary::process::{self, Debugged};
use crate::cluster::checker::Counts;
use crate::cluster::reset_intent::{IntentWithdrawn, ResetIntent};
use crate::decide::detector::{
    Act, DaemonObservation, Detector, InstanceObservation, LogLevel, Millis, NodeSnapshot, Quorum, Subject,
};
use crate::decide::facts::RunState;
use crate::decide::standstill;

const TICK: Duration = Duration::from_millis(500);
/// What votequorum said counts for so long.
const VOTES_FRESH: Duration = Duration::from_secs(2);

/// All that it works with.
pub(super) struct Control {
    pub(super) observations: Arc<Observations>,
    pub(super) wake: Receiver<()>,
    pub(super) commands: CommandQueue,
    pub(super) line: Arc<Line>,
    pub(super) resets: Resets,
    pub(super) logs: Logs,
    pub(super) keepalive: Arc<Keepalive>,
    pub(super) reports: Reports,
    pub(super) mode: Mode,
    pub(super) threads: Threads,
    pub(super) means: Means,
    pub(super) standstill: Arc<Standstill>,
}

/// Why it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// It was told to.
    Told,
    /// The node was to be reset, and lives.
    NotReset,
    /// One of the threads did, which nobody ends.
    Lost(String),
}

impl Control {
    /// Looks, decides and acts until `stop` is set, or the node would not be reset.
    pub(super) fn run(mut self, stop: &AtomicBool) -> End {
        let mut detector = Detector::new(self.observations.latest().limits);
        let mut counts = Counts::default();
        let mut told = Told::default();
        let (mut last, mut booted) = (Instant::now(), boottime());
        while !stop.load(Ordering::Relaxed) {
            match self.wake.recv_timeout(TICK) {
                Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if let Some(why) = self.threads.lost() {
                return End::Lost(why.to_owned());
            }
            self.keepalive.loop_heartbeat.beat();
            // With the time that the machine slept, which the other clock leaves out.
            let (slept, now) = (boottime() - booted, Instant::now());
            let elapsed = (now - last).max(Duration::from_millis(slept));
            (last, booted) = (now, booted + slept);
            self.end_primaries_that_stood_still(millis(elapsed), &mut counts);
            counts.looks += 1;
            counts.latest_ms = counts.latest_ms.max(millis(elapsed.saturating_sub(TICK)));
            let snapshot = self.snapshot(millis(elapsed));
            if self.mode == Mode::Act {
                let others_go_on = self.observations.latest().others_go_on;
                let maintenance = snapshot.cluster.maintenance;
                self.standstill.go_by(&snapshot.instances, others_go_on, maintenance, &mut told);
            }
            detector.go_by(self.observations.latest().limits);
            let acts = detector.step(&snapshot);
            // Before anything is done: who resets itself goes on for nobody.
            self.observations.latest().condition = Some((detector.condition(&snapshot), Instant::now()));
            for act in acts {
                report::count(&mut counts, &act);
                if self.act(act, &snapshot.instances) == ControlFlow::Break(()) {
                    return End::NotReset;
                }
            }
            if self.mode == Mode::Say && detector.is_over() {
                detector = Detector::new(self.observations.latest().limits);
            }
            self.reports.offer(&detector, &snapshot, &self.observations, &counts);
        }
        End::Told
    }

    fn snapshot(&self, elapsed: Millis) -> NodeSnapshot {
        let processes = self.processes();
        let now = Instant::now();
        let mut latest = self.observations.latest();
        let request = latest.request.take();
        let starved = self.observations.usual_priority.is_starved();
        let daemons = processes.map(|(subject, process)| {
            let probe = &latest.probes[subject as usize];
            let (answers, failures) = (probe.answers, probe.failures(now));
            let shortage = latest.shortage(subject);
            (subject, DaemonObservation { process, answers, failures, shortage })
        });
        let fresh = latest.votes.filter(|(_, at)| at.elapsed() < VOTES_FRESH);
        let votes = fresh.and_then(|(word, _)| word.votes);
        let quorum = match fresh {
            Some((word, _)) if word.quorate => Quorum::Quorate,
            Some(_) => Quorum::Lost,
            None => Quorum::Unknown,
        };
        NodeSnapshot {
            elapsed,
            daemons: daemons.into(),
            starved,
            quorum,
            instances: latest.instances.clone(),
            places: latest.places.iter().map(|placed| placed.now(starved)).collect(),
            cluster: latest.cluster.clone(),
            units: latest.units.clone(),
            request,
            node_id: latest.node_id,
            votes,
            resets: latest.claims.view(boottime()),
        }
    }

    /// The daemons' processes as they are now; who they are the thread `daemons` knows.
    fn processes(&self) -> [(Subject, Option<(process::ProcessId, RunState)>); Subject::ALL.len()] {
        Subject::ALL.map(|subject| {
            let found = self.observations.daemon(subject);
            let now = found.and_then(|found| process::alive(found.process.id).ok().flatten());
            (subject, now.map(|info| (info.id, info.state.run_state(Debugged::AsRunning))))
        })
    }

    /// Before anything else is looked at: each moment counts.
    fn end_primaries_that_stood_still(&mut self, elapsed: Millis, counts: &mut Counts) {
        let (instances, others_go_on, maintenance) = {
            let latest = self.observations.latest();
            if elapsed < latest.others_go_on {
                return;
            }
            (latest.instances.clone(), latest.others_go_on, latest.cluster.maintenance)
        };
        let primaries = instances.iter().any(InstanceObservation::may_write);
        if let Some(act) = standstill::judge(elapsed, others_go_on, maintenance, primaries) {
            report::count(counts, &act);
            // It ends no node.
            let _ = self.act(act, &instances);
        }
    }

    /// Breaks off where the node was to end and did not: no watchdog may be kept alive any more.
    fn act(&mut self, act: Act, instances: &[InstanceObservation]) -> ControlFlow<()> {
        if self.mode == Mode::Say && !matches!(act, Act::Say(..) | Act::AskUnits) {
            self.logs.line(Level::Warning, format!("would: {act:?}"));
            return ControlFlow::Continue(());
        }
        match act {
            Act::Say(level, text) => self.logs.line(syslog_level(level), text),
            Act::AskUnits => self.commands.give(Job::Units),
            Act::Kill { process, why } => {
                self.logs.line(Level::Error, format!("kill: hangs: {why}; SIGKILL"));
                self.kill(process);
            }
            Act::Restart { process, unit, why } => {
                self.logs.line(Level::Error, format!("kill: hangs: {why}; SIGKILL, and {unit} is started"));
                self.kill(process);
                self.commands.give(Job::Start { unit });
            }
            Act::Fence { why } => {
                self.logs.line(Level::Error, format!("fence: {why}"));
                let primaries: Vec<&InstanceObservation> =
                    instances.iter().filter(|i| i.may_write()).collect();
                self_fence::stop_primaries(&primaries, &self.logs);
            }
            Act::Fail { resource, node, why } => {
                self.logs.line(Level::Error, format!("failed: {why}; telling Pacemaker"));
                self.commands.give(Job::Fail { resource, node });
            }
            Act::AskOthers { number, why } => {
                self.resets.send(Outgoing::Intent(ResetIntent { number, reason: why }));
            }
            Act::Withdraw { number } => self.resets.send(Outgoing::Withdrawn(IntentWithdrawn { number })),
            Act::Reset { ground: _, mode, why } => {
                let latest = self.observations.latest();
                let end =
                    self_fence::End { why: &why, how: latest.how, mode, foreign: latest.foreign.clone() };
                drop(latest);
                self_fence::end(&end, instances, &self.line, &self.means, &self.logs);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn kill(&self, process: process::ProcessId) {
        if let Err(e) = process::signal(process, Signal::SIGKILL) {
            self.logs.line(Level::Error, format!("SIGKILL to {process}: {e}"));
        }
    }
}

const fn syslog_level(level: LogLevel) -> Level {
    match level {
        LogLevel::Note => Level::Info,
        LogLevel::Warning => Level::Warning,
        LogLevel::Error => Level::Error,
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::resetter::Trigger;
    use crate::decide::detector::Limits;

    #[test]
    fn it_ends_with_the_first_thread_that_is_lost() {
        let (wake_sender, wake) = std::sync::mpsc::sync_channel(1);
        let (logs, _lines) = Logs::new();
        let (commands, _jobs) = CommandQueue::new(&logs);
        let (reports, _reported) = Reports::new(false);
        let threads = Threads::default();
        let control = Control {
            observations: Arc::new(Observations::new(wake_sender, Limits::default())),
            wake,
            commands,
            line: Arc::new(Line::new(String::new())),
            resets: Resets::new().0,
            logs,
            keepalive: Arc::new(Keepalive::new(None)),
            reports,
            mode: Mode::Say,
            means: Means {
                trigger: Trigger::start(&threads).unwrap(),
                evidence: super::super::evidence::Evidence::none(),
            },
            threads: threads.clone(),
            standstill: Arc::new(Standstill::new()),
        };
        threads.spawn("quorum", || {}).unwrap().join().unwrap();
        // Ends the test where the loss is not seen.
        let stop = Arc::new(AtomicBool::new(false));
        let watchdog = Arc::clone(&stop);
        super::super::threads::spawn_for_once("stop", move || {
            super::super::pause(Duration::from_secs(5));
            watchdog.store(true, Ordering::Relaxed);
        })
        .unwrap();
        assert!(matches!(control.run(&stop), End::Lost(why) if why.contains("quorum")));
    }
}
