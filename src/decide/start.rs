//! A start brings up a standby, always: who becomes primary is Pacemaker's decision, by `promote`.

use std::time::Duration;

use crate::ocf::OcfCode;
use crate::ocf::environment::Notify;
use crate::pg::control_data::DbState;
use crate::pg::lsn::Lsn;
use crate::pg::timeline::{Timeline, WalPosition};

use super::activity::Progress;
use super::clock::Time;
use super::cluster::Manager;
use super::disk::{Disk, Finding};
use super::election::Approval;
use super::facts::{Control, Facts, ProcessSummary, RunState, ServerAnswer, Signal};
use super::memory::{LastRole, OtherPrimary};
use super::promotions::{Branch, Mismatch, Record};
use super::rejoin::Cause;

/// A standby without its stream counts as started after this time: the primary may be unreachable for reasons that
/// are not this node's, and reads are served meanwhile.
pub const STREAM_WAIT: Duration = Duration::from_secs(10);

/// What to do before a server is launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// It runs already as it should.
    Already(&'static str),
    /// End what is left of an earlier server, then look again.
    Clear(&'static str),
    Launch,
    /// A server is on its way up or down: look again.
    Wait(&'static str),
    Refuse(OcfCode, String),
}

/// Why no start is possible in such a clone; `None`: one is.
pub fn unfit_clone(manager: Manager, notify: Notify, promoted_max: Option<usize>) -> Option<String> {
    match (manager, notify, promoted_max) {
        (Manager::Nobody, _, _) => None,
        (Manager::Pacemaker, Notify::Off, _) => Some(
            "the clone's meta attribute notify is not true, without it there is no election: \
             pcs resource meta CLONE notify=true"
                .into(),
        ),
        (Manager::Pacemaker, Notify::On | Notify::Unsaid, Some(max @ 2..)) => Some(format!(
            "the clone's meta attribute promoted-max is {max}, and PostgreSQL has one primary: \
             pcs resource meta CLONE promoted-max=1"
        )),
        (Manager::Pacemaker, Notify::On | Notify::Unsaid, Some(0 | 1) | None) => None,
    }
}

/// The code of that refusal. For "configured" Pacemaker stops the whole clone, and a healthy primary of another node with it.
#[must_use]
pub const fn unfit_code(other: OtherPrimary) -> OcfCode {
    match other {
        OtherPrimary::Nobody => OcfCode::ErrConfigured,
        OtherPrimary::Another | OtherPrimary::Unknown => OcfCode::ErrInstalled,
    }
}

/// Whether a server is launched on such a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    Launch,
    /// It may answer yet: try it again.
    TryAgain,
    Refuse(String),
}

/// Whether a trial write is made ahead of a launch. In a switchover clients wait, and the last monitor has just looked: there its
/// finding does.
pub const fn tries_disk(occasion: Occasion, last: Disk) -> bool {
    match (occasion, last) {
        (Occasion::Demotion, Disk::Sound) => false,
        (Occasion::Start, _)
        | (Occasion::Demotion, Disk::Slow | Disk::Full | Disk::ReadOnly | Disk::Broken | Disk::Stuck) => true,
    }
}

/// Who waits for a start besides the instance itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    Nobody,
    /// This transition promotes another instance. Pacemaker does that once every start has ended.
    NextPrimary,
}

/// The service waits so long for a disk that may answer again: an array's failover, or a snapshot, takes some seconds.
pub const NEXT_PRIMARY_WAITS: Duration = Duration::from_secs(10);

/// How long a start waits for a disk that takes no write. A start that fails is final for Pacemaker: the node is out until somebody
/// types a cleanup. `left`: what the action has; the launch itself needs some of it.
pub fn disk_patience(left: Duration, waiting: Waiting) -> Duration {
    let most = left * 3 / 4;
    match waiting {
        Waiting::Nobody => most,
        Waiting::NextPrimary => most.min(NEXT_PRIMARY_WAITS),
    }
}

/// On a stuck disk the start itself would hang, and nothing could end it. `time`: by [`disk_patience`]. After a demotion that fails
/// Pacemaker stops the instance and goes on: a disk that is known to be stuck is not waited for there.
pub fn on_disk(occasion: Occasion, finding: &Finding, time: Time) -> Ground {
    match (finding.disk, time, occasion) {
        (Disk::Sound | Disk::Full | Disk::ReadOnly | Disk::Broken, _, _) => Ground::Launch,
        (Disk::Slow, Time::Left, _) | (Disk::Stuck, Time::Left, Occasion::Start) => Ground::TryAgain,
        (Disk::Slow | Disk::Stuck, Time::Over, _) | (Disk::Stuck, Time::Left, Occasion::Demotion) => {
            Ground::Refuse(format!("a start would hang: {}", finding.reason.as_deref().unwrap_or_default()))
        }
    }
}

/// A setting that is given on the server's command line, above all of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaunchSetting {
    pub name: &'static str,
    pub value: &'static str,
    /// The last major version that has it; `None`: all have.
    pub until: Option<u8>,
}

const fn setting(name: &'static str, value: &'static str, until: Option<u8>) -> LaunchSetting {
    LaunchSetting { name, value, until }
}

/// What a standby of ours never has, whatever was left in its files: an end of recovery that it chooses by itself. A restore to a
/// point in time leaves a target in postgresql.auto.conf, and with recovery_target_action = promote the demoted primary would
/// promote itself seconds later. Nor a command at that end: PostgreSQL waits for recovery_end_command before it takes a write, as long
/// as that takes, and ends where it exits above 125 or by a signal (xlogarchive.c).
pub const LAUNCH_SETTINGS: [LaunchSetting; 9] = [
    setting("recovery_target", "", None),
    setting("recovery_target_lsn", "", None),
    setting("recovery_target_name", "", None),
    setting("recovery_target_time", "", None),
    setting("recovery_target_xid", "", None),
    setting("recovery_target_action", "shutdown", None),
    setting("recovery_target_timeline", "latest", None),
    setting("promote_trigger_file", "", Some(15)),
    setting("recovery_end_command", "", None),
];

/// The same without the archive: PostgreSQL waits for a restore_command that hangs, also ahead of a promotion.
pub fn without_archive() -> Vec<LaunchSetting> {
    let mut settings = LAUNCH_SETTINGS.to_vec();
    settings.push(setting("restore_command", "", None));
    settings
}

/// Whether what lies in PGDATA may be started as a member of this cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    Fits,
    /// With what a rejoin would be for; `None`: the data are nobody's to replace.
    Refuse(OcfCode, String, Option<Cause>),
}

/// What lies in PGDATA, and how it came there.
#[derive(Debug, Clone, Copy)]
pub struct AtRest<'a> {
    pub node: &'a str,
    /// Whether it ended as a primary, without standby.signal.
    pub last_role: LastRole,
    /// A base backup that was not started yet is nobody's end.
    pub is_base_backup: bool,
    /// The node whose promotion the data are of; `None`: it stands nowhere.
    pub owner: Option<&'a str>,
    pub position: Option<WalPosition>,
    pub record: &'a Record,
    pub branch: &'a Branch,
    pub approval: Approval,
}

/// Whether these data may be started. A timeline has one writer: a directory that ended as a primary, and is of another node's promotion,
/// was started and written to by hand, and its WAL would pass for that primary's own.
#[must_use]
pub fn membership(facts: &AtRest<'_>) -> Membership {
    if facts.approval == Approval::Given {
        return Membership::Fits;
    }
    match facts.branch {
        Branch::Other(mismatch @ Mismatch::AnotherSystem { .. }) => {
            Membership::Refuse(OcfCode::ErrInstalled, format!("{mismatch}; pg_basebackup from it"), None)
        }
        Branch::Other(mismatch @ (Mismatch::Unknown { .. } | Mismatch::AnotherBranch { .. })) => {
            let why = format!("{mismatch}; pg_rewind or pg_basebackup from it");
            Membership::Refuse(OcfCode::ErrGeneric, why, Some(Cause::Diverged))
        }
        Branch::Last | Branch::Other(Mismatch::Older { .. }) => match forked_from(facts) {
            Some(owner) => {
                let at = facts.position.map_or("?".to_owned(), |own| own.to_string());
                Membership::Refuse(
                    OcfCode::ErrGeneric,
                    format!(
                        "pgdata was a primary, to {at}, of {owner}'s: started by hand; pg_rewind or pg_basebackup"
                    ),
                    // pg_rewind compares timelines: on one and the same it sees no difference.
                    Some(if *facts.branch == Branch::Last { Cause::Forked } else { Cause::Diverged }),
                )
            }
            None => Membership::Fits,
        },
        Branch::Other(Mismatch::Unusable(_)) | Branch::Unrecorded | Branch::NotBegun => Membership::Fits,
    }
}

/// Whose WAL a directory that ended as a primary went on with by hand; `None`: its own.
fn forked_from<'a>(facts: &AtRest<'a>) -> Option<&'a str> {
    let last = facts.record.last()?;
    // Its own promotion began, and ended before it stood beside the data.
    if facts.last_role != LastRole::Primary || facts.is_base_backup || last.node == facts.node {
        return None;
    }
    let of_last = (*facts.branch == Branch::Last).then_some(last.node.as_str());
    of_last.or(facts.owner.filter(|owner| *owner != facts.node))
}

/// What brings a standby up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Start,
    /// The second half of a demotion: the primary was this instance until now, and there is none before the next promotion.
    Demotion,
}

/// Decides on what there is.
pub fn before(facts: &Facts, time_over: bool) -> Before {
    match (facts.process_summary(), facts.server_answer()) {
        (_, ServerAnswer::Standby) => Before::Already("a standby runs already"),
        (_, ServerAnswer::Primary) => Before::Refuse(
            OcfCode::ErrGeneric,
            "a primary runs already, started by something else than Pacemaker; stop it, then: pcs resource cleanup".into(),
        ),
        (ProcessSummary::Unknown, _) => Before::Refuse(OcfCode::ErrGeneric, "the processes could not be examined".into()),
        (ProcessSummary::Leftovers, _) => Before::Clear("children of a dead postmaster still run"),
        (ProcessSummary::Alive(RunState::Stopped), _) => Before::Clear("a stopped (SIGSTOP) postmaster is in the way"),
        (ProcessSummary::Alive(_), ServerAnswer::ColdStandby) => Before::Refuse(
            OcfCode::ErrInstalled,
            "the server runs with hot_standby = off: set hot_standby = on, monitoring needs connections".into(),
        ),
        (ProcessSummary::Alive(_), _) if time_over => {
            Before::Refuse(OcfCode::ErrGeneric, "a postmaster runs already, but does not tell its role".into())
        }
        (ProcessSummary::Alive(_), _) => Before::Wait("a postmaster runs already and does not tell its role yet"),
        (ProcessSummary::Absent, _) => match &facts.control {
            Control::Known(_) => Before::Launch,
            Control::Unknown(why) => Before::Refuse(OcfCode::ErrInstalled, why.clone()),
        },
    }
}

/// Whether the instance last ran as a primary, by what it left.
pub fn last_role(facts: &Facts) -> LastRole {
    match (facts.state(), facts.signal) {
        // A standby ends "shut down in recovery": whoever put standby.signal there did it afterwards.
        (Some(DbState::ShutDown | DbState::ShuttingDown), _)
        | (Some(DbState::InProduction | DbState::InCrashRecovery), Signal::Missing) => LastRole::Primary,
        _ => LastRole::Standby,
    }
}

/// The same, by what is remembered too. A start that failed half-way left standby.signal behind; what the instance was before still
/// counts, until it has received WAL as a standby.
pub const fn last_role_by(left: LastRole, remembered: LastRole, received: Option<Timeline>) -> LastRole {
    match (left, remembered, received) {
        (LastRole::Standby, LastRole::Primary, None) => LastRole::Primary,
        (now, _, _) => now,
    }
}

/// How far the WAL of an instance at rest reaches at least, by its control file.
pub fn resting_position(facts: &Facts) -> Option<WalPosition> {
    let control = facts.control()?;
    Some(match control.state {
        // Its shutdown checkpoint begins there, so that there is WAL behind it.
        DbState::ShutDown => {
            WalPosition { lsn: Lsn(control.checkpoint.lsn.0.saturating_add(1)), ..control.checkpoint }
        }
        _ => control.furthest(),
    })
}

/// Where the new standby stands with its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stream {
    /// No primary is there to stream from.
    NoPrimary,
    Streaming,
    NotYet,
    Diverged(String),
}

/// What to do once a server was launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    Wait(&'static str),
    Done(&'static str),
    /// The role is sure, and its recovery gets on: it is not ended for a timeout. No candidate until it is through.
    Recovering(&'static str),
    /// Take it down again and fail.
    Fail(OcfCode, String),
}

/// What a look after the launch shows.
#[derive(Debug, Clone, Copy)]
pub struct Launched<'a> {
    pub facts: &'a Facts,
    pub stream: &'a Stream,
    /// How long it has taken connections as a standby.
    pub consistent_for: Duration,
    /// Whether its recovery gets on.
    pub recovery: Progress,
    pub time_over: bool,
    /// The last lines of PostgreSQL's own output.
    pub log: &'a str,
}

/// Decides on a look after the launch.
pub fn after(launched: &Launched<'_>) -> After {
    let Launched { facts, stream, consistent_for, recovery, time_over, log } = *launched;
    match (facts.process_summary(), facts.server_answer()) {
        (_, ServerAnswer::Primary) => After::Fail(
            OcfCode::ErrGeneric,
            "the server came up as a primary although standby.signal was there".into(),
        ),
        (_, ServerAnswer::Standby) => match stream {
            Stream::Diverged(why) => After::Fail(OcfCode::ErrGeneric, why.clone()),
            Stream::NoPrimary => After::Done("a standby runs; nobody is promoted yet"),
            Stream::Streaming => After::Done("a standby runs and streams"),
            Stream::NotYet if consistent_for >= STREAM_WAIT || time_over => {
                After::Done("a standby runs, but does not stream yet")
            }
            Stream::NotYet => After::Wait("a standby runs, but does not stream yet"),
        },
        (ProcessSummary::Absent, _) => {
            After::Fail(OcfCode::ErrGeneric, format!("postgres ended at once: {log}"))
        }
        (_, ServerAnswer::ColdStandby) => After::Fail(
            OcfCode::ErrInstalled,
            "the server runs with hot_standby = off: set hot_standby = on, monitoring needs connections"
                .into(),
        ),
        // Recovery of much WAL may take longer than the operation's timeout; the role is sure all the same.
        (ProcessSummary::Alive(_), ServerAnswer::NoRole)
            if facts.state() == Some(DbState::InArchiveRecovery) =>
        {
            After::Done("a standby runs, but refuses our login")
        }
        (ProcessSummary::Alive(RunState::Running | RunState::Uninterruptible), ServerAnswer::Recovering)
            if time_over
                && recovery == Progress::GoesOn
                && facts.role_state() == Some(DbState::InArchiveRecovery) =>
        {
            After::Recovering(
                "a standby runs, and replays WAL until it is consistent: give op start a longer timeout, it ends before that",
            )
        }
        (_, _) if time_over => After::Fail(
            OcfCode::ErrGeneric,
            format!(
                "the server does not take connections at our deadline ({}); give op start a longer timeout if it has much WAL \
                 to replay: {log}",
                facts.server_answer().text()
            ),
        ),
        (_, _) => After::Wait("the server starts"),
    }
}

#[cfg(test)]
mod tests;
