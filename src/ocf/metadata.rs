//! `meta-data`: the agent's description in XML, from the table of parameters.

use std::io;

use quick_xml::events::{BytesText, Event};

use super::action::Action;
use super::environment::Environment;
use super::params::{Change, PARAMS, Param, Presence, Uniqueness};
use super::xml::{Document, begin, close, empty, end, open, text};

/// One advised operation. Times in seconds.
pub(super) struct Advice {
    pub(super) action: Action,
    pub(super) timeout: u32,
    pub(super) interval: Option<u32>,
    pub(super) role: Option<&'static str>,
}

const fn advice(action: Action, timeout: u32) -> Advice {
    Advice { action, timeout, interval: None, role: None }
}

/// The operations with the times that we advise. A start or a demotion may have to replay WAL; a monitor
/// notices a frozen server within its own timeout.
pub(super) const OPERATIONS: &[Advice] = &[
    advice(Action::Start, 60),
    advice(Action::Stop, 60),
    advice(Action::Promote, 30),
    advice(Action::Demote, 120),
    Advice { action: Action::Monitor, timeout: 5, interval: Some(3), role: Some("Promoted") },
    Advice { action: Action::Monitor, timeout: 5, interval: Some(4), role: Some("Unpromoted") },
    advice(Action::Notify, 20),
    advice(Action::ReloadAgent, 20),
    advice(Action::ValidateAll, 20),
    advice(Action::MetaData, 5),
];

pub(super) const SHORT: &str = "PostgreSQL with streaming replication, promotable";

pub(super) const LONG: &str = "Runs PostgreSQL 13 to 18 with streaming replication as a promotable clone (notify=true). Standbys \
are scored by their state and position in the WAL, the most advanced one is elected, and a node that may lack \
acknowledged commits is never promoted. A server that hangs is noticed and stopped. A crashed primary comes back as a \
standby where its WAL did not diverge.";

/// The version of OCF that the caller speaks, from `OCF_RA_VERSION_MAJOR` and `_MINOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// 1.0, or not said: the older validators (ocf-tester's DTD, resource-agents' `metadata.rng`) know no `reloadable`.
    Ocf10,
    /// Pacemaker ≥ 2.1 says this, and restarts PostgreSQL for every change of a parameter that is not `reloadable`.
    Ocf11,
}

impl Dialect {
    /// What the environment says.
    pub fn of(env: &Environment) -> Dialect {
        let number = |name: &str| env.get(name).and_then(|v| v.trim().parse::<u32>().ok());
        match (number("OCF_RA_VERSION_MAJOR"), number("OCF_RA_VERSION_MINOR")) {
            (Some(1), Some(minor)) if minor >= 1 => Dialect::Ocf11,
            _ => Dialect::Ocf10,
        }
    }
}

/// The DTD's list of actions ends at OCF 1.0; a declaration in the document comes before the one in the DTD.
const DOCTYPE: &str = "resource-agent SYSTEM \"ra-api-1.dtd\" [<!ATTLIST action name CDATA #REQUIRED>]";

/// The whole document.
///
/// # Errors
/// None in practice: it writes into memory.
pub fn document(dialect: Dialect) -> io::Result<String> {
    let mut w = begin(Some("UTF-8"))?;
    w.write_event(Event::DocType(BytesText::from_escaped(DOCTYPE)))?;
    let agent = [("name", "postgres"), ("version", env!("CARGO_PKG_VERSION"))];
    open(&mut w, "resource-agent", &agent)?;
    text(&mut w, "version", &[], "1.1")?;
    text(&mut w, "longdesc", &[("lang", "en")], LONG)?;
    text(&mut w, "shortdesc", &[("lang", "en")], SHORT)?;
    open(&mut w, "parameters", &[])?;
    for p in PARAMS {
        parameter(&mut w, p, dialect)?;
    }
    close(&mut w, "parameters")?;
    open(&mut w, "actions", &[])?;
    for operation in OPERATIONS {
        let timeout = format!("{}s", operation.timeout);
        let interval = operation.interval.map(|s| format!("{s}s"));
        let mut attributes = vec![("name", operation.action.name()), ("timeout", timeout.as_str())];
        attributes.extend(interval.as_deref().map(|s| ("interval", s)));
        attributes.extend(operation.role.map(|r| ("role", r)));
        empty(&mut w, "action", &attributes)?;
    }
    close(&mut w, "actions")?;
    close(&mut w, "resource-agent")?;
    end(w)
}

fn parameter(w: &mut Document, p: &Param, dialect: Dialect) -> io::Result<()> {
    let flag = |yes| if yes { "1" } else { "0" };
    let mut attributes = vec![
        ("name", p.name),
        ("required", flag(p.presence == Presence::Required)),
        ("unique", flag(p.uniqueness == Uniqueness::Unique)),
    ];
    if dialect == Dialect::Ocf11 {
        attributes.push(("reloadable", flag(p.change == Change::Reloadable)));
    }
    open(w, "parameter", &attributes)?;
    text(w, "longdesc", &[("lang", "en")], p.long)?;
    text(w, "shortdesc", &[("lang", "en")], p.short)?;
    let mut content = vec![("type", p.kind.name())];
    if !p.default.is_empty() {
        content.push(("default", p.default));
    }
    empty(w, "content", &content)?;
    close(w, "parameter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_parameter_and_action() {
        let xml = document(Dialect::Ocf10).unwrap();
        assert!(!xml.contains("reloadable"));
        assert!(
            document(Dialect::Ocf11)
                .unwrap()
                .contains("name=\"maxlag\" required=\"0\" unique=\"0\" reloadable=\"1\"")
        );
        for p in PARAMS {
            assert!(xml.contains(&format!("<parameter name=\"{}\"", p.name)), "{}", p.name);
        }
        for a in Action::ALL {
            assert!(xml.contains(&format!("<action name=\"{a}\"")), "{a}");
        }
    }
}
