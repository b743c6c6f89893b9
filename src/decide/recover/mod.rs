//! What ends an outage in which nobody may be promoted: who has which data, what is proven, which node brings the service back
//! without a loss, and what each other choice would give up (`quorate recover`).

#[cfg(test)]
mod tests;

use std::cmp::{Ordering, Reverse};

use serde::Serialize;

use super::follow::safe_mode_attribute;
use super::promotions::{Promotion, Record};
use super::reported::{NodeReported, Reported};
use super::voters::{Statement, Voters};
use crate::cluster::crm_mon::{Ban, Instance, Node, Role, Status};
use crate::pg::timeline::WalPosition;

/// What one node knows of the cluster.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub resource: &'a str,
    pub status: &'a Status,
    pub record: &'a Record,
    /// Who has the acknowledged commits, where that is on record; with the reason where it can't be read.
    pub voters: Result<Option<&'a Voters>, &'a str>,
    pub reported: &'a [NodeReported],
}

/// Whose WAL an instance's data are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Data {
    /// Of the last promotion.
    Last,
    /// Of one before it, or of another branch: what was acknowledged since the last promotion is not there.
    Other,
    /// Nobody reported it, or nothing is on record.
    Unknown,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub node: String,
    /// `online`, `OFFLINE`, `UNCLEAN`, `standby`, `pending`.
    pub state: &'static str,
    /// Pacemaker's word for the instance; `None`: none is active there.
    pub role: Option<String>,
    /// A standby that Pacemaker may promote runs there.
    pub runs: bool,
    /// What Pacemaker was told not to do with it.
    pub told: Option<String>,
    /// As its agent reported it last.
    pub position: Option<WalPosition>,
    pub data: Data,
    /// Bytes behind the furthest that was reported of the same data.
    pub behind: Option<u64>,
    /// It was the last one that was promoted.
    pub was_primary: bool,
    /// Why it is not promoted, in its agent's words.
    pub refuses: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advice {
    /// There is a primary.
    Nothing { primary: String },
    /// The one of the lost primary may still run: nobody is promoted before it is fenced.
    Fence { primary: String },
    /// Nobody may be promoted in a partition without quorum: the other nodes come first.
    Quorum { missing: Vec<String> },
    /// Nobody is refused: Pacemaker is about to promote somebody, or was told not to.
    Wait,
    Choose {
        /// Started again, these end it without a loss. Empty: they run, and the reason is another one.
        start: Vec<String>,
        /// The best one of those that run; `None`: none runs.
        accept: Option<Loss>,
    },
}

/// What the promotion of a node would give up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    pub node: String,
    /// At least so many bytes of WAL, by what was reported; pacemaker-attrd forgets what a lost node reported.
    pub at_least: u64,
    /// Who may have commits that it does not have.
    pub of: Vec<String>,
    pub lacks: Lacks,
}

/// What a node's data lack as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lacks {
    Nothing,
    LastPromotion,
    Unknown,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outlook {
    pub resource: String,
    /// What is known of the last promotion, in words.
    pub last: String,
    /// What is known of the synchronous standbys, in words.
    pub commits: String,
    pub rows: Vec<Row>,
    pub advice: Advice,
}

/// Weighs the facts.
#[must_use]
pub fn outlook(facts: &Facts<'_>) -> Outlook {
    let rows = rows(facts);
    Outlook {
        resource: facts.resource.to_owned(),
        last: last(facts.record),
        commits: commits(facts),
        advice: advice(facts, &rows),
        rows,
    }
}

fn last(record: &Record) -> String {
    match record {
        Record::Empty => "no promotion is on record".to_owned(),
        Record::Last(last) => {
            format!("promotion {}: {} to timeline {}", last.generation, last.node, last.timeline)
        }
        Record::Unread(why) => format!("unknown: {why}"),
        Record::Contradictory(one, other) => {
            format!("contradictory: {} on {} and {} on {}", one.id, one.node, other.id, other.node)
        }
    }
}

fn commits(facts: &Facts<'_>) -> String {
    let alone = match facts.record {
        Record::Last(last) => format!("the last ones may be on {} alone", last.node),
        Record::Empty | Record::Unread(_) | Record::Contradictory(..) => {
            "nobody knows where all are".to_owned()
        }
    };
    match facts.voters {
        Err(why) => format!("unknown: {why}"),
        Ok(Some(voters)) if !is_of_the_last(facts, voters) => {
            format!("what is on record is of an earlier promotion: {alone}")
        }
        Ok(Some(Voters { statement: Some(statement), .. })) => {
            format!("each acknowledged commit is on at least {statement}")
        }
        Ok(Some(Voters { statement: None, .. })) => format!("asynchronous: {alone}"),
        Ok(None) => format!("not on record (asynchronous, or no node is left that knows): {alone}"),
    }
}

fn is_of_the_last(facts: &Facts<'_>, voters: &Voters) -> bool {
    facts.record.last().is_some_and(|last| voters.generation >= last.generation)
}

/// Who has each acknowledged commit, where that is on record for the last promotion.
fn statement<'a>(facts: &Facts<'a>) -> Option<&'a Statement> {
    let voters = facts.voters.ok().flatten().filter(|voters| is_of_the_last(facts, voters))?;
    voters.statement.as_ref()
}

fn rows(facts: &Facts<'_>) -> Vec<Row> {
    let last = facts.record.last();
    let mut rows: Vec<Row> = nodes(facts)
        .into_iter()
        .map(|node| {
            let reported = facts.reported.iter().find(|r| r.node == node).map(|r| r.reported);
            let attributes = facts.status.attributes.get(&node);
            let refuses = attributes.and_then(|all| all.get(&safe_mode_attribute(facts.resource)));
            let (state, role) = (state(facts.status, &node), facts.status.role_on(facts.resource, &node));
            Row {
                runs: state == "online" && role == Some(&Role::Unpromoted),
                told: told(facts, &node),
                state,
                role: role.map(Role::to_string),
                position: reported.map(|r| r.position),
                data: data(last, reported),
                behind: None,
                was_primary: last.is_some_and(|last| last.node == node),
                refuses: refuses.cloned(),
                node,
            }
        })
        .collect();
    for index in 0..rows.len() {
        let (data, own) = (rows[index].data, rows[index].position);
        let same = rows.iter().filter(|row| row.data == data && data != Data::Unknown);
        let same =
            same.filter_map(|row| row.position).filter(|p| own.is_some_and(|own| own.timeline == p.timeline));
        let best = same.map(|position| position.lsn).max();
        rows[index].behind = best.zip(own).map(|(best, own)| best.saturating_bytes_since(own.lsn));
    }
    rows
}

/// What an operator told Pacemaker, by which it leaves the instance on this node alone.
fn told(facts: &Facts<'_>, node: &str) -> Option<String> {
    let here = |i: &&Instance| i.nodes.iter().any(|n| n == node);
    let instance = facts.status.instances_of(facts.resource).find(here)?;
    if !instance.managed {
        return Some(format!(
            "Pacemaker does not manage {} (pcs resource manage, pcs property, quorate resume)",
            facts.resource
        ));
    }
    ban(facts, node).map(|ban| format!("{} forbids it (pcs constraint delete {})", ban.id, ban.id))
}

fn ban<'a>(facts: &Facts<'a>, node: &str) -> Option<&'a Ban> {
    let clone = format!("{}-clone", facts.resource);
    let is_ours = |ban: &&Ban| ban.node == node && (ban.resource == facts.resource || ban.resource == clone);
    facts.status.bans.iter().find(is_ours)
}

/// Every node that has, had or may have an instance. One without PostgreSQL is banned from it.
fn nodes(facts: &Facts<'_>) -> Vec<String> {
    let can_have = |node: &&Node| ban(facts, &node.name).is_none_or(|ban| ban.promoted_only);
    let mut names: Vec<String> = facts
        .status
        .instances_of(facts.resource)
        .flat_map(|instance| instance.nodes.iter().cloned())
        .chain(facts.reported.iter().map(|reported| reported.node.clone()))
        .chain(facts.record.last().map(|last| last.node.clone()))
        .chain(facts.status.nodes.iter().filter(can_have).map(|node| node.name.clone()))
        .collect();
    names.extend(statement(facts).iter().flat_map(|statement| statement.nodes.iter().cloned()));
    names.sort();
    names.dedup();
    names
}

fn state(status: &Status, name: &str) -> &'static str {
    match status.node(name) {
        None => "unknown",
        Some(node) if node.unclean => "UNCLEAN",
        Some(node) if node.pending => "pending",
        Some(node) if !node.online => "OFFLINE",
        Some(node) if node.standby => "standby",
        Some(_) => "online",
    }
}

/// As an agent compares its own data with the record ([`super::promotions::branch`]), by what it reported: an older note beside the data
/// is no other branch, it is written anew only once the standby has caught up.
fn data(last: Option<&Promotion>, reported: Option<Reported>) -> Data {
    let (Some(last), Some(reported)) = (last, reported) else { return Data::Unknown };
    match (reported.on, reported.position.timeline.cmp(&last.timeline)) {
        (Some(on), _) if !last.descends_from(on) => Data::Other,
        (_, Ordering::Less | Ordering::Greater) => Data::Other,
        (Some(_), Ordering::Equal) => Data::Last,
        (None, Ordering::Equal) => Data::Unknown,
    }
}

fn advice(facts: &Facts<'_>, rows: &[Row]) -> Advice {
    if let [primary, ..] = facts.status.nodes_with_role(facts.resource, &Role::Promoted)[..] {
        let primary = primary.to_owned();
        return match facts.status.node(&primary) {
            Some(node) if node.online && !node.unclean => Advice::Nothing { primary },
            Some(_) | None => Advice::Fence { primary },
        };
    }
    let absent: Vec<String> = rows.iter().filter(|row| !row.runs).map(|row| row.node.clone()).collect();
    if facts.status.quorate != Some(true) {
        return Advice::Quorum { missing: absent };
    }
    let is_held = rows.iter().any(|row| row.refuses.is_some() || row.told.is_some());
    if !is_held && rows.iter().any(|row| row.runs) && absent.is_empty() {
        return Advice::Wait;
    }
    Advice::Choose { start: to_start(facts, rows, &absent), accept: loss(facts, rows) }
}

/// Whose start ends it without a loss: the last primary has everything; with synchronous standbys enough of those on record do.
fn to_start(facts: &Facts<'_>, rows: &[Row], absent: &[String]) -> Vec<String> {
    if let Some(statement) = statement(facts) {
        let answered = rows.iter().filter(|row| row.runs).map(|row| row.node.clone()).collect();
        if let Some(missing) = statement.missing(&answered) {
            return missing;
        }
    }
    match rows.iter().find(|row| row.was_primary) {
        Some(primary) if !primary.runs => vec![primary.node.clone()],
        _ => absent.to_vec(),
    }
}

/// What the best of those that run would give up.
fn loss(facts: &Facts<'_>, rows: &[Row]) -> Option<Loss> {
    let best = rows.iter().filter(|row| row.runs).max_by_key(|row| {
        (row.data == Data::Last, row.data == Data::Unknown, row.position, Reverse(row.node.clone()))
    })?;
    Some(loss_of(facts, rows, best))
}

fn loss_of(facts: &Facts<'_>, rows: &[Row], chosen: &Row) -> Loss {
    // It runs, and what it has is known, of the same line, and there too.
    let is_covered = |row: &Row| {
        row.runs && (row.data, chosen.data) == (Data::Last, Data::Last) && row.position <= chosen.position
    };
    let others = rows.iter().filter(|row| row.node != chosen.node);
    let mut of: Vec<String> = others.filter(|row| !is_covered(row)).map(|row| row.node.clone()).collect();
    let answered = rows.iter().filter(|row| is_covered(row)).map(|row| row.node.clone()).collect();
    if statement(facts).is_some_and(|statement| statement.missing(&answered).is_none()) {
        of.clear();
    }
    let lacks = match chosen.data {
        Data::Last => Lacks::Nothing,
        Data::Other => Lacks::LastPromotion,
        Data::Unknown => Lacks::Unknown,
    };
    Loss { node: chosen.node.clone(), at_least: chosen.behind.unwrap_or(0), of, lacks }
}

/// What the promotion of this node would give up.
///
/// # Errors
/// Why it can't be promoted, and what to do instead.
pub fn accept(facts: &Facts<'_>, outlook: &Outlook, node: &str) -> Result<Loss, String> {
    match &outlook.advice {
        Advice::Nothing { primary } => {
            return Err(format!("{primary} is the primary: there is nothing to recover (quorate status)"));
        }
        Advice::Fence { primary } => {
            return Err(format!("nobody is promoted before {primary} is fenced: pcs stonith history"));
        }
        Advice::Quorum { missing } => {
            return Err(format!(
                "this partition has no quorum, and nobody is promoted without: start {}",
                missing.join(", ")
            ));
        }
        Advice::Wait | Advice::Choose { .. } => {}
    }
    let running: Vec<&str> =
        outlook.rows.iter().filter(|row| row.runs).map(|row| row.node.as_str()).collect();
    let Some(row) = outlook.rows.iter().find(|row| row.node == node && row.runs) else {
        return Err(format!(
            "{node} runs no standby of {}; these do: {}",
            outlook.resource,
            if running.is_empty() { "none".to_owned() } else { running.join(", ") }
        ));
    };
    if let Some(told) = &row.told {
        return Err(format!("{node} is not promoted: {told}"));
    }
    // The agent hands over to who is ahead, whatever an operator says; whose timeline the record does not know has no voice.
    let has_voice = |row: &Row| row.position.is_some_and(|p| facts.record.knows(p.timeline));
    let ahead = |other: &&Row| other.runs && has_voice(other) && other.position > row.position;
    match outlook.rows.iter().find(ahead) {
        Some(ahead) => Err(format!(
            "{} runs too and has more: promote {} (quorate recover --promote {})",
            ahead.node, ahead.node, ahead.node
        )),
        None => Ok(loss_of(facts, &outlook.rows, row)),
    }
}

/// What an operator types to bring the instance on this node back.
#[must_use]
pub fn cure(outlook: &Outlook, node: &str) -> String {
    let row = outlook.rows.iter().find(|row| row.node == node);
    match row.map(|row| row.state) {
        Some("online") => format!("pcs resource cleanup {} node={node}", outlook.resource),
        Some("standby") => format!("pcs node unstandby {node}"),
        Some("UNCLEAN") => format!("pcs stonith history show {node}"),
        Some("pending") => format!("wait until {node} has joined"),
        Some(_) | None => format!("pcs cluster start {node}"),
    }
}

impl Loss {
    /// One sentence for who is to decide.
    #[must_use]
    pub fn sentence(&self) -> String {
        let of = self.of.join(", ");
        let lacks = match self.lacks {
            Lacks::Nothing => "",
            Lacks::LastPromotion => " It lacks everything since the last promotion.",
            Lacks::Unknown => " Whose WAL its data are is not known.",
        };
        match (self.of.is_empty(), self.lacks, self.at_least) {
            (true, Lacks::Nothing, _) => {
                "No acknowledged commit is known that only another one has.".to_owned()
            }
            (true, Lacks::LastPromotion | Lacks::Unknown, _) => lacks.trim_start().to_owned(),
            (false, _, bytes @ 1..) => {
                format!("At least {bytes} bytes of WAL that only {of} can have are given up.{lacks}")
            }
            (false, _, 0) => format!("What only {of} can have is given up; how much is not known.{lacks}"),
        }
    }
}
