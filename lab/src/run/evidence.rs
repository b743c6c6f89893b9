//! What is kept when a run failed, so that one can find out why after everything is gone.

use std::path::Path;
use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::machines::protocol::{NodeKind, Power};

const EACH: Duration = Duration::from_secs(20);

/// What is asked on each database node: file name and command.
const QUESTIONS: &[(&str, &str)] = &[
    ("journal.txt", "journalctl --no-pager -o short-precise --since=-20min"),
    ("crm_mon.txt", "crm_mon -1 -A -f -o -n -r"),
    ("crm_mon.xml", "crm_mon -1 --output-as=xml --include=all"),
    ("cib.xml", "cibadmin -Q"),
    ("quorum.txt", "corosync-quorumtool -s; corosync-qdevice-tool -s"),
    ("processes.txt", "ps axo pid,ppid,stat,etimes,args"),
    (
        "pg_controldata.txt",
        "for d in /var/lib/postgresql/*/*/; do echo \"$d\"; /usr/lib/postgresql/*/bin/pg_controldata -D \"$d\"; done",
    ),
    ("postgresql.log", "tail -n 3000 /var/log/postgresql/*"),
    (
        "auto.conf",
        "for d in /var/lib/postgresql/*/*; do echo \"$d\"; cat \"$d/postgresql.auto.conf\"; ls -la \"$d\"; done",
    ),
];

/// Makes the nodes keep their journals on disk from now on: a node that loses its power would otherwise
/// take along what led to it. Does nothing where it is so already.
pub fn keep_journals(cluster: &Cluster) {
    let script = "f=/etc/systemd/journald.conf.d/90-keep.conf; [ -e $f ] && exit 0; mkdir -p ${f%/*} /var/log/journal; \
         printf '[Journal]\\nStorage=persistent\\n' >$f; systemctl restart systemd-journald; journalctl --flush";
    for node in cluster.nodes().unwrap_or_default().iter().filter(|n| n.power == Power::On) {
        // Without it there is less evidence, and the test is worth doing all the same.
        let _ = cluster.exec(&node.name, &["sh", "-c", script], EACH);
    }
}

/// Collects everything from the nodes that run into `dir`. A node that is off has its journal in the next
/// collection, because it is on disk.
///
/// # Errors
/// When `dir` can't be written. What the nodes don't answer is a file with the error in it.
pub fn collect(cluster: &Cluster, dir: &Path) -> Result<()> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| LabError::File { path, source }
    };
    std::fs::create_dir_all(dir).map_err(fail(dir))?;
    let save = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(fail(&path))
    };
    save("machines.txt", &format!("{:#?}\n", cluster.nodes()))?;
    let events: Vec<String> = cluster.events()?.iter().map(|e| format!("{e:?}")).collect();
    save("events.txt", &(events.join("\n") + "\n"))?;
    for node in cluster.nodes()?.iter().filter(|n| n.power == Power::On) {
        for (name, command) in QUESTIONS {
            if node.kind == NodeKind::Witness && *name != "journal.txt" {
                continue;
            }
            let text = match cluster.exec(&node.name, &["sh", "-c", command], EACH) {
                Ok(out) => out.stdout + &out.stderr,
                Err(e) => e.to_string(),
            };
            save(&format!("{}-{name}", node.name), &text)?;
        }
    }
    Ok(())
}
