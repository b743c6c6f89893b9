//! `promote`: election, promotion, proof.

use std::time::Duration;

use super::{Agent, ROUND, Report};
use crate::boundary::host::Level;
use crate::decide::clock::BootTime;
use crate::decide::cluster::Manager;
use crate::decide::election::{
    self, Again, Approval, Ballots, Earlier, Failure, OnRecord, Receiver, Told, Verdict,
};
use crate::decide::facts::{Facts, Signal};
use crate::decide::memory::{Knowledge, LastRole};
use crate::decide::promote::{Meanwhile, Progress, Step, decide, launches_anew, meanwhile, second_primary};
use crate::decide::promotion_score::{Score, ScoreStep};
use crate::decide::promotions::{Branch, Promotion, Record};
use crate::decide::recovery::{Archive, Held, held, promotion_waits};
use crate::decide::score;
use crate::decide::start::LAUNCH_SETTINGS;
use crate::decide::stop::Purpose;
use crate::decide::voters::Voters;
use crate::ocf::OcfCode;
use crate::pg::role::PgRole;
use crate::pg::view::Answer;

/// The postmaster needs a few milliseconds: it is looked at often.
const PROMOTION_ROUND: Duration = Duration::from_millis(20);

/// Between two rounds while WAL may arrive: what a primary commits it sends at once, and one that sends nothing commits nothing.
const QUIET: Duration = Duration::from_millis(500);

/// How a round of the election ended.
enum Round {
    Won(String),
    /// Another one follows.
    Another,
    Over(Report),
}

impl Agent<'_> {
    pub(super) fn promote(&mut self) -> Report {
        if let Err((code, reason)) = self.refuse_while_resetting() {
            return Report::new(code, reason);
        }
        if let Some(why) = second_primary(&self.plan, &self.node(), self.run.promoted_max) {
            // Of this node alone: of the whole clone the healthy primary would be stopped with it.
            return Report::new(OcfCode::ErrInstalled, format!("not promoted: {why}"));
        }
        self.doubt_a_strangers_server();
        let begun = self.host.now();
        let mut progress = Progress::Begun;
        let mut won = String::new();
        let mut earlier = Earlier::default();
        let record = loop {
            match self.record() {
                Record::Unread(why) if self.is_time_over() => {
                    let reason = format!("not promoted: the record of promotions {why}");
                    return Report::new(OcfCode::ErrGeneric, reason);
                }
                // A candidate that gives up is restarted, and has lost what it knew.
                Record::Unread(_) => self.host.sleep(ROUND),
                record => break record,
            }
        };
        if self.memory.knowledge == Knowledge::Current && self.memory.last_role == LastRole::Standby {
            self.memory.asked = record.last().map(|last| last.id);
        }
        let mut promotion = None;
        let mut planned = None;
        let mut archive = Archive::Asked;
        // Told, and launched anew since.
        let mut tell_again = false;
        let mut launched_anew = false;
        let mut answered = begun;
        loop {
            let facts = self.glance(self.left());
            // One look without an answer after long rounds of an election is no deafness.
            if matches!(facts.answer, Some(Answer::Standby(_) | Answer::Primary(_))) {
                answered = self.host.now();
            }
            let waited = self.host.now().since(answered);
            if progress == Progress::Begun
                && !launched_anew
                && launches_anew(&facts, waited)
                && !self.is_time_over()
            {
                launched_anew = true;
                self.host
                    .log(Level::Warning, "to be promoted, but PostgreSQL does not answer: restarting it");
                if let Err((code, reason)) = self.launch_anew(Purpose::StopStandby, &LAUNCH_SETTINGS) {
                    return Report::changed(code, reason);
                }
                continue;
            }
            match decide(&facts, progress, self.is_time_over()) {
                Step::Elect => match self.elect(&facts, &record, &mut earlier) {
                    Round::Won(reason) => {
                        self.host.log(Level::Info, &format!("won the election: {reason}"));
                        won = reason;
                        progress = Progress::Elected;
                    }
                    Round::Another => {}
                    Round::Over(report) => return report,
                },
                Step::Tell => {
                    match self.archive_holds_up(&mut archive, &facts) {
                        Held::Wait if !self.is_time_over() => {
                            self.host.sleep(PROMOTION_ROUND);
                            continue;
                        }
                        Held::LeaveOut => continue,
                        Held::Wait | Held::No => {}
                    }
                    // A probe believes no other primary.
                    if let Err(error) = self.host.record(PgRole::Primary) {
                        return Report::new(OcfCode::ErrGeneric, format!("not promoted: {error}"));
                    }
                    let prepared = self
                        .prepare_synchronous(&record)
                        .map_err(|error| format!("synchronous replication: {error}"));
                    self.remember_succession(&record);
                    // Last: who is on record and never begins bars all others.
                    match prepared.and_then(|()| self.put_on_record(&record, &facts, &mut planned)) {
                        Ok(()) => promotion = planned.take(),
                        Err(why) => {
                            self.tell_node(|host| host.record(PgRole::Standby));
                            if self.is_time_over() {
                                return Report::new(OcfCode::ErrGeneric, format!("not promoted: {why}"));
                            }
                            // One answer of pacemaker-attrd that is late is no reason to lose what this candidate knows.
                            self.complain(Some(format!("the promotion waits: {why}")));
                            if let Err(why) = self.await_unchanged(&record, planned.as_ref()) {
                                return Report::new(OcfCode::ErrGeneric, format!("not promoted: {why}"));
                            }
                            continue;
                        }
                    }
                    if let Err(error) = self.host.tell_to_promote() {
                        return Report::new(OcfCode::ErrGeneric, error.text);
                    }
                    progress = Progress::Told;
                }
                Step::Wait(_) if tell_again && matches!(facts.answer, Some(Answer::Standby(_))) => {
                    if let Err(error) =
                        self.host.record(PgRole::Primary).and_then(|()| self.host.tell_to_promote())
                    {
                        return Report::changed(OcfCode::ErrGeneric, error.text);
                    }
                    tell_again = false;
                }
                // Once it has removed standby.signal it has left recovery, whatever it answers: a launch would go on with the old timeline.
                Step::Wait(_)
                    if progress == Progress::Told
                        && !tell_again
                        && archive == Archive::Asked
                        && facts.signal == Signal::Present =>
                {
                    tell_again = self.archive_holds_up(&mut archive, &facts) == Held::LeaveOut;
                    self.host.sleep(PROMOTION_ROUND);
                }
                Step::Wait(_) => self.host.sleep(PROMOTION_ROUND),
                Step::Prove => {
                    if progress == Progress::Begun && !self.is_our_primary(&facts) {
                        let why = "a primary runs here that this cluster did not promote: started or promoted by hand";
                        return Report::new(OcfCode::ErrGeneric, format!("not promoted: {why}"));
                    }
                    if let (Some(entry), Some(Answer::Primary(view))) = (promotion.take(), &facts.answer) {
                        let entry = self.correct_record(entry, &facts, view);
                        self.remember_promotion(&entry);
                        self.note_branch(&entry);
                    }
                    return self.prove(progress, begun, &won);
                }
                Step::Fail(reason) => return Report::changed(OcfCode::ErrGeneric, reason),
            }
        }
    }

    /// Whether a restore_command holds the promotion up. One that hangs is left out, with the server launched anew: what it has received
    /// is in pg_wal.
    fn archive_holds_up(&mut self, archive: &mut Archive, facts: &Facts) -> Held {
        let to_replay = match (&facts.answer, facts.control()) {
            (Some(Answer::Standby(view)), Some(control)) => {
                view.position_lsn().map(|end| end.saturating_bytes_since(control.redo))
            }
            _ => None,
        };
        let patience = promotion_waits(super::millis(self.run.budget()), to_replay);
        let command = self.host.recovery().and_then(|recovery| recovery.command);
        let held = held(archive, command.as_ref(), patience);
        match (held, command) {
            (Held::LeaveOut, Some(command)) => {
                match self.leave_archive_out(command.to_string(), Purpose::StopStandby) {
                    Ok(left_out) => *archive = left_out,
                    // The next look finds no server, and says so.
                    Err((_, reason)) => self.host.log(Level::Error, &reason),
                }
            }
            (Held::No | Held::Wait | Held::LeaveOut, _) => {}
        }
        held
    }

    /// Waits until the record can be read and is still the one that was read. `planned`: what this node may have put there.
    fn await_unchanged(&mut self, record: &Record, planned: Option<&Promotion>) -> Result<(), String> {
        loop {
            self.host.sleep(ROUND);
            match meanwhile(record, &self.record(), planned) {
                Meanwhile::Nobody => return Ok(()),
                Meanwhile::Another => return Err("another promotion is on record meanwhile".to_owned()),
                Meanwhile::Unknown(why) if self.is_time_over() => {
                    return Err(format!("the record of promotions {why}"));
                }
                Meanwhile::Unknown(_) => {}
            }
        }
    }

    /// A primary that takes no write is none.
    fn prove(&mut self, progress: Progress, begun: BootTime, won: &str) -> Report {
        if let Err(error) = self.host.prove_writable(self.left()) {
            return Report::changed(
                OcfCode::ErrGeneric,
                format!("promoted, but it takes no writes: {error}"),
            );
        }
        (self.memory.knowledge, self.memory.asked) = (Knowledge::Current, None);
        if progress == Progress::Told {
            self.memory.promoted = Some(self.host.now());
        }
        match progress {
            Progress::Told => {
                let took = self.host.now().since(begun);
                Report::changed(
                    OcfCode::Success,
                    format!("promoted in {took} ms, takes writes; was at {won}"),
                )
            }
            Progress::Begun | Progress::Elected => Report::new(OcfCode::Success, "is the primary already"),
        }
    }

    /// One round of the election.
    fn elect(&mut self, facts: &Facts, record: &Record, earlier: &mut Earlier) -> Round {
        let node = self.node();
        let manager = self.manager();
        let position = self.position(facts);
        let disk = self.try_disk().disk;
        let answers =
            if election::asks_the_others(manager, self.run.node.as_deref(), &self.plan.running_after()) {
                let ballots = self.host.ballots().map_err(|error| error.to_string());
                ballots.map(|all| election::of_running(all, &self.plan.running_after()))
            } else {
                Ok(Vec::new())
            };
        let receiver = match &facts.answer {
            Some(Answer::Standby(view)) if score::streams(view.receiver.as_ref()) => Receiver::Streams,
            _ => Receiver::Idle,
        };
        let branch = position.map_or(Branch::Unrecorded, |position| self.branch(record, facts, position));
        let mut approval = Approval::NotAsked;
        let all = match manager {
            Manager::Pacemaker => self.host.voters(),
            Manager::Nobody => Ok(Vec::new()),
        };
        let told = match (self.keeps_voters(), &all) {
            (true, Ok(all)) => self.told_by(all),
            (true, Err(_)) | (false, _) => Told::NotNeeded,
        };
        let voters = all.map(|all| Voters::latest(&all));
        let on_record = match &voters {
            Ok(last) => last
                .as_ref()
                .and_then(|last| last.statement.as_ref())
                .map_or(OnRecord::Nothing, OnRecord::Says),
            Err(error) => OnRecord::Unread(&error.text),
        };
        loop {
            let verdict = election::decide(&election::Facts {
                node: &node,
                manager,
                time: self.time(),
                position,
                disk,
                ballots: answers.as_deref().map_or_else(|why| Ballots::Unread(why), Ballots::Read),
                receiver,
                earlier: *earlier,
                knowledge: told.knowledge(self.memory.knowledge, self.memory.last_role),
                last_role: self.memory.last_role,
                record,
                branch: &branch,
                voters: on_record,
                approval,
                expected: self.run.instances,
                lag: score::lag(&self.memory, position),
                maxlag: self.settings.maxlag,
            });
            match verdict {
                Verdict::Won(reason) => {
                    self.memory.approved = approval == Approval::Given;
                    if self.memory.approved {
                        let text = "promoted by the operator's approval: commits that only missing instances have are given up";
                        self.host.log(Level::Warning, text);
                    }
                    return Round::Won(reason);
                }
                Verdict::Lost { to, reason } => {
                    self.hand_over(&to, &reason);
                    return Round::Over(Report::changed(
                        OcfCode::ErrGeneric,
                        format!("lost the election: {reason}"),
                    ));
                }
                Verdict::Refused(refusal) => {
                    // Another candidate may have written this node's score since.
                    self.memory.score = None;
                    self.memory.refused = Some(self.host.now());
                    self.apply(ScoreStep::Set(refusal.score(), refusal.to_string()));
                    return Round::Over(Report::changed(
                        OcfCode::ErrGeneric,
                        format!("not promoted: {refusal}"),
                    ));
                }
                Verdict::Failed(failure) => {
                    if matches!(failure, Failure::OldPrimaryLives(_)) {
                        self.memory.asked = None;
                    }
                    return Round::Over(Report::new(OcfCode::ErrGeneric, failure.to_string()));
                }
                Verdict::Again(Again::AskCluster) => approval = Approval::of(self.ask_cluster().as_ref()),
                Verdict::Again(Again::ReadBallots) => {
                    self.host.sleep(ROUND);
                    return Round::Another;
                }
                Verdict::Again(Again::WatchWal { earlier: now, warning }) => {
                    if let Some(line) = warning {
                        self.host.log(Level::Warning, &line);
                    }
                    *earlier = now;
                    self.host.sleep(QUIET.min(self.left()));
                    return Round::Another;
                }
            }
        }
    }

    /// The better one becomes Pacemaker's next choice.
    fn hand_over(&mut self, better: &str, reason: &str) {
        self.apply(ScoreStep::Set(Score::FirstStart, reason.to_owned()));
        if let Err(error) = self.host.set_score(better, Score::Primary) {
            self.host.log(Level::Warning, &format!("the score of {better} could not be raised: {error}"));
        }
    }
}
