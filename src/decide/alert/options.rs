//! To whom an alert goes, and how: the recipient's value and the options, as an operator wrote them with pcs.

use std::collections::BTreeSet;

use super::message::{Environment, Event};

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Syslog,
    /// By sendmail.
    Mail(String),
    /// A program, by its path.
    Command(String),
    /// An address to which it is posted.
    Webhook(String),
}

/// A recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub target: Target,
    pub events: BTreeSet<Event>,
    /// Seconds that one message may take.
    pub deadline_s: u64,
    pub mail_from: Option<String>,
    /// The file whose first line is the bearer token of a webhook.
    pub token_file: Option<String>,
}

/// What is wrong with them. A webhook's address may be a secret: it is never shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    #[error(
        "the recipient {0:?} is none of syslog, mail:ADDRESS, command:/PATH, https://… : pcs alert recipient update ID value=…"
    )]
    Recipient(String),
    #[error("the recipient mail:{0} is no mail address of the form name@host")]
    Address(String),
    #[error("the recipient command:{0} is no absolute path without control characters")]
    Path(String),
    #[error(
        "the recipient's address of a webhook has no host, or characters that an address must not have, or user and password: those belong into a file, option token_file"
    )]
    Url,
    #[error(
        "the option events has {0:?}, which is none of primary, role, failure, fencing, node, redundancy, safe-mode, rejoin, pause"
    )]
    Events(String),
    #[error("the option deadline is {0:?}: a number of seconds from 1 to {LONGEST_S}")]
    Deadline(String),
    #[error("the option mail_from is {0:?}, which is no mail address of the form name@host")]
    From(String),
    #[error("the option token_file is {0:?}, which is no absolute path")]
    TokenFile(String),
}

/// Pacemaker's own limit is 30 s, and it includes what is looked at before.
pub const LONGEST_S: u64 = 15;
/// Without the option: a server that is well answers within a second.
const USUAL_S: u64 = 5;

impl Options {
    /// Reads them.
    ///
    /// # Errors
    /// One of them is wrong.
    pub fn read(environment: &Environment) -> Result<Self, OptionsError> {
        let get = |name: &str| environment.get(name).map(|value| value.trim()).filter(|v| !v.is_empty());
        let target = target(get("CRM_alert_recipient").unwrap_or("syslog"))?;
        let deadline_s = match get("deadline") {
            None => USUAL_S,
            Some(text) => {
                let number = text.strip_suffix('s').unwrap_or(text).parse().ok();
                let number = number.filter(|n| (1..=LONGEST_S).contains(n));
                number.ok_or_else(|| OptionsError::Deadline(text.to_owned()))?
            }
        };
        let mail_from = get("mail_from").map(|text| {
            if is_address(text) { Ok(text.to_owned()) } else { Err(OptionsError::From(text.to_owned())) }
        });
        let token_file = get("token_file").map(|text| {
            if is_path(text) { Ok(text.to_owned()) } else { Err(OptionsError::TokenFile(text.to_owned())) }
        });
        Ok(Self {
            target,
            events: events(get("events"))?,
            deadline_s,
            mail_from: mail_from.transpose()?,
            token_file: token_file.transpose()?,
        })
    }

    /// Whether this recipient hears of it.
    #[must_use]
    pub fn wants(&self, event: Event) -> bool {
        // A role that was given up is for what follows it, not for people: they are told of the promotion.
        let is_for = event != Event::Role || matches!(self.target, Target::Command(_));
        is_for && self.events.contains(&event)
    }
}

fn events(text: Option<&str>) -> Result<BTreeSet<Event>, OptionsError> {
    let Some(text) = text else { return Ok(Event::ALL.into_iter().collect()) };
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let event = |word: &str| {
        let event = Event::ALL.into_iter().find(|event| event.name() == word);
        event.ok_or_else(|| OptionsError::Events(word.to_owned()))
    };
    let found = words.map(event).collect::<Result<BTreeSet<Event>, _>>()?;
    if found.is_empty() { Err(OptionsError::Events(text.to_owned())) } else { Ok(found) }
}

fn target(text: &str) -> Result<Target, OptionsError> {
    if text == "syslog" {
        return Ok(Target::Syslog);
    }
    if let Some(address) = text.strip_prefix("mail:") {
        let address = address.trim();
        return if is_address(address) {
            Ok(Target::Mail(address.to_owned()))
        } else {
            Err(OptionsError::Address(address.to_owned()))
        };
    }
    if let Some(path) = text.strip_prefix("command:") {
        return if is_path(path) {
            Ok(Target::Command(path.to_owned()))
        } else {
            Err(OptionsError::Path(path.to_owned()))
        };
    }
    if let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_plain = rest.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\{}[]<>`^|".contains(&b));
        return if is_plain && !host.is_empty() && !host.contains('@') && !host.starts_with(['-', ':']) {
            Ok(Target::Webhook(text.to_owned()))
        } else {
            Err(OptionsError::Url)
        };
    }
    let shown = text.split_once("://").map_or(text.to_owned(), |(scheme, _)| format!("{scheme}://…"));
    Err(OptionsError::Recipient(shown))
}

/// A local user's name, or `name@host`; nothing that a mail program could take for an option, a header or a shell's word.
fn is_address(text: &str) -> bool {
    let is_local = |c: char| c.is_ascii_alphanumeric() || "._+-=".contains(c);
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let fits =
        |part: &str, is: fn(char) -> bool| !part.is_empty() && !part.starts_with('-') && part.chars().all(is);
    text.len() < 255
        && match text.split_once('@') {
            Some((name, host)) => fits(name, is_local) && fits(host, is_host),
            None => fits(text, is_local),
        }
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() > 1 && !text.chars().any(char::is_control)
}
