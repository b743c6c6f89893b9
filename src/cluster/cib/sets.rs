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
    /// The agents to which a rule limits it, as class, provider and type; an empty one is any.
    pub only: Option<[String; 3]>,
}

impl Value {
    pub(super) fn new(value: &str, line: usize) -> Self {
        Self { value: value.to_owned(), line, of: None, only: None }
    }

    /// Whether it may count for a resource of this agent (`ocf:heartbeat:IPaddr2`).
    #[must_use]
    pub fn counts_for(&self, agent: &str) -> bool {
        let Some([class, provider, kind]) = &self.only else { return true };
        let words: Vec<&str> = agent.split(':').collect();
        let (own, given) = match words.as_slice() {
            [class, provider, kind] => (*class, (*provider, *kind)),
            [class, kind] => (*class, ("", *kind)),
            _ => return true,
        };
        let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        fits(class, own) && fits(provider, given.0) && fits(kind, given.1)
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
            let mut value = Value::new(target.get("value").unwrap_or_default(), target.line);
            if let Some(rule) = set.child("rule") {
                value.only = only(rule);
                found.ruled.push((name.to_owned(), value));
            } else {
                found.plain.entry(name.to_owned()).or_insert(value);
            }
        }
    }
    found
}

/// The agents that a rule names, where all of it has to hold.
fn only(rule: &Element) -> Option<[String; 3]> {
    if rule.get("boolean-op") == Some("or") {
        return None;
    }
    let named = rule.child("rsc_expression")?;
    Some(["class", "provider", "type"].map(|word| named.get(word).unwrap_or_default().to_owned()))
}
