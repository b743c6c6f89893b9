//! What a rejoin does to the data of an instance that does not run, and whom it asks: PostgreSQL's programs, run as the owner of the
//! data, and the primary.

mod copy;
mod directories;
mod keep;
mod kept_entries;
mod recover;
mod source;
mod task;
mod tool;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::copy::Whole;
pub use self::keep::Compared;
pub use self::kept_entries::{Entry, entries, remove_entry};
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
use crate::decide::cluster::{ClusterFacts, Upstream};
use crate::decide::follow::cluster_facts;
use crate::decide::promotions::Record;
use crate::decide::rejoin::Task;
use crate::ocf::{Run, Settings};
use crate::pg::conninfo::Conninfo;
use crate::pg::view::Answer;

/// Beside PGDATA, by names that nobody else gives: what is copied, what it replaces, and the data while pg_rewind works on them.
const NEW: &str = ".quorate-new";
const OLD: &str = ".quorate-old";
const REWINDING: &str = ".quorate-rewinding";

/// The names that the data of this PGDATA may have meanwhile, those that are used first at the beginning.
#[must_use]
pub fn other_names(pgdata: &Path) -> Vec<PathBuf> {
    [REWINDING, OLD, NEW].iter().map(|suffix| named(pgdata, suffix)).collect()
}

fn named(pgdata: &Path, suffix: &str) -> PathBuf {
    let mut path = pgdata.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

/// Questions to the primary, and programs that read a file or two.
const SHORT: Duration = Duration::from_secs(30);
/// Its programs have so long for an answer.
const PACEMAKER: u64 = 10_000;
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
        self.must_rest_in(self.pgdata())
    }

    fn must_rest_in(&self, directory: &Path) -> Step<()> {
        let files = self.files()?;
        let directory = match files.resolve(directory) {
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

    /// What Pacemaker says of the cluster, and the record of promotions.
    ///
    /// # Errors
    /// It does not answer.
    pub fn cluster(&mut self) -> Step<(ClusterFacts, Record)> {
        use super::host::Host as _;
        self.node.begin(self.node.now() + PACEMAKER);
        let silent = |error: HostError| RejoinError::NoPrimary(error.to_string());
        let status = self.node.cluster().map_err(silent)?;
        let record = Record::of(&self.node.promotions().map_err(silent)?);
        Ok((cluster_facts(&status, &self.settings, &self.resource, &self.name, None), record))
    }

    /// The instance on another node as a source of data.
    ///
    /// # Errors
    /// The parameter replication_conninfo can't be read.
    pub fn source(&self, upstream: &Upstream) -> Step<Source> {
        let manual = |error| RejoinError::Manual(format!("parameter replication_conninfo: {error}"));
        let conninfo = Conninfo::parse(&self.settings.replication_conninfo)
            .map_err(|error| manual(error.to_string()))?
            .with("host", &upstream.host)
            // No name of a member: commits would wait for it.
            .with("application_name", &format!("quorate-rejoin-{}", self.name))
            .with("connect_timeout", "5")
            .with("dbname", self.settings.dbname.as_deref().unwrap_or("postgres"));
        Ok(Source::new(upstream.node.clone(), conninfo))
    }

    /// The same, by the node's name.
    ///
    /// # Errors
    /// As [`Self::source`].
    pub fn source_at(&self, node: &str) -> Step<Source> {
        let host = self.settings.address_of(node).to_owned();
        self.source(&Upstream { node: node.to_owned(), host, score: None })
    }

    /// Runs a program of PostgreSQL's or the system's that ends soon.
    fn short(&self, command: &Command) -> Step<String> {
        command.run(Deadline::after(SHORT)).map(|output| output.text()).map_err(again)
    }

    /// How the server is, once Pacemaker has started it; `None`: none runs.
    #[must_use]
    pub fn probe(&mut self) -> Option<Answer> {
        use super::host::Host as _;
        self.node.look(PROBE).answer
    }

    /// A path beside the data directory.
    fn beside(&self, suffix: &str) -> PathBuf {
        named(self.pgdata(), suffix)
    }
}
