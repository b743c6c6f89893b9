//! Pacemaker's scheduler offline: `crm_simulate` on files in a directory of its own. No cluster is needed and none is
//! touched.

use std::path::PathBuf;
use std::time::Duration;

use super::clock::Deadline;
use super::command::{Command, Environment};
use super::host::{HostError, HostResult};
use crate::cluster::crm_mon::{self, Status};

const BASH: &str = "/bin/bash";
const CIBADMIN: &str = "/usr/sbin/cibadmin";
const CRM_MON: &str = "/usr/sbin/crm_mon";
const CRM_SIMULATE: &str = "/usr/sbin/crm_simulate";
const PCS: &str = "/usr/sbin/pcs";

/// pcs needs half a second for a call, and a large site has some sixty of them.
const SCRIPT_DEADLINE: Duration = Duration::from_secs(180);
/// Seen: 35 ms.
const SIMULATION_DEADLINE: Duration = Duration::from_secs(20);
/// Transitions until nothing changes any more; seen: 2. A cluster that never settles is one that flaps.
const TRANSITIONS: usize = 8;

/// Whether the partition that is simulated has quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    Held,
    Lost,
}

/// A directory with the files of one proof; removed at the end.
#[derive(Debug)]
pub struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    /// An empty one.
    ///
    /// # Errors
    /// When pcs or Pacemaker's tools are not installed, or there is no room for temporary files.
    pub fn new() -> HostResult<Self> {
        for (program, package) in [(PCS, "pcs"), (CRM_SIMULATE, "pacemaker-cli-utils")] {
            if !std::path::Path::new(program).exists() {
                return Err(HostError::missing(format!(
                    "{program} is not there: the proof needs it; apt-get install {package}, or run this on a node"
                )));
            }
        }
        let dir = tempfile::Builder::new()
            .prefix("quorate-proof-")
            .tempdir()
            .map_err(|e| HostError::from(e).about("a temporary directory"))?;
        Ok(Self { dir })
    }

    /// The CIB that a script of pcs commands writes to the file that is its argument.
    ///
    /// # Errors
    /// When the script fails.
    pub fn configure(&self, script: &str) -> HostResult<String> {
        let (program, cib) = (self.file("resources.sh"), self.file("configured.xml"));
        write(&program, script)?;
        run(&Command::new(BASH).environment(Environment::Clean).arg(&program).arg(&cib), SCRIPT_DEADLINE)?;
        read(&cib)
    }

    /// Adds an element to a CIB's status.
    ///
    /// # Errors
    /// When cibadmin refuses it.
    pub fn add_status(&self, cib: &str, element: &str) -> HostResult<String> {
        let file = self.file("changed.xml");
        write(&file, cib)?;
        let command = Command::new(CIBADMIN).environment(Environment::Clean).env("CIB_file", &file);
        let words = ["--modify", "--allow-create", "--scope", "status", "--xml-text", element];
        run(&command.args(words), SIMULATION_DEADLINE)?;
        read(&file)
    }

    /// Lets the scheduler work until nothing changes; gives the status and the CIB in the end.
    ///
    /// # Errors
    /// When the scheduler refuses the configuration, or does not settle.
    pub fn settle(&self, cib: &str, quorum: Quorum, arguments: &[String]) -> HostResult<(Status, String)> {
        let (from, to) = (self.file("before.xml"), self.file("after.xml"));
        write(&from, cib)?;
        let mut before = None;
        for round in 0..TRANSITIONS {
            let quorate = match quorum {
                Quorum::Held => "--quorum=true",
                Quorum::Lost => "--quorum=false",
            };
            let mut command = Command::new(CRM_SIMULATE)
                .environment(Environment::Clean)
                .args(["--simulate", "--quiet", "--watchdog=true", quorate])
                .arg("--xml-file")
                .arg(&from)
                .arg("--save-output")
                .arg(&to);
            if round == 0 {
                command = command.args(arguments);
            }
            run(&command, SIMULATION_DEADLINE)?;
            let text = read(&to)?;
            let show = Command::new(CRM_MON).environment(Environment::Clean).env("CIB_file", &to);
            let shown =
                run(&show.args(["--one-shot", "--output-as=xml", "--include=all"]), SIMULATION_DEADLINE)?;
            let status = crm_mon::parse(&shown)?;
            if before.as_ref() == Some(&status.instances) {
                return Ok((status, text));
            }
            before = Some(status.instances);
            write(&from, &text)?;
        }
        Err(HostError::failed(format!(
            "the cluster does not settle: resources still move after {TRANSITIONS} transitions"
        )))
    }

    /// Writes a file that lives as long as this.
    ///
    /// # Errors
    /// When there is no room.
    pub fn keep(&self, name: &str, text: &str) -> HostResult<PathBuf> {
        let path = self.file(name);
        write(&path, text)?;
        Ok(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn run(command: &Command, limit: Duration) -> HostResult<String> {
    command.run(Deadline::after(limit)).map(|output| output.text()).map_err(HostError::from)
}

fn write(path: &PathBuf, text: &str) -> HostResult<()> {
    std::fs::write(path, text).map_err(|e| HostError::from(e).about(path.display()))
}

fn read(path: &PathBuf) -> HostResult<String> {
    std::fs::read_to_string(path).map_err(|e| HostError::from(e).about(path.display()))
}
