//! The thread that decides: twice a second, and at once when a postmaster ended.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::board::Board;
use super::config::Mode;
use super::ending::{self, Means};
use super::hands::{Hands, Job};
use super::line::Line;
use super::log::Logs;
use super::pet::Pets;
use super::report::{self, Reports};
use super::resets::{Outgoing, Resets};
use super::standstill::{Standstill, Told};
use super::threads::Threads;
use crate::boundary::clock::boottime_ms;
use crate::boundary::host::Level;
use crate::boundary::process::{self, Debugged};
use crate::cluster::checker::Counts;
use crate::cluster::reset_intent::{IntentWithdrawn, ResetIntent};
use crate::decide::detector::{Act, Detector, InstanceLook, Look, Millis, Quorum, Sight, Subject, Voice};
use crate::decide::facts::Pulse;
use crate::decide::standstill;

const TICK: Duration = Duration::from_millis(500);
/// What votequorum said counts for so long.
const VOTES_FRESH: Duration = Duration::from_secs(2);

/// All that it works with.
pub(super) struct Control {
    pub(super) board: Arc<Board>,
    pub(super) wake: Receiver<()>,
    pub(super) hands: Hands,
    pub(super) line: Arc<Line>,
    pub(super) resets: Resets,
    pub(super) logs: Logs,
    pub(super) pets: Arc<Pets>,
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
        let mut detector = Detector::new(self.board.seen().limits);
        let mut counts = Counts::default();
        let mut told = Told::default();
        let (mut last, mut booted) = (Instant::now(), boottime_ms());
        while !stop.load(Ordering::Relaxed) {
            match self.wake.recv_timeout(TICK) {
                Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if let Some(why) = self.threads.lost() {
                return End::Lost(why.to_owned());
            }
            self.pets.pulse.beat();
            // With the time that the machine slept, which the other clock leaves out.
            let (slept, now) = (boottime_ms().saturating_sub(booted), Instant::now());
            let elapsed = (now - last).max(Duration::from_millis(slept));
            (last, booted) = (now, booted + slept);
            self.end_primaries_that_stood_still(millis(elapsed), &mut counts);
            counts.looks += 1;
            counts.latest_ms = counts.latest_ms.max(millis(elapsed.saturating_sub(TICK)));
            let sight = self.sight(millis(elapsed));
            if self.mode == Mode::Act {
                let others_go_on = self.board.seen().others_go_on;
                let maintenance = sight.cluster.maintenance;
                self.standstill.go_by(&sight.instances, others_go_on, maintenance, &mut told);
            }
            detector.go_by(self.board.seen().limits);
            let acts = detector.step(&sight);
            // Before anything is done: who resets itself goes on for nobody.
            self.board.seen().condition = Some((detector.condition(&sight), Instant::now()));
            for act in acts {
                report::count(&mut counts, &act);
                if self.act(act, &sight.instances) == ControlFlow::Break(()) {
                    return End::NotReset;
                }
            }
            if self.mode == Mode::Say && detector.is_over() {
                detector = Detector::new(self.board.seen().limits);
            }
            self.reports.offer(&detector, &sight, &self.board, &counts);
        }
        End::Told
    }

    fn sight(&self, elapsed: Millis) -> Sight {
        let processes = self.processes();
        let now = Instant::now();
        let mut seen = self.board.seen();
        let request = seen.request.take();
        let looks = processes.map(|(subject, process)| {
            let probe = &seen.probes[subject as usize];
            let (answers, failures, shortage) = (probe.answers, probe.failures(now), probe.shortage);
            (subject, Look { process, answers, failures, shortage })
        });
        let fresh = seen.votes.filter(|(_, at)| at.elapsed() < VOTES_FRESH);
        let votes = fresh.and_then(|(word, _)| word.votes);
        let quorum = match fresh {
            Some((word, _)) if word.quorate => Quorum::Quorate,
            Some(_) => Quorum::Lost,
            None => Quorum::Unknown,
        };
        Sight {
            elapsed,
            looks: looks.into(),
            quorum,
            instances: seen.instances.clone(),
            places: seen.places.iter().map(super::storage::Placed::now).collect(),
            cluster: seen.cluster.clone(),
            units: seen.units.clone(),
            request,
            node_id: seen.node_id,
            votes,
            resets: seen.claims.view(boottime_ms()),
        }
    }

    /// The daemons' processes as they are now; who they are the thread `daemons` knows.
    fn processes(&self) -> [(Subject, Option<(process::ProcessId, Pulse)>); Subject::ALL.len()] {
        Subject::ALL.map(|subject| {
            let found = self.board.daemon(subject);
            let now = found.and_then(|found| process::alive(found.process.id).ok().flatten());
            (subject, now.map(|info| (info.id, info.state.pulse(Debugged::AsRunning))))
        })
    }

    /// Before anything else is looked at: each moment counts.
    fn end_primaries_that_stood_still(&mut self, elapsed: Millis, counts: &mut Counts) {
        let (instances, others_go_on, maintenance) = {
            let seen = self.board.seen();
            if elapsed < seen.others_go_on {
                return;
            }
            (seen.instances.clone(), seen.others_go_on, seen.cluster.maintenance)
        };
        let primaries = instances.iter().any(InstanceLook::may_write);
        if let Some(act) = standstill::judge(elapsed, others_go_on, maintenance, primaries) {
            report::count(counts, &act);
            // It ends no node.
            let _ = self.act(act, &instances);
        }
    }

    /// Breaks off where the node was to end and did not: nothing that comes round any more may be petted for.
    fn act(&mut self, act: Act, instances: &[InstanceLook]) -> ControlFlow<()> {
        if self.mode == Mode::Say && !matches!(act, Act::Say(..) | Act::AskUnits) {
            self.logs.line(Level::Warning, format!("would: {act:?}"));
            return ControlFlow::Continue(());
        }
        match act {
            Act::Say(voice, text) => self.logs.line(level(voice), text),
            Act::AskUnits => self.hands.give(Job::Units),
            Act::Kill { process, why } => {
                self.logs.line(Level::Error, format!("kill: hangs: {why}; SIGKILL"));
                self.kill(process);
            }
            Act::Restart { process, unit, why } => {
                self.logs.line(Level::Error, format!("kill: hangs: {why}; SIGKILL, and {unit} is started"));
                self.kill(process);
                self.hands.give(Job::Start { unit });
            }
            Act::Fence { why } => {
                self.logs.line(Level::Error, format!("fence: {why}"));
                let primaries: Vec<&InstanceLook> = instances.iter().filter(|i| i.may_write()).collect();
                ending::silence(&primaries, &self.logs);
            }
            Act::Fail { resource, node, why } => {
                self.logs.line(Level::Error, format!("failed: {why}; Pacemaker is told"));
                self.hands.give(Job::Fail { resource, node });
            }
            Act::AskOthers { number, why } => {
                self.resets.send(Outgoing::Intent(ResetIntent { number, reason: why }));
            }
            Act::Withdraw { number } => self.resets.send(Outgoing::Withdrawn(IntentWithdrawn { number })),
            Act::Reset { ground: _, manner, why } => {
                let seen = self.board.seen();
                let end = ending::End { why: &why, how: seen.how, manner, foreign: seen.foreign.clone() };
                drop(seen);
                ending::end(&end, instances, &self.line, &self.means, &self.logs);
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

const fn level(voice: Voice) -> Level {
    match voice {
        Voice::Note => Level::Info,
        Voice::Warning => Level::Warning,
        Voice::Error => Level::Error,
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
        let (hands, _jobs) = Hands::new(&logs);
        let (reports, _reported) = Reports::new(false);
        let threads = Threads::default();
        let control = Control {
            board: Arc::new(Board::new(wake_sender, Limits::default())),
            wake,
            hands,
            line: Arc::new(Line::new(String::new())),
            resets: Resets::new().0,
            logs,
            pets: Arc::new(Pets::new(None)),
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
