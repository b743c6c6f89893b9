//! Whether a drill with the watchdog may begin on this node, and its steps.

use crate::cluster::watchdog_proof::PATIENCE;

/// What is known of the node before the drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name.
    pub node: String,
    /// What of the cluster runs here: corosync, pacemakerd, sbd.
    pub cluster: Vec<String>,
    /// Servers of PostgreSQL that run here, by their process ids and users.
    pub postgres: Vec<(i32, String)>,
    /// What the CIB that is kept here says.
    pub standby: Standby,
    /// SBD_WATCHDOG_DEV and SBD_WATCHDOG_TIMEOUT.
    pub device: String,
    pub timeout_s: u32,
    /// Whether somebody has the device open; `None`: the kernel does not tell. Opening it will.
    pub taken: Option<bool>,
}

/// What Pacemaker would run here after the boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standby {
    /// There is no cluster, or one without resources.
    NoResources,
    /// The node was told to run none.
    Told,
    /// It may run them.
    NotTold,
    /// Why it is not known.
    Unknown(String),
}

/// Why it may not begin, and what to type first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub what: String,
    pub cure: String,
}

fn refusal(what: impl Into<String>, cure: impl Into<String>) -> Refusal {
    Refusal { what: what.into(), cure: cure.into() }
}

/// Everything that is in its way; empty: it may begin.
#[must_use]
pub fn refusals(facts: &Facts) -> Vec<Refusal> {
    let node = &facts.node;
    let mut found = Vec::new();
    if !facts.cluster.is_empty() {
        found.push(refusal(
            format!("the cluster runs here ({}), and sbd has the watchdog", facts.cluster.join(", ")),
            format!(
                "pcs node standby {node} --wait=60, then pcs cluster stop {node}; \
                 where no cluster is set up yet, systemctl stop pacemaker corosync sbd"
            ),
        ));
    }
    match &facts.standby {
        Standby::NoResources | Standby::Told => {}
        Standby::NotTold => found.push(refusal(
            format!("{node} is not in standby: its resources move back right after the reset"),
            format!("with the cluster running here: pcs node standby {node} --wait=60, then pcs cluster stop {node}"),
        )),
        Standby::Unknown(why) => found.push(refusal(
            format!("whether {node} is in standby is not known: {why}"),
            format!("pcs node standby {node} --wait=60, then pcs cluster stop {node}"),
        )),
    }
    if !facts.postgres.is_empty() {
        let all: Vec<String> = facts.postgres.iter().map(|(pid, user)| format!("{pid} of {user}")).collect();
        found.push(refusal(
            format!("PostgreSQL runs here (process {})", all.join(", ")),
            "stop it: pcs node standby where Pacemaker runs it, else systemctl stop postgresql; \
             a user's own program of that name: have him end it",
        ));
    }
    if facts.taken == Some(true) && facts.cluster.is_empty() {
        found.push(refusal(
            format!("{} is open already: somebody else has the watchdog", facts.device),
            format!(
                "fuser -v {} tells who; systemd's own is RuntimeWatchdogSec in /etc/systemd/system.conf",
                facts.device
            ),
        ));
    }
    found
}

/// After so many milliseconds a node that lives shows that the watchdog does not bite.
#[must_use]
pub const fn patience_ms(timeout_s: u32) -> u32 {
    timeout_s.saturating_mul(1000).saturating_mul(PATIENCE)
}

/// What it does, step by step.
#[must_use]
pub fn steps(facts: &Facts, record: &str) -> Vec<String> {
    let Facts { node, device, timeout_s, .. } = facts;
    vec![
        "sync: what is not on the disks yet is written".to_owned(),
        format!("begin the record {record}"),
        format!("open {device}, which arms it, and set {timeout_s} s"),
        "send no keepalive; ten times a second write to the record that the node lives, each second say so"
            .to_owned(),
        format!(
            "{node} is reset by its watchdog, after {timeout_s} s or some more; nothing else may reset it meanwhile"
        ),
        format!(
            "where {node} still lives after {} s: disarm {device}, and record that it does not bite",
            patience_ms(*timeout_s) / 1000
        ),
        "after the boot: quorate prove-watchdog --result".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free() -> Facts {
        Facts {
            node: "srv1".into(),
            cluster: Vec::new(),
            postgres: Vec::new(),
            standby: Standby::Told,
            device: "/dev/watchdog".into(),
            timeout_s: 5,
            taken: Some(false),
        }
    }

    #[test]
    fn nothing_is_reset_that_runs_something() {
        let said = |facts: Facts| {
            refusals(&facts).iter().map(|r| format!("{}: {}", r.what, r.cure)).collect::<Vec<_>>()
        };
        assert_eq!(said(free()), [""; 0]);
        assert_eq!(said(Facts { standby: Standby::NoResources, taken: None, ..free() }), [""; 0]);
        let cases = [
            (Facts { cluster: vec!["sbd".into()], ..free() }, "pcs cluster stop srv1"),
            (Facts { standby: Standby::NotTold, ..free() }, "pcs node standby srv1"),
            (Facts { standby: Standby::Unknown("no XML".into()), ..free() }, "no XML"),
            (Facts { postgres: vec![(42, "postgres".into())], ..free() }, "process 42 of postgres"),
            (Facts { taken: Some(true), ..free() }, "fuser -v /dev/watchdog"),
        ];
        for (facts, words) in cases {
            let found = said(facts);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(words), "{found:?}");
        }
        let all = Facts {
            cluster: vec!["sbd".into()],
            postgres: vec![(1, "postgres".into())],
            standby: Standby::NotTold,
            taken: Some(true),
            ..free()
        };
        assert_eq!(said(all).len(), 3);
    }

    #[test]
    fn the_steps_name_what_happens() {
        let steps = steps(&free(), "/r").join("\n");
        for words in ["/dev/watchdog", "5 s", "after 15 s", "/r", "--result"] {
            assert!(steps.contains(words), "{words}: {steps}");
        }
    }
}
