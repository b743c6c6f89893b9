//! The record of promotions, as the agent reads and writes it.

use std::cell::OnceCell;
use std::time::Duration;

use super::{Agent, ROUND};
use crate::boundary::host::Level;
use crate::decide::cluster::Manager;
use crate::decide::election::Approval;
use crate::decide::facts::Facts;
use crate::decide::follow::approval_attribute;
use crate::decide::own_primary::{self, Cluster, Verdict};
use crate::decide::promotion_score::Score;
use crate::decide::promotions::{Branch, Data, Promotion, Record, adopted, branch, next};
use crate::decide::reported::{Reported, is_due};
use crate::decide::safe_mode::approvals_are_due;
use crate::pg::timeline::WalPosition;
use crate::pg::view::{Answer, PrimaryView};

/// What is told to people alone is left out where less is left.
const TELLING: Duration = Duration::from_millis(1500);
/// The primary's post-start notification runs at the same moment as the standby's.
const ANNOUNCEMENT: Duration = Duration::from_secs(1);

impl Agent<'_> {
    /// Reads it. Who is called by no cluster has none.
    pub(super) fn record(&mut self) -> Record {
        if self.manager() == Manager::Nobody {
            return Record::Empty;
        }
        match self.host.promotions() {
            Ok(all) => Record::of(&all),
            Err(error) => Record::Unread(error.text),
        }
    }

    /// How data at this position stand to the last promotion.
    pub(super) fn branch(&mut self, record: &Record, facts: &Facts, position: WalPosition) -> Branch {
        if *record == Record::Empty {
            return Branch::Unrecorded;
        }
        let node = self.node();
        // Without them an own promotion that never began is not told from one that did.
        let Some(histories) = self.histories(&record.timelines(position)) else {
            return Branch::of_unread("the timeline histories could not be read");
        };
        let (system, mark) = (system(facts), self.mark());
        branch(record, &Data { node: &node, system, position, on: mark.as_ref(), histories: &histories })
    }

    /// What stands in PGDATA; a damaged file counts as none, and is complained about.
    pub(super) fn mark(&mut self) -> Option<Promotion> {
        match self.host.branch_mark() {
            Ok(mark) => mark,
            Err(error) => {
                self.host.log(Level::Warning, &error.text);
                None
            }
        }
    }

    /// Tells the other nodes' operators where this instance is.
    pub(super) fn report_position(&mut self, position: WalPosition) {
        let now = self.host.now();
        if self.manager() == Manager::Nobody
            || self.left() < TELLING
            || !is_due(self.memory.reported, position, self.memory.on, now)
        {
            return;
        }
        let reported = Reported { position, on: self.mark().map(|mark| mark.id) };
        // One that is not told is told by the next monitor; that pacemaker-attrd does not answer is said by what needs it.
        if self.host.report(reported).is_ok() {
            self.memory.reported = Some((reported, now));
        }
    }

    /// Writes beside the data whose WAL they are.
    pub(super) fn note_branch(&mut self, promotion: &Promotion) {
        if self.memory.on == Some(promotion.id) {
            return;
        }
        match self.host.mark_branch(promotion) {
            Ok(()) => self.memory.on = Some(promotion.id),
            Err(error) => {
                self.complain(Some(format!("the promotion could not be written to pgdata: {error}")));
            }
        }
    }

    /// A standby that has caught up with the primary is on the WAL of its promotion.
    pub(super) fn note_primary(&mut self, primary: &str, position: WalPosition) {
        if let Record::Last(last) = self.record()
            && last.node == primary
            && last.timeline == position.timeline
        {
            self.note_branch(&last);
        }
    }

    /// After an outage of all nodes the data may know of a promotion that nobody else remembers. As long as a primary is there its own is
    /// the last one.
    pub(super) fn remind(&mut self, record: Record, facts: &Facts, position: WalPosition) -> Record {
        let Some(mark) = self.mark() else { return record };
        let known = match &record {
            Record::Empty => 0,
            Record::Last(last) => last.generation,
            Record::Unread(_) | Record::Contradictory(..) => return record,
        };
        if mark.generation <= known {
            return record;
        }
        if !mark.fits(known, system(facts), position) {
            let text = format!("the record {mark} in pgdata does not match its data: ignored");
            self.host.log(Level::Warning, &text);
            return record;
        }
        let members = self.members();
        if let Err(error) = self.host.publish_promotion(&members, &mark) {
            self.host.log(Level::Warning, &format!("the last promotion could not be published: {error}"));
        }
        Record::Last(mark)
    }

    /// This node and the others that are online.
    pub(super) fn members(&mut self) -> Vec<String> {
        let mut members = self.host.cluster().map_or_else(
            |error| {
                self.host.log(Level::Warning, &format!("the members could not be told: {error}"));
                Vec::new()
            },
            |status| status.nodes.iter().filter(|n| n.online).map(|n| n.name.clone()).collect(),
        );
        let node = self.node();
        if !members.contains(&node) {
            members.push(node);
        }
        members
    }

    /// Puts the promotion that follows on record, and makes sure of its timeline. `planned`: that of an attempt before this, which some may
    /// have heard of: it is no other one.
    pub(super) fn put_on_record(
        &mut self,
        record: &Record,
        facts: &Facts,
        planned: &mut Option<Promotion>,
    ) -> Result<(), String> {
        if self.manager() == Manager::Nobody {
            return Ok(());
        }
        let promotion = match planned {
            Some(promotion) => promotion,
            None => planned.insert(self.plan_promotion(record, facts)?),
        };
        // It stays on each of them when this node is gone: also on those without an instance at this moment.
        let members = self.members();
        self.host
            .publish_promotion(&members, promotion)
            .map_err(|error| format!("the promotion could not be put on record: {error}"))?;
        self.host.log(Level::Info, &format!("on record: promotion {promotion}"));
        self.memory.kept = None;
        if self.memory.asked.is_some() {
            self.memory.asked = Some(promotion.id);
        }
        Ok(())
    }

    fn plan_promotion(&mut self, record: &Record, facts: &Facts) -> Result<Promotion, String> {
        let position = self.position(facts).ok_or("its position in the WAL is unknown")?;
        let histories = self.histories_of(&record.timelines(position))?;
        let (node, mark) = (self.node(), self.mark());
        let data =
            Data { node: &node, system: system(facts), position, on: mark.as_ref(), histories: &histories };
        let next = next(record, &data, self.host.now())
            .ok_or("pg_control can't be read, or the record is more than 1000 timelines ahead of pgdata")?;
        self.host.reserve_timelines(&next.reserve).map_err(|error| error.text)?;
        Ok(next.promotion)
    }

    /// Has the CIB's record of this primary's promotion, once the promotion has settled: a change of the CIB would hold up the start of
    /// the float IP.
    pub(super) fn keep_record(&mut self, facts: &Facts, view: &PrimaryView) {
        let settled = self.memory.score == Some(Score::Primary);
        if self.manager() == Manager::Nobody || self.memory.kept.is_some() || !settled {
            return;
        }
        let record = self.record();
        if let Record::Unread(why) = &record {
            return self.complain(Some(format!("the record of promotions: {why}")));
        }
        let (node, mark) = (self.node(), self.mark());
        let adopted = adopted(&record, &node, view.timeline, system(facts), mark.as_ref(), self.host.now());
        let Some(entry) = adopted.or_else(|| record.last().cloned()) else { return };
        let members = self.members();
        let told = self.host.publish_promotion(&members, &entry);
        match told.and_then(|()| self.host.keep_promotion(&entry)) {
            Ok(()) => {
                self.memory.kept = Some(entry.generation);
                self.note_branch(&entry);
                self.history_is_due(&entry);
                self.end_approval();
                self.host.log(Level::Info, &format!("in the CIB's record: promotion {entry}"));
            }
            Err(error) => {
                let text = format!("the promotion could not be written to the CIB's record: {error}");
                self.complain(Some(text));
            }
        }
    }

    /// An approval that nobody needed would be armed for the next promotion, of data that are old by then. Looked for now and then, once
    /// the promotion has settled.
    pub(super) fn end_old_approvals(&mut self) {
        let now = self.host.now();
        if self.run.node.is_none() || !approvals_are_due(&self.memory, now) {
            return;
        }
        let Ok(status) = self.host.cluster() else { return };
        self.memory.approvals_looked = Some(now);
        let name = approval_attribute(&self.run.resource);
        for node in
            status.attributes.into_iter().filter(|(_, all)| all.contains_key(&name)).map(|(node, _)| node)
        {
            match self.host.end_approval(&node) {
                Ok(()) => self.host.log(
                    Level::Warning,
                    &format!("{name} of {node} is removed: there is a primary, and an approval is for one promotion"),
                ),
                Err(error) => {
                    self.host.log(Level::Warning, &format!("{name} of {node} could not be removed: {error}"));
                }
            }
        }
    }

    /// An approval holds for one promotion. It is taken back once that has settled: it changes the CIB.
    fn end_approval(&mut self) {
        if !self.memory.approved {
            return;
        }
        let node = self.node();
        match self.host.end_approval(&node) {
            Ok(()) => {
                self.memory.approved = false;
                self.memory.approvals_looked = Some(self.host.now());
            }
            Err(error) => self
                .host
                .log(Level::Warning, &format!("the operator's approval could not be removed: {error}")),
        }
    }

    /// PostgreSQL may have taken another number than the one on record: it asks restore_command for histories too.
    pub(super) fn correct_record(
        &mut self,
        entry: Promotion,
        facts: &Facts,
        view: &PrimaryView,
    ) -> Promotion {
        if entry.timeline == view.timeline {
            return entry;
        }
        let (node, record) = (self.node(), Record::Last(entry.clone()));
        let corrected = adopted(&record, &node, view.timeline, system(facts), Some(&entry), self.host.now());
        let Some(corrected) = corrected else { return entry };
        let members = self.members();
        if let Err(error) = self.host.publish_promotion(&members, &corrected) {
            self.host
                .log(Level::Warning, &format!("the promotion's timeline could not be published: {error}"));
        }
        corrected
    }

    /// Whether the primary that runs here is the one that the cluster promoted.
    pub(super) fn is_our_primary(&mut self, facts: &Facts) -> bool {
        let timeline = match &facts.answer {
            Some(Answer::Primary(view)) => Some(view.timeline),
            _ => facts.control().map(|control| control.checkpoint.timeline),
        };
        let (node, record) = (self.node(), OnceCell::new());
        let mut known = own_primary::Facts {
            manager: self.manager(),
            node: &node,
            recorded: self.host.recorded(),
            last_role: self.memory.last_role,
            is_probe: self.run.is_probe(),
            timeline,
            system: system(facts),
            record: None,
            cluster: None,
        };
        loop {
            match own_primary::decide(&known) {
                Verdict::ReadRecord => known.record = Some(record.get_or_init(|| self.record())),
                Verdict::AskCluster => {
                    let told = self.ask_cluster();
                    let approval = Approval::of(told.as_ref());
                    let may_have_another = told.is_none_or(|cluster| cluster.primary.is_some());
                    known.cluster = Some(Cluster { approval, may_have_another });
                }
                verdict => return verdict == Verdict::Ours,
            }
        }
    }

    /// Tells how far this primary has written to standbys that have just begun: an idle one sends nothing for half of wal_sender_timeout.
    pub(super) fn announce(&mut self, view: &PrimaryView) {
        let node = self.node();
        let end = WalPosition { timeline: view.timeline, lsn: view.lsn };
        if let Err(error) = self.host.announce(&node, Some(end)) {
            self.host.log(Level::Warning, &format!("the end of the WAL could not be published: {error}"));
        }
    }

    /// What the primary announced; waits for it a moment where it is on its way.
    pub(super) fn announced(&mut self, primary: &str, is_on_its_way: bool) -> Option<WalPosition> {
        let begun = self.host.now();
        loop {
            let announced = self.host.announced(primary).ok().flatten();
            let waited = Duration::from_millis(self.host.now().since(begun));
            if announced.is_some() || !is_on_its_way || waited >= ANNOUNCEMENT || self.is_time_over() {
                return announced;
            }
            self.host.sleep(ROUND.min(self.left()));
        }
    }
}

fn system(facts: &Facts) -> Option<u64> {
    facts.control().map(|control| control.system_identifier)
}
