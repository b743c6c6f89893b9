//! Where a resource runs, and whether Pacemaker acts on it: what an operator's command changes, with Pacemaker's own programs.

use super::clock::Deadline;
use super::command::{Command, Environment};
use super::host::{HostError, HostResult};
use super::pacemaker::Patience;

const CRM_RESOURCE: &str = "/usr/sbin/crm_resource";
const CIBADMIN: &str = "/usr/sbin/cibadmin";
const CRM_ATTRIBUTE: &str = "/usr/sbin/crm_attribute";

fn run(command: &Command, patience: Patience) -> HostResult<()> {
    command.run(Deadline::after(patience.duration())).map(drop).map_err(HostError::from)
}

fn program(path: &str) -> Command {
    Command::new(path).environment(Environment::Clean)
}

/// Has Pacemaker promote a clone on a node: a location constraint `cli-prefer-CLONE`, which holds for so many seconds at most.
///
/// # Errors
/// When the program is missing, fails, or hangs.
pub fn prefer_promoted(clone: &str, node: &str, lifetime_s: u64, patience: Patience) -> HostResult<()> {
    let command = program(CRM_RESOURCE).args(["--move", "--promoted", "--resource", clone, "--node", node]);
    run(&command.arg(format!("--lifetime=PT{lifetime_s}S")), patience)
}

/// Removes a location constraint; none there is none.
///
/// # Errors
/// As [`prefer_promoted`].
pub fn remove_location(id: &str, patience: Patience) -> HostResult<()> {
    let element = format!("<rsc_location id=\"{}\"/>", escaped(id));
    let command = program(CIBADMIN).args(["--delete", "--scope", "constraints", "--xml-text"]).arg(element);
    let output = command.run_any(Deadline::after(patience.duration()))?;
    match output.code {
        0 => Ok(()),
        // Whatever this version's exit code of it is.
        _ if output.stderr.contains("No such device or address") => Ok(()),
        code => {
            let text = format!("exit code {code}: {}: {}", command.line(), output.stderr.trim());
            Err(HostError::unusable(text))
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Has Pacemaker leave a clone alone, or act on it again.
///
/// # Errors
/// As [`prefer_promoted`].
pub fn set_maintenance(clone: &str, is_on: bool, patience: Patience) -> HostResult<()> {
    let command = program(CRM_RESOURCE).args(["--resource", clone, "--meta"]);
    let command = if is_on {
        command.args(["--set-parameter", "maintenance", "--parameter-value", "true"])
    } else {
        command.args(["--delete-parameter", "maintenance"])
    };
    run(&command, patience)
}

/// Deletes a property of the cluster; none there is none.
///
/// # Errors
/// As [`prefer_promoted`].
pub fn delete_property(name: &str, patience: Patience) -> HostResult<()> {
    run(&program(CRM_ATTRIBUTE).args(["--type", "crm_config", "--name", name, "--delete"]), patience)
}
