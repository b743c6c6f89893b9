//! What goes over the control socket: one JSON object a line, one answer for each request, in order.

pub use super::plan::NodeKind;

use super::delay::Delay;
use super::description::Description;
use super::sharing::Neighbour;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Whether the node's machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    On,
    Off,
}

/// Whether the node's network cable is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cable {
    Linked,
    Unlinked,
}

/// The share of packets that a node's cables lose, in per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Impairment {
    /// Of those that the node sends.
    pub leaving: u8,
    /// Of those that are sent to it.
    pub arriving: u8,
}

impl Impairment {
    /// A good cable.
    pub const NONE: Self = Self { leaving: 0, arriving: 0 };
}

/// Whether the node's processes get the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    Running,
    Frozen,
}

/// The state of the emulated watchdog device of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watchdog {
    /// Nobody opened it, or it was closed in the orderly way.
    #[default]
    Idle,
    /// It is armed: without a keepalive within its timeout the node is reset.
    Armed,
}

/// A node has two watchdog devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// `/dev/watchdog`
    Sbd,
    /// `/dev/watchdog1`: nobody opens it before quorated's configuration names it.
    Quorated,
}

/// One node as the supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// The node's host name, as Pacemaker knows it too.
    pub name: String,
    /// Its own address on the clients' network (not a float IP).
    pub address: IpAddr,
    pub kind: NodeKind,
    pub power: Power,
    pub cable: Cable,
    #[serde(default)]
    pub impairment: Impairment,
    /// Machines that no packet reaches from here, and none comes from, though all cables are good.
    #[serde(default)]
    pub apart_from: Vec<String>,
    /// How slow its cables are.
    #[serde(default)]
    pub delay: Option<Delay>,
    /// Packets that were held back by it.
    #[serde(default)]
    pub late_packets: u64,
    /// Packets that were lost by it.
    #[serde(default)]
    pub lost_packets: u64,
    pub activity: Activity,
    pub watchdog: Watchdog,
    /// That of [`Owner::Quorated`].
    #[serde(default)]
    pub second_watchdog: Watchdog,
    /// The process id, on the host, of the node's init. None when it is off.
    pub leader: Option<i32>,
    /// How often the node was booted since `up`.
    pub boots: u32,
    /// The node's cgroups on the host (one in each hierarchy; the freezer's is among them).
    pub cgroups: Vec<PathBuf>,
}

/// A moment on the host's clocks, comparable between processes on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// CLOCK_MONOTONIC in microseconds.
    pub monotonic_us: u64,
    /// Microseconds since 1970, UTC.
    pub wall_us: u64,
}

impl Stamp {
    /// The present moment.
    pub fn now() -> Stamp {
        let us = |id| {
            nix::time::clock_gettime(id)
                .map(|t| (Duration::from(t)).as_micros().try_into().unwrap_or(u64::MAX))
                .unwrap_or(0)
        };
        Stamp {
            monotonic_us: us(nix::time::ClockId::CLOCK_MONOTONIC),
            wall_us: us(nix::time::ClockId::CLOCK_REALTIME),
        }
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(&self, earlier: &Stamp) -> Duration {
        Duration::from_micros(self.monotonic_us.saturating_sub(earlier.monotonic_us))
    }
}

/// What happened to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Happening {
    /// The node's init was started.
    Booted,
    /// The node's last process is gone (whatever the cause).
    PowerLost { cause: PowerLoss },
    /// A watchdog was opened and armed; the timeout in milliseconds.
    WatchdogArmed { of: Owner, timeout_ms: u64 },
    /// A watchdog was closed in the orderly way.
    WatchdogDisarmed { of: Owner },
    /// A watchdog was not kept alive in time. The power cut follows at once.
    WatchdogExpired { of: Owner },
    /// A process inside asked for a reset (reboot(2) by sbd).
    ResetRequested,
    /// The cable was pulled.
    Unlinked,
    /// The cable was put in again.
    Linked,
    /// Its cables lose packets from now on, or no more.
    Impaired { by: Impairment },
    /// Its cables are slow from now on, or no more.
    Delayed { by: Option<Delay> },
    /// The network between it and these is broken.
    Parted { from: Vec<String> },
    /// It reaches everybody again.
    Reunited,
    /// All processes were stopped.
    Frozen,
    /// All processes were stopped, and the watchdogs' clocks with them.
    Paused,
    /// All processes go on.
    Thawed,
}

/// Why a node lost its power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerLoss {
    /// The lab's user cut it (power-off or reset).
    Cut,
    /// The watchdog cut it (expiry, or sbd asked for a reset).
    Watchdog,
    /// The node shut itself down or rebooted.
    Itself,
}

/// An entry of the supervisor's log of happenings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub node: String,
    pub at: Stamp,
    #[serde(flatten)]
    pub happening: Happening,
}

/// What was brought up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// The cluster's name in the lab (`--name`).
    pub name: String,
    /// "packed", "classic", …
    pub layout: String,
    /// The Debian suite of the nodes.
    pub suite: String,
    /// The PostgreSQL resource agent: "quorate" or "paf".
    pub agent: String,
    /// The set of timings: "default", "fast" or "paf".
    pub timing: String,
    /// The supervisor's process id.
    pub supervisor: i32,
    /// Whether `up` has finished.
    pub phase: Phase,
    /// The cluster that runs the witness, when it isn't this one.
    pub lender: Option<String>,
    /// The clusters that use this one's witness.
    pub borrowers: Vec<String>,
    /// When the supervisor started.
    pub since: Stamp,
}

/// How far `up` came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// `up` still works on it; when `up` dies now, everything is removed.
    SettingUp,
    /// The cluster is ready.
    Up,
    /// `down` is at work.
    GoingDown,
}

/// What a client asks of the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Request {
    /// → [`Answer::Info`]
    Info,
    /// → [`Answer::Nodes`]
    Nodes,
    /// → [`Answer::Events`]
    Events,
    /// → [`Answer::Site`]
    Site,
    /// Whether this cluster could borrow the witness; an [`Answer::Failed`] says why not.
    MayBorrow {
        newcomer: Neighbour,
    },
    /// → [`Answer::Lent`]. The witness is borrowed as long as this connection is open.
    Borrow {
        newcomer: Neighbour,
    },
    PowerOff {
        node: String,
    },
    PowerOn {
        node: String,
    },
    Reset {
        node: String,
    },
    Unlink {
        node: String,
    },
    Link {
        node: String,
    },
    Impair {
        node: String,
        by: Impairment,
    },
    Delay {
        node: String,
        by: Option<Delay>,
    },
    /// No packet goes between the one side and the other any more; everybody else reaches both.
    Part {
        sides: [Vec<String>; 2],
    },
    /// The network is whole again.
    Reunite,
    Freeze {
        node: String,
    },
    Thaw {
        node: String,
    },
    /// Processes and watchdogs stand still for so long.
    Pause {
        node: String,
        ms: u64,
    },
    /// From now on the cluster goes down when this connection closes before [`Request::Ready`].
    Hold,
    /// Power all nodes off, keep their disks as they are now in this new directory, and go on from there with fresh
    /// disks on top. What happened so far is forgotten: the nodes have never been on.
    Keep {
        prepared: PathBuf,
    },
    /// `up` has finished: the cluster stays.
    Ready,
    /// Remove everything and end. Answered when all is gone. Refused while others use the witness.
    Down,
}

/// What the supervisor answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Answer {
    Done,
    Info {
        info: ClusterInfo,
    },
    Nodes {
        nodes: Vec<NodeInfo>,
    },
    Events {
        events: Vec<Event>,
    },
    Site {
        description: Description,
    },
    /// The address at which the borrower's client may stand in the common network.
    Lent {
        client: IpAddr,
    },
    Failed {
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_wire() {
        for request in [Request::Info, Request::PowerOff { node: "srv1".into() }, Request::Down] {
            let line = serde_json::to_string(&request).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        }
    }

    #[test]
    fn events_survive_the_wire() {
        let event = Event {
            node: "srv1".into(),
            at: Stamp::now(),
            happening: Happening::PowerLost { cause: PowerLoss::Watchdog },
        };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
