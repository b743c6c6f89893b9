//! Rules of location constraints: for which nodes they hold.
//!
//! What depends on an attribute that is not in the CIB is unknown. A time that has passed does not hold; a time that is to come, and
//! what holds at times, is taken to hold.

use super::resources::NodeAttributes;
use super::score;
use super::tree::Element;
use crate::cluster::calendar;

/// A rule with its score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `None`: it comes from an attribute, or is none.
    pub score: Option<i64>,
    condition: Condition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Attribute {
        name: String,
        operation: String,
        value: String,
    },
    /// Until then, in seconds since 1970; `None`: no end that is known.
    Date {
        end: Option<i64>,
        /// It holds until its end, and at no other time.
        is_until: bool,
    },
    Unknown,
}

impl Rule {
    pub(super) fn of(root: &Element, rule: &Element) -> Self {
        let rule = rule.get("id-ref").and_then(|id| root.find(id)).unwrap_or(rule);
        Self { score: rule.get("score").and_then(score), condition: condition(root, rule) }
    }

    /// Whether its times can be told: none, or an end.
    #[must_use]
    pub fn has_sure_times(&self) -> bool {
        self.condition.has_sure_times()
    }

    /// Whether it holds for a node at a time, in seconds since 1970; `None`: nobody knows.
    #[must_use]
    pub fn holds(&self, node: &NodeAttributes, now_s: Option<i64>) -> Option<bool> {
        self.condition.holds(node, now_s)
    }
}

fn condition(root: &Element, rule: &Element) -> Condition {
    let inner = rule
        .children
        .iter()
        .filter_map(|child| {
            Some(match child.name.as_str() {
                "rule" => condition(root, child.get("id-ref").and_then(|id| root.find(id)).unwrap_or(child)),
                "expression" => Condition::Attribute {
                    name: child.get("attribute")?.to_owned(),
                    operation: child.get("operation")?.to_owned(),
                    value: child.get("value").unwrap_or_default().to_owned(),
                },
                "date_expression" => {
                    let end = child
                        .get("end")
                        .filter(|_| child.get("operation") != Some("gt"))
                        .and_then(calendar::seconds);
                    Condition::Date { end, is_until: end.is_some() && child.get("operation") == Some("lt") }
                }
                _ => Condition::Unknown,
            })
        })
        .collect();
    if rule.get("boolean-op") == Some("or") { Condition::Any(inner) } else { Condition::All(inner) }
}

impl Condition {
    fn has_sure_times(&self) -> bool {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().all(Condition::has_sure_times),
            Self::Date { is_until, .. } => *is_until,
            Self::Attribute { .. } | Self::Unknown => true,
        }
    }

    fn holds(&self, node: &NodeAttributes, now_s: Option<i64>) -> Option<bool> {
        match self {
            Self::All(inner) => {
                let all: Vec<Option<bool>> = inner.iter().map(|c| c.holds(node, now_s)).collect();
                if all.contains(&Some(false)) {
                    Some(false)
                } else if all.contains(&None) {
                    None
                } else {
                    Some(true)
                }
            }
            Self::Any(inner) => {
                let all: Vec<Option<bool>> = inner.iter().map(|c| c.holds(node, now_s)).collect();
                if all.contains(&Some(true)) {
                    Some(true)
                } else if all.contains(&None) {
                    None
                } else {
                    Some(false)
                }
            }
            Self::Date { end, .. } => Some(end.zip(now_s).is_none_or(|(end, now)| now < end)),
            Self::Unknown => None,
            Self::Attribute { name, operation, value } => {
                let known = match name.as_str() {
                    "#uname" => Some(node.name.as_str()),
                    "#id" => Some(node.id.as_str()),
                    "#kind" => Some("cluster"),
                    _ => node.get(name).map(|v| v.value.as_str()),
                };
                compare(known, operation, value)
            }
        }
    }
}

fn compare(known: Option<&str>, operation: &str, value: &str) -> Option<bool> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let known = known?;
    // As Pacemaker guesses: numbers where both are.
    let order = match (known.trim().parse::<f64>(), value.trim().parse::<f64>()) {
        (Ok(a), Ok(b)) => a.partial_cmp(&b)?,
        _ => known.to_lowercase().cmp(&value.to_lowercase()),
    };
    Some(match operation {
        "eq" => order == Equal,
        "ne" => order != Equal,
        "lt" => order == Less,
        "lte" => order != Greater,
        "gt" => order == Greater,
        "gte" => order != Less,
        "defined" => true,
        "not_defined" => false,
        _ => return None,
    })
}
