//! Gathers what a score depends on, and writes it.

use super::{Agent, STEADY};
use crate::boundary::host::Level;
use crate::cluster::attributes;
use crate::decide::catch_up::{CatchUp, Looks, catch_up};
use crate::decide::cluster::{ClusterAnswer, ClusterFacts, Upstream};
use crate::decide::disk::Finding;
use crate::decide::election::Told;
use crate::decide::facts::Facts;
use crate::decide::follow::{self, cluster_facts};
use crate::decide::kept_score;
use crate::decide::memory::Knowledge;
use crate::decide::promotion_score::{Score, ScoreStep};
use crate::decide::promotions::{Branch, Mismatch, Record};
use crate::decide::safe_mode;
use crate::decide::score::{self, CaughtUp, StandbyFacts};
use crate::decide::storage;
use crate::pg::history::History;
use crate::pg::lsn::Lsn;
use crate::pg::timeline::{Timeline, WalPosition};
use crate::pg::view::{Answer, StandbyView};

/// What a look at a standby's stream found.
pub(super) enum Health {
    Fit,
    /// Its WAL went another way; with the reason and the cure.
    Diverged(String),
}

/// What is looked at only where the cluster is asked.
struct Seen {
    caught_up: CaughtUp,
    mismatch: Option<Mismatch>,
}

impl Agent<'_> {
    /// Where a standby is in the WAL: the greater of received and replayed, on the latest timeline that it holds
    /// WAL of. PostgreSQL does not tell the timeline of a standby without a WAL receiver, so it is taken from what
    /// we saw when there was one, from the control file, and from the names of the segments.
    pub(super) fn position(&mut self, facts: &Facts) -> Option<WalPosition> {
        let Some(Answer::Standby(view)) = &facts.answer else { return None };
        let lsn = view.position_lsn()?;
        let timeline = view
            .receiver
            .as_ref()
            .and_then(|r| r.timeline)
            .max(self.memory.timeline)
            .max(facts.control().map(|c| c.furthest().timeline))
            .max(self.host.segment_timeline(lsn))?;
        Some(WalPosition { timeline, lsn })
    }

    /// What the cluster says; asks it.
    pub(super) fn ask_cluster(&mut self) -> Option<ClusterFacts> {
        let node = self.run.node.clone()?;
        match self.host.cluster() {
            Ok(status) => {
                Some(cluster_facts(&status, &self.settings, &self.run.resource, &node, self.run.instances))
            }
            Err(error) => {
                self.host.log(Level::Warning, &format!("the cluster could not be asked: {error}"));
                None
            }
        }
    }

    /// Looks after a standby: follows the right primary, notices divergence, keeps its score. `told`: what a
    /// notification said about the cluster, in place of asking it.
    pub(super) fn tend_standby(&mut self, facts: &Facts, told: Option<ClusterFacts>) -> Health {
        let finding = self.try_disk();
        let Some(Answer::Standby(view)) = facts.answer.clone() else {
            // Such a disk may be what it can't answer for.
            let step = storage::standby(ScoreStep::Keep(None), &self.memory, &finding);
            self.apply(step);
            return Health::Fit;
        };
        let position = self.position(facts);
        // Asked only where the cluster is.
        let mut seen = Seen { caught_up: CaughtUp::NotYet, mismatch: None };
        let step = self.standby_step(&view, position, ClusterAnswer::NotAsked, &finding, &seen);
        if step != ScoreStep::AskCluster {
            self.end_safe_mode();
            self.apply(step);
            return Health::Fit;
        }
        let is_notified = told.is_some();
        let cluster = told.or_else(|| self.ask_cluster());
        if let Some(cluster) = &cluster {
            // Whatever is remembered: the daemons that keep it may have begun again, or the memory.
            self.memory.safe_mode.clone_from(&cluster.safe_mode);
        }
        let answer = cluster.clone().map_or(ClusterAnswer::Silent, ClusterAnswer::Says);
        let primary = cluster.and_then(|c| c.primary);
        if primary.is_some() {
            self.end_safe_mode();
        }
        let first = view;
        let view = self.steady(&first);
        if let (Some(position), Some(primary)) = (position, &primary) {
            // Without the histories nobody knows whether it diverged: nothing is decided in its favour.
            let reigning = score::streamed(view.receiver.as_ref(), &primary.host);
            let of = [Some(position.timeline), reigning];
            let Some(histories) = self.histories(&of.into_iter().flatten().collect::<Vec<_>>()) else {
                return Health::Fit;
            };
            if let Some(why) = follow::diverged(position, &histories, reigning, &primary.node) {
                self.apply(ScoreStep::Set(Score::Withdrawn, why.clone()));
                return Health::Diverged(why);
            }
        }
        match &primary {
            Some(primary) if score::streams(view.receiver.as_ref()) => {
                match self.catch_up(&first, &view, primary, is_notified) {
                    CatchUp::Done => {
                        seen.caught_up = match self.told_voters() {
                            Told::NotNeeded | Told::Yes => CaughtUp::Yes,
                            Told::NotYet => CaughtUp::Untold,
                        };
                        if let Some(position) = position {
                            self.note_primary(&primary.node, position);
                        }
                    }
                    CatchUp::Replays(receiver) => self.memory.received_by = receiver,
                    CatchUp::Behind | CatchUp::Ahead => {}
                    CatchUp::Forked { own, primary: end } => {
                        self.forked(&primary.node, own, end);
                        return Health::Fit;
                    }
                }
            }
            Some(_) => {}
            None => {
                let record = self.record();
                if let Record::Unread(why) = &record {
                    self.complain(Some(format!("nobody is promoted, and the record of promotions {why}")));
                    return Health::Fit;
                }
                let branch = position.map(|position| self.branch(&record, facts, position));
                seen.mismatch = branch.as_ref().and_then(Branch::mismatch).cloned();
            }
        }
        let step = self.standby_step(&view, position, answer, &finding, &seen);
        let said = if score::streams(view.receiver.as_ref()) { None } else { self.host.receiver_trouble() };
        let step = score::explained(step, said);
        if let Some(primary) = primary.as_ref().filter(|_| finding.disk.returns()) {
            self.follow_if_astray(&view, primary);
        }
        self.apply(step);
        Health::Fit
    }

    /// Whether it has what the primary has. What that announced is asked for where the stream itself does not say enough.
    fn catch_up(
        &mut self,
        first: &StandbyView,
        later: &StandbyView,
        primary: &Upstream,
        is_on_its_way: bool,
    ) -> CatchUp {
        let received_by = self.memory.received_by;
        let looks = Looks { first, later, primary: &primary.host, announced: None, received_by };
        let found = catch_up(&looks);
        let is_silent = first.receiver.as_ref().is_none_or(|receiver| receiver.latest_end.is_none());
        if found != CatchUp::Ahead && !is_silent {
            return found;
        }
        let announced = self.announced(&primary.node, is_on_its_way).map(|end| end.lsn);
        catch_up(&Looks { announced, ..looks })
    }

    /// It has WAL that whoever it streams from did not write. It is no candidate; what becomes of its data a person decides, for the address
    /// may lead to another standby.
    fn forked(&mut self, primary: &str, own: Lsn, end: Lsn) {
        let why = format!(
            "ahead of its primary: WAL to {own} here, {end} at {primary}: pgdata was written to by hand (type: quorate rejoin), or \
             addresses leads to another node"
        );
        self.memory.knowledge = Knowledge::Unproven;
        self.apply(ScoreStep::Set(Score::Withdrawn, why));
    }

    /// A stream that is seen for the first time is looked at again before it counts.
    fn steady(&mut self, view: &StandbyView) -> StandbyView {
        if !score::streams(view.receiver.as_ref()) {
            return view.clone();
        }
        self.host.sleep(STEADY.min(self.left()));
        match self.glance(self.left()).answer {
            Some(Answer::Standby(later)) => later,
            _ => StandbyView { receiver: None, ..view.clone() },
        }
    }

    fn standby_step(
        &mut self,
        view: &StandbyView,
        position: Option<WalPosition>,
        cluster: ClusterAnswer,
        finding: &Finding,
        seen: &Seen,
    ) -> ScoreStep {
        let node = self.node();
        let facts = StandbyFacts {
            now: self.host.now(),
            interval: super::millis(self.run.interval),
            position,
            receiver: view.receiver.as_ref(),
            maxlag: self.settings.maxlag,
            caught_up: seen.caught_up,
            from_itself: view.streams_to.contains(&node),
            is_paused: view.is_paused,
            mismatch: seen.mismatch.as_ref(),
            cluster,
        };
        let usual = score::standby(&mut self.memory, &facts);
        storage::standby(usual, &self.memory, finding)
    }

    /// The histories in pg_wal that concern WAL of these timelines; `None`, with a complaint, where one of them can't be read.
    pub(super) fn histories(&mut self, of: &[Timeline]) -> Option<Vec<History>> {
        match self.histories_of(of) {
            Ok(histories) => Some(histories),
            Err(why) => {
                self.complain(Some(format!("the timeline histories could not be read: {why}")));
                None
            }
        }
    }

    /// The same, or why not. A broken one beyond a gap, such as a restored archive leaves, PostgreSQL never reads: it decides over no
    /// promotion, and is named.
    pub(super) fn histories_of(&mut self, of: &[Timeline]) -> Result<Vec<History>, String> {
        let all = self.host.histories().map_err(|error| error.text)?;
        if let Some(broken) = all.broken_of(of) {
            return Err(broken.why.clone());
        }
        for broken in &all.broken {
            if self.skipped.insert(broken.timeline) {
                let text = format!("{}: left out, PostgreSQL does not read it: move it away", broken.why);
                self.host.log(Level::Warning, &text);
            }
        }
        Ok(all.real())
    }

    /// A notification may have been lost: whoever does not stream from the primary and is configured for another
    /// host is pointed at it.
    fn follow_if_astray(&mut self, view: &StandbyView, primary: &Upstream) {
        if let (Some(now), Some(conninfo)) = (&view.primary_conninfo, self.conninfo_for(&primary.host))
            && !follow::leads_to(now, &conninfo)
        {
            self.repoint(&primary.node, &conninfo);
        }
    }

    /// The primary_conninfo for a host; a parameter that can't be read is reported at start.
    pub(super) fn conninfo_for(&mut self, host: &str) -> Option<String> {
        let node = self.node();
        match follow::primary_conninfo(&self.settings, &node, host) {
            Ok(conninfo) => Some(conninfo),
            Err(error) => {
                self.host.log(Level::Error, &format!("replication_conninfo can't be used: {error}"));
                None
            }
        }
    }

    pub(super) fn repoint(&mut self, primary: &str, conninfo: &str) {
        self.memory.upstream = None;
        self.use_slot_of(Some(primary));
        match self.host.repoint(conninfo) {
            Ok(()) => {
                self.host.log(Level::Info, &format!("primary_conninfo points to the primary {primary} now"))
            }
            Err(error) => {
                self.host.log(
                    Level::Error,
                    &format!("primary_conninfo could not be pointed to the primary {primary}: {error}"),
                );
            }
        }
    }

    /// Sends the score once more where the CIB has lost it. It is asked only after a daemon that keeps the score began anew.
    pub(super) fn keep_score(&mut self) {
        if self.memory.score_doubted.is_none() || self.run.node.is_none() {
            return;
        }
        let (node, resource) = (self.node(), self.run.resource.clone());
        let in_cib = match self.host.cluster() {
            Ok(status) => {
                status.promotion_score(&resource, &node).and_then(attributes::score).map(Score::from)
            }
            Err(error) => {
                return self
                    .complain(Some(format!("the CIB could not be asked for this node's score: {error}")));
            }
        };
        match kept_score::decide(&self.memory, in_cib, self.host.now()) {
            kept_score::Step::Nothing => {}
            kept_score::Step::Settled => self.memory.score_doubted = None,
            kept_score::Step::Resend(score) => match self.host.resend_score(&node, score) {
                Ok(()) => {
                    let why = "pacemaker-controld or pacemaker-attrd restarted, and the CIB had lost it";
                    self.host.log(Level::Warning, &format!("promotion score {score} sent again: {why}"));
                }
                Err(error) => {
                    self.complain(Some(format!(
                        "the promotion score {score} could not be sent again: {error}"
                    )));
                }
            },
        }
    }

    fn begin_safe_mode(&mut self, reason: &str) {
        let now = self.host.now();
        if safe_mode::goes_on(&mut self.memory, now) {
            self.say_safe_mode(Some(reason));
        }
    }

    /// A primary is there.
    pub(super) fn end_safe_mode(&mut self) {
        let now = self.host.now();
        if safe_mode::is_over(&mut self.memory, now) {
            self.say_safe_mode(None);
        }
    }

    /// Safe mode has a name that `crm_mon -A` and `quorate status` show: nobody is promoted, and this instance must not be.
    pub(super) fn say_safe_mode(&mut self, reason: Option<&str>) {
        if self.run.node.is_none() || self.memory.safe_mode.as_deref() == reason {
            return;
        }
        match self.host.set_safe_mode(reason) {
            Ok(()) => self.memory.safe_mode = reason.map(str::to_owned),
            Err(error) => {
                self.host.log(Level::Warning, &format!("safe mode could not be published: {error}"))
            }
        }
    }

    /// Writes a score where it changed. An error is logged and does not fail the action: the next monitor
    /// tries again, because the memory still holds the old one.
    pub(super) fn apply(&mut self, step: ScoreStep) {
        match step {
            ScoreStep::AskCluster => {}
            ScoreStep::Keep(complaint) => self.complain(complaint),
            ScoreStep::Wait(reason) => {
                self.begin_safe_mode(&reason);
                self.complain(Some(reason));
            }
            ScoreStep::Set(score, reason) => {
                if self.run.node.is_none() {
                    return;
                }
                if score == Score::SafeMode {
                    self.begin_safe_mode(&reason);
                }
                if self.memory.score == Some(score) {
                    return self.complain(score.is_withdrawn().then_some(reason));
                }
                let node = self.node();
                match self.host.set_score(&node, score) {
                    Ok(()) => {
                        let before = self.memory.score.map_or("none".to_owned(), |s| s.to_string());
                        self.memory.score = Some(score);
                        self.memory.score_written = Some(self.host.now());
                        self.memory.complaint = score.is_withdrawn().then(|| reason.clone());
                        self.host.log(Level::Info, &format!("promotion score {before} -> {score}: {reason}"));
                    }
                    Err(error) => {
                        self.complain(Some(format!("the promotion score {score} could not be set: {error}")));
                    }
                }
            }
        }
    }
}
