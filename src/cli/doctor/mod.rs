//! `quorate doctor`: gathers, lets [`crate::decide::doctor`] examine, prints.

mod fix;
mod print;
pub mod site;

use std::path::PathBuf;

use clap::Args;

use crate::boundary::clock::wall_seconds;
use crate::boundary::host::HostResult;
use crate::boundary::inspect::{self, Instance};
use crate::boundary::owned_files::OwnedFiles;
use crate::boundary::{printable, server_conf, setup};
use crate::cluster::cib;
use crate::cluster::crm_mon::Status;
use crate::decide::cause::Cause;
use crate::decide::doctor::facts::{Facts, Known, Node, Server, Surroundings, Unknown};
use crate::decide::doctor::read::{Gathered, Text, read};
use crate::decide::doctor::{Report, examine};
use crate::layout::{Overrides, explain};

/// What can't be read as what it should be; as for errors that are found.
const UNREADABLE: u8 = 2;

/// What to look at. Nothing named: this node and its cluster.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 nothing found, 1 warnings, 2 errors or worse, or something that can't be read. What could not be \
checked is said, and does not count. The rules: docs/doctor.md"
)]
pub struct Doctor {
    /// A site's description: its configuration as it would be set up
    #[arg(long, value_name = "FILE", conflicts_with_all = ["corosync_conf", "cib", "sbd", "postgresql_conf"])]
    site: Option<PathBuf>,
    /// A corosync.conf
    #[arg(long, value_name = "FILE")]
    corosync_conf: Option<PathBuf>,
    /// A CIB, as pcs cluster cib writes it
    #[arg(long, value_name = "FILE")]
    cib: Option<PathBuf>,
    /// sbd's configuration, /etc/default/sbd; again for that of another node
    #[arg(long, value_name = "FILE")]
    sbd: Vec<PathBuf>,
    /// A postgresql.conf, with the files that it includes; again for another server
    #[arg(long, value_name = "FILE")]
    postgresql_conf: Vec<PathBuf>,
    /// The longest round trip between any two of the machines, in ms
    #[arg(long, value_name = "MS")]
    rtt_ms: Option<u32>,
    /// How long a node takes from its reset until sbd starts, in s
    #[arg(long, value_name = "S")]
    reboot_s: Option<u32>,
    /// For programs
    #[arg(long)]
    json: bool,
    /// The rules that are kept, too
    #[arg(long, conflicts_with = "json")]
    verbose: bool,
    /// Print the commands that mend what was found, and what they can't
    #[arg(long, conflicts_with_all = ["json", "verbose"])]
    fix: bool,
    /// Type them, on a node of the cluster, and look again
    #[arg(long, requires = "fix", conflicts_with_all = ["site", "corosync_conf", "cib", "sbd", "postgresql_conf"])]
    yes: bool,
}

/// Examines and prints; gives the exit code.
pub(super) fn run(args: &Doctor) -> u8 {
    match facts(args) {
        Ok(facts) => {
            let report = examine(&facts);
            if args.fix {
                return mended(args, &report);
            }
            let text = if args.json { print::json(&report) } else { print::text(&report, args.verbose) };
            print!("{text}");
            report.exit_code()
        }
        Err(problem) => {
            eprintln!("quorate: {}", printable::lines(problem.trim_end()));
            UNREADABLE
        }
    }
}

/// The exit code is of what is left.
fn mended(args: &Doctor, report: &Report) -> u8 {
    let fixes = fix::print(report);
    if !args.yes || fixes.is_empty() {
        return report.exit_code();
    }
    let done = setup::need_root().map_err(|e| e.to_string()).and_then(|()| fix::apply(&fixes));
    match done.and_then(|()| facts(args)) {
        Ok(facts) => {
            let left = examine(&facts);
            print!("\n{}", print::text(&left, false));
            left.exit_code()
        }
        Err(problem) => {
            eprintln!("quorate: {}", printable::lines(problem.trim_end()));
            UNREADABLE
        }
    }
}

fn facts(args: &Doctor) -> Result<Facts, String> {
    let mut gathered = if let Some(path) = &args.site {
        let text = inspect::file(path).map_err(|e| e.text)?;
        let site = crate::layout::read(&text.text, &Overrides::default())
            .map_err(|problems| explain(&text.name, &problems))?;
        site::gathered(&site)?
    } else if args.names_files() {
        files(args)?
    } else {
        look()?.gathered
    };
    if let Some(rtt_ms) = args.rtt_ms {
        gathered.surroundings.rtt_ms = Ok(rtt_ms);
    }
    if let Some(reboot_s) = args.reboot_s {
        gathered.surroundings.reboot_s = Ok(reboot_s);
    }
    gathered.surroundings.now_s = now_s();
    read(gathered).map_err(|e| e.to_string())
}

fn now_s() -> Option<i64> {
    i64::try_from(wall_seconds()).ok()
}

impl Doctor {
    fn names_files(&self) -> bool {
        self.corosync_conf.is_some()
            || self.cib.is_some()
            || !self.sbd.is_empty()
            || !self.postgresql_conf.is_empty()
    }
}

/// Files that were named, and nothing else.
fn files(args: &Doctor) -> Result<Gathered, String> {
    let one = |path: &Option<PathBuf>, option: &str| -> Result<Known<Text>, String> {
        match path {
            Some(path) => inspect::file(path).map(Ok).map_err(|e| e.text),
            None => Ok(Err(Unknown(format!("not given: {option} FILE")))),
        }
    };
    let sbd: Result<Vec<Text>, String> =
        args.sbd.iter().map(|path| inspect::file(path).map_err(|e| e.text)).collect();
    let server = |path: &PathBuf| {
        server_conf::postgresql_conf(&OwnedFiles::ours(), path)
            .map(|settings| Server { name: path.display().to_string(), settings })
            .map_err(|e| e.text)
    };
    let postgresql: Result<Vec<Server>, String> = args.postgresql_conf.iter().map(server).collect();
    Ok(Gathered {
        corosync: one(&args.corosync_conf, "--corosync-conf")?,
        cib: one(&args.cib, "--cib")?,
        sbd: some(sbd?, "--sbd"),
        postgresql: some(postgresql?, "--postgresql-conf"),
        surroundings: Surroundings::unknown(),
        node: Node::unknown("only a node that runs tells: files were given"),
    })
}

fn some<T>(found: Vec<T>, option: &str) -> Known<Vec<T>> {
    if found.is_empty() { Err(Unknown(format!("not given: {option} FILE"))) } else { Ok(found) }
}

/// This node and its cluster.
#[derive(Debug)]
pub(super) struct Live {
    pub gathered: Gathered,
    pub status: Known<Status>,
    pub instances: Known<Vec<Instance>>,
}

/// Looks at this node.
///
/// # Errors
/// When there is no cluster on it.
pub(super) fn look() -> Result<Live, String> {
    let (corosync, sbd, cib) = (inspect::corosync_conf(), inspect::sbd(), inspect::cib());
    let is_forbidden = [&corosync, &sbd, &cib]
        .iter()
        .any(|found| found.as_ref().is_err_and(|e| e.cause == Cause::Forbidden));
    let (corosync, sbd, cib) = (known(corosync), known(sbd), known(cib));
    if let (Err(a), Err(b), Err(c)) = (&corosync, &sbd, &cib) {
        let (a, b, c) = (&a.0, &b.0, &c.0);
        return Err(if is_forbidden {
            format!("this user may not look at the cluster: {a}; {b}; {c}; run this as root")
        } else {
            format!(
                "there is no cluster on this machine to look at: {a}; {b}; {c}; name files or a --site, or run this on a node"
            )
        });
    }
    let status = inspect::status();
    let instances = instances(&cib);
    let gathered = Gathered {
        postgresql: servers(&instances),
        node: inspect::node(&status, &sbd, &instances),
        sbd: sbd.map(|text| vec![text]),
        surroundings: Surroundings { now_s: now_s(), ..Surroundings::unknown() },
        corosync,
        cib,
    };
    Ok(Live { gathered, status, instances })
}

fn known<T>(found: HostResult<T>) -> Known<T> {
    found.map_err(Unknown::from)
}

/// The instances in a CIB.
fn instances(cib: &Known<Text>) -> Known<Vec<Instance>> {
    let text = cib.as_ref()?;
    let cib = cib::parse(&text.text).map_err(|e| Unknown(format!("{}:{}: {e}", text.name, e.line)))?;
    Ok(cib.primitives.iter().filter_map(Instance::of).collect())
}

fn servers(instances: &Known<Vec<Instance>>) -> Known<Vec<Server>> {
    let instances = instances.as_ref()?;
    if instances.is_empty() {
        return Err(Unknown("Pacemaker has no PostgreSQL".to_owned()));
    }
    instances.iter().map(Instance::settings).collect()
}
