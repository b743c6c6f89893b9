//! The election taken away, without a switch in the agent: a script in its place on each database node swallows the
//! announcement of a promotion, so that no instance publishes its position, and hands everything else on.

use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::host::error::Result;

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

/// A cluster without the election. It comes back when this is dropped.
#[derive(Debug)]
pub struct Muted<'a>(&'a Cluster);

impl<'a> Muted<'a> {
    /// Takes it away on each database node.
    ///
    /// # Errors
    /// When a node does not do it; where it was done already, it comes back.
    pub fn make(cluster: &'a Cluster) -> Result<Self> {
        let muted = Self(cluster);
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
        for node in &self.0.site().nodes {
            let argv = ["sh", "-c", RESTORE, "sh", AGENT, ASIDE];
            let done = self.0.exec(&node.name, &argv, QUICK).and_then(|out| out.success("mv of the agent"));
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
