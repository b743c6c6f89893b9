//! The standbys that the primary's commits wait for, and the record of who has them.

use std::time::Duration;

use super::{Agent, ROUND};
use crate::boundary::host::{HostError, HostResult, Level};
use crate::decide::cluster::Manager;
use crate::decide::election::{Fitness, Told};
use crate::decide::memory::Knowledge;
use crate::decide::promotions::Record;
use crate::decide::synchronous::{
    Facts, Peer, Place, Presence, Step, Waiting, at_promotion, is_due, is_short, may_weaken, peers, shortage,
    step, streams,
};
use crate::decide::voters::{Names, NodeVoters, Voters};
use crate::ocf::Sync;
use crate::pg::view::{Answer, PrimaryView};

/// Standbys that have to catch up get so long in one call; the next one looks again.
const PATIENCE: Duration = Duration::from_secs(3);

impl Agent<'_> {
    /// Has commits wait for the right standbys, and keeps the record of it. `leaving`: instances that are about to stop.
    pub(super) fn tend_synchronous(&mut self, view: &PrimaryView, leaving: &[String]) {
        let (policy, now) = (self.settings.synchronous, self.host.now());
        if self.manager() == Manager::Nobody || !is_due(&policy, &self.memory.synchronous, view, leaving, now)
        {
            return;
        }
        self.memory.synchronous.settled = None;
        if let Err(error) = self.change_synchronous(view.clone(), leaving) {
            self.complain(Some(format!("synchronous replication: {error}")));
        }
    }

    /// The record, told to nodes that have joined: it stands under the name of each node that is to know it.
    pub(super) fn tell_voters(&mut self, starting: &[String]) {
        if !self.keeps_voters() {
            return;
        }
        let told = self.host.voters().and_then(|all| match Voters::latest(&all) {
            Some(voters) => self.host.publish_voters(starting, &voters),
            None => Ok(()),
        });
        if let Err(error) = told {
            self.complain(Some(format!(
                "{} could not be told who has the commits: {error}",
                starting.join(", ")
            )));
        }
    }

    /// Whether who has the commits is put on record.
    pub(super) fn keeps_voters(&self) -> bool {
        self.manager() == Manager::Pacemaker && self.settings.synchronous.sync != Sync::Off
    }

    /// Whether the record stands under this node's name. An instance that knows enough already is not asked again.
    pub(super) fn told_voters(&mut self) -> Told {
        if !self.keeps_voters() || self.memory.knowledge == Knowledge::Current {
            return Told::NotNeeded;
        }
        match self.host.voters() {
            Ok(all) => self.told_by(&all),
            Err(error) => {
                self.complain(Some(format!("the record of synchronous standbys: {error}")));
                Told::NotYet
            }
        }
    }

    /// By what pacemaker-attrd has. Whether there is to be a record where the parameter can't be read: by whether there is one.
    pub(super) fn told_by(&self, all: &[NodeVoters]) -> Told {
        let is_unknown = self.settings.synchronous.sync == Sync::Unreadable;
        if is_unknown && Voters::latest(all).is_none() {
            Told::NotNeeded
        } else {
            Told::of(&self.node(), all)
        }
    }

    fn change_synchronous(&mut self, mut view: PrimaryView, leaving: &[String]) -> HostResult<()> {
        let begun = self.host.now();
        let status = self.host.cluster()?;
        let members: Vec<String> = status.nodes.iter().filter(|n| n.online).map(|n| n.name.clone()).collect();
        let generation = match self.record() {
            Record::Last(last) => last.generation,
            Record::Empty => 0,
            Record::Unread(why) => return Err(HostError::failed(why)),
            Record::Contradictory(..) => {
                return Err(HostError::unusable("two promotions have the same number"));
            }
        };
        let mut record = Voters::latest(&self.host.voters()?);
        let node = self.node();
        let mut written = None;
        loop {
            let peers = peers(&node, &self.run.resource, &status, &view, leaving);
            self.say_shortage(&peers);
            let current = Names::parse(&view.synchronous_standby_names).unwrap_or_default();
            let waiting = &mut self.memory.synchronous;
            let heard = waiting.uptake.hear(&view);
            let now = self.host.now();
            waiting.short_since = is_short(&self.settings.synchronous, &peers, &current)
                .then(|| waiting.short_since.unwrap_or(now));
            let next = step(&Facts {
                node: &node,
                policy: self.settings.synchronous,
                peers: &peers,
                generation,
                now,
                record: record.as_ref(),
                setting: &view.synchronous_standby_names,
                standbys: &view.standbys,
                lsn: view.lsn,
                short_for: self.memory.synchronous.short_since.map(|since| now.since(since)),
                confirming: self.memory.synchronous.confirming.as_ref(),
                heard: &heard,
            });
            match next {
                Step::Settled => {
                    // Members that have joined since have it too.
                    if let Some(voters) = &record {
                        self.host.publish_voters(&members, voters)?;
                    }
                    let streaming = streams(&view);
                    self.memory.synchronous.settled = Some((view.synchronous_standby_names, streaming));
                    self.memory.synchronous.looked = Some(self.host.now());
                    return Ok(());
                }
                Step::Weaken(voters) => {
                    self.require_quorum()?;
                    self.host.publish_voters(&members, &voters)?;
                    self.say_voters(&voters);
                    record = Some(voters);
                }
                Step::Strengthen(voters) => {
                    self.host.publish_voters(&members, &voters)?;
                    self.say_voters(&voters);
                    record = Some(voters);
                }
                // The server reads it in a moment.
                Step::Configure(names) if written.as_ref() == Some(&names) => self.host.sleep(ROUND),
                Step::Configure(names) => {
                    let text = names.to_string();
                    // Those who would go on without this node have to know what is on record, and hear nothing of what is said in a
                    // partition of its own, by this call or by one before.
                    if let Some(voters) = &record {
                        self.host.publish_voters(&members, voters)?;
                    }
                    self.require_quorum()?;
                    // Durably ahead of it: what was to be confirmed of an earlier time of the same setting is not what this one needs.
                    let shortage = self.memory.synchronous.shortage.take();
                    self.memory.synchronous = Waiting { managed: true, shortage, ..Waiting::default() };
                    self.keep_memory();
                    self.host.set_synchronous(Some(&text))?;
                    if text.is_empty() {
                        self.host
                            .log(Level::Warning, "commits wait for nobody: no standby streams (sync=prefer)");
                    } else {
                        self.host.log(Level::Info, &format!("commits wait for {text}"));
                    }
                    written = Some(names);
                    self.host.sleep(ROUND);
                }
                Step::Release => {
                    self.require_quorum()?;
                    self.host.set_synchronous(None)?;
                    self.memory.synchronous = Waiting::default();
                    return Ok(());
                }
                Step::Confirm(confirming) => self.memory.synchronous.confirming = Some(confirming),
                Step::Later => return Ok(()),
                Step::Wait => self.host.sleep(ROUND),
            }
            match self.glance(self.left()).answer {
                Some(Answer::Primary(now)) => view = now,
                _ => return Ok(()),
            }
            let waited = Duration::from_millis(self.host.now().since(begun));
            if waited >= PATIENCE || self.is_time_over() {
                let in_force = Names::parse(&view.synchronous_standby_names);
                return match written {
                    Some(names) if in_force.as_ref() != Some(&names) => Err(HostError::unusable(format!(
                        "synchronous_standby_names stays {:?} although postgresql.auto.conf has {:?}: take it out of start_opts, \
                         and mend what PostgreSQL says of its files",
                        view.synchronous_standby_names,
                        names.to_string()
                    ))),
                    _ => Ok(()),
                };
            }
        }
    }

    fn require_quorum(&mut self) -> HostResult<()> {
        let pacemaker = self.host.cluster()?.quorate;
        may_weaken(pacemaker, self.host.has_quorum().map_err(|error| error.to_string()))
            .map_err(HostError::forbidden)
    }

    /// Commits that hang are said once, and when they go on.
    fn say_shortage(&mut self, peers: &[Peer]) {
        let shortage = shortage(&self.settings.synchronous, peers);
        if shortage == self.memory.synchronous.shortage {
            return;
        }
        match &shortage {
            Some(text) => self.host.log(Level::Error, text),
            None => self.host.log(Level::Info, "enough standbys stream again: commits go on (sync=strict)"),
        }
        self.memory.synchronous.shortage = shortage;
    }

    fn say_voters(&mut self, voters: &Voters) {
        let text = match &voters.statement {
            Some(statement) => format!("on record: every acknowledged commit is on {statement}"),
            None => "on record: replication is asynchronous".to_owned(),
        };
        self.host.log(Level::Info, &text);
    }

    /// Ahead of a promotion: commits wait from the first one on, and the record says so.
    pub(super) fn prepare_synchronous(&mut self, record: &Record) -> HostResult<()> {
        if self.manager() == Manager::Nobody {
            return Ok(());
        }
        let last = match (Voters::latest(&self.host.voters()?), self.settings.synchronous.sync) {
            // The next monitor takes it back.
            (Some(Voters { statement: Some(_), .. }), Sync::Off) => {
                self.memory.synchronous = Waiting { managed: true, ..Waiting::default() };
                return Ok(());
            }
            (_, Sync::Off) => return Ok(()),
            (last, Sync::Prefer | Sync::Strict | Sync::Unreadable) => last,
        };
        let node = self.node();
        let fit = self.host.ballots()?.into_iter().filter(|b| b.node != node && b.fitness == Fitness::Fit);
        let answered: Vec<Peer> =
            fit.map(|b| Peer { node: b.node, place: Place::SameSite, presence: Presence::Streams }).collect();
        let generation = record.last().map_or(1, |last| last.generation + 1);
        let now = self.host.now();
        let (names, voters) =
            at_promotion(&self.settings.synchronous, &node, &answered, last.as_ref(), generation, now);
        if let Some(voters) = voters {
            let members = self.members();
            self.host.publish_voters(&members, &voters)?;
            self.say_voters(&voters);
        }
        if let Some(names) = names {
            self.memory.synchronous = Waiting { managed: true, ..Waiting::default() };
            self.keep_memory();
            self.host.set_synchronous(Some(&names.to_string()))?;
        }
        Ok(())
    }
}
