//! What Pacemaker tells an action by its environment.

use std::collections::BTreeMap;
use std::time::Duration;

/// The environment of the action, as it was at start.
pub type Environment = BTreeMap<String, String>;

/// Pacemaker's own words to this action: everything that is not a parameter of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The resource's name without the instance number (`pgsqld`, not `pgsqld:0`).
    pub resource: String,
    /// This node's name in the cluster. `None`: no Pacemaker runs us (ocf-tester, a shell).
    pub node: Option<String>,
    /// How long Pacemaker waits for this action.
    pub timeout: Duration,
    /// Interval of a recurring monitor; zero for a probe and for everything that is not a monitor.
    pub interval: Duration,
    /// The number of instances that the clone has when complete (`clone-max`).
    pub instances: Option<usize>,
    /// The promotable clone's `promoted-max` (Pacemaker 2.0: `master-max`).
    pub promoted_max: Option<usize>,
    /// The promotable clone's `notify` meta attribute.
    pub notify: Notify,
    /// The role that a recurring monitor expects to find.
    pub expected: Option<Expected>,
}

/// The clone's `notify` meta attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    On,
    Off,
    /// Pacemaker did not say (it does only for clones), or nobody runs us who would.
    Unsaid,
}

/// The `role` of a monitor operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Promoted,
    Unpromoted,
}

/// OCF 1.1 names no default; Pacemaker's is 20 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// More than any operation has; what is computed from it must not overflow.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Run {
    /// Reads Pacemaker's variables. Nothing here can fail: what makes no sense counts as not said, because
    /// `stop` must work in whatever environment it is called.
    pub fn from(env: &Environment) -> Run {
        let meta = |name: &str| {
            env.get(&format!("OCF_RESKEY_CRM_meta_{name}")).map(|v| v.trim()).filter(|v| !v.is_empty())
        };
        let millis = |name: &str| {
            meta(name).and_then(|v| v.parse().ok()).map(|ms: u64| Duration::from_millis(ms).min(LONGEST))
        };
        let instance = env.get("OCF_RESOURCE_INSTANCE").map_or("postgres", String::as_str);
        let resource: String = instance
            .split(':')
            .next()
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .collect();
        Run {
            resource: if resource.is_empty() { "postgres".into() } else { resource },
            node: meta("on_node").map(str::to_owned),
            timeout: millis("timeout").filter(|t| !t.is_zero()).unwrap_or(DEFAULT_TIMEOUT),
            interval: millis("interval").unwrap_or_default(),
            instances: meta("clone_max").and_then(|v| v.parse().ok()),
            promoted_max: meta("promoted_max").or_else(|| meta("master_max")).and_then(|v| v.parse().ok()),
            notify: match meta("notify").map(str::to_ascii_lowercase).as_deref() {
                Some("true" | "yes" | "on" | "1" | "y") => Notify::On,
                Some(_) => Notify::Off,
                None => Notify::Unsaid,
            },
            expected: match meta("role") {
                Some("Promoted" | "Master") => Some(Expected::Promoted),
                Some("Unpromoted" | "Slave" | "Started") => Some(Expected::Unpromoted),
                _ => None,
            },
        }
    }

    /// A monitor without an interval asks what is there; it may not change anything.
    pub fn is_probe(&self) -> bool {
        self.interval.is_zero()
    }

    /// What we allow ourselves: Pacemaker's timeout less a margin to report in.
    pub fn budget(&self) -> Duration {
        let margin = (self.timeout / 10).clamp(Duration::from_millis(500), Duration::from_secs(3));
        self.timeout.saturating_sub(margin).max(self.timeout / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn a_recurring_monitor() {
        let run = Run::from(&env(&[
            ("OCF_RESOURCE_INSTANCE", "pgsqld:1"),
            ("OCF_RESKEY_CRM_meta_on_node", "srv1"),
            ("OCF_RESKEY_CRM_meta_timeout", "10000"),
            ("OCF_RESKEY_CRM_meta_interval", "15000"),
            ("OCF_RESKEY_CRM_meta_role", "Promoted"),
            ("OCF_RESKEY_CRM_meta_notify", "true"),
            ("OCF_RESKEY_CRM_meta_clone_max", "2"),
        ]));
        assert_eq!(run.resource, "pgsqld");
        assert_eq!(run.node.as_deref(), Some("srv1"));
        assert!(!run.is_probe());
        assert_eq!(run.budget(), Duration::from_secs(9));
        assert_eq!((run.notify, run.expected), (Notify::On, Some(Expected::Promoted)));
        assert_eq!(run.instances, Some(2));
    }

    #[test]
    fn nonsense_counts_as_not_said() {
        let run = Run::from(&env(&[
            ("OCF_RESOURCE_INSTANCE", "../x y:0"),
            ("OCF_RESKEY_CRM_meta_timeout", "soon"),
            ("OCF_RESKEY_CRM_meta_interval", "-5"),
            ("OCF_RESKEY_CRM_meta_clone_max", "two"),
            ("OCF_RESKEY_CRM_meta_on_node", "  "),
        ]));
        assert_eq!(run.resource, ".._x_y");
        assert_eq!((run.node.as_deref(), run.instances), (None, None));
        assert_eq!(run.timeout, DEFAULT_TIMEOUT);
        assert!(run.is_probe());
    }

    #[test]
    fn a_number_without_measure_is_bounded() {
        let most = u64::MAX.to_string();
        let run = Run::from(&env(&[
            ("OCF_RESKEY_CRM_meta_timeout", &most),
            ("OCF_RESKEY_CRM_meta_interval", &most),
        ]));
        assert_eq!((run.timeout, run.interval), (LONGEST, LONGEST));
    }

    #[test]
    fn the_budget_stays_below_the_timeout() {
        for ms in [1_u64, 400, 1000, 5000, 20_000, 300_000] {
            let run = Run::from(&env(&[("OCF_RESKEY_CRM_meta_timeout", &ms.to_string())]));
            assert!(run.budget() < run.timeout || ms == 1, "{ms}");
            assert!(run.budget() >= run.timeout / 2);
        }
    }
}
