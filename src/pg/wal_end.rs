//! Where the WAL ends, by what `pg_waldump --quiet` says when it can't read on.

use super::lsn::{Lsn, SegmentSize};
use super::timeline::WalPosition;
use super::wal_file::WalFileName;

/// Where the reading of the WAL that follows a position has to begin: on the newest timeline there is, at the position or, where that
/// timeline begins later, at its first segment.
pub fn start<'a>(
    names: impl IntoIterator<Item = &'a str>,
    from: WalPosition,
    segment_size: SegmentSize,
) -> Option<WalPosition> {
    let own = from.lsn.segment(segment_size);
    let files = names
        .into_iter()
        .filter_map(|name| WalFileName::parse(name, segment_size))
        .filter(|file| file.segment >= own && file.timeline >= from.timeline);
    let first = files.min_by_key(|file| (std::cmp::Reverse(file.timeline), file.segment))?;
    let lsn =
        if first.segment == own { from.lsn } else { Lsn(first.segment.checked_mul(segment_size.bytes())?) };
    Some(WalPosition { timeline: first.timeline, lsn })
}

/// The end of the last whole record. `from`: where the reading began. `None`: the words tell none.
///
/// The record whose reading failed is where the WAL ends (`invalid record length at 0/3000060`); where the words name only the last
/// one that was read, it ends somewhere behind that. pg_waldump.c, xlogreader.c.
pub fn end(stderr: &str, from: Lsn, segment_size: SegmentSize) -> Option<Lsn> {
    if stderr.contains("could not find a valid record after") {
        return Some(from);
    }
    // It ends with its last file.
    if let Some((_, name)) = stderr.rsplit_once("could not find file \"") {
        let missing = WalFileName::parse(name.get(..24)?, segment_size)?;
        return missing.segment.checked_mul(segment_size.bytes()).map(Lsn);
    }
    let (_, said) = stderr.rsplit_once("error in WAL record at ")?;
    let words = |c: char| c.is_whitespace() || matches!(c, ':' | ',' | ';' | '(' | ')');
    let mut positions =
        said.split(words).filter(|word| word.contains('/')).filter_map(|word| word.parse::<Lsn>().ok());
    let last = positions.next()?;
    Some(positions.filter(|at| *at > last).min().unwrap_or(Lsn(last.0.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::timeline::Timeline;

    fn at(timeline: u32, lsn: u64) -> WalPosition {
        WalPosition { timeline: Timeline::new(timeline).unwrap(), lsn: Lsn(lsn) }
    }

    #[test]
    fn the_end_is_where_no_record_follows() {
        for (said, end_lsn) in [
            (
                "error in WAL record at 0/3000028: invalid record length at 0/3000060: wanted 24, got 0",
                Some(0x300_0060),
            ),
            (
                "error in WAL record at 0/3000028: invalid record length at 0/3000060: expected at least 24, got 0",
                Some(0x300_0060),
            ),
            (
                "error in WAL record at 0/3000028: record with incorrect prev-link 0/1000028 at 0/3000060",
                Some(0x300_0060),
            ),
            (
                "error in WAL record at 1/FF000028: there is no contrecord flag at 1/FF100000",
                Some(0x1_FF10_0000),
            ),
            // Whoever is at its beginning is behind.
            ("error in WAL record at 0/3000028: could not read page", Some(0x300_0029)),
            ("could not find a valid record after 0/3000000", Some(0x300_0000)),
            ("could not find file \"000000020000000000000004\": No such file or directory", Some(0x400_0000)),
            ("could not open file \"000000010000000000000003\": No such file or directory", None),
            ("", None),
        ] {
            assert_eq!(
                end(&format!("pg_waldump: error: {said}\n"), Lsn(0x300_0000), SegmentSize::DEFAULT),
                end_lsn.map(Lsn),
                "{said}"
            );
        }
    }

    #[test]
    fn reading_begins_on_the_newest_timeline() {
        let names = [
            "000000010000000000000002",
            "000000010000000000000003",
            "000000020000000000000003",
            "00000002.history",
        ];
        let begins = |from| start(names, from, SegmentSize::DEFAULT);
        assert_eq!(begins(at(1, 0x200_0028)), Some(at(2, 0x300_0000)));
        assert_eq!(begins(at(1, 0x300_0028)), Some(at(2, 0x300_0028)));
        assert_eq!(begins(at(2, 0x300_0028)), Some(at(2, 0x300_0028)));
        assert_eq!(begins(at(3, 0x300_0028)), None);
        assert_eq!(begins(at(2, 0x400_0028)), None);
    }
}
