//! `start`: always as a standby.

use std::time::Duration;

use super::{Agent, ROUND, Report, STEADY, millis};
use crate::boundary::host::Level;
use crate::decide::clock::{BootTime, Millis, Time};
use crate::decide::cluster::{ClusterFacts, Upstream};
use crate::decide::disk::Disk;
use crate::decide::election::Approval;
use crate::decide::facts::{Facts, ProcessSummary, ServerAnswer};
use crate::decide::follow;
use crate::decide::memory::{Knowledge, LastPromotion, OtherPrimary};
use crate::decide::promotion_score::{Score, ScoreStep};
use crate::decide::promotions::{Branch, Data, Record, position_at_rest};
use crate::decide::recovery::{Archive, Held, Track, ended_by_archive, held, start_waits};
use crate::decide::rejoin::Cause;
use crate::decide::score::{streamed, streams};
use crate::decide::start::{
    After, AtRest, Before, Ground, LAUNCH_SETTINGS, LaunchSetting, Launched, Membership, Occasion, Stream,
    Waiting, after, before, disk_patience, last_role, last_role_by, membership, on_disk, resting_position,
    tries_disk, unfit_clone, unfit_code, without_archive,
};
use crate::decide::stop::Purpose;
use crate::ocf::OcfCode;
use crate::pg::role::PgRole;
use crate::pg::view::Answer;

/// Clearing away leftovers gets this share of the time, at most.
const CLEARING: Duration = Duration::from_secs(10);
/// What a start that fails keeps to take down what it launched.
const UNDO: Duration = Duration::from_secs(3);

/// How often the recovery of a server that takes no connections is looked at, ms.
const RECOVERY_ROUND: Millis = 500;

/// A server is up within a tenth of a second, and in a switchover clients wait for it.
const START_ROUND: Duration = Duration::from_millis(10);

/// Why nothing was started.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: OcfCode,
    pub(super) reason: String,
    /// What a rejoin would mend.
    pub(super) cause: Option<Cause>,
}

impl From<(OcfCode, String)> for Refusal {
    fn from((code, reason): (OcfCode, String)) -> Self {
        Self { code, reason, cause: None }
    }
}

fn diverged(reason: String) -> Refusal {
    Refusal { code: OcfCode::ErrGeneric, reason, cause: Some(Cause::Diverged) }
}

impl Agent<'_> {
    pub(super) fn start(&mut self) -> Report {
        if let Some(why) = unfit_clone(self.manager(), self.run.notify, self.run.promoted_max) {
            let other = OtherPrimary::of(self.ask_cluster().as_ref(), self.manager());
            return Report::new(unfit_code(other), why);
        }
        // A copy may be between two renames: there is no data directory then.
        if let Err(refusal) = self.end_rejoin() {
            return Report::changed(refusal.code, refusal.reason);
        }
        if let Some(refusal) = self.installation_trouble() {
            return refusal;
        }
        if let Err(refusal) = self.rejoin_if_starved() {
            return Report::changed(refusal.code, refusal.reason);
        }
        let started = self.start_standby(Occasion::Start).or_else(|refusal| {
            self.rejoin(refusal)?;
            self.start_standby(Occasion::Start)
        });
        match started {
            Ok(reason) => Report::changed(OcfCode::Success, reason),
            Err(refusal) => Report::changed(refusal.code, refusal.reason),
        }
    }

    pub(super) fn installation_trouble(&mut self) -> Option<Report> {
        let error = self.host.check_installation().err()?;
        Some(Report::new(error.cause.installation_code(), error.text))
    }

    /// Brings up a running standby; also the second half of a demotion.
    pub(super) fn start_standby(&mut self, occasion: Occasion) -> Result<String, Refusal> {
        self.refuse_while_resetting()?;
        let rests = loop {
            let facts = self.glance(self.left());
            match before(&facts, self.is_time_over()) {
                Before::Already(reason) => {
                    self.doubt_a_strangers_server();
                    self.tell_node(|host| host.record(PgRole::Standby));
                    self.tend_if(occasion, &facts);
                    return Ok(reason.into());
                }
                Before::Clear(reason) => {
                    self.host.log(Level::Warning, &format!("before the start: {reason}"));
                    self.bring_down(Purpose::Stop, CLEARING.min(self.half()))
                        .map_err(|reason| (OcfCode::ErrGeneric, reason))?;
                }
                Before::Launch => {
                    self.refuse_stuck_disk(occasion).map_err(|why| (OcfCode::ErrGeneric, why))?;
                    self.note_former_by(&facts);
                    break facts;
                }
                Before::Wait(_) => self.host.sleep(ROUND),
                Before::Refuse(code, reason) => return Err((code, reason).into()),
            }
        };
        let (mut branch, mut last) = (Branch::Unrecorded, LastPromotion::OwnOrNone);
        let (primary, other) = match occasion {
            Occasion::Demotion => (None, OtherPrimary::Nobody),
            Occasion::Start => {
                let cluster = self.ask_cluster();
                (branch, last) = self.check_membership(&rests, cluster.as_ref())?;
                let other = OtherPrimary::of(cluster.as_ref(), self.manager());
                (cluster.and_then(|c| c.primary), other)
            }
        };
        if let Some(primary) = &primary {
            // What it said to standbys that began before.
            self.tell_node(|host| host.announce(&primary.node, None));
        }
        self.memory.restarted(other, &branch, last);
        if let Some(why) = self.diverged_at_rest(primary.as_ref()) {
            self.apply(ScoreStep::Set(Score::Withdrawn, why.clone()));
            return Err(diverged(why));
        }
        let conninfo = primary.as_ref().and_then(|p| self.conninfo_for(&p.host));
        self.use_slot_of(primary.as_ref().map(|primary| primary.node.as_str()));
        let host_error = |t: crate::boundary::host::HostError| (OcfCode::ErrGeneric, t.text);
        self.host.prepare_standby(conninfo.as_deref()).map_err(host_error)?;
        self.host.launch(&LAUNCH_SETTINGS).map_err(host_error)?;
        self.await_standby(primary, occasion)
    }

    /// Whether what lies in PGDATA is of this cluster, and nobody's own end of the reigning primary's timeline.
    fn check_membership(
        &mut self,
        facts: &Facts,
        cluster: Option<&ClusterFacts>,
    ) -> Result<(Branch, LastPromotion), Refusal> {
        self.memory.on = None;
        let mut record = self.read_record();
        let node = self.node();
        let Some(position) = resting_position(facts) else {
            return Ok((Branch::Unrecorded, LastPromotion::Anothers));
        };
        if cluster.is_some_and(|cluster| cluster.primary.is_none()) {
            record = self.remind(record, facts, position);
        }
        let histories = self.histories(&record.timelines(position)).unwrap_or_default();
        let data = Data { node: &node, system: None, position, on: None, histories: &histories };
        let position = position_at_rest(&record, &data);
        let branch = self.branch(&record, facts, position);
        let is_base_backup = self.host.is_base_backup();
        let last_role = last_role(facts);
        let mark = self.mark();
        let at_rest = AtRest {
            node: &node,
            last_role,
            is_base_backup,
            owner: mark.as_ref().map(|mark| mark.node.as_str()),
            position: Some(position),
            record: &record,
            branch: &branch,
            approval: Approval::of(cluster),
        };
        match membership(&at_rest) {
            Membership::Fits => {
                let last = record.last();
                Ok((branch, LastPromotion::of(last, &node, self.memory.asked, self.memory.last_role)))
            }
            Membership::Refuse(code, reason, cause) => {
                self.apply(ScoreStep::Set(Score::Withdrawn, reason.clone()));
                Err(Refusal { code, reason, cause })
            }
        }
    }

    /// The record of promotions; one that can't be read is read again: it tells who ended as a primary by hand.
    pub(super) fn read_record(&mut self) -> Record {
        let at_most = self.host.now() + millis(self.half());
        loop {
            match self.record() {
                Record::Unread(_) if self.host.now() < at_most => self.host.sleep(ROUND),
                record => return record,
            }
        }
    }

    /// Somebody else started the server that runs: what it had when it was stopped is not known.
    pub(super) fn doubt_a_strangers_server(&mut self) {
        if self.run.node.is_some() && self.host.recorded().is_none() {
            self.memory.knowledge = Knowledge::Unproven;
            self.memory.forget_stream();
        }
    }

    fn refuse_stuck_disk(&mut self, occasion: Occasion) -> Result<(), String> {
        if !tries_disk(occasion, self.memory.disk) {
            return Ok(());
        }
        let another = self.plan.promoting.iter().any(|node| self.run.node.as_ref() != Some(node));
        let waiting = if another { Waiting::NextPrimary } else { Waiting::Nobody };
        let until = self.host.now() + millis(disk_patience(self.left(), waiting));
        let mut said = false;
        loop {
            let finding = self.try_disk();
            let time = if self.host.now() < until { Time::Left } else { Time::Over };
            match on_disk(occasion, &finding, time) {
                Ground::Launch => return Ok(()),
                Ground::TryAgain => {
                    if !said && finding.disk == Disk::Stuck {
                        let why = finding.reason.as_deref().unwrap_or_default();
                        self.host.log(Level::Warning, &format!("the start waits for the disk: {why}"));
                        said = true;
                    }
                    self.host.sleep(ROUND);
                }
                Ground::Refuse(why) => return Err(why),
            }
        }
    }

    /// What the control file alone tells: a primary that was shut down past the fork. PostgreSQL would refuse to start with
    /// "requested timeline is not a child of this server's history".
    fn diverged_at_rest(&mut self, primary: Option<&Upstream>) -> Option<String> {
        let facts = self.glance(self.left());
        let past = resting_position(&facts)?;
        let source = primary.map_or("the primary", |p| p.node.as_str()).to_owned();
        // Where pg_wal can't be read PostgreSQL does not start either.
        follow::diverged(past, &self.histories(&[past.timeline])?, None, &source)
    }

    fn note_former_by(&mut self, facts: &Facts) {
        let last_role = last_role_by(last_role(facts), self.memory.last_role, self.memory.timeline);
        self.note_last_role(last_role);
    }

    fn await_standby(&mut self, primary: Option<Upstream>, occasion: Occasion) -> Result<String, Refusal> {
        let begun = self.host.now();
        let budget = millis(self.left());
        let mut consistent_since = None;
        let mut streaming_since = None;
        let mut archive = Archive::Asked;
        let mut track = Track::default();
        let mut next_look = begun + RECOVERY_ROUND;
        loop {
            let left = self.left().saturating_sub(UNDO);
            let facts = self.glance(left);
            let now = self.host.now();
            if facts.server_answer() == ServerAnswer::Recovering && now >= next_look {
                next_look = now + RECOVERY_ROUND;
                let recovery = self.host.recovery();
                if let Some(recovery) = &recovery {
                    track.note(recovery, now);
                }
                let command = recovery.and_then(|recovery| recovery.command);
                if held(&archive, command.as_ref(), start_waits(budget)) == Held::LeaveOut
                    && let Some(command) = command
                {
                    archive = self.leave_archive_out(command.to_string(), Purpose::StopStandby)?;
                    continue;
                }
            }
            let consistent_for = match facts.answer {
                Some(Answer::Standby(_)) => now.since(*consistent_since.get_or_insert(now)),
                _ => 0,
            };
            let stream = self.stream(&facts, primary.as_ref(), &mut streaming_since);
            let log = self.host.log_tail();
            let launched = Launched {
                facts: &facts,
                stream: &stream,
                consistent_for: Duration::from_millis(consistent_for),
                recovery: track.progress(now, budget / 2),
                time_over: left.is_zero(),
                log: &log,
            };
            match after(&launched) {
                After::Wait(_) => self.host.sleep(START_ROUND),
                After::Done(reason) => {
                    self.tell_node(|host| host.record(PgRole::Standby));
                    self.tend_if(occasion, &facts);
                    return Ok(with_archive(reason, &archive));
                }
                After::Recovering(reason) => {
                    self.tell_node(|host| host.record(PgRole::Standby));
                    // A promotion would wait for it, fail, and end it.
                    self.apply(ScoreStep::Set(Score::Withdrawn, reason.into()));
                    return Ok(with_archive(reason, &archive));
                }
                After::Fail(..)
                    if facts.process_summary() == ProcessSummary::Absent
                        && archive == Archive::Asked
                        && !left.is_zero()
                        && ended_by_archive(&log) =>
                {
                    archive = self
                        .leave_archive_out(format!("restore_command fails: {log}"), Purpose::StopStandby)?;
                }
                After::Fail(code, reason) => {
                    let reason = with_archive(&reason, &archive);
                    if matches!(stream, Stream::Diverged(_)) {
                        self.apply(ScoreStep::Set(Score::Withdrawn, reason.clone()));
                    }
                    if let Err(remains) = self.bring_down(Purpose::Stop, UNDO.max(self.left() / 2)) {
                        self.host.log(Level::Error, &format!("after the failed start: {remains}"));
                    }
                    let cause = matches!(stream, Stream::Diverged(_)).then_some(Cause::Diverged);
                    return Err(Refusal { code, reason, cause });
                }
            }
        }
    }

    /// Launches the server anew without its restore_command, which ends with the server that waits for it.
    pub(super) fn leave_archive_out(
        &mut self,
        why: String,
        purpose: Purpose,
    ) -> Result<Archive, (OcfCode, String)> {
        self.host.log(Level::Warning, &format!("{why}; PostgreSQL is started without it"));
        self.launch_anew(purpose, &without_archive())?;
        Ok(Archive::LeftOut(why))
    }

    /// Brings the standby down and launches it again, as a standby: a promotion that it was told removes the signal before it ends.
    pub(super) fn launch_anew(
        &mut self,
        purpose: Purpose,
        settings: &[LaunchSetting],
    ) -> Result<(), (OcfCode, String)> {
        self.bring_down(purpose, self.half()).map_err(|reason| (OcfCode::ErrGeneric, reason))?;
        let launched = self.host.keep_standby_signal().and_then(|()| self.host.launch(settings));
        launched.map_err(|error| (OcfCode::ErrGeneric, error.text))
    }

    fn tend_if(&mut self, occasion: Occasion, facts: &Facts) {
        match occasion {
            Occasion::Start => {
                self.tend_standby(facts, None);
            }
            // Its score was settled when the demotion was announced, and clients wait for the next primary.
            Occasion::Demotion => {}
        }
    }

    fn stream(&mut self, facts: &Facts, primary: Option<&Upstream>, since: &mut Option<BootTime>) -> Stream {
        let (Some(primary), Some(Answer::Standby(view))) = (primary, &facts.answer) else {
            return Stream::NoPrimary;
        };
        let now = self.host.now();
        let streaming_for = if streams(view.receiver.as_ref()) {
            now.since(*since.get_or_insert(now))
        } else {
            *since = None;
            0
        };
        let position = self.position(facts);
        let reigning = streamed(view.receiver.as_ref(), &primary.host);
        let of: Vec<_> = [position.map(|own| own.timeline), reigning].into_iter().flatten().collect();
        let Some(histories) = self.histories(&of) else { return Stream::NotYet };
        if let Some(position) = position
            && let Some(why) = follow::diverged(position, &histories, reigning, &primary.node)
        {
            return Stream::Diverged(why);
        }
        if streaming_for >= millis(STEADY) { Stream::Streaming } else { Stream::NotYet }
    }
}

/// What is said of a server that runs, or does not, without its archive.
fn with_archive(reason: &str, archive: &Archive) -> String {
    match archive {
        Archive::Asked => reason.to_owned(),
        Archive::LeftOut(why) => format!("{reason}; without the archive until its next start: {why}"),
    }
}
