//! A played [`Host`]: a clock that moves when somebody sleeps or waits, a server in one of a few conditions, and a
//! record of everything that was done. Tests of the shells run on it; nothing in the product does.

mod condition;
mod new;
mod rejoin;
mod server;
mod slots;

use std::time::Duration;

pub use condition::{Condition, Failing};
pub use rejoin::Unit;
pub use slots::Slots;

use super::host::{Host, HostError, HostResult, Level};
use crate::cluster::crm_mon::Status;
use crate::decide::activity::{Activity, Progress};
use crate::decide::clock::{BootTime, Millis};
use crate::decide::disk::{ROOM, Trial};
use crate::decide::election::{Ballot, Fitness, ballot_text};
use crate::decide::facts::{Control, Facts, RunState, Signal};
use crate::decide::memory::Memory;
use crate::decide::promotion_score::Score;
use crate::decide::promotions::Promotion;
use crate::decide::recovery::{Recovery, RestoreCommand};
use crate::decide::rejoin::Task;
use crate::decide::reported::Reported;
use crate::decide::start::LaunchSetting;
use crate::decide::stop::{NodeReset, Shutdown, Stage, StopFacts};
use crate::decide::voters::{NodeVoters, Voters};
use crate::pg::history::{Broken, Histories, History};
use crate::pg::instance::{Phase, ProcessId};
use crate::pg::lsn::Lsn;
use crate::pg::role::PgRole;
use crate::pg::timeline::{Timeline, WalPosition};
use crate::pg::view::{Answer, ConnectedStandby, PrimaryView, StandbyView};

/// The played host.
#[derive(Debug, Clone)]
pub struct FakeHost {
    pub now: Millis,
    pub deadline: Millis,
    pub condition: Condition,
    pub failing: Failing,
    pub view: StandbyView,
    pub timeline: Timeline,
    pub status: Option<Status>,
    /// What votequorum says; `None`: what the status does.
    pub votequorum: Option<bool>,
    pub ballots: Vec<Ballot>,
    pub reported: Vec<Reported>,
    pub slots: Slots,
    pub histories: Vec<History>,
    pub broken_histories: Vec<Broken>,
    pub promotions: Vec<Promotion>,
    pub voters: Vec<Voters>,
    /// Under the name of which node that stands.
    pub voters_of: String,
    /// Who streams from it, and for whom its commits wait, where it is a primary.
    pub standbys: Vec<ConnectedStandby>,
    pub synchronous: String,
    /// A command line overrides the setting.
    pub keeps_synchronous: bool,
    /// Where the WAL in pg_wal ends.
    pub wal_end: Option<WalPosition>,
    /// The promotion that stands in PGDATA.
    pub mark: Option<Promotion>,
    /// How far the primary says that it has written.
    pub announced: Option<WalPosition>,
    pub memory: Memory,
    pub installation: HostResult<()>,
    /// The WAL receiver's process.
    pub receiver: RunState,
    /// What a trial write gives.
    pub trial: Trial,
    /// When a trial write gets through again.
    pub thaws_at: Option<Millis>,
    /// Nothing runs yet; a launch brings the server into its condition.
    pub at_rest: bool,
    /// Whether an archive_command hangs at the end of a fast shutdown.
    pub archiver_hangs: bool,
    /// Since when a restore_command hangs; whether one begins to when the server is told to promote.
    pub command_since: Option<Millis>,
    pub hangs_when_told: bool,
    /// What a server that lives answers instead of its role.
    pub answer: Option<Answer>,
    /// Whether its processes run meanwhile.
    pub progress: Progress,
    /// How many looks still find more WAL received than the one before.
    pub fed: u32,
    /// Why the node is being reset.
    pub resetting: Option<String>,
    /// What the node's other programs were told last.
    pub recorded: Option<(PgRole, Phase)>,
    /// The rejoin on record, and what the unit makes of it.
    pub task: Option<Task>,
    pub unit: Unit,
    /// What was done, in order: `score srv1 900`, `send Fast`, `launch` …
    pub done: Vec<String>,
    pub log: Vec<(Level, String)>,
}

impl FakeHost {
    /// The actions that begin with a word.
    pub fn did(&self, word: &str) -> Vec<&str> {
        self.done.iter().map(String::as_str).filter(|d| d.split(' ').next() == Some(word)).collect()
    }

    /// Something that Pacemaker is told.
    fn tell(&mut self, what: String) -> HostResult<()> {
        self.ask_cluster(())?;
        self.done.push(what);
        Ok(())
    }

    fn pass(&mut self, wait: Duration) {
        self.now += Millis::try_from(wait.as_millis()).unwrap_or(0).max(1);
    }

    fn ask_cluster<T>(&mut self, answer: T) -> HostResult<T> {
        match self.failing {
            Failing::Cluster => {
                // As long as a hung program is waited for.
                let left = Duration::from_millis(self.deadline.saturating_sub(self.now));
                self.pass(left.clamp(Duration::from_millis(200), Duration::from_secs(3)));
                Err(HostError::timed_out("no end within 3.0s, killed: /usr/sbin/crm_attribute"))
            }
            _ => Ok(answer),
        }
    }
}

impl super::host::Telling for FakeHost {}

impl Host for FakeHost {
    fn begin(&mut self, deadline: BootTime) {
        self.deadline = deadline.millis();
    }

    fn now(&self) -> BootTime {
        BootTime::at(self.now)
    }

    fn sleep(&mut self, wait: Duration) {
        self.pass(wait);
    }

    fn look(&mut self, patience: Duration) -> Facts {
        if self.fed > 0 {
            self.fed -= 1;
            self.view.received = self.view.received.map(|lsn| Lsn(lsn.0 + 0x10));
        }
        let answer = match self.condition {
            _ if self.at_rest => None,
            Condition::Standby | Condition::Primary if self.answer.is_some() => {
                if matches!(self.answer, Some(Answer::Silent { .. })) {
                    self.pass(patience);
                }
                self.answer.clone()
            }
            Condition::Standby => Some(Answer::Standby(self.view.clone())),
            Condition::Primary => Some(Answer::Primary(PrimaryView {
                lsn: self.view.replayed.unwrap_or(Lsn(1)),
                timeline: self.timeline,
                standbys: self.standbys.clone(),
                synchronous_standby_names: self.synchronous.clone(),
            })),
            Condition::Frozen | Condition::Deaf | Condition::Immortal | Condition::Archiving => {
                self.pass(patience);
                Some(Answer::Silent { after: patience })
            }
            Condition::Down | Condition::Orphans => None,
        };
        self.pass(Duration::from_millis(3));
        // An unreadable control file is what a start refuses; the fake has no bytes of a real one, and its start is
        // driven by `condition`.
        let control = match self.condition {
            Condition::Standby | Condition::Primary => Control::Known(self.control()),
            _ => Control::Unknown("the fake has no control file".into()),
        };
        Facts { process: self.process(), answer, control, signal: Signal::Present }
    }

    fn stop_facts(&mut self) -> StopFacts {
        StopFacts {
            process: self.process(),
            stopped_children: 0,
            node_reset: NodeReset::NotHeldBack,
            shutdown: Shutdown::UnderWay,
        }
    }

    fn is_handed_over(&mut self) -> bool {
        self.condition == Condition::Archiving
    }

    fn wait_gone(&mut self, wait: Duration) {
        self.pass(wait);
    }

    fn send(&mut self, stage: Stage) -> HostResult<()> {
        self.done.push(format!("send {stage:?}"));
        self.condition = match (stage, self.condition) {
            (_, Condition::Immortal) => Condition::Immortal,
            (Stage::Fast, Condition::Primary) if self.archiver_hangs => Condition::Archiving,
            (Stage::Immediate, Condition::Archiving) => Condition::Down,
            (Stage::Killed, _)
            | (Stage::Fast | Stage::Immediate, Condition::Standby | Condition::Primary | Condition::Down) => {
                Condition::Down
            }
            (_, condition) => condition,
        };
        Ok(())
    }

    fn try_writes(&mut self, patience: Duration) -> Vec<(String, Trial)> {
        if self.thaws_at.is_some_and(|at| self.now >= at) {
            self.trial = Trial::Written { free: ROOM };
        }
        if matches!(self.trial, Trial::Pending(_)) {
            self.pass(patience);
        }
        vec![("/nowhere".into(), self.trial.clone())]
    }

    fn activity(&mut self) -> Option<Activity> {
        let switches = if self.progress == Progress::GoesOn { self.now } else { 1 };
        Some(Activity([(ProcessId { pid: 1, start_time: 1 }, switches)].into()))
    }

    fn run_state(&mut self, _pid: i32) -> Option<RunState> {
        Some(self.receiver)
    }

    fn resetting(&mut self) -> Option<String> {
        self.resetting.clone()
    }

    fn check_installation(&mut self) -> HostResult<()> {
        self.installation.clone()
    }

    fn prepare_standby(&mut self, primary_conninfo: Option<&str>) -> HostResult<()> {
        self.done.push(format!("prepare {}", primary_conninfo.unwrap_or("-")));
        Ok(())
    }

    fn keep_standby_signal(&mut self) -> HostResult<()> {
        self.done.push("signal".into());
        Ok(())
    }

    fn is_base_backup(&mut self) -> bool {
        false
    }

    fn recovery(&mut self) -> Option<Recovery> {
        let age = self.now - self.command_since?;
        let id = ProcessId { pid: 7, start_time: 1 };
        Some(Recovery { segment: None, command: Some(RestoreCommand { id, program: "scp".into(), age }) })
    }

    fn launch(&mut self, settings: &[LaunchSetting]) -> HostResult<()> {
        if settings.iter().any(|setting| setting.name == "restore_command") {
            (self.command_since, self.hangs_when_told) = (None, false);
        }
        self.done.push("launch".into());
        self.at_rest = false;
        if self.failing != Failing::Launch {
            self.condition = Condition::Standby;
        }
        Ok(())
    }

    fn log_tail(&mut self) -> String {
        "FATAL: played".into()
    }

    fn repoint(&mut self, primary_conninfo: &str) -> HostResult<()> {
        self.done.push(format!("repoint {primary_conninfo}"));
        self.view.primary_conninfo = Some(primary_conninfo.into());
        Ok(())
    }

    fn reserve_timelines(&mut self, timelines: &[Timeline]) -> HostResult<()> {
        self.done.extend(timelines.iter().map(|timeline| format!("reserve {timeline}")));
        Ok(())
    }

    fn set_synchronous(&mut self, names: Option<&str>) -> HostResult<()> {
        let names = names.unwrap_or_default();
        self.done.push(format!("wait for {names}"));
        if !self.keeps_synchronous {
            names.clone_into(&mut self.synchronous);
        }
        Ok(())
    }

    fn tell_to_promote(&mut self) -> HostResult<()> {
        self.done.push("promote".into());
        self.command_since = self.command_since.or(self.hangs_when_told.then_some(self.now));
        if self.command_since.is_some() {
            return Ok(());
        }
        if let Some(last) = self.promotions.last() {
            self.timeline = last.timeline;
        }
        self.condition = Condition::Primary;
        Ok(())
    }

    fn prove_writable(&mut self, _patience: Duration) -> HostResult<()> {
        match self.failing {
            Failing::Writes => Err(HostError::failed("no space left on device")),
            _ => Ok(()),
        }
    }

    fn checkpoint(&mut self, _patience: Duration) -> HostResult<()> {
        self.done.push("checkpoint".into());
        Ok(())
    }

    fn histories(&mut self) -> HostResult<Histories> {
        match self.failing {
            Failing::Histories => Err(HostError::failed("can't list pg_wal: Input/output error")),
            _ => Ok(Histories { read: self.histories.clone(), broken: self.broken_histories.clone() }),
        }
    }

    fn segment_timeline(&mut self, _lsn: Lsn) -> Option<Timeline> {
        Some(self.timeline)
    }

    fn wal_end(&mut self) -> HostResult<WalPosition> {
        self.wal_end.ok_or_else(|| HostError::missing("pg_waldump is missing"))
    }

    fn has_quorum(&mut self) -> HostResult<bool> {
        let quorate = self.votequorum.or_else(|| self.status.as_ref()?.quorate);
        self.ask_cluster(quorate)?.ok_or_else(|| HostError::missing("corosync does not run"))
    }

    fn cluster(&mut self) -> HostResult<Status> {
        let status = self.status.clone();
        self.ask_cluster(status)?.ok_or_else(|| HostError::missing("no cluster runs here"))
    }

    fn set_score(&mut self, node: &str, score: Score) -> HostResult<()> {
        self.tell(format!("score {node} {score}"))
    }

    fn delete_score(&mut self, node: &str) -> HostResult<()> {
        self.tell(format!("unscore {node}"))
    }

    fn resend_score(&mut self, node: &str, score: Score) -> HostResult<()> {
        self.tell(format!("score {node} {score} again"))
    }

    fn scores(&mut self) -> HostResult<Vec<(String, Score)>> {
        self.ask_cluster(Vec::new())
    }

    fn vote(&mut self, ballot: Option<(WalPosition, Fitness)>) -> HostResult<()> {
        self.ask_cluster(())?;
        self.done
            .push(ballot.map_or("unvote".into(), |(p, fitness)| format!("vote {}", ballot_text(p, fitness))));
        Ok(())
    }

    fn ballots(&mut self) -> HostResult<Vec<Ballot>> {
        let ballots = self.ballots.clone();
        self.ask_cluster(ballots)
    }

    fn report(&mut self, reported: Reported) -> HostResult<()> {
        self.ask_cluster(())?;
        self.reported.push(reported);
        Ok(())
    }

    fn promotions(&mut self) -> HostResult<Vec<Promotion>> {
        let promotions = self.promotions.clone();
        self.ask_cluster(promotions)
    }

    fn publish_promotion(&mut self, nodes: &[String], promotion: &Promotion) -> HostResult<()> {
        self.ask_cluster(())?;
        self.done.push(format!("publish {} {promotion}", nodes.join(",")));
        self.promotions.push(promotion.clone());
        Ok(())
    }

    fn voters(&mut self) -> HostResult<Vec<NodeVoters>> {
        let of = |voters: &Voters| NodeVoters { node: self.voters_of.clone(), voters: voters.clone() };
        let voters = self.voters.iter().map(of).collect();
        self.ask_cluster(voters)
    }

    fn publish_voters(&mut self, nodes: &[String], voters: &Voters) -> HostResult<()> {
        self.ask_cluster(())?;
        self.done.push(format!("voters {} {voters}", nodes.join(",")));
        self.voters.push(voters.clone());
        Ok(())
    }

    fn keep_promotion(&mut self, promotion: &Promotion) -> HostResult<()> {
        self.tell(format!("keep {promotion}"))
    }

    fn set_safe_mode(&mut self, reason: Option<&str>) -> HostResult<()> {
        self.tell(reason.map_or("no safe mode".into(), |reason| format!("safe mode: {reason}")))
    }

    fn end_approval(&mut self, node: &str) -> HostResult<()> {
        self.tell(format!("disapprove {node}"))
    }

    fn branch_mark(&mut self) -> HostResult<Option<Promotion>> {
        Ok(self.mark.clone())
    }

    fn mark_branch(&mut self, promotion: &Promotion) -> HostResult<()> {
        self.done.push(format!("mark {promotion}"));
        self.mark = Some(promotion.clone());
        Ok(())
    }

    fn announce(&mut self, node: &str, end: Option<WalPosition>) -> HostResult<()> {
        self.tell(end.map_or(format!("unannounce {node}"), |end| format!("announce {node} {end}")))
    }

    fn announced(&mut self, _node: &str) -> HostResult<Option<WalPosition>> {
        let announced = self.announced;
        self.ask_cluster(announced)
    }

    fn recall(&mut self) -> Memory {
        self.memory.clone()
    }

    fn remember(&mut self, memory: &Memory) -> HostResult<()> {
        self.memory = memory.clone();
        Ok(())
    }

    fn record(&mut self, role: PgRole) -> HostResult<()> {
        self.recorded = Some((role, Phase::Running));
        Ok(())
    }

    fn record_stopping(&mut self) -> HostResult<()> {
        self.recorded = self.recorded.map(|(role, _)| (role, Phase::Stopping));
        Ok(())
    }

    fn recorded(&mut self) -> Option<PgRole> {
        self.recorded.map(|(role, _)| role)
    }

    fn forget(&mut self) -> HostResult<()> {
        self.recorded = None;
        Ok(())
    }

    fn log(&mut self, level: Level, line: &str) {
        self.log.push((level, line.into()));
    }
}
