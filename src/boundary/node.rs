//! The real [`Host`]: one instance of PostgreSQL on this node.

mod directory;
mod environment;
mod instance_record;
mod launch;
mod locks;
mod processes;
mod record;
mod recovery;
mod rejoin;
mod server_log;
mod settings;
mod slots;
mod state;
mod wal_end;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal as Unix;

use super::clock::{Deadline, boottime};
use super::command::{self, Detached};
use super::data_directory::{self, SignalFile};
use super::host::{Host, HostError, HostResult, Level};
use super::identity::{IdentityError, SystemUser};
use super::log::Log;
use super::owned_files::OwnedFiles;
use super::postgres::Endpoint;
use super::process::{self, Debugged, ProcessState};
use super::{checker, control_file, corosync, memory, node_reset, pacemaker, registry, write_test};
use crate::cluster::crm_mon::Status;
use crate::decide::activity::Activity;
use crate::decide::clock::BootTime;
use crate::decide::disk::Trial;
use crate::decide::election::{Ballot, Fitness};
use crate::decide::facts::{Control, Facts, Process, RunState, Signal};
use crate::decide::memory::Memory;
use crate::decide::promotion_score::Score;
use crate::decide::promotions::Promotion;
use crate::decide::recovery::Recovery;
use crate::decide::reported::Reported;
use crate::decide::start::LaunchSetting;
use crate::decide::stop::{Shutdown, Stage, StopFacts};
use crate::decide::voters::{NodeVoters, Voters};
use crate::ocf::{Run, Settings};
use crate::pg::control_data::{ControlData, DbState};
use crate::pg::history::Histories;
use crate::pg::lsn::Lsn;
use crate::pg::role::PgRole;
use crate::pg::server_log::{receiver_trouble, why};
use crate::pg::timeline::{Timeline, WalPosition};
use crate::pg::view::Answer;

/// votequorum answers within milliseconds, and not while corosync forms its membership.
const VOTEQUORUM: Duration = Duration::from_secs(1);
/// A stopped postmaster is asked only briefly: it can't answer.
const STOPPED_PATIENCE: Duration = Duration::from_millis(300);
/// The control file is rewritten within microseconds.
const CONTROL_PATIENCE: Duration = Duration::from_millis(200);

/// One instance on this node.
pub struct Node {
    settings: Settings,
    run: Run,
    log: Log,
    files: OnceCell<Result<OwnedFiles, IdentityError>>,
    launched: Option<Detached>,
    deadline: Deadline,
    /// Length of the log file before the launch.
    log_from: u64,
}

impl Node {
    /// The instance that the settings speak of.
    pub fn new(settings: Settings, run: Run, log: Log) -> Node {
        let deadline = Deadline::after(run.budget());
        Node { settings, run, log, deadline, files: OnceCell::new(), launched: None, log_from: 0 }
    }

    fn pgdata(&self) -> &Path {
        &self.settings.pgdata
    }

    /// What the database's user owns. Looked up once for a call: the name service may be slow.
    pub(in crate::boundary) fn files(&self) -> Result<&OwnedFiles, &IdentityError> {
        let owner = || SystemUser::lookup(&self.settings.system_user).map(|user| OwnedFiles::of(&user));
        self.files.get_or_init(owner).as_ref()
    }

    fn user(&self) -> HostResult<SystemUser> {
        self.files().map(|files| files.user().clone()).map_err(host_error)
    }

    pub(in crate::boundary) fn control(&self) -> HostResult<ControlData> {
        let files = self.files().map_err(host_error)?;
        control_file::read(files, self.pgdata(), Deadline::after(CONTROL_PATIENCE)).map_err(host_error)
    }

    /// Whether the control file says so: the checkpoint of a shutdown is on the disk.
    fn is_shut_down(&self) -> bool {
        self.control().is_ok_and(|c| matches!(c.state, DbState::ShutDown | DbState::ShutDownInRecovery))
    }

    /// Where the server listens. Its own pid file knows better than a parameter that was changed since.
    fn endpoint(&self) -> HostResult<Endpoint> {
        let user = self.user()?;
        let file = self.pid_file();
        let recorded_port = file.as_ref().and_then(|f| f.port).map(std::num::NonZeroU16::get);
        let recorded_directory = file.and_then(|f| f.socket_directory).map(PathBuf::from);
        Ok(Endpoint {
            socket_dir: recorded_directory.unwrap_or_else(|| self.settings.pghost.clone()),
            port: recorded_port.unwrap_or(self.settings.pgport),
            dbuser: self.settings.dbuser.clone().unwrap_or_else(|| user.name.clone()),
            dbname: self.settings.dbname.clone().unwrap_or_else(|| "postgres".into()),
            service: self.settings.dbservice.clone(),
            service_file: None,
            passfile: None,
            user,
        })
    }

    fn log_file(&self) -> PathBuf {
        self.settings.log_file.clone().unwrap_or_else(|| {
            PathBuf::from(format!("/var/log/postgresql/quorate-{}.log", self.run.resource))
        })
    }

    /// Whether the postmaster that this call launched still runs; reaps it if not.
    fn launched_runs(&mut self) -> bool {
        matches!(self.launched.as_mut().map(Detached::exited), Some(Ok(None)))
    }
}

fn host_error(error: impl Into<HostError>) -> HostError {
    error.into()
}

impl Host for Node {
    fn begin(&mut self, deadline: BootTime) {
        self.deadline = Deadline::after(Duration::from_millis(deadline - boottime()));
    }

    fn now(&self) -> BootTime {
        boottime()
    }

    fn sleep(&mut self, wait: Duration) {
        Deadline::after(wait).sleep(wait);
    }

    fn look(&mut self, patience: Duration) -> Facts {
        let mut process = self.process();
        // Of a server that we launched ourselves the child knows better than one pass over /proc.
        if process == Process::Absent && self.launched_runs() {
            process = Process::Alive(RunState::Running);
        }
        let answer = match &process {
            Process::Alive(state) => {
                let patience =
                    if *state == RunState::Stopped { STOPPED_PATIENCE.min(patience) } else { patience };
                let answer = match self.endpoint() {
                    Ok(endpoint) => endpoint.probe(patience),
                    Err(error) => Answer::Unusable(error.text),
                };
                // What did not answer is looked at again: it may have died or been stopped meanwhile.
                if answer.role().is_none() {
                    process = match self.process() {
                        Process::Absent if self.launched_runs() => Process::Alive(RunState::Running),
                        process => process,
                    };
                }
                Some(answer)
            }
            Process::Absent | Process::Leftovers(_) | Process::Unknown(_) => None,
        };
        let control = match self.control() {
            Ok(control) => Control::Known(control),
            Err(error) => Control::Unknown(error.text),
        };
        let signal = match self
            .files()
            .map(|files| data_directory::has_signal(files, self.pgdata(), SignalFile::Standby))
        {
            Ok(Ok(false)) => Signal::Missing,
            // Without it the instance would count as a former primary, which knows that it has everything.
            Ok(Ok(true) | Err(_)) | Err(_) => Signal::Present,
        };
        Facts { process, answer, control, signal }
    }

    fn stop_facts(&mut self) -> StopFacts {
        match self.processes() {
            Err(error) => StopFacts {
                process: Process::Unknown(format!("PostgreSQL's processes can't be identified: {error}")),
                stopped_children: 0,
                node_reset: checker::node_reset(),
                shutdown: Shutdown::UnderWay,
            },
            Ok((postmaster, children)) => StopFacts {
                stopped_children: children.iter().filter(|p| p.state == ProcessState::Stopped).count(),
                process: match postmaster {
                    Some(postmaster) => Process::Alive(postmaster.state.run_state(Debugged::AsRunning)),
                    None if children.is_empty() => Process::Absent,
                    None => Process::Leftovers(children.len()),
                },
                node_reset: checker::node_reset(),
                shutdown: Shutdown::UnderWay,
            },
        }
    }

    fn is_handed_over(&mut self) -> bool {
        self.is_shut_down() && self.has_no_senders()
    }

    fn wait_gone(&mut self, wait: Duration) {
        let deadline = Deadline::after(wait);
        let ids: Vec<_> = match self.processes() {
            Ok((postmaster, children)) => {
                // A shutdown ends with the postmaster; leftovers are awaited one by one.
                postmaster.map_or_else(|| children.iter().map(|p| p.id).collect(), |p| vec![p.id])
            }
            Err(_) => Vec::new(),
        };
        if ids.is_empty() || process::wait_gone(&ids, deadline).is_err() {
            deadline.sleep(Duration::from_millis(20));
        }
    }

    fn send(&mut self, stage: Stage) -> HostResult<()> {
        match stage {
            Stage::Nothing => Ok(()),
            Stage::Fast => self.signal_postmaster(Unix::SIGINT),
            Stage::Immediate => self.signal_postmaster(Unix::SIGQUIT),
            Stage::Killed => {
                let (postmaster, children) = self.processes().map_err(host_error)?;
                // The postmaster first: it would start new children for those that die.
                let mut failed = None;
                for victim in postmaster.iter().chain(&children) {
                    if let Err(error) = self.signal(victim.id, Unix::SIGKILL) {
                        failed = Some(HostError::from(error).about(format!("SIGKILL to {}", victim.id.pid)));
                    }
                }
                failed.map_or(Ok(()), Err)
            }
        }
    }

    fn try_writes(&mut self, patience: Duration) -> Vec<(String, Trial)> {
        match (self.files().map_err(host_error), memory::lock(&self.run.resource)) {
            (Ok(files), Ok(lock)) => {
                let directories = write_test::directories(files, self.pgdata());
                write_test::run(&directories, write_test::AMONG_DATA, files.user(), &lock, patience)
            }
            (Err(why), _) | (_, Err(why)) => {
                vec![(self.pgdata().display().to_string(), Trial::Untried(why.text))]
            }
        }
    }

    fn activity(&mut self) -> Option<Activity> {
        self.switches()
    }

    fn run_state(&mut self, pid: i32) -> Option<RunState> {
        process::inspect(pid).ok().flatten().map(|p| p.state.run_state(Debugged::AsRunning))
    }

    fn resetting(&mut self) -> Option<String> {
        node_reset::marked(Path::new(node_reset::MARKER))
    }

    fn check_installation(&mut self) -> HostResult<()> {
        self.installation()
    }

    fn prepare_standby(&mut self, primary_conninfo: Option<&str>) -> HostResult<()> {
        let files = self.files().map_err(host_error)?;
        if let Some(conninfo) = primary_conninfo {
            self.write_conninfo(conninfo)?;
        }
        // Left by a promotion that was cut off: it would end the recovery at once.
        data_directory::remove_signal(files, self.pgdata(), SignalFile::Promote).map_err(host_error)?;
        data_directory::create_signal(files, self.pgdata(), SignalFile::Standby).map_err(host_error)?;
        self.remove_reserved()?;
        self.remove_stale_locks()
    }

    fn keep_standby_signal(&mut self) -> HostResult<()> {
        let files = self.files().map_err(host_error)?;
        let standby = SignalFile::Standby;
        data_directory::create_signal(files, self.pgdata(), standby).map_err(host_error)?;
        // Of one that was killed, and that nobody has waited for yet.
        self.remove_stale_locks()
    }

    fn recovery(&mut self) -> Option<Recovery> {
        self.startup_process()
    }

    fn is_base_backup(&mut self) -> bool {
        self.has_backup_label()
    }

    fn launch(&mut self, settings: &[LaunchSetting]) -> HostResult<()> {
        self.launch_server(settings)
    }

    fn log_tail(&mut self) -> String {
        let said = self.server_said();
        let last = why(&said);
        let ended = match self.launched.as_mut().map(Detached::exited) {
            Some(Ok(Some(status))) => format!("{status}: "),
            _ => String::new(),
        };
        if last.is_empty() {
            format!("{ended}nothing in {}", self.log_file().display())
        } else {
            format!("{ended}{last}")
        }
    }

    fn receiver_trouble(&mut self) -> Option<String> {
        receiver_trouble(&self.server_said())
    }

    fn repoint(&mut self, primary_conninfo: &str) -> HostResult<()> {
        self.write_conninfo(primary_conninfo)?;
        self.signal_postmaster(Unix::SIGHUP)
    }

    fn reserve_timelines(&mut self, timelines: &[Timeline]) -> HostResult<()> {
        self.write_reserved(timelines)
    }

    fn set_synchronous(&mut self, names: Option<&str>) -> HostResult<()> {
        self.write_setting("synchronous_standby_names", names)?;
        self.signal_postmaster(Unix::SIGHUP)
    }

    fn tell_to_promote(&mut self) -> HostResult<()> {
        let (files, pgdata) = (self.files().map_err(host_error)?, self.pgdata());
        data_directory::create_signal(files, pgdata, SignalFile::Promote).map_err(host_error)?;
        self.signal_postmaster(Unix::SIGUSR1)
    }

    fn prove_writable(&mut self, patience: Duration) -> HostResult<()> {
        self.endpoint()?.verify_writable(patience).map(drop).map_err(host_error)
    }

    fn checkpoint(&mut self, patience: Duration) -> HostResult<()> {
        self.endpoint()?.checkpoint(patience).map_err(host_error)
    }

    fn histories(&mut self) -> HostResult<Histories> {
        self.read_histories()
    }

    fn segment_timeline(&mut self, lsn: Lsn) -> Option<Timeline> {
        let names = data_directory::pg_wal_names(self.files().ok()?, self.pgdata()).ok()?;
        let size = self.control().ok()?.segment_size;
        let last_byte = Lsn(lsn.0.saturating_sub(1));
        crate::pg::wal_file::highest_timeline_at(names.iter().map(String::as_str), last_byte, size)
    }

    fn wal_end(&mut self) -> HostResult<WalPosition> {
        self.read_wal_end()
    }

    fn has_quorum(&mut self) -> HostResult<bool> {
        let votes = corosync::votes(Path::new(corosync::QUORUMTOOL), Deadline::after(VOTEQUORUM))?;
        votes
            .quorate
            .ok_or_else(|| HostError::unusable("corosync-quorumtool -s does not say whether there is quorum"))
    }

    fn cluster(&mut self) -> HostResult<Status> {
        pacemaker::status(self.patience())
    }

    fn set_score(&mut self, node: &str, score: Score) -> HostResult<()> {
        pacemaker::set_score(&self.run.resource, node, score, self.patience())
    }

    fn delete_score(&mut self, node: &str) -> HostResult<()> {
        pacemaker::delete_score(&self.run.resource, node, self.patience())
    }

    fn resend_score(&mut self, node: &str, score: Score) -> HostResult<()> {
        pacemaker::resend_score(&self.run.resource, node, score, self.patience())
    }

    fn scores(&mut self) -> HostResult<Vec<(String, Score)>> {
        pacemaker::scores(&self.run.resource, self.patience())
    }

    fn vote(&mut self, ballot: Option<(WalPosition, Fitness)>) -> HostResult<()> {
        self.write_ballot(ballot)
    }

    fn ballots(&mut self) -> HostResult<Vec<Ballot>> {
        self.read_ballots()
    }

    fn report(&mut self, reported: Reported) -> HostResult<()> {
        self.write_reported(reported)
    }

    fn promotions(&mut self) -> HostResult<Vec<Promotion>> {
        self.read_promotions()
    }

    fn publish_promotion(&mut self, nodes: &[String], promotion: &Promotion) -> HostResult<()> {
        self.write_promotion(nodes, promotion)
    }

    fn voters(&mut self) -> HostResult<Vec<NodeVoters>> {
        self.read_voters()
    }

    fn publish_voters(&mut self, nodes: &[String], voters: &Voters) -> HostResult<()> {
        self.write_voters(nodes, voters)
    }

    fn keep_promotion(&mut self, promotion: &Promotion) -> HostResult<()> {
        self.write_property(promotion)
    }

    fn set_safe_mode(&mut self, reason: Option<&str>) -> HostResult<()> {
        self.write_safe_mode(reason)
    }

    fn end_approval(&mut self, node: &str) -> HostResult<()> {
        self.delete_approval(node)
    }

    fn branch_mark(&mut self) -> HostResult<Option<Promotion>> {
        self.read_mark()
    }

    fn mark_branch(&mut self, promotion: &Promotion) -> HostResult<()> {
        self.write_mark(promotion)
    }

    fn announce(&mut self, node: &str, end: Option<WalPosition>) -> HostResult<()> {
        self.write_end(node, end)
    }

    fn announced(&mut self, node: &str) -> HostResult<Option<WalPosition>> {
        self.read_end(node)
    }

    fn recall(&mut self) -> Memory {
        let recalled = memory::recall(&self.run.resource).unwrap_or_else(|error| {
            self.log
                .line(Level::Warning, &format!("the agent's memory can't be read and starts empty: {error}"));
            Memory::default()
        });
        recalled.in_run(memory::pacemaker_run()).kept_by(memory::score_keepers(), self.now())
    }

    fn remember(&mut self, remembered: &Memory) -> HostResult<()> {
        memory::remember(&self.run.resource, remembered)
    }

    fn record(&mut self, role: PgRole) -> HostResult<()> {
        self.write_instance_record(role)
    }

    fn record_stopping(&mut self) -> HostResult<()> {
        self.change_word()
    }

    fn recorded(&mut self) -> Option<PgRole> {
        self.role_left()
    }

    fn forget(&mut self) -> HostResult<()> {
        registry::forget(&self.run.resource)
    }

    fn log(&mut self, level: Level, line: &str) {
        self.log.line(level, line);
    }
}
