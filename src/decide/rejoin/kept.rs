//! What is kept of the WAL that a rewind or a copy gives up.

use serde::{Deserialize, Serialize};

use super::line::Common;
use crate::pg::history::History;
use crate::pg::lsn::{Lsn, SegmentSize};
use crate::pg::timeline::{Timeline, WalPosition};
use crate::pg::wal_file::WalFileName;

/// What was kept, and how much it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The directory.
    pub directory: String,
    /// When, seconds since 1970.
    pub at: u64,
    /// The node whose data replaced it.
    pub source: String,
    pub system_identifier: u64,
    /// The first byte that the primary does not have; `None`: it could not be told, and all WAL was kept.
    pub from: Option<WalPosition>,
    /// Where the WAL ended.
    pub to: WalPosition,
    /// Bytes between the two.
    pub bytes: Option<u64>,
    /// Transactions that committed between them; `None`: pg_waldump could not read it.
    pub commits: Option<Commits>,
}

impl Kept {
    /// The sentence for log and status.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (source, directory) = (&self.source, &self.directory);
        match (&self.commits, self.bytes) {
            (Some(commits), _) if commits.number == 0 => {
                format!("no commit is missing on {source}; WAL to {} is kept in {directory}", self.to)
            }
            (Some(commits), bytes) => format!(
                "{} that {source} does not have, {} to {}{}, kept in {directory}; clients may have been told that they committed",
                if commits.number == 1 {
                    "1 commit".to_owned()
                } else {
                    format!("{} commits", commits.number)
                },
                commits.first.as_deref().unwrap_or("?"),
                commits.last.as_deref().unwrap_or("?"),
                bytes.map_or(String::new(), |bytes| format!(" ({bytes} bytes of WAL)")),
            ),
            (None, Some(bytes)) => {
                format!(
                    "{bytes} bytes of WAL that {source} does not have are kept in {directory}; commits could not be counted"
                )
            }
            (None, None) => {
                format!("where it left {source}'s line is unknown: all WAL is kept in {directory}")
            }
        }
    }
}

/// Transactions that committed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commits {
    pub number: u64,
    /// As pg_waldump prints times.
    pub first: Option<String>,
    pub last: Option<String>,
}

impl Commits {
    /// Counts a line of `pg_waldump --rmgr=Transaction`, such as `… desc: COMMIT 2026-11-29 08:15:30.123456 UTC; …`.
    pub fn add(&mut self, line: &str) {
        let Some((_, description)) = line.split_once("desc: ") else { return };
        let plain = description.strip_prefix("COMMIT ");
        // "COMMIT_PREPARED 731: 2026-…"
        let prepared = || Some(description.strip_prefix("COMMIT_PREPARED ")?.split_once(": ")?.1);
        let Some(rest) = plain.or_else(prepared) else { return };
        let time = rest.split(';').next().unwrap_or_default().trim().to_owned();
        self.number += 1;
        self.first.get_or_insert_with(|| time.clone());
        self.last = Some(time);
    }
}

/// A stretch of WAL on one timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub timeline: Timeline,
    pub from: Lsn,
    pub to: Lsn,
}

/// The WAL of `own`, which ends at `end`, that is past the last that it has in common with the primary.
#[must_use]
pub fn ranges(own: &History, end: WalPosition, common: Common) -> Vec<Range> {
    let Some(mut from) = common.until else { return Vec::new() };
    let mut found = Vec::new();
    for number in common.timeline.get()..=own.timeline().get() {
        let Some(timeline) = Timeline::new(number).filter(|timeline| own.contains(*timeline)) else {
            continue;
        };
        let to = own.fork_of(timeline).unwrap_or(end.lsn);
        if to > from {
            found.push(Range { timeline, from, to });
        }
        from = from.max(to);
    }
    found
}

/// The names in pg_wal that are kept: segments with a byte at or past `from`, and all histories. `None`: every segment.
#[must_use]
pub fn segments(names: &[String], from: Option<Lsn>, to: Lsn, size: SegmentSize) -> Vec<&str> {
    let is_kept = |name: &str| match WalFileName::parse(name, size) {
        // A recycled file ahead of the end holds old WAL under a new name.
        Some(file) => {
            from.is_none_or(|from| file.segment >= from.segment(size)) && file.segment <= to.segment(size)
        }
        None => name.ends_with(".history") || name.ends_with(".partial"),
    };
    names.iter().map(String::as_str).filter(|name| is_kept(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: SegmentSize = SegmentSize::DEFAULT;

    fn tl(number: u32) -> Timeline {
        Timeline::new(number).unwrap()
    }

    #[test]
    fn counts_what_committed() {
        let text = "rmgr: Transaction len (rec/tot):     34/    34, tx:        731, lsn: 0/03000148, prev 0/03000110, desc: COMMIT 2026-11-29 08:15:30.100000 UTC\n\
            rmgr: Transaction len (rec/tot):     34/    34, tx:        732, lsn: 0/03000180, prev 0/03000148, desc: ABORT 2026-11-29 08:15:30.150000 UTC\n\
            rmgr: Transaction len (rec/tot):    405/   405, tx:        733, lsn: 0/030001A8, prev 0/03000180, desc: COMMIT 2026-11-29 08:15:31.000000 UTC; inval msgs: catcache 80\n\
            rmgr: Transaction len (rec/tot):     70/    70, tx:          0, lsn: 0/03000300, prev 0/030001A8, desc: COMMIT_PREPARED 731: 2026-11-29 08:15:32.000000 UTC\n";
        let mut found = Commits::default();
        text.lines().for_each(|line| found.add(line));
        assert_eq!(found.number, 3);
        assert_eq!(found.first.as_deref(), Some("2026-11-29 08:15:30.100000 UTC"));
        assert_eq!(found.last.as_deref(), Some("2026-11-29 08:15:32.000000 UTC"));
    }

    #[test]
    fn what_is_past_the_last_common_byte() {
        let own = History::parse(tl(3), "1\t0/3000000\tx\n2\t0/5000000\tx\n").unwrap();
        let end = WalPosition { timeline: tl(3), lsn: Lsn(0x600_0000) };
        let common = Common { timeline: tl(1), until: Some(Lsn(0x200_0000)) };
        let found: Vec<_> =
            ranges(&own, end, common).iter().map(|r| (r.timeline.get(), r.from.0, r.to.0)).collect();
        assert_eq!(
            found,
            [(1, 0x200_0000, 0x300_0000), (2, 0x300_0000, 0x500_0000), (3, 0x500_0000, 0x600_0000)]
        );
        assert_eq!(ranges(&own, end, Common { timeline: tl(3), until: None }), []);
    }

    #[test]
    fn segments_from_the_fork_on() {
        let names: Vec<String> = [
            "000000010000000000000002",
            "000000010000000000000003",
            "000000010000000000000004",
            "000000010000000000000007",
            "00000002.history",
            "archive_status",
        ]
        .map(str::to_owned)
        .to_vec();
        let (from, to) = (Lsn(0x300_0100), Lsn(0x400_0000));
        let kept = segments(&names, Some(from), to, SIZE);
        assert_eq!(kept, ["000000010000000000000003", "000000010000000000000004", "00000002.history"]);
        assert_eq!(segments(&names, None, to, SIZE).len(), 4);
    }
}
