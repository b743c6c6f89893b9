//! What a proxy may send to this node: `/primary`, `/replica`, `/read-only` and `/health` of the HTTP endpoint.
//!
//! A fact that is missing or old says no: the proxy then knows of no primary, which costs time; a wrong yes could cost data.

use std::fmt;

use crate::cluster::clock::{BootTime, Millis};
use crate::cluster::health::{Answer, Health, InstanceHealth, Postmaster};
use crate::pg::instance::Phase;
use crate::pg::role::PgRole;
use crate::pg::statistics::Statistics;

/// `quorated` looks twice a second: older than this its facts are not used. As long as quorated itself believes votequorum's last word,
/// and the second that a busy machine may need.
pub const FRESH_MS: Millis = 3_000;
/// A server is asked once a second, and has 2.5 s to answer. It may be busy: it can't change its role without a new postmaster, which is
/// seen at once, or a promotion, which is recorded first.
pub const ANSWER_FRESH_MS: Millis = 6_000;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Check {
    /// May it take writes?
    Primary,
    /// May it take reads that tolerate this lag?
    Replica(Option<Limit>),
    /// Either.
    ReadOnly(Option<Limit>),
    /// Is it what it is to be, on a node that has the quorum?
    Health,
}

/// The most lag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    Bytes(u64),
    Seconds(f64),
}

/// What is known of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// `quorated` tells nothing, or nothing lately.
    Unknown,
    /// It resets itself, or is being fenced.
    Ending,
    NoQuorum,
    QuorumUnknown,
    Quorate,
}

/// What the server said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing, or nothing lately, or an error.
    Nothing,
    Primary,
    /// In recovery, streaming, within the limit where there is one.
    Streams,
    /// In recovery, streaming, and further behind than the limit.
    Behind,
    /// In recovery, and nobody tells how far behind it is.
    LagUnknown,
}

/// The facts of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub node: Node,
    pub recorded: PgRole,
    pub phase: Phase,
    pub postmaster: Postmaster,
    pub said: Said,
}

/// The verdict: `Ok`, it may.
pub type Verdict = Result<Yes, No>;

/// As what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yes {
    Primary,
    Standby,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    NodeUnknown,
    NodeEnding,
    NoQuorum,
    QuorumUnknown,
    Stopping,
    PostmasterGone,
    PostmasterStopped,
    PostmasterUnknown,
    NoAnswer,
    NotPromoted,
    BeingPromoted,
    Standby,
    Primary,
    Behind,
    LagUnknown,
}

impl fmt::Display for Yes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
        })
    }
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NodeUnknown => "quorated has told nothing lately: systemctl status quorated",
            Self::NodeEnding => "this node is being reset",
            Self::NoQuorum => "this node has no quorum",
            Self::QuorumUnknown => "corosync does not tell whether this node has the quorum",
            Self::Stopping => "Pacemaker stops or demotes it",
            Self::PostmasterGone => "its postmaster has ended",
            Self::PostmasterStopped => "its postmaster is stopped by a signal",
            Self::PostmasterUnknown => "its postmaster is not known",
            Self::NoAnswer => "PostgreSQL does not answer",
            Self::NotPromoted => "it takes writes and Pacemaker did not promote it",
            Self::BeingPromoted => "it is being promoted",
            Self::Standby => "a standby",
            Self::Primary => "a primary",
            Self::Behind => "it lags behind more than that",
            Self::LagUnknown => "it does not stream: its lag is not known",
        })
    }
}

impl Node {
    /// All of them.
    pub const ALL: [Node; 5] =
        [Node::Unknown, Node::Ending, Node::NoQuorum, Node::QuorumUnknown, Node::Quorate];

    /// By what `quorated` tells; `None`: nothing.
    #[must_use]
    pub fn of(health: Option<&Health>, now: BootTime) -> Node {
        let Some(health) = health.filter(|h| is_fresh(h.looked, now, FRESH_MS)) else { return Node::Unknown };
        let quorum = health.quorum.filter(|q| is_fresh(q.at, now, FRESH_MS));
        match (&health.ending, quorum.map(|q| q.quorate)) {
            (Some(_), _) => Node::Ending,
            (None, None) => Node::QuorumUnknown,
            (None, Some(false)) => Node::NoQuorum,
            (None, Some(true)) => Node::Quorate,
        }
    }
}

/// A moment that is still to come is of another boot.
fn is_fresh(at: BootTime, now: BootTime, limit: Millis) -> bool {
    now.checked_since(at).is_some_and(|age| age <= limit)
}

impl Said {
    /// All of them.
    pub const ALL: [Said; 5] = [Said::Nothing, Said::Primary, Said::Streams, Said::Behind, Said::LagUnknown];

    /// By the server's last answer.
    #[must_use]
    pub fn of(instance: &InstanceHealth, limit: Option<Limit>, now: BootTime) -> Said {
        let answer = instance.answer.as_ref().filter(|a| is_fresh(a.at, now, ANSWER_FRESH_MS));
        let Some(Ok(said)) = answer.map(|a| a.said.as_ref()) else { return Said::Nothing };
        if said.role == PgRole::Primary {
            return Said::Primary;
        }
        let within = match limit {
            None => said.lag_bytes().map(|_| true),
            Some(Limit::Bytes(most)) => said.lag_bytes().map(|lag| lag <= most),
            Some(Limit::Seconds(most)) => said.lag_seconds().map(|lag| lag <= most),
        };
        match within {
            None => Said::LagUnknown,
            Some(true) => Said::Streams,
            Some(false) => Said::Behind,
        }
    }
}

impl Check {
    /// The most lag that it allows.
    #[must_use]
    pub const fn limit(self) -> Option<Limit> {
        match self {
            Self::Primary | Self::Health => None,
            Self::Replica(limit) | Self::ReadOnly(limit) => limit,
        }
    }
}

impl Facts {
    /// Of an instance, for a check.
    #[must_use]
    pub fn of(check: Check, node: Node, instance: &InstanceHealth, now: BootTime) -> Facts {
        let InstanceHealth { role: recorded, phase, postmaster, .. } = *instance;
        Facts { node, recorded, phase, postmaster, said: Said::of(instance, check.limit(), now) }
    }
}

/// Decides.
pub fn decide(check: Check, facts: &Facts) -> Verdict {
    match check {
        Check::Primary => primary(facts),
        Check::Replica(limit) => replica(limit, facts),
        Check::ReadOnly(limit) => primary(facts).or_else(|_| replica(limit, facts)),
        Check::Health => quorum(facts.node).and_then(|()| match facts.recorded {
            PgRole::Primary => primary(facts),
            PgRole::Standby => replica(None, facts),
        }),
    }
}

fn primary(facts: &Facts) -> Verdict {
    quorum(facts.node)?;
    runs(facts)?;
    match (facts.recorded, facts.said) {
        (_, Said::Nothing) => Err(No::NoAnswer),
        (PgRole::Primary, Said::Primary) => Ok(Yes::Primary),
        (PgRole::Standby, Said::Primary) => Err(No::NotPromoted),
        (PgRole::Primary, Said::Streams | Said::Behind | Said::LagUnknown) => Err(No::BeingPromoted),
        (PgRole::Standby, Said::Streams | Said::Behind | Said::LagUnknown) => Err(No::Standby),
    }
}

fn replica(limit: Option<Limit>, facts: &Facts) -> Verdict {
    match (limit, facts.node) {
        (_, Node::Unknown) => return Err(No::NodeUnknown),
        (_, Node::Ending) => return Err(No::NodeEnding),
        // Cut off from the primary it does not know what it lacks.
        (Some(_), node) => quorum(node)?,
        (None, Node::NoQuorum | Node::QuorumUnknown | Node::Quorate) => {}
    }
    runs(facts)?;
    match (facts.recorded, facts.said, limit) {
        (_, Said::Nothing, _) => Err(No::NoAnswer),
        (PgRole::Primary, Said::Primary, _) => Err(No::Primary),
        (PgRole::Standby, Said::Primary, _) => Err(No::NotPromoted),
        (PgRole::Primary, Said::Streams | Said::Behind | Said::LagUnknown, _) => Err(No::BeingPromoted),
        (PgRole::Standby, Said::Streams, _) => Ok(Yes::Standby),
        (PgRole::Standby, Said::Behind | Said::LagUnknown, None) => Ok(Yes::Standby),
        (PgRole::Standby, Said::Behind, Some(_)) => Err(No::Behind),
        (PgRole::Standby, Said::LagUnknown, Some(_)) => Err(No::LagUnknown),
    }
}

const fn quorum(node: Node) -> Result<(), No> {
    match node {
        Node::Unknown => Err(No::NodeUnknown),
        Node::Ending => Err(No::NodeEnding),
        Node::NoQuorum => Err(No::NoQuorum),
        Node::QuorumUnknown => Err(No::QuorumUnknown),
        Node::Quorate => Ok(()),
    }
}

const fn runs(facts: &Facts) -> Result<(), No> {
    match (facts.phase, facts.postmaster) {
        (Phase::Stopping, _) => Err(No::Stopping),
        (Phase::Running, Postmaster::Gone) => Err(No::PostmasterGone),
        (Phase::Running, Postmaster::Stopped) => Err(No::PostmasterStopped),
        (Phase::Running, Postmaster::Unknown) => Err(No::PostmasterUnknown),
        (Phase::Running, Postmaster::Runs) => Ok(()),
    }
}

/// How a question to a server ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    Answered(Statistics),
    /// Not in time, which a busy server's is as well.
    Silent(String),
    /// All its connections are taken: it works.
    Full(String),
    /// It does not listen, or says no.
    Failed(String),
}

/// What is told of the same postmaster from now on. A proxy that took a busy or full primary for a dead one would close all its sessions.
#[must_use]
pub fn heard(before: Option<Answer>, at: BootTime, asked: Asked) -> Answer {
    match (asked, before) {
        (Asked::Answered(said), _) => Answer { at, said: Ok(said) },
        // What it said last counts by its age.
        (Asked::Silent(_), Some(before))
            if before.said.is_ok() && is_fresh(before.at, at, ANSWER_FRESH_MS) =>
        {
            before
        }
        // A primary stays one for as long as its postmaster lives; a standby's lag is another one by now.
        (Asked::Full(_), Some(Answer { said: Ok(said), .. })) if said.role == PgRole::Primary => {
            Answer { at, said: Ok(said) }
        }
        (Asked::Silent(why) | Asked::Full(why) | Asked::Failed(why), _) => Answer { at, said: Err(why) },
    }
}

/// `lag=`: bytes, with kB, MB, GB, TB as PostgreSQL reads them, or seconds with ms, s, min, h.
///
/// # Errors
/// It is neither: what it is.
pub fn limit(text: &str) -> Result<Limit, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let wrong = || {
        let shown: String = text.chars().take(32).collect();
        format!("lag={shown:?} is no lag: give bytes (16MB, 1048576) or time (10s, 500ms, 2min)")
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let bytes = |shift: u32| Ok(Limit::Bytes(u64::from(number) << shift));
    let seconds = |factor: f64| Ok(Limit::Seconds(f64::from(number) * factor));
    match unit {
        "" | "B" => bytes(0),
        "kB" => bytes(10),
        "MB" => bytes(20),
        "GB" => bytes(30),
        "ms" => seconds(0.001),
        "s" => seconds(1.0),
        "min" => seconds(60.0),
        "h" => seconds(3600.0),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests;
