//! May this node announce that it fences itself?
//!
//! Who reads a self-fencing notice goes on at once, long before the watchdog's time: it is believed that no process of an instance is
//! left there, and that none will be started before a reboot. So it is sent only where that is so; without it the others wait.

use std::fmt;
use std::time::Duration;

/// What is known when PostgreSQL was ended, and before the reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub postgres: Postgres,
    pub marker: Marker,
    pub instances: Instances,
    /// Resources that may run here and that only the reset ends; `None`: not known.
    pub foreign: Option<Vec<String>>,
    /// The reset follows a notice within this time.
    pub within: Duration,
}

/// What is left of the instances whose processes were killed; the worst of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Postgres {
    /// Nothing.
    Gone,
    /// Processes that wait for a device, with a SIGKILL pending: they never run another instruction of their program.
    Pending,
    /// Some that still may run.
    Alive,
    /// It could not be looked at.
    Unknown,
}

impl Postgres {
    pub const ALL: [Postgres; 4] = [Postgres::Gone, Postgres::Pending, Postgres::Alive, Postgres::Unknown];

    /// Whether no process will ever run again.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        match self {
            Postgres::Gone | Postgres::Pending => true,
            Postgres::Alive | Postgres::Unknown => false,
        }
    }

    /// For the tables in the documents.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Postgres::Gone => "gone",
            Postgres::Pending => "killed, waits for a device",
            Postgres::Alive => "may still run",
            Postgres::Unknown => "unknown",
        }
    }
}

/// The file that keeps the agent from starting anything before a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Marker {
    Written,
    NotWritten,
}

/// The instances that the agent has recorded on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instances {
    NotRead,
    /// All of them were ended.
    Ended,
    /// One was not among those that were ended.
    Another(String),
    /// A record can't be read, and why: there may be another one.
    Unreadable(String),
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Read the agent's records, then decide again.
    ReadInstances,
    /// Send it, with these terms; the reset has to follow in time.
    Send(Terms),
    Withhold(Reason),
}

/// What the notice promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub within: Duration,
    /// Who reads it waits for the reset where these are unknown, or some.
    pub foreign: Option<Vec<String>>,
}

/// Why the others are told nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Something of PostgreSQL may still write.
    Postgres,
    /// The agent may start one.
    Marker,
    AnotherInstance(String),
    InstancesUnreadable(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Postgres => f.write_str("some of PostgreSQL may still write"),
            Reason::Marker => f.write_str("the agent can't be told, and may start PostgreSQL"),
            Reason::AnotherInstance(resource) => write!(f, "{resource} was not ended"),
            Reason::InstancesUnreadable(why) => write!(f, "an instance is not known: {why}"),
        }
    }
}

/// Decides.
#[must_use]
pub fn decide(facts: &Facts) -> Verdict {
    match (facts.postgres.is_ended(), facts.marker, &facts.instances) {
        (false, _, _) => Verdict::Withhold(Reason::Postgres),
        (true, Marker::NotWritten, _) => Verdict::Withhold(Reason::Marker),
        (true, Marker::Written, Instances::NotRead) => Verdict::ReadInstances,
        (true, Marker::Written, Instances::Another(resource)) => {
            Verdict::Withhold(Reason::AnotherInstance(resource.clone()))
        }
        (true, Marker::Written, Instances::Unreadable(why)) => {
            Verdict::Withhold(Reason::InstancesUnreadable(why.clone()))
        }
        (true, Marker::Written, Instances::Ended) => {
            Verdict::Send(Terms { within: facts.within, foreign: facts.foreign.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_sent_only_while_it_is_true() {
        let (within, mut count) = (Duration::from_millis(300), 0);
        for postgres in Postgres::ALL {
            for marker in [Marker::Written, Marker::NotWritten] {
                for instances in [
                    Instances::NotRead,
                    Instances::Ended,
                    Instances::Another("other".into()),
                    Instances::Unreadable("EIO".into()),
                ] {
                    for foreign in [None, Some(Vec::new()), Some(vec!["web".to_owned()])] {
                        let facts = Facts {
                            postgres,
                            marker,
                            instances: instances.clone(),
                            foreign: foreign.clone(),
                            within,
                        };
                        let ended = matches!(postgres, Postgres::Gone | Postgres::Pending);
                        let verdict = decide(&facts);
                        let kept = ended && marker == Marker::Written;
                        assert_eq!(
                            verdict == Verdict::ReadInstances,
                            kept && instances == Instances::NotRead
                        );
                        match verdict {
                            Verdict::Send(terms) => {
                                assert!(kept && instances == Instances::Ended, "{facts:?}");
                                assert_eq!(terms, Terms { within, foreign }, "{facts:?}");
                                count += 1;
                            }
                            Verdict::Withhold(why) => assert!(!why.to_string().is_empty(), "{facts:?}"),
                            Verdict::ReadInstances => {}
                        }
                    }
                }
            }
        }
        assert_eq!(count, 6, "two ends of PostgreSQL, three of what else may run");
    }
}
