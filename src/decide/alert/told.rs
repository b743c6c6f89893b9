//! What was told last of each topic: each node keeps it for the others too, as a private node attribute.

use std::collections::BTreeMap;
use std::fmt;

/// The attribute of one recipient: who is added later is told from then on.
#[must_use]
pub fn attribute(recipient: &str) -> String {
    // FNV-1a: the same on nodes with different versions of ours.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in recipient.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("quorate-told-{:08x}", (hash >> 32) as u32)
}

/// The name of a topic, of names that others gave.
#[must_use]
pub fn topic(kind: &str, names: &[&str]) -> String {
    let clean = |name: &&str| word(name);
    let names: Vec<String> = names.iter().map(clean).collect();
    format!("{kind}/{}", names.join("/"))
}

/// As it stands between blanks.
pub(super) fn word(text: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    text.chars().take(80).map(clean).collect()
}

/// More topics has no cluster; an attribute is kept in memory on each node.
const MOST: usize = 200;

/// By topic: a word, and when it was told, in seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told(BTreeMap<String, (String, u64)>);

impl Told {
    /// Reads what nodes say; the latest of each topic counts. What makes no sense is passed over. Nothing is of a time to come: a clock
    /// that is ahead would be right for ever.
    pub fn read<'a>(values: impl IntoIterator<Item = &'a str>, now: u64) -> Self {
        let mut all = Self::default();
        let entries = values.into_iter().flat_map(|value| value.split(' ').take(MOST));
        for entry in entries {
            let read = || {
                let (topic, rest) = entry.split_once('=')?;
                let (word, at) = rest.split_once('@')?;
                Some((topic, word, at.parse::<u64>().ok()?.min(now)))
            };
            let Some((topic, word, at)) = read() else { continue };
            if all.0.get(topic).is_none_or(|(_, before)| *before < at) {
                all.0.insert(topic.to_owned(), (word.to_owned(), at));
            }
        }
        all
    }

    /// The word of a topic.
    #[must_use]
    pub fn get(&self, topic: &str) -> Option<&str> {
        self.0.get(topic).map(|(word, _)| word.as_str())
    }

    /// Whether a topic has this word since less than so many seconds.
    #[must_use]
    pub fn is_recent(&self, topic: &str, word: &str, seconds: u64, now: u64) -> bool {
        self.0.get(topic).is_some_and(|(last, at)| last == word && now.saturating_sub(*at) < seconds)
    }

    /// Notes that something was told.
    pub fn set(&mut self, topic: &str, told: &str, now: u64) {
        self.0.insert(topic.to_owned(), (word(told), now));
    }

    /// Takes that back.
    pub fn restore(&mut self, topic: &str, before: Option<&str>, now: u64) {
        match before {
            Some(before) => self.set(topic, before, now),
            // A word that no state has: whatever is, is to be told.
            None => self.set(topic, "-", now),
        }
    }
}

/// `TOPIC=WORD@SECONDS …`, the latest where there are too many.
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, (_, at))| std::cmp::Reverse(*at));
        all.truncate(MOST);
        all.sort();
        let words = all.iter().map(|(topic, (word, at))| format!("{topic}={word}@{at}"));
        f.write_str(&words.collect::<Vec<_>>().join(" "))
    }
}
