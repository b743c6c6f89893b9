//! The election taken away, without a switch in the agent: a script in its place on each database node swallows the
//! announcement of a promotion, so that no instance publishes its position, and hands everything else on. The record of
//! synchronous standbys goes with it: with that alone a candidate that hears from nobody is refused.

use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::host::error::Result;
use crate::host::wait::{OnInterrupt, until};

const QUICK: Duration = Duration::from_secs(20);

/// Where Pacemaker finds the agent.
const AGENT: &str = "/usr/lib/ocf/resource.d/quorate/postgres";
/// Where it is meanwhile: not below resource.d, where it would be an agent of its own.
const ASIDE: &str = "/usr/lib/ocf/quorate-postgres-with-election";

/// What stands in the agent's place. Pacemaker's notifications succeed whatever they do.
const MUTE: &str = r#"#!/bin/sh
# quorate-lab test --without election: no position is published ahead of a promotion, so nobody's is compared.
if [ "$1" = notify ] && [ "$OCF_RESKEY_CRM_meta_notify_type" = pre ] &&
    [ "$OCF_RESKEY_CRM_meta_notify_operation" = promote ]; then
    exit 0
fi
exec /usr/lib/ocf/quorate-postgres-with-election "$@"
"#;

/// Puts the script in the agent's place at one stroke: a monitor may come at any moment. An agent that is a script
/// already (a test that was killed) is not put aside.
const INSTALL: &str = r#"set -e; agent=$1 aside=$2
[ -e "$aside" ] || cp -p "$agent" "$aside"
cat >"$agent.new"; chmod 0755 "$agent.new"; mv -f "$agent.new" "$agent""#;

/// The other way round; nothing where nothing was put aside.
const RESTORE: &str = r#"[ ! -e "$2" ] || mv -f "$2" "$1""#;

/// The record is taken back by the primary's next monitor.
const NO_RECORD: Duration = Duration::from_secs(60);

/// A cluster without the election. It comes back when this is dropped.
#[derive(Debug)]
pub struct Muted<'a> {
    cluster: &'a Cluster,
    /// The resources that had `sync` set, and to what.
    sync: Vec<(String, String)>,
}

/// What `sync` is set to; nothing where it is not.
fn sync_of(cluster: &Cluster, resource: &str) -> Option<String> {
    let argv = ["crm_resource", "--resource", resource, "--get-parameter", "sync"];
    let value = on_any_node(cluster, &argv).ok()?.trim().to_owned();
    (!value.is_empty()).then_some(value)
}

fn set_sync(cluster: &Cluster, resource: &str, value: &str) -> Result<()> {
    let argv =
        ["crm_resource", "--resource", resource, "--set-parameter", "sync", "--parameter-value", value];
    on_any_node(cluster, &argv).map(drop)
}

fn on_any_node(cluster: &Cluster, argv: &[&str]) -> Result<String> {
    let mut last = Ok(String::new());
    for node in &cluster.site().nodes {
        last = cluster.exec(&node.name, argv, QUICK).and_then(|out| out.success(&argv.join(" ")));
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Waits until nothing is on record: `GENERATION:SEQUENCE:0:`.
fn wait_for_no_record(cluster: &Cluster, resource: &str) -> Result<()> {
    let name = format!("quorate-voters-{resource}");
    until("nothing is on record of who has the commits", NO_RECORD, OnInterrupt::Stop, || {
        let argv = ["attrd_updater", "--name", &name, "--query", "--all"];
        let said = on_any_node(cluster, &argv).map_err(|e| e.to_string())?;
        if said.lines().all(|line| line.contains(":0:\"")) { Ok(()) } else { Err(said.trim().to_owned()) }
    })
}

impl<'a> Muted<'a> {
    /// Takes it away on each database node.
    ///
    /// # Errors
    /// When a node does not do it; where it was done already, it comes back.
    pub fn make(cluster: &'a Cluster) -> Result<Self> {
        let resources = cluster.site().instances.iter().map(|i| cluster.site().names(i).resource());
        let sync = resources.filter_map(|r| sync_of(cluster, &r).map(|value| (r, value))).collect();
        let muted = Self { cluster, sync };
        for (resource, _) in &muted.sync {
            set_sync(cluster, resource, "off")?;
            wait_for_no_record(cluster, resource)?;
        }
        for node in &cluster.site().nodes {
            let argv = ["sh", "-c", INSTALL, "sh", AGENT, ASIDE];
            let done = cluster.exec_with_input(&node.name, &argv, Some(MUTE), QUICK)?;
            done.success(&format!("taking the election away on {}", node.name))?;
        }
        Ok(muted)
    }
}

impl Drop for Muted<'_> {
    fn drop(&mut self) {
        for (resource, value) in &self.sync {
            if let Err(e) = set_sync(self.cluster, resource, value) {
                eprintln!("setting sync={value} of {resource} again: {e}");
            }
        }
        for node in &self.cluster.site().nodes {
            let argv = ["sh", "-c", RESTORE, "sh", AGENT, ASIDE];
            let done =
                self.cluster.exec(&node.name, &argv, QUICK).and_then(|out| out.success("mv of the agent"));
            if let Err(e) = done {
                eprintln!(
                    "the election does not come back on {}: {e}; do it by hand: mv {ASIDE} {AGENT}",
                    node.name
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::run;
    use std::fs;

    fn sh(argv: &[&str], input: Option<&str>) -> run::Output {
        run::run(argv, input, Duration::from_secs(10)).expect("sh runs")
    }

    #[test]
    fn the_script_hands_everything_on_but_the_announcement() {
        let dir = std::env::temp_dir().join(format!("quorate-election-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        let [agent, aside] = ["agent", "aside"].map(|name| dir.join(name).display().to_string());
        let original = "#!/bin/sh\necho \"agent $1\"; exit 7\n";
        fs::write(&agent, original).expect("written");
        sh(&["chmod", "0755", &agent], None);
        let mute = MUTE.replace(ASIDE, &aside);
        for _ in 0..2 {
            let out = sh(&["sh", "-c", INSTALL, "sh", &agent, &aside], Some(&mute));
            assert_eq!(out.status, 0, "{}", out.stderr);
        }
        let call = |action: &str, phase: &str, operation: &str| {
            let [phase, operation] = [("type", phase), ("operation", operation)]
                .map(|(name, value)| format!("OCF_RESKEY_CRM_meta_notify_{name}={value}"));
            let out = sh(&["env", &phase, &operation, &agent, action], None);
            (out.status, out.stdout.trim().to_owned())
        };
        assert_eq!(call("notify", "pre", "promote"), (0, String::new()));
        assert_eq!(call("notify", "post", "promote"), (7, "agent notify".to_owned()));
        assert_eq!(call("notify", "pre", "demote"), (7, "agent notify".to_owned()));
        assert_eq!(call("promote", "pre", "promote"), (7, "agent promote".to_owned()));
        for _ in 0..2 {
            assert_eq!(sh(&["sh", "-c", RESTORE, "sh", &agent, &aside], None).status, 0);
        }
        assert_eq!(fs::read_to_string(&agent).expect("there"), original);
        fs::remove_dir_all(&dir).expect("removed");
    }
}
