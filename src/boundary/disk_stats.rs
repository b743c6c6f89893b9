//! What a block device has done, by the kernel's count: reading it asks no disk.

/// The writes and flushes that a block device has completed (the kernel's Documentation/block/stat.rst); `None` for what is none, as a
/// file server's or an overlay.
pub fn completed(device: u64) -> Option<u64> {
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let text = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    parse(&text)
}

/// The text of a device's `stat`, as [`completed`] counts.
pub fn parse(stat: &str) -> Option<u64> {
    let fields: Vec<u64> = stat.split_ascii_whitespace().map_while(|f| f.parse().ok()).collect();
    // Writes are the fifth. Flushes are the sixteenth, since Linux 5.5.
    Some(fields.get(4)?.saturating_add(fields.get(15).copied().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_flushes_count() {
        let old = "  9292  1034 737994  3044  17480 23 419888 9500 0 2920 12544";
        assert_eq!(parse(old), Some(17_480));
        assert_eq!(parse(&format!("{old} 0 0 0 0 120 7")), Some(17_600));
        assert_eq!(parse(""), None);
        assert_eq!(parse("1 2 x"), None);
    }
}
