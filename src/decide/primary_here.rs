//! Whether this node has what an even split should keep: the quorum device's heuristics.
//!
//! With heuristics, corosync-qnetd's ffsplit gives its vote to that half in which more nodes pass. A node can only pass or fail, so
//! that what several instances say has to be one word: the node passes where at least half of its instances are primaries that
//! are well. With the same number on both sides both pass, and the tie breaker decides, as without heuristics.

use std::fmt;

use super::disk::Disk;
use super::facts::RunState;
use crate::pg::instance::Phase;
use crate::pg::role::PgRole;
use crate::pg::view::{Answer, Rejection};

/// One instance as this node alone can tell.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalInstance {
    /// Pacemaker's name of the resource.
    pub resource: String,
    /// `Err`: the agent's word of it can't be read, and why.
    pub told: Result<Told, String>,
}

/// What the agent left word of, and what was seen of it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub role: PgRole,
    pub phase: Phase,
    /// The postmaster; `None`: that very process is over.
    pub postmaster: Option<RunState>,
    /// What the agent's last trial write showed.
    pub disk: Disk,
    /// `None`: not asked.
    pub answer: Option<Answer>,
}

impl Told {
    /// Whether the server's answer could make a primary of it that is well.
    #[must_use]
    pub fn is_worth_asking(&self) -> bool {
        self.obstacle().is_none()
    }

    /// What rules it out, whatever the server would say.
    fn obstacle(&self) -> Option<String> {
        match (self.role, self.phase, self.postmaster) {
            (PgRole::Standby, _, _) => Some("a standby".to_owned()),
            (PgRole::Primary, Phase::Stopping, _) => Some("a primary that is being stopped".to_owned()),
            (PgRole::Primary, Phase::Running, None) => Some("a primary whose postmaster is gone".to_owned()),
            (PgRole::Primary, Phase::Running, Some(RunState::Stopped)) => {
                Some("a primary whose postmaster is stopped (SIGSTOP, or a debugger)".to_owned())
            }
            // A moment in state D is usual; one that stays there does not answer.
            (PgRole::Primary, Phase::Running, Some(RunState::Running | RunState::Uninterruptible)) => {
                (!self.disk.is_fit()).then(|| format!("a primary whose disk is {}", self.disk.text()))
            }
        }
    }

    /// `Ok`: a primary that is well.
    fn health(&self) -> Result<(), String> {
        if let Some(obstacle) = self.obstacle() {
            return Err(obstacle);
        }
        match &self.answer {
            // All its connections are in use: it works for somebody.
            Some(Answer::Primary(_) | Answer::Rejects(Rejection::TooManyConnections)) => Ok(()),
            Some(Answer::Standby(_)) => Err("still in recovery: it is being promoted".to_owned()),
            Some(Answer::Rejects(why)) => Err(format!("a primary that refuses: {why}")),
            Some(Answer::Silent { after }) => Err(format!("a primary that was silent for {after:.1?}")),
            Some(Answer::Refused) => Err("a primary on whose socket nobody listens".to_owned()),
            Some(Answer::Unusable(why)) => Err(format!("a primary that can't be asked: {why}")),
            None => Err("a primary that was not asked".to_owned()),
        }
    }
}

/// What the heuristics say of this node, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An even split should keep this side.
    Here(String),
    /// Nothing speaks for this side.
    NotHere(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(why) => write!(f, "pass: {why}"),
            Self::NotHere(why) => write!(f, "fail: {why}"),
        }
    }
}

/// Judges the instances that the agent runs on this node.
#[must_use]
pub fn decide(instances: &[LocalInstance]) -> Verdict {
    if instances.is_empty() {
        return Verdict::NotHere("no instance runs here".to_owned());
    }
    let mut well = 0;
    let mut words = Vec::new();
    for instance in instances {
        let health = instance.told.as_ref().map_err(Clone::clone).and_then(Told::health);
        well += usize::from(health.is_ok());
        let word = health.err().unwrap_or_else(|| "a primary that is well".to_owned());
        words.push(format!("{} is {word}", instance.resource));
    }
    let why = words.join("; ");
    if well > 0 && 2 * well >= instances.len() { Verdict::Here(why) } else { Verdict::NotHere(why) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::samples::timeline;
    use crate::pg::lsn::Lsn;
    use crate::pg::view::{PrimaryView, StandbyView};
    use std::time::Duration;

    fn primary() -> Answer {
        Answer::Primary(PrimaryView {
            lsn: Lsn(0x300_0000),
            timeline: timeline(1),
            synchronous_standby_names: String::new(),
            standbys: Vec::new(),
        })
    }

    fn standby() -> Answer {
        Answer::Standby(StandbyView {
            received: Some(Lsn(0x300_0000)),
            replayed: Some(Lsn(0x300_0000)),
            receiver: None,
            streams_to: Vec::new(),
            primary_conninfo: None,
            is_paused: false,
        })
    }

    fn told() -> Told {
        Told {
            role: PgRole::Primary,
            phase: Phase::Running,
            postmaster: Some(RunState::Running),
            disk: Disk::Sound,
            answer: Some(primary()),
        }
    }

    fn local(resource: &str, told: Told) -> LocalInstance {
        LocalInstance { resource: resource.to_owned(), told: Ok(told) }
    }

    fn passes(all: &[Told]) -> bool {
        let instances: Vec<LocalInstance> = all.iter().map(|t| local("pgsqld", t.clone())).collect();
        matches!(decide(&instances), Verdict::Here(_))
    }

    /// Each line changes one fact of a primary that is well.
    #[test]
    fn one_instance() {
        let change = |change: fn(&mut Told)| {
            let mut told = told();
            change(&mut told);
            told
        };
        let silent = |t: &mut Told| t.answer = Some(Answer::Silent { after: Duration::from_millis(700) });
        let crowded = |t: &mut Told| t.answer = Some(Answer::Rejects(Rejection::TooManyConnections));
        let starting = |t: &mut Told| t.answer = Some(Answer::Rejects(Rejection::StartingUp));
        let table: [(&str, bool, Told); 14] = [
            ("well", true, told()),
            ("all its connections are in use", true, change(crowded)),
            (
                "its postmaster waits for a device this moment",
                true,
                change(|t| t.postmaster = Some(RunState::Uninterruptible)),
            ),
            ("its disk is slow", true, change(|t| t.disk = Disk::Slow)),
            ("standby", false, change(|t| (t.role, t.answer) = (PgRole::Standby, Some(standby())))),
            ("a standby that says it is a primary", false, change(|t| t.role = PgRole::Standby)),
            ("being promoted", false, change(|t| t.answer = Some(standby()))),
            ("being stopped", false, change(|t| t.phase = Phase::Stopping)),
            ("its postmaster is gone", false, change(|t| t.postmaster = None)),
            ("its postmaster is stopped", false, change(|t| t.postmaster = Some(RunState::Stopped))),
            ("its disk is stuck", false, change(|t| t.disk = Disk::Stuck)),
            ("silent", false, change(silent)),
            ("starting up", false, change(starting)),
            ("not asked", false, change(|t| t.answer = None)),
        ];
        for (what, expected, told) in table {
            assert_eq!(passes(&[told]), expected, "{what}");
        }
    }

    #[test]
    fn several_instances() {
        let well = told;
        let other = || Told { role: PgRole::Standby, answer: None, ..told() };
        let frozen = || Told { postmaster: Some(RunState::Stopped), answer: None, ..told() };
        let table: [(&str, bool, Vec<Told>); 7] = [
            ("crosswise: so does the other side", true, vec![well(), other()]),
            ("crosswise, and its own hangs", false, vec![frozen(), other()]),
            ("both are here", true, vec![well(), well()]),
            ("both are elsewhere", false, vec![other(), other()]),
            ("one of three", false, vec![well(), other(), other()]),
            ("two of three", true, vec![well(), well(), other()]),
            ("two of three, of which one hangs", false, vec![well(), frozen(), other()]),
        ];
        for (what, expected, all) in table {
            assert_eq!(passes(&all), expected, "{what}");
        }
    }

    #[test]
    fn what_is_not_known_speaks_for_nobody_and_is_told() {
        assert_eq!(decide(&[]), Verdict::NotHere("no instance runs here".into()));
        let unread = LocalInstance { resource: "pg-b".into(), told: Err("not known: no JSON".into()) };
        assert!(matches!(decide(std::slice::from_ref(&unread)), Verdict::NotHere(_)));
        let both = decide(&[local("pg-a", told()), unread]);
        assert_eq!(both.to_string(), "pass: pg-a is a primary that is well; pg-b is not known: no JSON");
    }

    #[test]
    fn who_can_not_pass_is_not_asked() {
        assert!(Told { answer: None, ..told() }.is_worth_asking());
        assert!(!Told { role: PgRole::Standby, ..told() }.is_worth_asking());
        assert!(!Told { postmaster: Some(RunState::Stopped), ..told() }.is_worth_asking());
        assert!(!Told { disk: Disk::Full, ..told() }.is_worth_asking());
    }
}
