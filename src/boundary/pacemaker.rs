//! Pacemaker's programs: `crm_attribute`, `attrd_updater`, `crm_resource`, `crm_mon`. What they print is read by `cluster`.

use std::time::Duration;

use super::clock::Deadline;
use super::command::{Command, CommandError, Environment};
use super::host::{HostError, HostResult};
use crate::cluster::attributes::{self, NodeValue};
use crate::cluster::crm_mon::{self, Status};
use crate::cluster::fencing_history;
use crate::decide::cause::Cause;
use crate::decide::promotion_score::Score;

const CRM_ATTRIBUTE: &str = "/usr/sbin/crm_attribute";
const ATTRD_UPDATER: &str = "/usr/sbin/attrd_updater";
const CRM_RESOURCE: &str = "/usr/sbin/crm_resource";
const CRM_MON: &str = "/usr/sbin/crm_mon";
const STONITH_ADMIN: &str = "/usr/sbin/stonith_admin";
const CIBADMIN: &str = "/usr/sbin/cibadmin";

/// It waits for an answer of each node.
const CLEANUP: Duration = Duration::from_secs(60);

/// How long one of them may take: 10 to 20 ms are usual, a hung daemon must not eat the action's time.
#[derive(Debug, Clone, Copy)]
pub struct Patience(Duration);

impl Patience {
    /// What is left of the action, within bounds.
    pub fn of(left: Duration) -> Patience {
        Patience(left.clamp(Duration::from_millis(200), Duration::from_secs(3)))
    }

    /// As a time.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

/// One of Pacemaker's programs, without our environment: they read the action's `OCF_RESKEY_CRM_meta_on_node` too, and a query
/// for all nodes then answers for this one alone.
fn program(path: &str) -> Command {
    Command::new(path).environment(Environment::Clean)
}

fn run(command: &Command, patience: Patience) -> HostResult<String> {
    match command.run(Deadline::after(patience.0)) {
        Ok(output) => Ok(output.text()),
        Err(error) => {
            let by_code = if let CommandError::Failed { code, .. } = &error { cause(*code) } else { None };
            let error = HostError::from(error);
            Err(HostError { cause: by_code.unwrap_or(error.cause), ..error })
        }
    }
}

/// What an exit code of Pacemaker's tools says (`crm_error --list --exit`); `None`: it tells no kind.
const fn cause(code: i32) -> Option<Cause> {
    match code {
        // Necessary service unavailable; not connected.
        69 | 102 => Some(Cause::Missing),
        // Insufficient privileges, of both series; quorum required.
        4 | 77 | 106 => Some(Cause::Forbidden),
        // Temporary failure; timeout.
        75 | 124 => Some(Cause::TimedOut),
        _ => None,
    }
}

fn failed(code: i32, line: String, stderr: &str) -> HostError {
    let text = format!("exit code {code}: {line}: {}", stderr.trim());
    HostError::new(cause(code).unwrap_or(Cause::Failed), text)
}

/// Sets the promotion score of `resource` on `node` until the node leaves the cluster.
///
/// # Errors
/// When the program is missing, fails, or hangs.
pub fn set_score(resource: &str, node: &str, score: Score, patience: Patience) -> HostResult<()> {
    // The attached form: a separate word with a leading minus would be read as an option.
    let value = format!("--update={score}");
    run(&promotion(resource, node).arg(value), patience).map(drop)
}

/// The same, also where pacemaker-attrd believes that it stands in the CIB: a pacemaker-controld that begins anew erases it there.
///
/// # Errors
/// As [`set_score`].
pub fn resend_score(resource: &str, node: &str, score: Score, patience: Patience) -> HostResult<()> {
    set_score(resource, node, score, patience)?;
    run(&program(ATTRD_UPDATER).arg("--refresh"), patience).map(drop)
}

/// Deletes the promotion score of `resource` on `node`.
///
/// # Errors
/// As [`set_score`].
pub fn delete_score(resource: &str, node: &str, patience: Patience) -> HostResult<()> {
    run(&promotion(resource, node).arg("--delete"), patience).map(drop)
}

fn promotion(resource: &str, node: &str) -> Command {
    program(CRM_ATTRIBUTE)
        .arg(format!("--promotion={resource}"))
        .arg(format!("--node={node}"))
        .arg("--lifetime=reboot")
        .arg("--quiet")
}

/// All promotion scores of `resource`.
///
/// # Errors
/// As [`set_score`].
pub fn scores(resource: &str, patience: Patience) -> HostResult<Vec<(String, Score)>> {
    let values = query(&format!("master-{resource}"), patience)?;
    Ok(values.into_iter().filter_map(|v| Some((v.node, attributes::score(&v.value)?.into()))).collect())
}

/// Sets an attribute of this node that lives in pacemaker-attrd only and is never written to the CIB.
///
/// # Errors
/// As [`set_score`].
pub fn publish(name: &str, value: &str, patience: Patience) -> HostResult<()> {
    let command = program(ATTRD_UPDATER).arg("--name").arg(name).arg(format!("--update={value}"));
    run(&command.arg("--private"), patience).map(drop)
}

/// Takes [`publish`] back.
///
/// # Errors
/// As [`set_score`].
pub fn unpublish(name: &str, patience: Patience) -> HostResult<()> {
    run(&program(ATTRD_UPDATER).arg("--name").arg(name).arg("--delete").arg("--private"), patience).map(drop)
}

/// [`publish`], as an attribute of another node.
///
/// # Errors
/// As [`set_score`].
pub fn publish_for(node: &str, name: &str, value: &str, patience: Patience) -> HostResult<()> {
    let command = program(ATTRD_UPDATER).arg("--name").arg(name).arg(format!("--update={value}"));
    run(&command.arg("--private").arg(format!("--node={node}")), patience).map(drop)
}

/// Takes [`publish_for`] back.
///
/// # Errors
/// As [`set_score`].
pub fn unpublish_for(node: &str, name: &str, patience: Patience) -> HostResult<()> {
    let command = program(ATTRD_UPDATER).arg("--name").arg(name).arg("--delete").arg("--private");
    run(&command.arg(format!("--node={node}")), patience).map(drop)
}

/// Sets a node attribute that lasts until the node leaves the cluster.
///
/// # Errors
/// As [`set_score`].
pub fn set_attribute(node: &str, name: &str, value: &str, patience: Patience) -> HostResult<()> {
    let command = program(CRM_ATTRIBUTE).args(["--lifetime", "reboot", "--name", name]);
    run(&command.arg(format!("--node={node}")).arg(format!("--update={value}")), patience).map(drop)
}

/// Deletes a node attribute that lasts until the node leaves the cluster; none there is none.
///
/// # Errors
/// As [`set_score`].
pub fn delete_attribute(node: &str, name: &str, patience: Patience) -> HostResult<()> {
    let command = program(CRM_ATTRIBUTE).args(["--lifetime", "reboot", "--name", name]);
    run(&command.arg(format!("--node={node}")).arg("--delete"), patience).map(drop)
}

/// A property of the cluster; `None`: it is not set.
///
/// # Errors
/// As [`set_score`].
pub fn property(name: &str, patience: Patience) -> HostResult<Option<String>> {
    let command = program(CRM_ATTRIBUTE).args(["--type", "crm_config", "--name", name, "--query", "--quiet"]);
    let output = command.run_any(Deadline::after(patience.0))?;
    match output.code {
        0 => Ok(Some(output.text().trim().to_owned()).filter(|value| !value.is_empty())),
        // The exit code of this has changed from version to version, the words have not.
        _ if output.stderr.contains("No such device or address") => Ok(None),
        code => Err(failed(code, command.line(), &output.stderr)),
    }
}

/// Sets a property of the cluster.
///
/// # Errors
/// As [`set_score`].
pub fn set_property(name: &str, value: &str, patience: Patience) -> HostResult<()> {
    let command = program(CRM_ATTRIBUTE).args(["--type", "crm_config", "--name", name]);
    run(&command.arg(format!("--update={value}")), patience).map(drop)
}

/// The values of an attribute on all nodes.
///
/// # Errors
/// As [`set_score`]. That nobody has it is no error.
pub fn query(name: &str, patience: Patience) -> HostResult<Vec<NodeValue>> {
    let command = program(ATTRD_UPDATER).args(["--name", name, "--query", "--all"]);
    let output = command.run_any(Deadline::after(patience.0))?;
    match output.code {
        0 => Ok(attributes::parse(&output.text())),
        // The exit code of this has changed from version to version, the words have not.
        _ if output.stderr.contains("does not exist") => Ok(Vec::new()),
        code => Err(failed(code, command.line(), &output.stderr)),
    }
}

/// Makes Pacemaker forget what failed of a resource on a node, as `pcs resource cleanup` does: it looks, and starts it again.
///
/// # Errors
/// As [`set_score`].
pub fn forget_failures(resource: &str, node: &str) -> HostResult<()> {
    let command = program(CRM_RESOURCE).args(["--cleanup", "--resource", resource, "--node", node]);
    command.run(Deadline::after(CLEANUP)).map(drop).map_err(HostError::from)
}

/// Tells Pacemaker that a resource failed on a node, as a monitor would: it recovers it.
///
/// # Errors
/// As [`set_score`].
pub fn fail(resource: &str, node: &str, patience: Patience) -> HostResult<()> {
    run(&program(CRM_RESOURCE).args(["--fail", "--resource", resource, "--node", node]), patience).map(drop)
}

/// Whether Pacemaker's fencing daemon of this node has a fencing of `node` under way. Every member's is told of each, by the one that
/// carries it out, before the first device is asked.
///
/// # Errors
/// As [`set_score`], and when the output can't be read.
pub fn fencing_is_pending(node: &str, patience: Patience) -> HostResult<bool> {
    // Without --verbose it leaves out what is under way; with a name it tells the last one alone.
    let command =
        program(STONITH_ADMIN).args(["--history", "*", "--verbose", "--verbose", "--output-as=xml"]);
    fencing_history::is_pending(&run(&command, patience)?, node).map_err(HostError::from)
}

/// The last fencing of `node` that succeeded since a time (`2026-11-29 12:00:00`, UTC): the program that asked for it, and when it was done.
///
/// # Errors
/// As [`fencing_is_pending`].
pub fn last_fencing(node: &str, since: &str, patience: Patience) -> HostResult<Option<(String, String)>> {
    let command =
        program(STONITH_ADMIN).args(["--history", "*", "--verbose", "--verbose", "--output-as=xml"]);
    fencing_history::last_success(&run(&command, patience)?, node, since).map_err(HostError::from)
}

/// The cluster's status.
///
/// # Errors
/// As [`set_score`], and when the output can't be read.
pub fn status(patience: Patience) -> HostResult<Status> {
    let command = program(CRM_MON).args(["--one-shot", "--output-as=xml", "--include=all"]);
    crm_mon::parse(&run(&command, patience)?).map_err(HostError::from)
}

/// The CIB of the running cluster.
///
/// # Errors
/// As [`set_score`].
pub fn cib(patience: Patience) -> HostResult<String> {
    run(&program(CIBADMIN).arg("--query"), patience)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_without_its_daemon_a_right_or_time_says_so_by_its_exit_code() {
        let shell = |code: i32| Command::new("/bin/sh").arg("-c").arg(format!("exit {code}"));
        let ran = |code| run(&shell(code), Patience::of(Duration::from_secs(3))).expect_err("failed").cause;
        for (code, kind) in [
            (102, Cause::Missing),
            (4, Cause::Forbidden),
            (106, Cause::Forbidden),
            (124, Cause::TimedOut),
            (1, Cause::Failed),
        ] {
            assert_eq!(ran(code), kind, "{code}");
        }
        let absent = run(&Command::new("/usr/sbin/no-such-tool"), Patience::of(Duration::from_secs(3)));
        assert_eq!(absent.expect_err("missing").cause, Cause::Missing);
    }
}
