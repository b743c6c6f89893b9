//! An instance as the agent leaves word of it, for whatever else on the node has to know without asking: `quorated`, and the
//! quorum device's heuristics.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::role::PgRole;

/// Identity of a process: a pid is used again, a pid with a start time is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process id.
    pub pid: i32,
    /// Clock ticks after boot (field 22 of /proc/PID/stat).
    pub start_time: u64,
}

impl std::fmt::Display for ProcessId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pid.fmt(f)
    }
}

/// An instance that the agent runs on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Pacemaker's name of the resource, without the clone's number.
    pub resource: String,
    /// Pacemaker's name of this node; `None`: the agent was called by hand.
    pub node: Option<String>,
    /// The data directory, links resolved: it is compared with processes' working directories, and whoever does that must not
    /// wait for the disk below.
    pub pgdata: PathBuf,
    /// `None`: not found when the word was left; a later monitor will.
    pub postmaster: Option<ProcessId>,
    /// What it is, or is being made: told before a promotion begins, so that nobody takes a primary for a standby.
    pub role: PgRole,
    pub phase: Phase,
    /// `None`: it could not be told, or the word is of an agent that did not leave it.
    #[serde(default)]
    pub access: Option<Access>,
}

/// Where the server is asked, and as whom, so that whoever asks reads nothing of the data's disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Directory of the socket.
    pub socket_dir: PathBuf,
    pub port: u16,
    /// The operating system's user whom peer authentication sees.
    pub user: String,
    pub uid: u32,
    pub gid: u32,
    /// The user's groups; none in the word of an agent before an upgrade.
    #[serde(default)]
    pub groups: Vec<u32>,
    /// His home directory, for a service file or a password file.
    pub home: PathBuf,
    pub dbuser: String,
    pub dbname: String,
    /// Section of the service file.
    pub service: Option<String>,
}

/// Whether its end is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It is to run: its end is a failure.
    Running,
    /// The agent brings it down.
    Stopping,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_is_read() {
        let instance = Instance {
            resource: "pgsqld".into(),
            node: Some("srv1".into()),
            pgdata: "/var/lib/postgresql/15/main".into(),
            postmaster: Some(ProcessId { pid: 4711, start_time: 99 }),
            role: PgRole::Primary,
            phase: Phase::Running,
            access: Some(Access {
                socket_dir: "/run/postgresql".into(),
                port: 5432,
                user: "postgres".into(),
                uid: 104,
                gid: 110,
                groups: vec![110, 115],
                home: "/var/lib/postgresql".into(),
                dbuser: "postgres".into(),
                dbname: "postgres".into(),
                service: None,
            }),
        };
        let text = serde_json::to_string(&instance).unwrap();
        assert!(text.contains(r#""role":"primary","phase":"running""#), "{text}");
        assert_eq!(serde_json::from_str::<Instance>(&text).unwrap(), instance);
        let older = text.split(",\"access\"").next().unwrap().to_owned() + "}";
        assert_eq!(
            serde_json::from_str::<Instance>(&older).unwrap(),
            Instance { access: None, ..instance },
            "a word that an agent before an upgrade has left"
        );
    }
}
