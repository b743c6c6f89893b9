//! Lines that fit: cut, wrapped, aligned; and how they are coloured. Colour never says what words don't.

use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Red, green, yellow.
    Colour,
    /// Bold and reversed only, as `NO_COLOR` asks for.
    Plain,
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Normal,
    /// A bar: the head of a column, the keys.
    Bar,
    /// The head of a panel.
    Head,
    /// All is well.
    Good,
    /// To be watched.
    Notice,
    /// Something is wrong.
    Bad,
}

impl Ink {
    /// The style for this tone.
    #[must_use]
    pub fn style(self, tone: Tone) -> Style {
        let plain = Style::default();
        let colour = |colour| match self {
            Self::Colour => plain.fg(colour),
            Self::Plain => plain,
        };
        match tone {
            Tone::Normal => plain,
            Tone::Bar => plain.add_modifier(Modifier::REVERSED),
            Tone::Head => plain.add_modifier(Modifier::BOLD),
            Tone::Good => colour(Color::Green),
            Tone::Notice => colour(Color::Yellow),
            Tone::Bad => colour(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// A piece of text in this tone.
    #[must_use]
    pub fn span(self, tone: Tone, text: impl Into<String>) -> Span<'static> {
        Span::styled(text.into(), self.style(tone))
    }

    /// A line in this tone.
    #[must_use]
    pub fn line(self, tone: Tone, text: impl Into<String>) -> Line<'static> {
        Line::from(self.span(tone, text))
    }

    /// The head of a panel: its title in a rule as wide as the column.
    #[must_use]
    pub fn rule(self, title: &str, width: usize) -> Line<'static> {
        let text = cut(&format!("── {title} "), width);
        let rest = "─".repeat(width.saturating_sub(text.chars().count()));
        self.line(Tone::Head, text + &rest)
    }
}

/// At most so many characters; what is cut off shows as `…`.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        short.push('…');
    }
    short
}

/// `left`, and `right` at the right edge; of a line that is too short for both the left part is cut.
#[must_use]
pub fn spread(left: &str, right: &str, width: usize) -> String {
    let right = cut(right, width);
    let room = width.saturating_sub(right.chars().count());
    let left = cut(left, room.saturating_sub(1));
    format!("{left:<room$}{right}")
}

/// Breaks a text into lines of at most `width` characters, at blanks where there are any; all but the first are indented.
#[must_use]
pub fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let indent = if indent * 2 > width { 0 } else { indent };
    let mut lines: Vec<String> = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    loop {
        let margin = if lines.is_empty() { 0 } else { indent };
        let room = width.saturating_sub(margin).max(1);
        let pad = " ".repeat(margin);
        if rest.len() <= room {
            lines.push(pad + &rest.into_iter().collect::<String>());
            return lines;
        }
        // Not at the blanks at the very beginning: the line would be empty.
        let begins = rest.iter().take_while(|c| **c == ' ').count();
        let blank =
            rest.iter().take(room + 1).rposition(|c| *c == ' ').filter(|at| *at > begins.max(room / 2));
        let end = blank.unwrap_or(room);
        lines.push(pad + &rest.drain(..end).collect::<String>());
        let blanks = rest.iter().take_while(|c| **c == ' ').count();
        rest.drain(..blanks);
    }
}

/// Without what would move a terminal's cursor or change its colours.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' if chars.peek() == Some(&'[') => {
                chars.next();
                // Parameters up to the letter that ends the sequence.
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// The time of day in UTC of a moment since 1970.
#[must_use]
pub fn clock(at: Duration) -> String {
    let seconds = at.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A span of time in a few characters.
#[must_use]
pub fn span_of(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        ms @ 1000..100_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        ms => format!("{} min", ms / 60_000),
    }
}

/// Bytes in a few characters.
#[must_use]
pub fn bytes(n: u64) -> String {
    match n >> 20 {
        0 => format!("{}K", n >> 10),
        mb @ 1..1024 => format!("{mb}M"),
        mb => format!("{}.{}G", mb >> 10, (mb & 1023) * 10 / 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcdef", 0), "");
        assert_eq!(spread("left", "right", 12), "left   right");
        assert_eq!(spread("a long left", "right", 10), "a l… right");
        assert_eq!(wrap("one two three", 20, 2), ["one two three"]);
        assert_eq!(wrap("one two three", 8, 2), ["one two", "  three"]);
        assert_eq!(wrap("abcdefghij", 4, 1), ["abcd", " efg", " hij"]);
        assert_eq!(wrap("", 4, 1), [""]);
        assert_eq!(wrap("abc", 0, 3), ["a", "b", "c"]);
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable("\x1b[1;31mred\x1b[0m\ttext\r\x07"), "red text");
        assert_eq!(printable("\x1b[12"), "");
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(clock(Duration::from_secs(1_764_000_000)), "16:00:00");
        assert_eq!(span_of(Duration::from_millis(35)), "35 ms");
        assert_eq!(span_of(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(span_of(Duration::from_secs(125)), "2 min");
        assert_eq!(bytes(118 << 20), "118M");
        assert_eq!(bytes((3 << 30) + (512 << 20)), "3.5G");
        assert_eq!(bytes(2048), "2K");
    }

    #[test]
    fn without_colours_there_are_none() {
        for tone in [Tone::Normal, Tone::Bar, Tone::Head, Tone::Good, Tone::Notice, Tone::Bad] {
            let style = Ink::Plain.style(tone);
            assert_eq!((style.fg, style.bg), (None, None), "{tone:?}");
        }
    }
}
