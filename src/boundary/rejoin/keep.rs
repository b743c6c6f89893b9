//! Keeping what the primary does not have, before anything is replaced.

use std::path::{Path, PathBuf};

use super::super::data_directory;
use super::source::SourceFacts;
use super::tool::Tells;
use super::{Instance, RejoinError, Source, Step, again};
use crate::cluster::calendar::stamp;
use crate::decide::rejoin::{Commits, Keep, Kept, Range, common, ranges, segments};
use crate::pg::control_data::ControlData;
use crate::pg::history::History;
use crate::pg::timeline::{Timeline, WalPosition};
use crate::pg::wal_end;

const CP: &str = "/usr/bin/cp";
const SYNC: &str = "/usr/bin/sync";
/// Beside what is copied: the primary's WAL has to have room too.
const ROOM: u64 = 64 << 20;
/// Names on one command line.
const AT_ONCE: usize = 200;
/// A line is some 150 bytes: a hundred thousand commits.
const MOST_TEXT: usize = 16 << 20;

/// Kinds of files of the node's own in PGDATA, which a rewind or a copy replaces by the primary's: configuration, keys, certificates.
const OWN: [&str; 7] = [".conf", ".key", ".crt", ".pem", ".crl", ".p12", ".d"];
const SETTINGS: &str = "settings";
const SUMMARY: &str = "summary.json";
const TRANSACTIONS: &str = "transactions.txt";

/// The two lines of WAL, compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Where our WAL ends.
    pub end: WalPosition,
    /// What is past the last common byte.
    pub ranges: Vec<Range>,
    /// Whether that byte is known.
    pub is_known: bool,
}

impl Compared {
    /// As the decision on what is kept takes it.
    #[must_use]
    pub fn kept(self, keep: Keep) -> Self {
        match keep {
            Keep::Nothing => Self { ranges: Vec::new(), is_known: true, ..self },
            Keep::Difference => self,
            Keep::All => Self { is_known: false, ..self },
        }
    }

    /// Bytes that the primary does not have; `None`: unknown.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.is_known
            .then(|| self.ranges.iter().map(|range| range.to.saturating_bytes_since(range.from)).sum())
    }
}

impl Instance {
    /// Compares our WAL with the primary's line.
    ///
    /// # Errors
    /// Ours or the primary's can't be read; another database cluster.
    pub fn compare(&mut self, source: &Source, facts: &SourceFacts) -> Step<Compared> {
        let control = self.node.control()?;
        if control.system_identifier != facts.system_identifier {
            return Err(RejoinError::Manual(format!(
                "the data have system identifier {}, those of {} have {}: another database cluster, nothing was replaced",
                control.system_identifier, source.node, facts.system_identifier
            )));
        }
        let (end, is_end) = match self.wal_end(&control)? {
            Some(end) => (end, true),
            None => (control.furthest(), false),
        };
        let theirs = self.history(source, facts.timeline)?;
        let own = self.own_history(end.timeline)?;
        let common = common(&own, &theirs);
        let ranges = common.map(|common| ranges(&own, end, common)).unwrap_or_default();
        // An end that is not known is no end: all WAL is kept then.
        let is_known = is_end && common.is_some_and(|common| common.until.is_some());
        Ok(Compared { end, ranges, is_known })
    }

    /// Where the WAL in pg_wal ends; `None`: pg_waldump does not tell. It reads all since the last checkpoint, for as long as it takes.
    fn wal_end(&self, control: &ControlData) -> Step<Option<WalPosition>> {
        let names = data_directory::pg_wal_names(self.files()?, self.pgdata())?;
        let names = names.iter().map(String::as_str);
        let Some(start) = wal_end::start(names, control.furthest(), control.segment_size) else {
            return Ok(None);
        };
        let command = self
            .program("pg_waldump")?
            .arg("--quiet")
            .arg(format!("--path={}", self.pgdata().join("pg_wal").display()))
            .arg(format!("--timeline={}", start.timeline))
            .arg(format!("--start={}", start.lsn));
        // It ends with an error, where the WAL does.
        let _ = self.long(&command, Tells::Nothing, &mut |_| {});
        let said = self.said();
        Ok(wal_end::end(&said, start.lsn, control.segment_size)
            .map(|lsn| WalPosition { timeline: start.timeline, lsn }))
    }

    fn own_history(&self, timeline: Timeline) -> Step<History> {
        let history = data_directory::read_history(self.files()?, self.pgdata(), timeline)?;
        history.filter(|history| !history.is_placeholder()).ok_or_else(|| {
            RejoinError::Again(format!("the history of timeline {timeline} is missing in pg_wal"))
        })
    }

    /// Copies the WAL past the last common byte, the control file and the node's settings into a directory beside PGDATA.
    ///
    /// # Errors
    /// No room, or the disk refuses.
    pub fn keep(&mut self, source: &Source, compared: &Compared, now: u64) -> Step<Kept> {
        let control = self.node.control()?;
        let directory = self.beside(".kept").join(stamp(now));
        let partial = directory.with_extension("partial");
        self.clear(&partial)?;
        let (wal, settings) = (partial.join("pg_wal"), partial.join(SETTINGS));
        let base = self.beside(".kept");
        self.files()?.make_directory(&base)?;
        for path in [&base, &wal, &settings] {
            self.files()?.make_private(path)?;
        }
        let names = data_directory::pg_wal_names(self.files()?, self.pgdata())?;
        let from = compared.ranges.first().map(|range| range.from);
        let size = control.segment_size;
        // Nothing is past it: nothing is kept but the settings.
        let nothing = compared.is_known && compared.ranges.is_empty();
        let chosen = if nothing { Vec::new() } else { segments(&names, from, compared.end.lsn, size) };
        let bytes = u64::try_from(chosen.len()).unwrap_or(u64::MAX).saturating_mul(size.bytes());
        self.need_room(&partial, bytes.saturating_add(ROOM))?;
        let source_directory = self.pgdata().join("pg_wal");
        for some in chosen.chunks(AT_ONCE) {
            self.copy_files(&source_directory, some, &wal)?;
        }
        let names = self.files()?.names(self.pgdata())?;
        self.copy_files(self.pgdata(), &own(&names), &settings)?;
        self.copy_files(&self.pgdata().join("global"), &["pg_control"], &partial)?;
        let counted = if nothing { Some(Commits::default()) } else { self.count(&partial, &wal, compared) };
        let kept = Kept {
            directory: directory.display().to_string(),
            at: now,
            source: source.node.clone(),
            system_identifier: control.system_identifier,
            from: compared
                .ranges
                .first()
                .map(|range| WalPosition { timeline: range.timeline, lsn: range.from }),
            to: compared.end,
            bytes: compared.bytes(),
            commits: counted.filter(|_| compared.is_known),
        };
        let text = serde_json::to_string_pretty(&kept).map_err(again)?;
        self.files()?.replace(&partial.join(SUMMARY), text.as_bytes())?;
        self.files()?.rename(&partial, &directory)?;
        self.sync(&[self.beside(".kept")])?;
        Ok(kept)
    }

    /// The commits of each stretch, by pg_waldump; `None`: it could not read one.
    fn count(&self, partial: &Path, wal: &Path, compared: &Compared) -> Option<Commits> {
        let mut all = Commits::default();
        let mut text = String::new();
        for range in &compared.ranges {
            let command = self
                .program("pg_waldump")
                .ok()?
                .arg("--rmgr=Transaction")
                .arg(format!("--path={}", wal.display()))
                .arg(format!("--timeline={}", range.timeline))
                .arg(format!("--start={}", range.from))
                .arg(format!("--end={}", range.to));
            // Where the WAL just ends it says so, and exits with 1.
            let ended = self.long(&command, Tells::Nothing, &mut |_| {});
            let is_read = ended.is_ok() || self.said().contains("error in WAL record at");
            if !is_read {
                return None;
            }
            self.each_line(&mut |line| {
                all.add(line);
                if text.len() < MOST_TEXT {
                    text.push_str(line);
                    text.push('\n');
                }
            })?;
        }
        // For whoever looks; the figures do not rest on it.
        let _ = self.files().ok()?.replace(&partial.join(TRANSACTIONS), text.as_bytes());
        Some(all)
    }

    /// Puts the node's own settings back over the primary's. A file of the directory that was kept before the rewind.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn restore_settings(&self, kept: &Kept) -> Step<()> {
        let from = Path::new(&kept.directory).join(SETTINGS);
        let names = self.files()?.names(&from)?;
        self.copy_files(&from, &own(&names), self.pgdata())
    }

    fn copy_files(&self, from: &Path, names: &[&str], to: &Path) -> Step<()> {
        if names.is_empty() {
            return Ok(());
        }
        let copy = self.system(CP)?.args([
            "--recursive",
            "--reflink=auto",
            "--preserve=mode,timestamps",
            "--no-dereference",
            "--",
        ]);
        self.long(&copy.args(names.iter().map(|name| from.join(name))).arg(to), Tells::Nothing, &mut |_| {})?;
        self.sync(&names.iter().map(|name| to.join(name)).collect::<Vec<_>>())
    }

    pub(super) fn sync(&self, paths: &[PathBuf]) -> Step<()> {
        for some in paths.chunks(AT_ONCE) {
            self.long(&self.system(SYNC)?.arg("--").args(some), Tells::Nothing, &mut |_| {})?;
        }
        Ok(())
    }

    /// Refuses to fill the disk.
    pub(super) fn need_room(&self, at: &Path, bytes: u64) -> Step<()> {
        let available = self.files()?.room(at)?;
        if available >= bytes {
            return Ok(());
        }
        Err(RejoinError::Again(format!(
            "{bytes} bytes are needed beside {}, {available} are free: make room (quorate kept list shows what is kept)",
            self.pgdata().display()
        )))
    }
}

/// Those names that are the node's own.
fn own(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).filter(|name| OWN.iter().any(|end| name.ends_with(end))).collect()
}
