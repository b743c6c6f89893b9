//! Text that others wrote (a server's message, the end of a log, an attribute's value) as it may be shown: on a terminal it must not move the
//! cursor or hide what follows, in the log it must not begin a line of its own, in the CIB it must be XML's.

/// Longest line. Journal and syslog take more; a reason of that length is none.
const LONGEST: usize = 8 * 1024;

/// One line: line ends and tabs are blanks, other characters that print nothing are written as `\u{1b}`, and what is too long is cut.
#[must_use]
pub fn line(text: &str) -> String {
    cut(text, |c, out| if matches!(c, '\n' | '\r' | '\t') { out.push(' ') } else { shown(c, out) })
}

/// Several lines, whose ends stay; none is cut.
#[must_use]
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' { out.push(c) } else { shown(c, &mut out) }
    }
    out
}

fn cut(text: &str, mut push: impl FnMut(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars() {
        if out.len() >= LONGEST {
            out.push('…');
            break;
        }
        push(c, &mut out);
    }
    out
}

fn shown(c: char, out: &mut String) {
    if prints(c) { out.push(c) } else { out.extend(c.escape_unicode()) }
}

/// Whether a terminal shows it where it stands: no control character (ESC and CSI too), no separator of lines or paragraphs, no change of
/// the direction of writing, none without a width.
fn prints(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prints_stays() {
        let plain = "FATAL:  no pg_hba.conf entry for host \"10.0.0.1\", Größe 3 µs, 日本, \\u{1b}";
        assert_eq!((line(plain), lines(plain)), (plain.to_owned(), plain.to_owned()));
    }

    #[test]
    fn what_does_not_is_named() {
        assert_eq!(line("a\u{1b}[2Jb\u{9b}1mc\0d\u{7f}"), r"a\u{1b}[2Jb\u{9b}1mc\u{0}d\u{7f}");
        assert_eq!(line("x\u{202e}gnp.exe\u{2028}y"), r"x\u{202e}gnp.exe\u{2028}y");
        assert_eq!(lines("a\r\u{1b}]0;t\u{7}\nb\t"), "a\\u{d}\\u{1b}]0;t\\u{7}\nb\\u{9}");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(line("a\nocf-exit-reason:all is well\r\n\tb"), "a ocf-exit-reason:all is well   b");
        let long = line(&"é".repeat(100_000));
        assert!(long.len() < LONGEST + 8 && long.ends_with("é…"), "{}", long.len());
    }
}
