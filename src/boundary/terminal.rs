//! The terminal that standard output is, where it is one.

use std::io::IsTerminal as _;
use std::os::fd::AsRawFd as _;

use nix::libc;

/// Narrower ones are taken for this: nothing fits there.
const NARROWEST: usize = 40;

/// Its width in columns; `None`: output goes to a file or a program.
#[must_use]
pub fn width() -> Option<usize> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    // SAFETY: all zero bytes are a winsize.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, and the kernel writes one winsize.
    let asked = unsafe { libc::ioctl(out.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    let columns = if asked == 0 { usize::from(size.ws_col) } else { 0 };
    Some(if columns == 0 { 80 } else { columns.max(NARROWEST) })
}

/// Breaks the lines of a text that are wider, at blanks; what follows is indented as what it belongs to: two blanks deeper than the line,
/// or where its second column begins.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> String {
    text.lines().map(|line| wrapped_line(line, width) + "\n").collect()
}

fn wrapped_line(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let own = line.len() - line.trim_start().len();
    // `key           value`: under the value.
    let column = line[own..].find("  ").map(|at| {
        let after = &line[own + at..];
        own + at + after.len() - after.trim_start().len()
    });
    let indent = column.filter(|at| *at < width / 2).unwrap_or(own + 2);
    let head: String = line.chars().take(indent).collect();
    let (mut out, mut used) = (head.clone(), head.chars().count());
    let rest: String = line.chars().skip(indent).collect();
    for (index, word) in rest.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && used + 1 + length > width && used > indent {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        } else if index > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_under_their_value() {
        let text = "quorum        quorate\nmembers       2 of 2: srv1 (east) online, srv2 (west) online\n\nerror: a line that is too long to stand in it\n  cure  quorate doctor says what it is about\n";
        let expected = "quorum        quorate\nmembers       2 of 2: srv1 (east)\n              online, srv2 (west)\n              online\n\nerror: a line that is too long to\n  stand in it\n  cure  quorate doctor says what it\n        is about\n";
        assert_eq!(wrapped(text, 36), expected);
        assert_eq!(wrapped(text, 200), text);
        // A word that fits nowhere stays where it is.
        let long = "aa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n";
        assert_eq!(wrapped(long, 40), long);
    }
}
