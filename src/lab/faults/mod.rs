//! The faults: each in one table, with what it does, how it is injected and how one sees that it happened.
//!
//! There is one [`heal`] for all of them, and it goes by what it finds, not by what was injected: it
//! works after a test that was killed, after two faults at once, and on a cluster that nobody broke.

mod heal;
mod inject;

use std::time::Duration;

use super::cluster::Cluster;
use super::error::{LabError, Result};
use super::observe::Observation;
use super::protocol::NodeKind;
use super::wait::{OnInterrupt, until};

pub use heal::{Healed, bring_back, forget_failures, heal, rebuild};

/// Whether acknowledged writes may be gone after a fault on an asynchronous primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The standby takes over without having been told everything: reported, not condemned.
    Possible,
    /// The old primary had time to hand everything over, or it goes on itself.
    Forbidden,
}

/// From when on the outage counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsFrom {
    /// From the moment of the injection.
    Injection,
    /// From the last good write before the interruption: an order is given while all is well, and the
    /// time that pcs itself takes to start is no outage.
    LastGoodWrite,
}

/// One kind of fault.
#[derive(Debug)]
pub struct Fault {
    /// As the command line names it.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Whether acknowledged writes may be lost when it hits the primary.
    pub loss: Loss,
    /// From when on the outage counts.
    pub counts_from: CountsFrom,
    /// How long it may take until it can be seen.
    happens_within: Duration,
    inject: fn(&Cluster, &str) -> Result<Trace>,
    happened: fn(&Cluster, &str, &Trace) -> std::result::Result<String, String>,
}

/// What injecting left to recognise the fault by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// Process ids of the node's postgres processes before.
    processes: Vec<i32>,
    /// How often the node had been booted before.
    boots: u32,
    /// Where the primary was to go.
    destination: Option<String>,
}

/// All faults.
pub const ALL: &[Fault] = &[
    Fault {
        name: "postgres-kill",
        description: "SIGKILL to every postgres process of the node at once",
        loss: Loss::Forbidden,
        counts_from: CountsFrom::Injection,
        happens_within: Duration::from_secs(10),
        inject: inject::postgres_kill,
        happened: inject::processes_are_gone,
    },
    Fault {
        name: "postgres-stop",
        description: "SIGSTOP to every postgres process: they are there and do nothing",
        loss: Loss::Forbidden,
        counts_from: CountsFrom::Injection,
        happens_within: Duration::from_secs(10),
        inject: inject::postgres_stop,
        happened: inject::processes_were_stopped,
    },
    Fault {
        name: "power-off",
        description: "the power goes and stays away until healed",
        loss: Loss::Possible,
        counts_from: CountsFrom::Injection,
        happens_within: Duration::from_secs(15),
        inject: inject::power_off,
        happened: inject::power_is_off,
    },
    Fault {
        name: "reset",
        description: "the power goes and comes back; the cluster's services stay off until healed",
        loss: Loss::Possible,
        counts_from: CountsFrom::Injection,
        happens_within: Duration::from_secs(30),
        inject: inject::reset,
        happened: inject::was_booted_again,
    },
    Fault {
        name: "shut-down",
        description: "an orderly power-off, as by an administrator: systemctl poweroff",
        loss: Loss::Forbidden,
        counts_from: CountsFrom::Injection,
        happens_within: Duration::from_secs(180),
        inject: inject::shut_down,
        happened: inject::power_is_off,
    },
    Fault {
        name: "unlink",
        description: "the network cable is pulled; the node runs on alone",
        loss: Loss::Possible,
        counts_from: CountsFrom::Injection,
        happens_within: Duration::from_secs(15),
        inject: inject::unlink,
        happened: inject::cable_is_out,
    },
    Fault {
        name: "switchover",
        description: "pcs resource move: the primary's role goes to another node by order",
        loss: Loss::Forbidden,
        counts_from: CountsFrom::LastGoodWrite,
        happens_within: Duration::from_secs(150),
        inject: inject::switchover,
        happened: inject::primary_moved,
    },
];

/// The fault of that name.
///
/// # Errors
/// When there is none; the message lists them.
pub fn by_name(name: &str) -> Result<&'static Fault> {
    ALL.iter().find(|f| f.name == name).ok_or_else(|| {
        let known: Vec<&str> = ALL.iter().map(|f| f.name).collect();
        LabError::Host(format!("there is no fault {name:?}; there are {}", known.join(", ")))
    })
}

/// The faults of a comma-separated list; `all` is every one.
///
/// # Errors
/// When a name is unknown, or the list is empty.
pub fn parse_list(list: &str) -> Result<Vec<&'static Fault>> {
    if list == "all" {
        return Ok(ALL.iter().collect());
    }
    let faults: Result<Vec<_>> =
        list.split(',').map(str::trim).filter(|w| !w.is_empty()).map(by_name).collect();
    match faults {
        Ok(none) if none.is_empty() => {
            Err(LabError::Host("no fault is named; see: quorate-lab list".to_owned()))
        }
        other => other,
    }
}

/// Which node a fault is to hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The node that Pacemaker has promoted.
    Primary,
    /// A node that Pacemaker runs as a standby.
    Standby,
    /// The quorum device's machine.
    Witness,
    /// One of the database nodes, by chance.
    Random,
    /// A node by name.
    Node(String),
}

impl Target {
    /// Reads a word of the command line; what is none of the words is a node's name.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "witness" => Self::Witness,
            "random" => Self::Random,
            node => Self::Node(node.to_owned()),
        }
    }

    /// The node that this means now; `draw` is the chance.
    ///
    /// # Errors
    /// When no node plays that role now.
    pub fn resolve(&self, seen: &Observation, draw: u64) -> Result<String> {
        let nobody = |role: &str| {
            LabError::Host(format!("no node is {role} now; look with: quorate-lab status, or name a node"))
        };
        let of_kind = |kind| seen.nodes.iter().filter(move |n| n.info.kind == kind).map(|n| &n.info.name);
        match self {
            Self::Primary => seen.primary().map(str::to_owned).ok_or_else(|| nobody("the primary")),
            Self::Standby => seen.standby().map(str::to_owned).ok_or_else(|| nobody("a standby")),
            Self::Witness => of_kind(NodeKind::Witness).next().cloned().ok_or_else(|| nobody("the witness")),
            Self::Random => {
                let names: Vec<&String> = of_kind(NodeKind::Database).collect();
                let index = usize::try_from(draw % names.len().max(1) as u64).unwrap_or(0);
                names.get(index).map(|n| (*n).clone()).ok_or_else(|| nobody("a database node"))
            }
            Self::Node(name) => Ok(name.clone()),
        }
    }
}

/// A fault that was injected. It is healed when this is dropped, unless [`Self::leave`] was called: also
/// after an error and after Ctrl-C.
#[derive(Debug)]
pub struct Injected<'a> {
    cluster: &'a Cluster,
    fault: &'static Fault,
    node: String,
    trace: Trace,
    on_drop: OnDrop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDrop {
    Heal,
    Leave,
}

impl Fault {
    /// Injects the fault into a node.
    ///
    /// # Errors
    /// When it couldn't be done; what was half done is healed.
    pub fn inject<'a>(&'static self, cluster: &'a Cluster, node: &str) -> Result<Injected<'a>> {
        let mut injected = Injected {
            cluster,
            fault: self,
            node: node.to_owned(),
            trace: Trace::default(),
            on_drop: OnDrop::Heal,
        };
        injected.trace = (self.inject)(cluster, node)?;
        Ok(injected)
    }
}

impl Injected<'_> {
    /// Waits until the fault can be seen, and says by what.
    ///
    /// # Errors
    /// When it can't be seen in time: then whatever is measured afterwards is not this fault.
    pub fn wait_happened(&self) -> Result<String> {
        let what = format!("{} on {} seen to have happened", self.fault.name, self.node);
        until(&what, self.fault.happens_within, OnInterrupt::Stop, || {
            (self.fault.happened)(self.cluster, &self.node, &self.trace)
        })
    }

    /// Leaves the fault in place.
    pub fn leave(mut self) {
        self.on_drop = OnDrop::Leave;
    }
}

impl Drop for Injected<'_> {
    fn drop(&mut self) {
        if self.on_drop == OnDrop::Heal {
            let healed = heal(self.cluster);
            for problem in healed.problems {
                eprintln!("healing {} on {}: {problem}", self.fault.name, self.node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_bad_names_are_named() {
        assert_eq!(parse_list("all").expect("all").len(), ALL.len());
        let two: Vec<&str> =
            parse_list("postgres-kill, unlink").expect("two").iter().map(|f| f.name).collect();
        assert_eq!(two, ["postgres-kill", "unlink"]);
        let error = parse_list("postgres-kill,fire").expect_err("no such fault").to_string();
        assert!(error.contains("\"fire\"") && error.contains("switchover"), "{error}");
        assert!(parse_list(",").is_err());
    }

    #[test]
    fn names_are_unique() {
        for (i, fault) in ALL.iter().enumerate() {
            assert!(ALL[i + 1..].iter().all(|other| other.name != fault.name), "{}", fault.name);
        }
    }

    #[test]
    fn words_are_roles_and_all_else_is_a_node() {
        assert_eq!(Target::parse("primary"), Target::Primary);
        assert_eq!(Target::parse("witness"), Target::Witness);
        assert_eq!(Target::parse("srv2"), Target::Node("srv2".to_owned()));
    }
}
