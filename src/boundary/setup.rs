//! Setting a cluster up with pcs, from one of its nodes.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::clock::Deadline;
use super::command::{Command, Environment};
use super::host::{HostError, HostResult};
use crate::cluster::corosync;
use crate::layout::adopt::Ran;

const BASH: &str = "/bin/bash";
const PCS: &str = "/usr/sbin/pcs";
const DIFF: &str = "/usr/bin/diff";
const QDEVICE_TOOL: &str = "/usr/sbin/corosync-qdevice-tool";
const CIB: &str = "/var/lib/pacemaker/cib/cib.xml";
const COROSYNC_CONF: &str = "/etc/corosync/corosync.conf";

/// A script has some sixty calls of pcs, of half a second each.
const SCRIPT_DEADLINE: Duration = Duration::from_secs(300);
/// What pcs needs around its `--wait`.
const AROUND_START: Duration = Duration::from_secs(60);
const QUERY_DEADLINE: Duration = Duration::from_secs(30);
/// corosync-qdevice connects a second or two after its start.
const QDEVICE_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(500);

/// Whether a start changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    Now,
    Already,
}

/// Refuses to go on as anybody but root: pcs would fail half-way.
///
/// # Errors
/// When this is not root.
pub fn need_root() -> HostResult<()> {
    if nix::unistd::Uid::effective().is_root() {
        return Ok(());
    }
    Err(HostError::forbidden("this changes the cluster: run it as root; --dry-run shows what it does"))
}

/// This machine's name, as Pacemaker compares it.
///
/// # Errors
/// When the kernel does not tell it.
pub fn host_name() -> HostResult<String> {
    let name = nix::unistd::gethostname().map_err(|e| HostError::from(e).about("this machine's name"))?;
    Ok(name.to_string_lossy().into_owned())
}

/// The cluster that this machine belongs to; `None` where there is none.
///
/// # Errors
/// When corosync.conf can't be read, or has no cluster_name.
pub fn cluster_name() -> HostResult<Option<String>> {
    let text = match fs::read_to_string(COROSYNC_CONF) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(HostError::from(e).about(COROSYNC_CONF)),
    };
    corosync::cluster_name(&text).map(|name| Some(name.to_owned())).ok_or_else(|| {
        HostError::unusable(format!(
            "{COROSYNC_CONF} has no cluster_name: complete it, or move the file away"
        ))
    })
}

/// Whether Pacemaker ever ran here: its configuration is there from its first start on.
#[must_use]
pub fn pacemaker_ran() -> Ran {
    if Path::new(CIB).exists() { Ran::Before } else { Ran::Never }
}

/// A password: from the environment, else from the terminal.
///
/// # Errors
/// When there is neither.
pub fn password(variable: &str) -> HostResult<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a secret belongs on no command line, and Settings hold none"
    )]
    let given = std::env::var(variable);
    match given {
        Ok(word) if !word.is_empty() => Ok(word),
        _ => Err(HostError::missing(format!(
            "{variable} is not set: the one password that hacluster has on all machines (1-machine.sh set it); \
             read -rs {variable} && export {variable}, and try again"
        ))),
    }
}

/// Runs a script to its end; its output is shown.
///
/// # Errors
/// When it fails, with what it said.
pub fn run_script(script: &str, variables: &[(&str, &str)]) -> HostResult<()> {
    super::signals::outlive_broken_pipe();
    let mut command = Command::new(BASH).environment(Environment::Clean).args(["-s", "--"]).stdin(script);
    for (name, value) in variables {
        command = command.env(name, value);
    }
    run(&command, SCRIPT_DEADLINE).map(drop)
}

/// Starts the cluster on all nodes: `command` is pcs with its arguments, and waits for so many seconds itself.
///
/// # Errors
/// When pcs says that a node did not start.
pub fn start_all(command: &[String], wait_s: u32) -> HostResult<Started> {
    let active = Command::new("/usr/bin/systemctl").args(["is-active", "--quiet", "pacemaker"]);
    let before = active.run_any(Deadline::after(QUERY_DEADLINE))?;
    let limit = Duration::from_secs(u64::from(wait_s)) + AROUND_START;
    run(&pcs().args(command.iter().skip(1)), limit)?;
    Ok(if before.code == 0 { Started::Already } else { Started::Now })
}

/// Waits until the quorum device's client is connected: nobody notices a witness that is missing before the first
/// failover has no quorum.
///
/// # Errors
/// When it does not connect in time.
pub fn wait_for_quorum_device() -> HostResult<()> {
    let deadline = Deadline::after(QDEVICE_DEADLINE);
    loop {
        let output = Command::new(QDEVICE_TOOL).arg("-s").run_any(Deadline::after(QUERY_DEADLINE));
        let said = match output {
            Ok(output) if corosync::quorum_device_is_connected(&output.text()) => return Ok(()),
            Ok(output) => format!("{}{}", output.text(), output.stderr),
            Err(e) => e.to_string(),
        };
        if deadline.passed() {
            return Err(HostError::timed_out(format!(
                "the quorum device is not connected: look with corosync-qdevice-tool -s here and corosync-qnetd-tool -l \
                 on the witness; {}",
                said.trim()
            )));
        }
        deadline.sleep(POLL);
    }
}

/// Whether the cluster that runs has resources.
///
/// # Errors
/// When it can't be asked.
pub fn has_resources() -> HostResult<bool> {
    let cib = run(&pcs().args(["cluster", "cib"]), QUERY_DEADLINE)?;
    Ok(cib.contains("<primitive "))
}

/// Compares the resources and constraints that a script makes with those of the cluster that runs; empty where they are
/// the same.
///
/// # Errors
/// When either can't be had.
pub fn compare(script: &str) -> HostResult<String> {
    let bench = super::scheduler::Bench::new()?;
    let wanted = bench.keep("wanted.xml", &bench.configure(script)?)?;
    let current = bench.keep("current.xml", &run(&pcs().args(["cluster", "cib"]), QUERY_DEADLINE)?)?;
    let mut found = String::new();
    for section in [&["resource", "config"][..], &["constraint", "--full"], &["resource", "defaults"]] {
        let words = section.join(" ");
        let listed = |cib: &Path, name: &str| {
            let text = run(&pcs().arg("-f").arg(cib).args(section), QUERY_DEADLINE)?;
            // Ids of constraints are Pacemaker's affair: pcs numbers them as they come.
            let lines: Vec<&str> =
                text.lines().map(|l| l.rsplit_once(" (id:").map_or(l, |(rest, _)| rest)).collect();
            bench.keep(name, &(lines.join("\n") + "\n"))
        };
        let (a, b) = (listed(&current, "current.txt")?, listed(&wanted, "wanted.txt")?);
        let diff =
            Command::new(DIFF).args(["-U1", "--label", "as it is", "--label", "as described"]).arg(a).arg(b);
        let output = diff.run_any(Deadline::after(QUERY_DEADLINE))?;
        match output.code {
            0 => {}
            1 => {
                let _ = write!(found, "pcs {words}:\n{}", output.text());
            }
            _ => return Err(HostError::failed(format!("{}: {}", diff.line(), output.stderr.trim()))),
        }
    }
    Ok(found)
}

/// One command of pcs, its arguments without the program.
///
/// # Errors
/// pcs refuses, or does not come to its end.
pub fn type_pcs(args: &[String]) -> HostResult<()> {
    run(&pcs().args(args), PCS_PATIENCE).map(drop)
}

/// Half a second for a call, more where a node has to be asked first.
const PCS_PATIENCE: Duration = Duration::from_secs(60);

fn pcs() -> Command {
    Command::new(PCS).environment(Environment::Clean)
}

fn run(command: &Command, limit: Duration) -> HostResult<String> {
    command.run(Deadline::after(limit)).map(|output| output.text()).map_err(HostError::from)
}
