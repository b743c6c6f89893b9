//! Sets of name and value: which one counts where several have a name.

use std::collections::BTreeMap;

use super::score;
use super::tree::Element;

/// A value and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub value: String,
    /// Counted from 1.
    pub line: usize,
    /// The resource that has it; `None`: no resource's own, as a default.
    pub of: Option<String>,
}

impl Value {
    pub(super) fn new(value: &str, line: usize) -> Self {
        Self { value: value.to_owned(), line, of: None }
    }
}

/// Values by their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    /// Those that count always.
    pub plain: BTreeMap<String, Value>,
    /// Those of sets with a rule: they count at times, or for some.
    pub ruled: Vec<(String, Value)>,
}

impl Values {
    /// The value that counts where no rule says otherwise.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.plain.get(name)
    }

    /// They are that resource's own.
    pub(super) fn owned(&mut self, id: &str) {
        for value in self.plain.values_mut().chain(self.ruled.iter_mut().map(|(_, v)| v)) {
            value.of = Some(id.to_owned());
        }
    }

    /// Takes over what is not there yet.
    pub(super) fn fill(&mut self, other: &Self) {
        for (name, value) in &other.plain {
            self.plain.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self.ruled.extend(other.ruled.iter().cloned());
    }
}

/// The values of sets: of two with a name that of the higher score, then the first.
pub(super) fn values<'a>(root: &'a Element, sets: impl Iterator<Item = &'a Element>) -> Values {
    let follow = |element: &'a Element| element.get("id-ref").and_then(|id| root.find(id)).unwrap_or(element);
    let mut sets: Vec<&Element> = sets.map(follow).collect();
    sets.sort_by_key(|set| std::cmp::Reverse(set.get("score").and_then(score).unwrap_or_default()));
    let mut found = Values::default();
    for set in sets {
        for pair in set.all("nvpair") {
            let target = follow(pair);
            let Some(name) = pair.get("name").or_else(|| target.get("name")) else { continue };
            let value = Value::new(target.get("value").unwrap_or_default(), target.line);
            if set.child("rule").is_some() {
                found.ruled.push((name.to_owned(), value));
            } else {
                found.plain.entry(name.to_owned()).or_insert(value);
            }
        }
    }
    found
}
