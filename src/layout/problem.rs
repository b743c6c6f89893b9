//! What is wrong with a description: where it stands, what it is, and what to do about it.

use toml::Spanned;

/// What is wrong with a description, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong; names the value.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

/// Collects what is wrong.
pub(super) struct Complaints<'a> {
    text: &'a str,
    found: Vec<Problem>,
}

impl<'a> Complaints<'a> {
    /// About this description.
    pub(super) const fn about(text: &'a str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Something is wrong at this value.
    pub(super) fn at<T>(&mut self, value: &Spanned<T>, what: String, cure: &str) {
        let line = line_of(self.text, value.span().start);
        self.found.push(Problem { line, what, cure: cure.to_owned() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order of their lines.
    pub(super) fn by_line(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|p| p.line);
        self.found
    }
}

/// Which line a byte of a text is in, counted from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}
