//! Names of the WAL segment files in pg_wal.

use super::lsn::{Lsn, SegmentSize};
use super::timeline::Timeline;

/// What the name of a segment file says: 24 upper-case hexadecimal digits, 8 of the timeline, 16 of the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalFileName {
    /// Timeline of the records.
    pub timeline: Timeline,
    /// Number of the segment; see [`Lsn::segment`].
    pub segment: u64,
}

impl WalFileName {
    /// `None` for everything else that lies in pg_wal (`.partial`, `.history`, `.backup`, archive_status), and for a name that
    /// can't be of this segment size.
    pub fn parse(name: &str, segment_size: SegmentSize) -> Option<Self> {
        let digits = name.len() == 24 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        if !digits {
            return None;
        }
        let part = |range: std::ops::Range<usize>| u32::from_str_radix(&name[range], 16).ok();
        let (timeline, log, segment) = (part(0..8)?, part(8..16)?, part(16..24)?);
        let segments_per_log = (1u64 << 32) / segment_size.bytes();
        if u64::from(segment) >= segments_per_log {
            return None;
        }
        let segment = u64::from(log) * segments_per_log + u64::from(segment);
        Some(Self { timeline: Timeline::new(timeline)?, segment })
    }
}

/// The highest timeline that has a segment file with `lsn` in it, among the `names` in pg_wal.
///
/// A recycled file has a name on the timeline that was current then, ahead of the WAL's end, so that it never claims a timeline that was not there.
pub fn highest_timeline_at<'a>(
    names: impl IntoIterator<Item = &'a str>,
    lsn: Lsn,
    segment_size: SegmentSize,
) -> Option<Timeline> {
    let segment = lsn.segment(segment_size);
    names
        .into_iter()
        .filter_map(|name| WalFileName::parse(name, segment_size))
        .filter(|file| file.segment == segment)
        .map(|file| file.timeline)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S16: SegmentSize = SegmentSize::DEFAULT;

    #[test]
    fn parses_names() {
        let file = WalFileName::parse("0000000200000001000000FF", S16).expect("a segment");
        assert_eq!((file.timeline.get(), file.segment), (2, 0x1FF));
        for bad in [
            "0000000200000001000000ff",
            "000000020000000100000100",
            "000000000000000100000001",
            "00000002000000010000000",
            "000000010000000000000003.partial",
            "00000002.history",
            "archive_status",
            "00000002000000010000000é",
        ] {
            assert_eq!(WalFileName::parse(bad, S16), None, "{bad}");
        }
    }

    #[test]
    fn newest_timeline_of_the_segment() {
        let names = [
            "000000010000000000000003",
            "000000020000000000000003",
            "000000020000000000000004",
            "000000030000000000000005",
            "00000002.history",
        ];
        let at = |lsn| highest_timeline_at(names, Lsn(lsn), S16).map(Timeline::get);
        assert_eq!(at(0x300_0148), Some(2));
        assert_eq!(at(0x500_0000), Some(3));
        assert_eq!(at(0x600_0000), None);
    }
}
