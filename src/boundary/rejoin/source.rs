//! The primary, as a source of data: asked with PostgreSQL's own client, as the owner of the data, by the way that a standby connects.

use super::super::command::Command;
use super::{Instance, RejoinError, Step, again};
use crate::decide::rejoin::NextWal;
use crate::pg::conninfo::{Conninfo, is_secret};
use crate::pg::history::History;
use crate::pg::lsn::Lsn;
use crate::pg::timeline::Timeline;
use crate::pg::wal_file::WalFileName;

/// One place to copy from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The node.
    pub node: String,
    conninfo: Conninfo,
}

/// What it said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFacts {
    pub system_identifier: u64,
    pub timeline: Timeline,
    /// By its control file, which pg_rewind reads.
    pub checkpoint_timeline: Timeline,
    /// Bytes of its databases, or why they are not known.
    pub size: Result<u64, String>,
    /// Beside the two that every server has.
    pub tablespaces: u64,
}

impl Source {
    pub(super) const fn new(node: String, conninfo: Conninfo) -> Self {
        Self { node, conninfo }
    }

    pub(super) fn host(&self) -> &str {
        self.conninfo.get("host").unwrap_or(&self.node)
    }

    /// What goes on a command line, which everybody on the machine may read.
    pub(super) fn public(&self) -> String {
        let mut conninfo = self.conninfo.clone();
        let secrets: Vec<String> = conninfo
            .iter()
            .map(|(keyword, _)| keyword.to_owned())
            .filter(|keyword| is_secret(keyword))
            .collect();
        for keyword in secrets {
            conninfo.remove(&keyword);
        }
        conninfo.to_string()
    }

    /// Gives a program of libpq's the password, where the parameter has one.
    pub(super) fn with_password(&self, command: Command) -> Command {
        match self.conninfo.get("password") {
            Some(password) => command.env("PGPASSWORD", password),
            None => command,
        }
    }
}

/// A field an answer, a line each.
const IDENTITY: &str = "SELECT pg_catalog.pg_is_in_recovery();
SELECT system_identifier FROM pg_catalog.pg_control_system();
SELECT timeline_id FROM pg_catalog.pg_control_checkpoint();
SELECT pg_catalog.count(*) FROM pg_catalog.pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global');
SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN '' ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END";

const SIZE: &str = "SELECT pg_catalog.sum(pg_catalog.pg_database_size(oid)) FROM pg_catalog.pg_database";

impl Instance {
    /// What the source says of itself.
    ///
    /// # Errors
    /// It does not answer, is a standby, or lacks a right.
    pub fn ask(&self, source: &Source) -> Step<SourceFacts> {
        let answer = self.psql(source, &source.public(), IDENTITY)?;
        let lines: Vec<&str> = answer.lines().collect();
        let [in_recovery, system, checkpoint, tablespaces, wal_file] = lines[..] else {
            return Err(RejoinError::Again(format!("{} answers {answer:?}", source.node)));
        };
        if in_recovery != "f" {
            return Err(RejoinError::NoPrimary(format!("{} is a standby", source.node)));
        }
        let unread = || RejoinError::Again(format!("{} answers {answer:?}", source.node));
        let timeline = wal_file.get(..8).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        Ok(SourceFacts {
            system_identifier: system.parse().map_err(|_| unread())?,
            timeline: timeline.and_then(Timeline::new).ok_or_else(unread)?,
            checkpoint_timeline: checkpoint.parse().map_err(|_| unread())?,
            size: self
                .psql(source, &source.public(), SIZE)
                .map_err(|error| error.to_string())
                .and_then(|answer| answer.trim().parse().map_err(|_| format!("{answer:?} is no size"))),
            tablespaces: tablespaces.parse().map_err(|_| unread())?,
        })
    }

    /// The history of its timeline.
    ///
    /// # Errors
    /// It does not answer, or its file is broken.
    pub fn history(&self, source: &Source, timeline: Timeline) -> Step<History> {
        if timeline == Timeline::FIRST {
            return Ok(History::without_ancestors(timeline));
        }
        let replication =
            Conninfo::parse(&source.public()).map_err(again)?.with("replication", "true").to_string();
        let answer = self.psql(source, &replication, &format!("TIMELINE_HISTORY {timeline}"))?;
        // The file's name, then its content.
        let content = answer.split_once('|').map_or("", |(_, content)| content);
        History::parse(timeline, content).map_err(again)
    }

    /// Whether the source still has the WAL that comes next for these data, on whichever timeline.
    ///
    /// # Errors
    /// It does not answer.
    pub fn next_wal(&self, source: &Source) -> Step<NextWal> {
        let next = self.node.control()?.furthest().lsn;
        Ok(if self.has_wal(source, next)? { NextWal::There } else { NextWal::Gone })
    }

    /// Whether the source still has a segment with this position.
    pub(super) fn has_wal(&self, source: &Source, lsn: Lsn) -> Step<bool> {
        let size = self.node.control()?.segment_size;
        let names =
            self.psql(source, &source.public(), "SELECT pg_catalog.pg_ls_dir('pg_wal', true, false)")?;
        let mut files = names.lines().filter_map(|name| WalFileName::parse(name, size));
        Ok(files.any(|file| file.segment == lsn.segment(size)))
    }

    fn psql(&self, source: &Source, conninfo: &str, sql: &str) -> Step<String> {
        let mut command = self.program("psql")?.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d"]);
        command = command.arg(conninfo);
        for statement in sql.split(';') {
            command = command.arg("-c").arg(statement.trim());
        }
        self.short(&source.with_password(command))
    }
}
