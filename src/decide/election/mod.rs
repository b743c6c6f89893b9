//! May this node be promoted?
//!
//! Every instance publishes its position when a promotion is announced (pre-promote); the candidate compares. The
//! timeline comes first, then the greater of received and replayed LSN: positions on unrelated timelines have no
//! order in bytes, but the higher timeline was promoted later.

mod ballot;
mod reason;
mod told;

use crate::pg::timeline::{WalPosition, election_order};

use super::clock::Time;
use super::cluster::{Approved, ClusterFacts, InstanceCount, Manager};
use super::disk::Disk;
use super::memory::{Knowledge, LastRole};
use super::promotions::{Branch, Mismatch, Record};
use super::voters::Statement;

pub use ballot::{Ballot, Fitness, ballot_text, of_running, parse_ballot};
pub use reason::{Failure, Refusal};
pub use told::Told;

/// What the candidate knows at this moment.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub node: &'a str,
    pub manager: Manager,
    /// Of this operation.
    pub time: Time,
    /// Where this instance is in the WAL; `None`: unknown.
    pub position: Option<WalPosition>,
    /// What a trial write showed.
    pub disk: Disk,
    pub ballots: Ballots<'a>,
    pub receiver: Receiver,
    pub earlier: Earlier,
    pub knowledge: Knowledge,
    /// What it was when it last ran.
    pub last_role: LastRole,
    /// What is known of the last promotion.
    pub record: &'a Record,
    /// How this instance's data stand to it.
    pub branch: &'a Branch,
    /// Who has the acknowledged commits.
    pub voters: OnRecord<'a>,
    pub approval: Approval,
    /// How many instances there should be; `None`: nobody said.
    pub expected: Option<usize>,
    /// Bytes behind the furthest position of a primary that this node heard of.
    pub lag: Option<u64>,
    pub maxlag: Option<u64>,
}

/// What the others published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ballots<'a> {
    /// Who did not answer is not among them, and does not block.
    Read(&'a [Ballot]),
    /// They could not be read, and why.
    Unread(&'a str),
}

/// What is on record of who has the acknowledged commits.
#[derive(Debug, Clone, Copy)]
pub enum OnRecord<'a> {
    /// Nothing: replication is asynchronous, or not ours to manage.
    Nothing,
    Says(&'a Statement),
    /// It could not be read, and why.
    Unread(&'a str),
}

/// The WAL receiver of this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// It believes to be connected.
    Streams,
    Idle,
}

/// What earlier rounds of this election showed of the WAL that arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Earlier {
    /// This instance's position in the round before; `None`: there was none.
    pub position: Option<WalPosition>,
    pub arrived: Arrived,
}

/// Whether WAL arrived since the others published their positions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Arrived {
    #[default]
    Nothing,
    Wal,
}

/// Whether the operator approved this node's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    NotAsked,
    Given,
    NotGiven,
}

impl Approval {
    /// By what the cluster said; `None`: nothing, which approves of nothing.
    #[must_use]
    pub const fn of(cluster: Option<&ClusterFacts>) -> Approval {
        match cluster {
            Some(ClusterFacts { approved: Approved::Yes, .. }) => Approval::Given,
            Some(ClusterFacts { approved: Approved::No, .. }) | None => Approval::NotGiven,
        }
    }
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Promote it. Says its position and that of the next one.
    Won(String),
    /// That node goes before, for this reason: it becomes Pacemaker's next choice.
    Lost { to: String, reason: String },
    /// Nobody should promote this node as things are; its score says so.
    Refused(Refusal),
    /// Not in this operation. The scores stay, and Pacemaker tries again.
    Failed(Failure),
    /// Decide again after this.
    Again(Again),
}

/// What an election needs before it can be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// Ask the cluster whether the operator approved of this node.
    AskCluster,
    /// Try once more to read what the others published.
    ReadBallots,
    /// Wait, and look whether WAL arrived meanwhile; with what is to be known then, and what to say now.
    WatchWal { earlier: Earlier, warning: Option<String> },
}

/// Whether the others' ballots are to be read: where nobody else runs there is nobody to answer. `running`: the instances that the
/// plan has running; without a plan nobody says so.
#[must_use]
pub fn asks_the_others(manager: Manager, node: Option<&str>, running: &[&str]) -> bool {
    match manager {
        Manager::Nobody => false,
        Manager::Pacemaker => running.len() != 1 || running.first().copied() != node,
    }
}

/// The election, on the candidate's side.
#[must_use]
pub fn decide(facts: &Facts<'_>) -> Verdict {
    let ballots = match (facts.ballots, facts.time) {
        (Ballots::Read(ballots), _) => ballots,
        // Without the others' positions nothing is known of them.
        (Ballots::Unread(_), Time::Left) => return Verdict::Again(Again::ReadBallots),
        (Ballots::Unread(why), Time::Over) => {
            return Verdict::Failed(Failure::BallotsUnread(why.to_owned()));
        }
    };
    if let (Record::Unread(why), Approval::NotAsked | Approval::NotGiven) = (facts.record, facts.approval) {
        return Verdict::Failed(Failure::RecordUnread(why.clone()));
    }
    match (facts.voters, facts.approval, facts.time) {
        (OnRecord::Unread(_), Approval::NotAsked, _) => return Verdict::Again(Again::AskCluster),
        (OnRecord::Unread(_), Approval::NotGiven, Time::Left) => return Verdict::Again(Again::ReadBallots),
        (OnRecord::Unread(why), Approval::NotGiven, Time::Over) => {
            return Verdict::Failed(Failure::VotersUnread(why.to_owned()));
        }
        (OnRecord::Unread(_), Approval::Given, _) | (OnRecord::Nothing | OnRecord::Says(_), _, _) => {}
    }
    let old = old_primary(facts.earlier.position, facts.position, facts.receiver);
    if let (Some(position), OldPrimary::Unknown | OldPrimary::Lives) = (facts.position, old) {
        return wait_for_its_end(facts, position, old);
    }
    // After a wait for the old primary's end these are too old to be compared with: whoever published one may have received more
    // meanwhile, and an election without him would give that up.
    if facts.earlier.arrived == Arrived::Wal && ballots.iter().any(|b| b.node != facts.node) {
        return Verdict::Failed(Failure::BallotsOutdated);
    }
    // Promoted by hand, or another cluster's: what it has was acknowledged by nobody of this one.
    let ballots: Vec<Ballot> =
        ballots.iter().filter(|b| facts.record.knows(b.position.timeline)).cloned().collect();
    let lacks_proof = facts.knowledge == Knowledge::Unproven
        || matches!(facts.branch, Branch::Other(_))
        || too_few(facts, &ballots).is_some();
    match (facts.manager, facts.approval) {
        (Manager::Pacemaker, Approval::NotAsked) if lacks_proof => Verdict::Again(Again::AskCluster),
        (Manager::Pacemaker | Manager::Nobody, _) => compare(facts, &ballots),
    }
}

/// Of those that may have the last acknowledged commits, who is not heard of, where that are too many. Who is ahead does not count: what
/// it has would be given up.
fn too_few(c: &Facts<'_>, ballots: &[Ballot]) -> Option<Refusal> {
    let (OnRecord::Says(statement), Some(own)) = (c.voters, c.position) else { return None };
    if is_last_primary(c) {
        return None;
    }
    let level = ballots.iter().filter(|b| !election_order(b.position, own).is_gt());
    let answered = level.map(|b| b.node.clone()).chain([c.node.to_owned()]).collect();
    let missing = statement.missing(&answered)?;
    Some(Refusal::TooFewVoters { statement: statement.clone(), missing })
}

/// The last primary itself, started again on its own data: whatever was acknowledged since its promotion it has.
fn is_last_primary(c: &Facts<'_>) -> bool {
    let was_last = c.record.last().is_some_and(|last| last.node == c.node) && *c.branch == Branch::Last;
    was_last && (c.knowledge, c.last_role) == (Knowledge::Current, LastRole::Primary)
}

/// Of those that may have the last acknowledged commits too few answered at all, whoever is ahead.
fn nobody_can_win(c: &Facts<'_>, ballots: &[Ballot]) -> Option<Refusal> {
    let OnRecord::Says(statement) = c.voters else { return None };
    if is_last_primary(c) {
        return None;
    }
    let answered = ballots.iter().map(|b| b.node.clone()).chain([c.node.to_owned()]).collect();
    let missing = statement.missing(&answered)?;
    Some(Refusal::TooFewVoters { statement: statement.clone(), missing })
}

fn wait_for_its_end(facts: &Facts<'_>, position: WalPosition, old: OldPrimary) -> Verdict {
    if facts.time == Time::Over {
        return Verdict::Failed(Failure::OldPrimaryLives(position));
    }
    let arrived = match old {
        OldPrimary::Lives => Arrived::Wal,
        OldPrimary::Silent | OldPrimary::Unknown => facts.earlier.arrived,
    };
    let warning = (arrived != facts.earlier.arrived).then(|| {
        format!("WAL still arrives, at {position}: the old primary is alive; waiting until it ends")
    });
    Verdict::Again(Again::WatchWal { earlier: Earlier { position: Some(position), arrived }, warning })
}

/// Who goes first.
fn compare(c: &Facts<'_>, ballots: &[Ballot]) -> Verdict {
    let Some(own) = c.position else {
        return Verdict::Refused(Refusal::PositionUnknown);
    };
    match c.disk {
        Disk::Sound | Disk::Slow | Disk::Full => {}
        Disk::ReadOnly | Disk::Broken | Disk::Stuck => return Verdict::Refused(Refusal::Disk(c.disk)),
    }
    if let (Branch::Other(mismatch), Approval::NotGiven | Approval::NotAsked) = (c.branch, c.approval)
        && !matches!(mismatch, Mismatch::Older { .. })
    {
        return Verdict::Refused(Refusal::Branch(mismatch.clone()));
    }
    // Not even the better one could win: it would only be asked in vain.
    if let (Some(refusal), Approval::NotGiven | Approval::NotAsked) = (nobody_can_win(c, ballots), c.approval)
    {
        return Verdict::Refused(refusal);
    }
    let best = furthest(c.node, ballots, &[Fitness::DiskFull, Fitness::Fit]);
    if let Some(best) = best {
        let order = election_order(best.position, own);
        // A standby with the same WAL, and free space besides, is preferred.
        if order.is_gt() || (order.is_eq() && !c.disk.is_fit() && best.fitness == Fitness::Fit) {
            return lost(c, own, best);
        }
    }
    if let (Branch::Other(mismatch), Approval::NotGiven | Approval::NotAsked) = (c.branch, c.approval) {
        return Verdict::Refused(Refusal::Branch(mismatch.clone()));
    }
    if let (Some(bytes), Some(maxlag)) = (c.lag, c.maxlag)
        && bytes > maxlag
    {
        return Verdict::Refused(Refusal::Lag { bytes, maxlag });
    }
    let instances = answered_instances(c.node, ballots, c.expected);
    let proven = match (c.manager, c.knowledge, c.approval) {
        (Manager::Nobody, _, _) | (_, Knowledge::Current, _) | (_, _, Approval::Given) => true,
        // Nobody knows what the last primary was: only the positions of all instances tell who has most.
        (Manager::Pacemaker, Knowledge::Unproven, Approval::NotGiven | Approval::NotAsked) => match instances
        {
            InstanceCount::All => true,
            InstanceCount::Missing { .. } | InstanceCount::Unknown => false,
        },
    };
    // Who was there when the last primary was has what that one's death would have left to it as well: a primary whose disk ended it
    // is passed by like one whose node died. Who does not know that passes nobody by, and a standby that is ahead is passed
    // by by nobody: it may be the one that a synchronous commit waited for.
    let in_the_way: &[Fitness] = match c.knowledge {
        Knowledge::Current => &[Fitness::NotWritable],
        Knowledge::Unproven => &[Fitness::NotWritable, Fitness::FailedPrimary],
    };
    if let (Some(ahead), Approval::NotGiven | Approval::NotAsked) =
        (furthest(c.node, ballots, in_the_way), c.approval)
        && election_order(ahead.position, own).is_gt()
    {
        return Verdict::Refused(Refusal::AnotherIsAhead(ahead.node.clone()));
    }
    if let (Some(refusal), Approval::NotGiven | Approval::NotAsked) = (too_few(c, ballots), c.approval) {
        return Verdict::Refused(refusal);
    }
    if !proven {
        let answered = ballots.iter().filter(|b| b.node != c.node).count();
        return Verdict::Refused(Refusal::Unproven { answered, instances });
    }
    Verdict::Won(match best {
        None => format!("{own}; nobody else answered"),
        Some(b) => format!("{own}; the next is {} at {}", b.node, b.position),
    })
}

fn lost(c: &Facts<'_>, own: WalPosition, best: &Ballot) -> Verdict {
    let reason = if c.disk.is_fit() {
        format!("{} is more advanced: {} against {own} here", best.node, best.position)
    } else {
        format!("{} has all WAL of this node, whose disk is {}", best.node, c.disk.text())
    };
    Verdict::Lost { to: best.node.clone(), reason }
}

/// What the stream says of the old primary. Nobody may be promoted while it lives: where Pacemaker has taken a fencing by watchdog for
/// done, and the node lives on (seen when pacemaker-based was killed there), its primary goes on acknowledging commits, with
/// our own confirmation where replication is synchronous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldPrimary {
    /// Nothing arrives. In a switchover it was shut down before.
    Silent,
    /// There is a stream; another round tells whether it is one of a server that is gone.
    Unknown,
    /// It sends.
    Lives,
}

/// `before`: the position in the round before.
#[must_use]
pub fn old_primary(before: Option<WalPosition>, now: Option<WalPosition>, receiver: Receiver) -> OldPrimary {
    match (before, now, receiver) {
        (Some(before), Some(now), _) if election_order(now, before).is_gt() => OldPrimary::Lives,
        (None, Some(_), Receiver::Streams) => OldPrimary::Unknown,
        (_, _, Receiver::Streams | Receiver::Idle) => OldPrimary::Silent,
    }
}

/// The furthest of the others that are one of these; of equals the one that is named later.
fn furthest<'a>(own: &str, ballots: &'a [Ballot], those: &[Fitness]) -> Option<&'a Ballot> {
    let rank = |b: &Ballot| those.iter().position(|fitness| *fitness == b.fitness);
    let others = ballots.iter().filter(|b| b.node != own && rank(b).is_some());
    others.max_by(|a, b| election_order(a.position, b.position).then_with(|| rank(a).cmp(&rank(b))))
}

/// Whether everybody answered, by ballots rather than by running instances.
fn answered_instances(own: &str, ballots: &[Ballot], expected: Option<usize>) -> InstanceCount {
    let answered = 1 + ballots.iter().filter(|b| b.node != own).count();
    match expected {
        None => InstanceCount::Unknown,
        Some(expected) if answered >= expected => InstanceCount::All,
        Some(expected) => InstanceCount::Missing { running: answered, expected },
    }
}

#[cfg(test)]
mod tests;
