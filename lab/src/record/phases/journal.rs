//! `journalctl -o short-unix`: `1795520480.077420 srv2 pacemaker-controld[76]:  notice: …`.

/// A line of a node's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Wall clock, in µs since 1970.
    pub at_us: u64,
    /// The node's host name.
    pub node: String,
    /// Who wrote it, without the process id: `corosync`, `IPaddr2(primary-ip)`, …
    pub program: String,
    /// The rest, without the blanks around it.
    pub message: String,
}

/// The lines of a journal. What is no such line is left out: the second line of a long message, `-- Boot …`.
#[must_use]
pub fn parse(text: &str) -> Vec<Line> {
    text.lines().filter_map(line).collect()
}

fn line(text: &str) -> Option<Line> {
    let (time, rest) = text.split_once(' ')?;
    let (node, rest) = rest.split_once(' ')?;
    let (tag, message) = rest.split_once(": ")?;
    let program = tag.split_once('[').map_or(tag, |(program, _)| program);
    Some(Line {
        at_us: micros(time)?,
        node: node.to_owned(),
        program: program.to_owned(),
        message: message.trim().to_owned(),
    })
}

/// `1795520480.077420`, with exactly six decimals.
fn micros(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if fraction.len() != 6 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?)
}
