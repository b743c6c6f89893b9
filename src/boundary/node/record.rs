//! What instances tell one another: positions for an election, and the record of promotions: node attributes in pacemaker-attrd,
//! a property in the CIB, and timelines that look taken in pg_wal.

use std::time::Duration;

use super::{Node, host_error};
use crate::boundary::clock::Deadline;
use crate::boundary::data_directory;
use crate::boundary::host::{HostError, HostResult};
use crate::boundary::{pacemaker, records};
use crate::cluster::attributes::NodeValue;
use crate::decide::election::{Ballot, Fitness, ballot_text, parse_ballot};
use crate::decide::follow::{approval_attribute, safe_mode_attribute};
use crate::decide::promotions::{self, Promotion};
use crate::decide::reported::{self, Reported};
use crate::decide::voters::{self, NodeVoters, Voters};
use crate::pg::history::History;
use crate::pg::timeline::{Timeline, WalPosition};

/// In PGDATA: the promotion on whose WAL the data are.
const MARK: &str = "quorate.promotion";
/// How long a node attribute may take to come back from the group.
const DELIVERY: Duration = Duration::from_secs(1);
/// What stands in the history file of a timeline that is only to look taken.
const RESERVED: &str = "reserved by quorate: another node was promoted to it";

impl Node {
    fn promotion_name(&self) -> String {
        promotions::attribute(&self.run.resource)
    }

    fn ballot_name(&self) -> String {
        format!("quorate-position-{}", self.run.resource)
    }

    fn voters_name(&self) -> String {
        voters::attribute(&self.run.resource)
    }

    fn end_name(&self) -> String {
        format!("quorate-primary-end-{}", self.run.resource)
    }

    pub(super) fn write_ballot(&self, ballot: Option<(WalPosition, Fitness)>) -> HostResult<()> {
        match ballot {
            Some((position, fitness)) => {
                pacemaker::publish(&self.ballot_name(), &ballot_text(position, fitness), self.patience())
            }
            None => pacemaker::unpublish(&self.ballot_name(), self.patience()),
        }
    }

    pub(super) fn read_ballots(&self) -> HostResult<Vec<Ballot>> {
        let values = pacemaker::query(&self.ballot_name(), self.patience())?;
        let read = |v: NodeValue| {
            let (position, fitness) = parse_ballot(&v.value)?;
            Some(Ballot { node: v.node, position, fitness })
        };
        Ok(values.into_iter().filter_map(read).collect())
    }

    pub(super) fn write_reported(&self, reported: Reported) -> HostResult<()> {
        let name = reported::attribute(&self.run.resource);
        pacemaker::publish(&name, &reported.to_string(), self.telling())
    }

    pub(super) fn has_backup_label(&self) -> bool {
        let path = self.pgdata().join("backup_label");
        self.files().is_ok_and(|files| files.is_file(&path))
    }

    pub(super) fn read_promotions(&self) -> HostResult<Vec<Promotion>> {
        records::promotions(&self.run.resource, self.patience())
    }

    pub(super) fn write_promotion(&self, nodes: &[String], promotion: &Promotion) -> HostResult<()> {
        let (name, value) = (self.promotion_name(), promotion.to_string());
        let mut failed: Vec<HostError> = Vec::new();
        for node in nodes {
            failed.extend(pacemaker::publish_for(node, &name, &value, self.patience()).err());
        }
        // One that has it keeps it for all.
        match failed.first() {
            Some(first) if failed.len() >= nodes.len() => {
                let texts: Vec<&str> = failed.iter().map(|error| error.text.as_str()).collect();
                Err(HostError::new(first.cause, texts.join("; ")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn read_voters(&self) -> HostResult<Vec<NodeVoters>> {
        records::voters(&self.run.resource, self.patience())
    }

    /// pacemaker-attrd takes a value up when the group's message comes back to it, in the order in which all members get it. It has come
    /// back of each node: a partition that begins in the middle would leave those without it that go on by what stands under their names.
    pub(super) fn write_voters(&self, nodes: &[String], voters: &Voters) -> HostResult<()> {
        let (name, value) = (self.voters_name(), voters.to_string());
        for node in nodes {
            pacemaker::publish_for(node, &name, &value, self.patience())?;
        }
        let deadline = Deadline::after(DELIVERY);
        loop {
            let values = pacemaker::query(&name, self.patience())?;
            let missing = not_delivered(nodes, &value, &values);
            if missing.is_empty() {
                return Ok(());
            }
            if deadline.passed() {
                let of = missing.join(", ");
                return Err(HostError::timed_out(format!(
                    "{name}={value} of {of} did not come back from pacemaker-attrd"
                )));
            }
            deadline.sleep(DELIVERY / 20);
        }
    }

    pub(super) fn write_property(&self, promotion: &Promotion) -> HostResult<()> {
        pacemaker::set_property(&self.promotion_name(), &promotion.to_string(), self.patience())
    }

    pub(super) fn write_safe_mode(&self, reason: Option<&str>) -> HostResult<()> {
        let node = self.run.node.as_deref().unwrap_or_default();
        let name = safe_mode_attribute(&self.run.resource);
        match reason {
            Some(reason) => pacemaker::set_attribute(node, &name, reason, self.patience()),
            None => pacemaker::delete_attribute(node, &name, self.patience()),
        }
    }

    pub(super) fn delete_approval(&self, node: &str) -> HostResult<()> {
        pacemaker::delete_attribute(node, &approval_attribute(&self.run.resource), self.patience())
    }

    pub(super) fn write_end(&self, node: &str, end: Option<WalPosition>) -> HostResult<()> {
        match end {
            Some(end) => {
                let value = format!("{}:{}", end.timeline, end.lsn);
                pacemaker::publish_for(node, &self.end_name(), &value, self.patience())
            }
            None => pacemaker::unpublish_for(node, &self.end_name(), self.patience()),
        }
    }

    pub(super) fn read_end(&self, node: &str) -> HostResult<Option<WalPosition>> {
        let values = pacemaker::query(&self.end_name(), self.patience())?;
        let read = |text: &str| {
            let (timeline, lsn) = text.split_once(':')?;
            Some(WalPosition { timeline: timeline.parse().ok()?, lsn: lsn.parse().ok()? })
        };
        Ok(values.iter().find(|v| v.node == node).and_then(|v| read(&v.value)))
    }

    /// Beside the data: it goes where they go, with a base backup, a rewind or a copy.
    pub(super) fn read_mark(&self) -> HostResult<Option<Promotion>> {
        let path = self.pgdata().join(MARK);
        let bytes = self.files().map_err(host_error)?.read_if_there(&path).map_err(host_error)?;
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let read = |text: String| {
            text.parse().map_err(|e| HostError::unusable(format!("{}: {e}; remove it", path.display())))
        };
        text.map(read).transpose()
    }

    pub(super) fn write_mark(&self, promotion: &Promotion) -> HostResult<()> {
        let text = format!("{promotion}\n");
        self.files()
            .map_err(host_error)?
            .replace(&self.pgdata().join(MARK), text.as_bytes())
            .map_err(host_error)
    }

    /// PostgreSQL looks for history files upwards, one by one, and gives a promotion the first free number (timeline.c,
    /// findNewestTimeLine). The recovery that runs does not follow a timeline that left its own before the position it has reached.
    pub(super) fn write_reserved(&self, timelines: &[Timeline]) -> HostResult<()> {
        let files = self.files().map_err(host_error)?;
        let own = self.control()?.furthest().timeline;
        for timeline in timelines {
            let Some(name) = timeline.history_file_name() else { continue };
            let path = self.pgdata().join("pg_wal").join(name);
            if files.is_there(&path).map_err(host_error)? {
                continue;
            }
            let ancestor = own.min(Timeline::new(timeline.get() - 1).unwrap_or(Timeline::FIRST));
            files
                .replace(&path, format!("{ancestor}\t{}\t{RESERVED}\n", History::PLACEHOLDER).as_bytes())
                .map_err(host_error)?;
        }
        Ok(())
    }

    /// With one of them above its own timeline PostgreSQL does not start as a standby. Below a real one they stay: it looks upwards
    /// without gaps.
    pub(super) fn remove_reserved(&self) -> HostResult<()> {
        let files = self.files().map_err(host_error)?;
        let own = self.control()?.furthest().timeline.get();
        let mut highest = own;
        let mut reserved = Vec::new();
        for name in data_directory::pg_wal_names(files, self.pgdata()).map_err(host_error)? {
            let Some(hex) = name.strip_suffix(".history") else { continue };
            let Ok(number) = u32::from_str_radix(hex, 16) else { continue };
            let path = self.pgdata().join("pg_wal").join(&name);
            // One that can't be read, or is broken, holds nothing that PostgreSQL could follow.
            let Ok(Some(bytes)) = files.read_if_there(&path) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            if text.contains(RESERVED) {
                reserved.push((number, path));
            } else if Timeline::new(number).is_some_and(|of| History::parse(of, &text).is_ok()) {
                highest = highest.max(number);
            }
        }
        for (_, path) in reserved.iter().filter(|(number, _)| *number > highest) {
            files.remove(path).map_err(host_error)?;
        }
        Ok(())
    }
}

/// Of which nodes a value has not come back yet.
fn not_delivered<'a>(nodes: &'a [String], value: &str, values: &[NodeValue]) -> Vec<&'a str> {
    let is_there = |node: &str| values.iter().any(|v| v.node == node && v.value == value);
    nodes.iter().map(String::as_str).filter(|node| !is_there(node)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_has_come_back_once_it_has_of_each_node() {
        let nodes = ["srv1", "srv2", "srv3"].map(str::to_owned);
        let of = |node: &str, value: &str| NodeValue { node: node.into(), value: value.into() };
        let values = [of("srv1", "new"), of("srv2", "old")];
        assert_eq!(not_delivered(&nodes, "new", &values), ["srv2", "srv3"]);
        let values = ["srv3", "srv2", "srv1"].map(|node| of(node, "new"));
        assert_eq!(not_delivered(&nodes, "new", &values), [""; 0]);
    }
}
