//! What a line of the cluster's programs says, in the words of Pacemaker 2.1 and 3.0 and Corosync 3.1.
//!
//! The words were seen in journals of Pacemaker 2.1.5. 3.0 differs, by the patterns of its own test suite, in `OK` for `ok`: both are read.

/// What a line says, as far as a failover is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact<'a> {
    /// Corosync has a membership that somebody left.
    MembersLeft,
    /// Pacemaker has lost a node.
    Lost { node: &'a str },
    /// The scheduler calls a node unclean, or is about to have it fenced.
    Unclean { node: &'a str },
    /// A node's fencing has succeeded.
    Fenced { node: &'a str },
    /// The controller has ordered an action.
    Ordered { action: &'a str, resource: &'a str },
    /// An action has ended.
    Ended { action: &'a str, resource: &'a str, node: &'a str, good: bool },
    /// A float IP is being put on its device.
    AddressAdded { resource: &'a str },
}

/// What a monitor or an action gives when all is well.
const GOOD: [&str; 5] = ["ok", "promoted", "unpromoted", "master", "slave"];

/// What a line of `program` says; `None` when it is of no interest.
#[must_use]
pub fn read<'a>(program: &'a str, message: &'a str) -> Option<Fact<'a>> {
    let message = without_level(message);
    if let Some(resource) = program.strip_prefix("IPaddr2(") {
        let resource = resource.strip_suffix(')')?;
        // Logged just before the address is added; the action ends later, with its gratuitous ARP.
        let added = message.starts_with("Adding inet address") || message.starts_with("Adding inet6 address");
        return added.then_some(Fact::AddressAdded { resource });
    }
    match program {
        "corosync" => {
            let left = message.contains("A new membership (") && message.contains(" left: ");
            left.then_some(Fact::MembersLeft)
        }
        "pacemaker-schedulerd" => unclean(message),
        "pacemaker-fenced" => lost(message).or_else(|| {
            let (node, rest) = between(message, "Operation '", "' targeting ")?.1.split_once(' ')?;
            let outcome = rest.rsplit_once(": ")?.1;
            is_ok(outcome.split(" (").next()?).then_some(Fact::Fenced { node })
        }),
        "pacemaker-controld" => lost(message).or_else(|| controller(message)),
        "pacemaker-based" | "pacemaker-attrd" => lost(message),
        _ => None,
    }
}

fn controller(message: &str) -> Option<Fact<'_>> {
    if let Some((action, rest)) = between(message, "Initiating ", " operation ") {
        let id = rest.split(' ').next()?;
        return Some(Fact::Ordered { action, resource: resource_of(id, action)? });
    }
    if let Some((action, rest)) = between(message, "Result of ", " operation for ") {
        let (resource, rest) = rest.split_once(" on ")?;
        let (node, outcome) = rest.split_once(": ")?;
        // An order of Pacemaker's own, not a result.
        if is(outcome, "cancelled") {
            return None;
        }
        let good = GOOD.iter().any(|good| is(outcome, good));
        return Some(Fact::Ended { action, resource: plain(resource), node, good });
    }
    if let Some(rest) = message.strip_prefix("Peer ") {
        let (node, rest) = rest.split_once(" was terminated (")?;
        return is_ok(rest.rsplit_once(": ")?.1).then_some(Fact::Fenced { node });
    }
    // The end of a recurring monitor on another node: `Transition 2 action 4 (pgsqld_monitor_3000 on srv1): expected …`.
    let (_, rest) = between(message, "Transition ", " (")?;
    let (action, rest) = rest.split_once("): expected '")?;
    let (id, node) = action.split_once(" on ")?;
    let (expected, got) = rest.split_once("' but got '")?;
    let interval = id.rsplit_once('_')?.1;
    // A probe that finds what it was not asked for is how Pacemaker learns, and no failure.
    let recurring = interval != "0" && expected != got.trim_end_matches('\'');
    let resource = resource_of(id, "monitor")?;
    recurring.then_some(Fact::Ended { action: "monitor", resource, node, good: false })
}

fn lost(message: &str) -> Option<Fact<'_>> {
    let node = message.strip_prefix("Node ")?.strip_suffix(" state is now lost")?;
    Some(Fact::Lost { node })
}

fn unclean(message: &str) -> Option<Fact<'_>> {
    if let Some(rest) = message.strip_prefix("Cluster node ") {
        return rest.split_once(" will be fenced").map(|(node, _)| Fact::Unclean { node });
    }
    let message = message.strip_prefix("Node ").unwrap_or(message);
    let node = message.strip_suffix(" is unclean").or_else(|| message.strip_suffix(" is unclean!"))?;
    (!node.contains(' ')).then_some(Fact::Unclean { node })
}

/// `notice: ` and the like, which Pacemaker puts before its messages.
fn without_level(message: &str) -> &str {
    match message.split_once(": ") {
        Some(("notice" | "warning" | "error" | "crit" | "emerg" | "info" | "INFO", rest)) => {
            rest.trim_start()
        }
        Some(_) | None => message,
    }
}

/// What stands between a beginning and the next `end`, and what follows.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(begin)?.split_once(end)
}

/// `pgsqld` of `pgsqld:1_promote_0`.
fn resource_of<'a>(id: &'a str, action: &str) -> Option<&'a str> {
    let (resource, _interval) = id.rsplit_once('_')?;
    Some(plain(resource.strip_suffix(action)?.strip_suffix('_')?))
}

/// Without the number of a clone's instance.
fn plain(resource: &str) -> &str {
    resource.split(':').next().unwrap_or(resource)
}

fn is_ok(outcome: &str) -> bool {
    is(outcome, "ok")
}

/// `ok`, `OK` (3.0), `ok (with a reason)` and `0 (ok)` (1.1).
fn is(outcome: &str, word: &str) -> bool {
    let outcome = outcome.trim();
    let outcome = outcome.strip_prefix("0 (").map_or(outcome, |o| o.trim_end_matches(')'));
    outcome.split(" (").next().is_some_and(|o| o.eq_ignore_ascii_case(word))
}
