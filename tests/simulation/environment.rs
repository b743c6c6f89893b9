//! What Pacemaker gives an action: the resource's parameters, `CRM_meta_*`, the lists of the transition.

use quorate::ocf::{Action, Environment, Sync};

use crate::host::RESOURCE;
use crate::pacemaker::nodes;
use crate::plan::Config;
use crate::wal::name;
use crate::world::{Members, Millis};

/// Which call of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Probe,
    MonitorPromoted,
    MonitorUnpromoted,
    Pre(Action),
    Post(Action),
    Other,
}

impl Kind {
    pub const fn interval(self) -> Millis {
        match self {
            Kind::MonitorPromoted => 15_000,
            Kind::MonitorUnpromoted => 16_000,
            Kind::Probe | Kind::Pre(_) | Kind::Post(_) | Kind::Other => 0,
        }
    }

    /// The operation's timeout.
    pub const fn timeout(self, action: Action) -> Millis {
        match action {
            Action::Demote => 120_000,
            Action::Start | Action::Stop | Action::Notify => 60_000,
            Action::Promote => 30_000,
            Action::Monitor | Action::ReloadAgent | Action::ValidateAll | Action::MetaData => 20_000,
        }
    }
}

/// The nodes that a transition speaks of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lists {
    pub start: Members,
    pub stop: Members,
    pub promote: Members,
    pub demote: Members,
    pub promoted: Members,
    pub unpromoted: Members,
}

/// The environment of one action.
pub fn environment(config: &Config, node: usize, action: Action, kind: Kind, lists: &Lists) -> Environment {
    let mut environment = Environment::new();
    let mut put = |key: &str, value: String| {
        environment.insert(key.to_owned(), value);
    };
    put("OCF_RESKEY_pgdata", "/nowhere".into());
    put("OCF_RESOURCE_INSTANCE", format!("{RESOURCE}:{node}"));
    if let Some(maxlag) = config.maxlag {
        put("OCF_RESKEY_maxlag", maxlag.to_string());
    }
    match config.policy.sync {
        Sync::Off | Sync::Unreadable => {}
        Sync::Prefer => put("OCF_RESKEY_sync", "prefer".into()),
        Sync::Strict => put("OCF_RESKEY_sync", "strict".into()),
    }
    put("OCF_RESKEY_sync_count", config.policy.count.to_string());
    let mut meta = |key: &str, value: String| put(&format!("OCF_RESKEY_CRM_meta_{key}"), value);
    meta("on_node", name(node));
    meta("timeout", kind.timeout(action).to_string());
    meta("clone_max", config.nodes.to_string());
    meta("notify", "true".into());
    meta("interval", kind.interval().to_string());
    match kind {
        Kind::MonitorPromoted => meta("role", "Promoted".into()),
        Kind::MonitorUnpromoted => meta("role", "Unpromoted".into()),
        Kind::Probe | Kind::Pre(_) | Kind::Post(_) | Kind::Other => {}
    }
    match kind {
        Kind::Pre(of) | Kind::Post(of) => {
            let phase = if matches!(kind, Kind::Pre(_)) { "pre" } else { "post" };
            meta("notify_type", phase.into());
            meta("notify_operation", of.name().into());
        }
        Kind::Probe | Kind::MonitorPromoted | Kind::MonitorUnpromoted | Kind::Other => {}
    }
    for (key, set) in [
        ("start", lists.start),
        ("stop", lists.stop),
        ("promote", lists.promote),
        ("demote", lists.demote),
        ("promoted", lists.promoted),
        ("unpromoted", lists.unpromoted),
    ] {
        meta(&format!("notify_{key}_uname"), nodes(set).map(name).collect::<Vec<_>>().join(" "));
    }
    environment
}
