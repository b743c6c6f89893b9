//! What a rejoin does to the data of an instance that does not run, and whom it asks: PostgreSQL's programs, run as the owner of the
//! data, and the primary.

mod copy;
mod directories;
mod keep;
#[cfg(feature = "cli")]
mod keeps;
mod recover;
mod source;
mod task;
mod tool;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::keep::Compared;
#[cfg(feature = "cli")]
pub use self::keeps::{Entry, entries, remove_entry};
pub use self::source::{Source, SourceFacts};
pub use self::task::{Lock, abandon, ask, is_abandoned, is_running, load, remove, save, start_unit};

use super::clock::Deadline;
use super::command::{Command, Environment};
use super::host::HostError;
use super::log::Log;
use super::node::Node;
use super::owned_files::OwnedFiles;
use super::process;
use super::storage::StorageError;
use crate::decide::follow::cluster_facts;
use crate::decide::rejoin::Task;
use crate::ocf::{Run, Settings};
use crate::pg::conninfo::Conninfo;
use crate::pg::view::Answer;

/// Questions to the primary, and programs that read a file or two.
const SHORT: Duration = Duration::from_secs(30);
const PROBE: Duration = Duration::from_secs(5);

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejoinError {
    /// It may succeed later.
    #[error("{0}")]
    Again(String),
    /// It will not, before somebody changes something.
    #[error("{0}")]
    Manual(String),
    /// Nobody is promoted, or Pacemaker does not say who.
    #[error("no primary to follow: {0}")]
    NoPrimary(String),
}

impl From<HostError> for RejoinError {
    fn from(error: HostError) -> Self {
        Self::Again(error.to_string())
    }
}

impl From<RejoinError> for HostError {
    fn from(error: RejoinError) -> Self {
        match error {
            RejoinError::Again(why) => Self::failed(why),
            RejoinError::Manual(why) => Self::unusable(why),
            RejoinError::NoPrimary(_) => Self::missing(error.to_string()),
        }
    }
}

impl From<StorageError> for RejoinError {
    fn from(error: StorageError) -> Self {
        Self::Again(error.to_string())
    }
}

fn again(error: impl std::fmt::Display) -> RejoinError {
    RejoinError::Again(error.to_string())
}

/// The result of a step.
pub type Step<T> = Result<T, RejoinError>;

/// The instance whose data are replaced. It does not run.
pub struct Instance {
    pub(super) node: Node,
    settings: Settings,
    resource: String,
    name: String,
}

impl Instance {
    /// By the parameters that the agent had.
    ///
    /// # Errors
    /// They can't be used.
    pub fn of(task: &Task) -> Step<Self> {
        let settings =
            Settings::strict(&task.environment).map_err(|error| RejoinError::Manual(error.to_string()))?;
        let run = Run::from(&task.environment);
        let log = Log::new(&run.resource, "rejoin");
        let node = Node::new(settings.clone(), run, log);
        Ok(Self { node, settings, resource: task.resource.clone(), name: task.node.clone() })
    }

    /// Its parameters.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn pgdata(&self) -> &Path {
        &self.settings.pgdata
    }

    fn files(&self) -> Step<&OwnedFiles> {
        self.node.files().map_err(|error| RejoinError::Manual(error.to_string()))
    }

    fn program(&self, name: &str) -> Step<Command> {
        let bindir = self.node.bindir().map_err(|error| RejoinError::Manual(error.text))?;
        let user = self.files()?.user();
        Ok(Command::new(bindir.join(name)).environment(Environment::Clean).run_as(user))
    }

    /// A program of the system's, as the owner of the data.
    fn system(&self, path: &str) -> Step<Command> {
        Ok(Command::new(path).environment(Environment::Clean).run_as(self.files()?.user()))
    }

    /// Refuses to go on beside a server: the agent's or one that was started by hand.
    ///
    /// # Errors
    /// One runs there, or nobody can tell.
    pub fn must_rest(&self) -> Step<()> {
        let files = self.files()?;
        let directory = match files.resolve(self.pgdata()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            resolved => resolved.map_err(again)?,
        };
        match process::postgres_below(&directory, files.user().uid).map_err(again)?.first() {
            None => Ok(()),
            Some(running) => Err(RejoinError::Again(format!(
                "process {} is a PostgreSQL in {}: it ends first",
                running.id,
                directory.display()
            ))),
        }
    }

    /// The promoted instance, by Pacemaker, as a source of data.
    ///
    /// # Errors
    /// Nobody is promoted and well.
    pub fn primary(&mut self) -> Step<Source> {
        use super::host::Host as _;
        self.node.begin(self.node.now() + 10_000);
        let status = self.node.cluster().map_err(|error| RejoinError::NoPrimary(error.to_string()))?;
        let facts = cluster_facts(&status, &self.settings, &self.resource, &self.name, None);
        let upstream =
            facts.primary.ok_or_else(|| RejoinError::NoPrimary("no instance is promoted".to_owned()))?;
        let manual = |error| RejoinError::Manual(format!("parameter replication_conninfo: {error}"));
        let conninfo = Conninfo::parse(&self.settings.replication_conninfo)
            .map_err(|error| manual(error.to_string()))?
            .with("host", &upstream.host)
            // No name of a member: commits would wait for it.
            .with("application_name", &format!("quorate-rejoin-{}", self.name))
            .with("connect_timeout", "5")
            .with("dbname", self.settings.dbname.as_deref().unwrap_or("postgres"));
        Ok(Source::new(upstream.node, conninfo))
    }

    /// Runs a program of PostgreSQL's or the system's that ends soon.
    fn short(&self, command: &Command) -> Step<String> {
        command.run(Deadline::after(SHORT)).map(|output| output.text()).map_err(again)
    }

    /// How the server is, once Pacemaker has started it.
    #[must_use]
    pub fn probe(&mut self) -> Answer {
        use super::host::Host as _;
        let facts = self.node.look(PROBE);
        facts.answer.unwrap_or_else(|| Answer::Unusable("it does not run".to_owned()))
    }

    /// A path beside the data directory.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.pgdata().as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    }
}
