//! What ends an outage in which nobody may be promoted: who has which data, what is proven, which node brings the service back
//! without a loss, and what each other choice would give up (`quorate recover`).

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::follow::safe_mode_attribute;
use super::promotions::{Promotion, Record};
use super::reported::{NodeReported, Reported};
use super::voters::Voters;
use crate::cluster::crm_mon::{Role, Status};
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
    Earlier,
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
    /// A standby that could be promoted runs there.
    pub runs: bool,
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
    /// At least so many bytes of WAL, by what was reported; more where a missing node went on after its report.
    pub at_least: Option<u64>,
    /// Who may have commits that it does not have.
    pub of: Vec<String>,
    /// Its data lack the last promotion altogether.
    pub lacks_last: bool,
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
    match facts.voters {
        Err(why) => format!("unknown: {why}"),
        Ok(Some(Voters { statement: Some(statement), .. })) => {
            format!("each acknowledged commit is on at least {statement}")
        }
        Ok(Some(Voters { statement: None, .. }) | None) => match facts.record {
            Record::Last(last) => format!("asynchronous: the last ones may be on {} alone", last.node),
            Record::Empty | Record::Unread(_) | Record::Contradictory(..) => {
                "asynchronous, or not on record".to_owned()
            }
        },
    }
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
    let furthest = |data: Data| {
        let of = rows.iter().filter(|row| row.data == data).filter_map(|row| row.position);
        of.max()
    };
    let (last, earlier) = (furthest(Data::Last), furthest(Data::Earlier));
    for row in &mut rows {
        let best = match row.data {
            Data::Last => last,
            Data::Earlier => earlier,
            Data::Unknown => None,
        };
        row.behind = match (row.position, best) {
            (Some(own), Some(best)) if own.timeline == best.timeline => {
                Some(best.lsn.saturating_bytes_since(own.lsn))
            }
            _ => None,
        };
    }
    rows
}

/// The nodes that have, or had, an instance: one that is offline says nothing, and is named by the records.
fn nodes(facts: &Facts<'_>) -> Vec<String> {
    let mut names: Vec<String> = facts
        .status
        .instances_of(facts.resource)
        .flat_map(|instance| instance.nodes.iter().cloned())
        .chain(facts.reported.iter().map(|reported| reported.node.clone()))
        .chain(facts.record.last().map(|last| last.node.clone()))
        .chain(facts.status.nodes.iter().filter(|node| !node.online).map(|node| node.name.clone()))
        .collect();
    if let Ok(Some(Voters { statement: Some(statement), .. })) = facts.voters {
        names.extend(statement.nodes.iter().cloned());
    }
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

fn data(last: Option<&Promotion>, reported: Option<Reported>) -> Data {
    match (last, reported) {
        (Some(last), Some(reported)) if reported.on == Some(last.id) => Data::Last,
        (Some(last), Some(reported))
            if reported.on.is_some() || reported.position.timeline < last.timeline =>
        {
            Data::Earlier
        }
        (Some(_) | None, Some(_)) | (_, None) => Data::Unknown,
    }
}

fn advice(facts: &Facts<'_>, rows: &[Row]) -> Advice {
    if let [primary, ..] = facts.status.nodes_with_role(facts.resource, &Role::Promoted)[..] {
        return Advice::Nothing { primary: primary.to_owned() };
    }
    let absent: Vec<String> = rows.iter().filter(|row| !row.runs).map(|row| row.node.clone()).collect();
    if facts.status.quorate != Some(true) {
        return Advice::Quorum { missing: absent };
    }
    let is_refused = rows.iter().any(|row| row.refuses.is_some());
    if !is_refused && rows.iter().any(|row| row.runs) && absent.is_empty() {
        return Advice::Wait;
    }
    Advice::Choose { start: to_start(facts, rows, &absent), accept: loss(facts, rows) }
}

/// Whose start ends it without a loss: the last primary has everything; with synchronous standbys enough of those on record do.
fn to_start(facts: &Facts<'_>, rows: &[Row], absent: &[String]) -> Vec<String> {
    if let Ok(Some(Voters { statement: Some(statement), .. })) = facts.voters {
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
        (row.data == Data::Last, row.data == Data::Unknown, row.position, std::cmp::Reverse(row.node.clone()))
    })?;
    Some(loss_of(facts, rows, best))
}

fn loss_of(facts: &Facts<'_>, rows: &[Row], chosen: &Row) -> Loss {
    let lacks_last = chosen.data == Data::Earlier;
    let may_have_more = |row: &&Row| {
        row.node != chosen.node
            && match (row.position, chosen.position) {
                // Nobody knows what it has.
                (None, _) | (_, None) => true,
                // It may have gone on after its report.
                (Some(_), Some(_)) if !row.runs => true,
                (Some(other), Some(own)) => {
                    (row.data == Data::Last, other) > (chosen.data == Data::Last, own)
                }
            }
    };
    let mut of: Vec<String> = rows.iter().filter(may_have_more).map(|row| row.node.clone()).collect();
    // Its commits are on enough of those that run.
    if let Ok(Some(Voters { statement: Some(statement), .. })) = facts.voters {
        let answered = rows.iter().filter(|row| row.runs).map(|row| row.node.clone()).collect();
        if statement.missing(&answered).is_none() && chosen.behind == Some(0) && !lacks_last {
            of.clear();
        }
    }
    Loss { node: chosen.node.clone(), at_least: chosen.behind, of, lacks_last }
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
    // The agent hands over to who is ahead, whatever an operator says.
    let ahead = |other: &&Row| {
        other.runs && other.data == row.data && other.position.is_some() && other.position > row.position
    };
    match outlook.rows.iter().find(ahead) {
        Some(ahead) => Err(format!(
            "{} runs too and has more: promote {} (quorate recover --promote {})",
            ahead.node, ahead.node, ahead.node
        )),
        None => Ok(loss_of(facts, &outlook.rows, row)),
    }
}

impl Loss {
    /// One sentence for who is to decide.
    #[must_use]
    pub fn sentence(&self) -> String {
        let of = self.of.join(", ");
        let lacks = if self.lacks_last { " It lacks everything since the last promotion." } else { "" };
        match (self.of.is_empty(), self.at_least) {
            (true, _) => format!("Nothing acknowledged is lost by what is on record.{lacks}"),
            (false, Some(bytes)) if bytes > 0 => {
                format!("At least {bytes} bytes of WAL that only {of} can have are given up.{lacks}")
            }
            (false, _) => format!("What only {of} can have is given up; how much is not known.{lacks}"),
        }
    }
}
