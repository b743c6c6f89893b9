//! The notify environment: what Pacemaker tells every instance before and after another one changes.
//!
//! Pacemaker Administration, "Notifications": `notify_type` pre|post, `notify_operation`, and for each verb and
//! each role a list of node names. Pacemaker 2.1 and 3 send `promoted`/`unpromoted` lists; 2.1 and older also
//! send `master`/`slave`.

use super::environment::Environment;

/// Before or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Pre,
    Post,
}

/// What is about to happen, or happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Start,
    Stop,
    Promote,
    Demote,
}

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub phase: Phase,
    pub operation: Operation,
    pub plan: Plan,
}

/// What the transition does with the clone. Pacemaker tells it to the actions themselves, too
/// (`add_notify_data_to_action_meta` in its pe_notif.c), not only in notifications.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Nodes on which the operation runs in this transition.
    pub starting: Vec<String>,
    pub stopping: Vec<String>,
    pub promoting: Vec<String>,
    pub demoting: Vec<String>,
    /// Roles as they were before the transition.
    pub promoted: Vec<String>,
    pub unpromoted: Vec<String>,
}

impl Notification {
    /// `None` where the environment makes no sense (ocf-tester calls `notify` with an empty one): there is
    /// nothing to react to, and a notification can't fail.
    pub fn from(env: &Environment) -> Option<Notification> {
        let value = |name: &str| env.get(&format!("OCF_RESKEY_CRM_meta_notify_{name}")).map(|v| v.trim());
        Some(Notification {
            phase: match value("type")? {
                "pre" => Phase::Pre,
                "post" => Phase::Post,
                _ => return None,
            },
            operation: match value("operation")? {
                "start" => Operation::Start,
                "stop" => Operation::Stop,
                "promote" => Operation::Promote,
                "demote" => Operation::Demote,
                _ => return None,
            },
            plan: Plan::from(env),
        })
    }
}

impl Plan {
    /// Reads the lists; those that are not there are empty.
    pub fn from(env: &Environment) -> Plan {
        let value = |name: &str| env.get(&format!("OCF_RESKEY_CRM_meta_notify_{name}")).map(String::as_str);
        let names = |name: &str| -> Vec<String> {
            let mut names: Vec<String> = Vec::new();
            for word in value(name).unwrap_or_default().split_whitespace() {
                if !names.iter().any(|n| n == word) {
                    names.push(word.to_owned());
                }
            }
            names
        };
        let either = |new: &str, old: &str| {
            let found = names(new);
            if found.is_empty() { names(old) } else { found }
        };
        Plan {
            starting: names("start_uname"),
            stopping: names("stop_uname"),
            promoting: names("promote_uname"),
            demoting: names("demote_uname"),
            promoted: either("promoted_uname", "master_uname"),
            unpromoted: either("unpromoted_uname", "slave_uname"),
        }
    }

    /// The node that is promoted once this transition is through.
    pub fn primary_after(&self) -> Option<&str> {
        self.promoting
            .iter()
            .chain(self.promoted.iter().filter(|n| !self.demoting.contains(n) && !self.stopping.contains(n)))
            .map(String::as_str)
            .next()
    }

    /// Another node than this one that is promoted, too, once this transition is through.
    pub fn other_primary(&self, node: &str) -> Option<&str> {
        let stays = |n: &&String| !self.demoting.contains(n) && !self.stopping.contains(n);
        self.promoting
            .iter()
            .chain(self.promoted.iter().filter(stays))
            .map(String::as_str)
            .find(|other| *other != node)
    }

    /// The nodes whose instance runs once this transition is through.
    pub fn running_after(&self) -> Vec<&str> {
        let mut nodes: Vec<&str> = self
            .promoted
            .iter()
            .chain(&self.unpromoted)
            .filter(|n| !self.stopping.contains(n))
            .chain(&self.starting)
            .map(String::as_str)
            .collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(k, v)| (format!("OCF_RESKEY_CRM_meta_notify_{k}"), v.to_string())).collect()
    }

    #[test]
    fn a_switchover() {
        let n = Notification::from(&env(&[
            ("type", "post"),
            ("operation", "promote"),
            ("promote_uname", "srv2"),
            ("demote_uname", "srv1"),
            ("promoted_uname", "srv1"),
            ("unpromoted_uname", "srv2 srv3 "),
        ]))
        .unwrap();
        assert_eq!(n.plan.primary_after(), Some("srv2"));
        assert_eq!(n.plan.running_after(), ["srv1", "srv2", "srv3"]);
    }

    #[test]
    fn the_old_names_of_roles() {
        let n = Notification::from(&env(&[
            ("type", "pre"),
            ("operation", "start"),
            ("start_uname", "srv2"),
            ("master_uname", "srv1"),
            ("slave_uname", " "),
        ]))
        .unwrap();
        assert_eq!(n.plan.primary_after(), Some("srv1"));
        assert_eq!(n.plan.running_after(), ["srv1", "srv2"]);
    }

    #[test]
    fn names_are_compared_whole() {
        // PAF matches them as an unanchored pattern, in which srv1 is found in srv10.
        let n = Notification::from(&env(&[
            ("type", "post"),
            ("operation", "stop"),
            ("stop_uname", "srv1"),
            ("promoted_uname", "srv10"),
            ("unpromoted_uname", "srv1"),
        ]))
        .unwrap();
        assert_eq!(n.plan.primary_after(), Some("srv10"));
        assert_eq!(n.plan.running_after(), ["srv10"]);
    }

    #[test]
    fn nonsense_is_nothing() {
        assert_eq!(Notification::from(&Environment::new()), None);
        assert_eq!(Notification::from(&env(&[("type", "during"), ("operation", "start")])), None);
        assert_eq!(Notification::from(&env(&[("type", "pre"), ("operation", "explode")])), None);
        assert_eq!(Notification::from(&env(&[("type", "pre")])), None);
    }
}
