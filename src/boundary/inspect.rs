//! What the doctor and `quorate status` look at on a node: files, and the words of the cluster's programs. Every question has a
//! deadline, and a question without an answer is a fact of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checker;
use super::clock::{Deadline, monotonic, wall, wall_seconds};
use super::command::{Command, Environment};
use super::corosync;
use super::disk_times;
use super::host::{HostError, HostResult};
use super::identity::{SystemUser, boot_id};
use super::owned_files::OwnedFiles;
use super::pacemaker::{self, Patience};
use super::postgres::Endpoint;
use super::records;
use super::self_fence_records;
use super::server_conf::postgresql_conf;
use super::storage;
use super::{drill, watchdog_facts, watchdog_record};
use crate::cluster::cib::Primitive;
use crate::cluster::corosync::tools::{self, Votes};
use crate::cluster::crm_mon::Status;
use crate::cluster::journal;
use crate::cluster::sbd::{self, Sbd};
use crate::cluster::watchdog::Watchdogs;
use crate::decide::doctor::facts::{
    AT_BOOT, Certificate, Disk, DiskHolds, Known, Member, Node, Quorated, Server, Service, Unknown,
    WatchdogProof,
};
use crate::decide::doctor::read::Text;
use crate::decide::overview::Waits;
use crate::decide::promotions::Record;
use crate::decide::recover::{self, Outlook, outlook};
use crate::decide::reported::NodeReported;
use crate::decide::telling;
use crate::decide::voters::Voters;
use crate::pg::conf;
use crate::pg::postmaster_pid::PostmasterPid;
use crate::pg::server_log;
use crate::pg::survey::{self, Survey};
use crate::pg::view::Answer;

/// Pacemaker's own copy, for when it does not run.
const CIB: &str = "/var/lib/pacemaker/cib/cib.xml";
/// What Pacemaker and corosync keep.
const STATE: [&str; 2] = ["/var/lib/pacemaker", "/var/lib/corosync"];
/// Where corosync-qdevice's certificates are.
const NSSDB: &str = "/etc/corosync/qdevice/net/nssdb";
/// Those that it needs: the witness's authority, and its own.
const CERTIFICATES: [&str; 2] = ["QNet CA", "Cluster Cert"];

const QDEVICE_TOOL: &str = "/usr/sbin/corosync-qdevice-tool";
const CERTUTIL: &str = "/usr/bin/certutil";
const SYSTEMCTL: &str = "/usr/bin/systemctl";
const JOURNALCTL: &str = "/usr/bin/journalctl";

/// Each takes milliseconds; while corosync forms its membership some hang.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long PostgreSQL may think.
const POSTGRES_DEADLINE: Duration = Duration::from_secs(3);
/// A CIB of thousands of resources is smaller.
const LARGEST: u64 = 64 << 20;

impl From<HostError> for Unknown {
    fn from(error: HostError) -> Self {
        unknown(error)
    }
}

/// In one line: programs say things in several.
fn unknown(why: impl std::fmt::Display) -> Unknown {
    Unknown(why.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
}

fn ask(program: &str, args: &[&str]) -> Known<String> {
    let command = Command::new(program).environment(Environment::Clean).args(args);
    command.run(Deadline::after(DEADLINE)).map(|output| output.text()).map_err(unknown)
}

/// A file.
///
/// # Errors
/// When it can't be read.
pub fn file(path: &Path) -> HostResult<Text> {
    match storage::read(path, LARGEST) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok(Text { name: path.display().to_string(), text })
        }
        Err(e) => Err(e.into()),
    }
}

/// corosync.conf of this node.
///
/// # Errors
/// When it can't be read.
pub fn corosync_conf() -> HostResult<Text> {
    file(Path::new(corosync::CONFIGURATION))
}

/// The CIB: the running cluster's, else Pacemaker's last copy.
///
/// # Errors
/// When neither can be had.
pub fn cib() -> HostResult<Text> {
    match pacemaker::cib(Patience::of(DEADLINE)) {
        Ok(text) => Ok(Text { name: "cibadmin --query".to_owned(), text }),
        Err(why) => file(Path::new(CIB)).map_err(|e| e.after(why)),
    }
}

/// Pacemaker's last copy of the CIB; `None`: there was no cluster here yet.
///
/// # Errors
/// When it is there and can't be read.
pub fn kept_cib() -> Known<Option<Text>> {
    let path = Path::new(CIB);
    if storage::is_there(path) { file(path).map(Some).map_err(unknown) } else { Ok(None) }
}

/// sbd's configuration on this node.
///
/// # Errors
/// When it is not there, or can't be read.
pub fn sbd() -> HostResult<Text> {
    let found = sbd::PATHS.iter().map(Path::new).find(|path| storage::is_there(path));
    match found {
        Some(path) => file(path),
        None => {
            let paths = sbd::PATHS.join(" nor ");
            Err(HostError::missing(format!("neither {paths} is there: sbd is not installed")))
        }
    }
}

/// A PostgreSQL that Pacemaker runs, as its resource describes it.
#[derive(Debug, Clone)]
pub struct Instance {
    pub resource: String,
    pgdata: PathBuf,
    config_file: PathBuf,
    user: String,
    dbuser: Option<String>,
    dbname: Option<String>,
    dbservice: Option<String>,
    log: PathBuf,
}

/// The sessions whose commits wait for a synchronous standby, and for how long the longest does.
const WAITS: &str = "SELECT pg_catalog.count(*), pg_catalog.max(pg_catalog.float8mi(\
pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()), pg_catalog.date_part('epoch', query_start))) \
FROM pg_catalog.pg_stat_activity WHERE wait_event OPERATOR(pg_catalog.=) 'SyncRep'";
/// The end of a log in which the WAL receiver's last words are looked for.
const LOG_TAIL: u64 = 64 << 10;

impl Instance {
    /// The instance of a resource; `None`: it is none of PostgreSQL's.
    #[must_use]
    pub fn of(primitive: &Primitive) -> Option<Self> {
        let get = |name: &str| primitive.parameters.get(name);
        let pgdata = PathBuf::from(get("pgdata")?);
        Some(Self {
            resource: primitive.id.clone(),
            config_file: get("config_file").map_or_else(|| pgdata.join("postgresql.conf"), PathBuf::from),
            dbuser: get("dbuser").cloned(),
            dbname: get("dbname").cloned(),
            dbservice: get("dbservice").cloned(),
            user: get("system_user").map_or("postgres", String::as_str).to_owned(),
            log: get("log_file").map_or_else(
                || PathBuf::from(format!("/var/log/postgresql/quorate-{}.log", primitive.id)),
                PathBuf::from,
            ),
            pgdata,
        })
    }

    /// Where its server listens, when one runs here; asked as the agent asks.
    fn endpoint(&self) -> Known<Endpoint> {
        let user = SystemUser::lookup(&self.user).map_err(unknown)?;
        let text = OwnedFiles::of(&user).read_text(&self.pgdata.join("postmaster.pid")).map_err(|e| {
            let none = || Unknown(format!("no server of {} runs on this node", self.resource));
            // Who may not read it knows nothing of a server.
            if e.is_missing() { none() } else { unknown(e) }
        })?;
        let file = PostmasterPid::parse(&text).map_err(unknown)?;
        match (file.socket_directory, file.port) {
            (Some(directory), Some(port)) => {
                let local = Endpoint::local(directory, port.get(), &user);
                Ok(Endpoint {
                    dbuser: self.dbuser.clone().unwrap_or(local.dbuser),
                    dbname: self.dbname.clone().unwrap_or(local.dbname),
                    service: self.dbservice.clone(),
                    ..local
                })
            }
            _ => Err(Unknown(format!("the server of {} has no socket yet", self.resource))),
        }
    }

    /// What its server tells of itself now.
    pub fn survey(&self) -> Known<Survey> {
        let endpoint = self.endpoint()?;
        let load = endpoint.load(POSTGRES_DEADLINE).map_err(unknown)?;
        let answer = endpoint.probe(POSTGRES_DEADLINE);
        telling::survey(&answer, load, wall_seconds()).ok_or_else(|| unknown("the server does not answer"))
    }

    /// Has its server write a checkpoint.
    ///
    /// # Errors
    /// Its server does not run here, refuses, or takes longer.
    pub fn checkpoint(&self, limit: Duration) -> HostResult<()> {
        let endpoint = self.endpoint().map_err(|Unknown(why)| HostError::missing(why))?;
        endpoint.checkpoint(limit).map_err(HostError::from)
    }

    /// How its server is.
    pub fn answer(&self) -> Known<Answer> {
        Ok(self.endpoint()?.probe(POSTGRES_DEADLINE))
    }

    /// The commits of its server that wait for a standby.
    pub fn waits(&self) -> Known<Waits> {
        let rows = self.endpoint()?.read(WAITS, POSTGRES_DEADLINE).map_err(unknown)?;
        let text = |column: usize| rows.first().and_then(|row| row.get(column).cloned().flatten());
        let sessions = text(0).and_then(|n| n.parse().ok()).ok_or_else(|| unknown("no count came"))?;
        let longest = text(1).and_then(|s| s.parse::<f64>().ok()).unwrap_or_default();
        Ok(Waits { sessions, longest_s: Duration::try_from_secs_f64(longest).unwrap_or_default().as_secs() })
    }

    /// What its WAL receiver said when it gave up, where it did not come back since.
    pub fn receiver_trouble(&self) -> Option<String> {
        let user = SystemUser::lookup(&self.user).ok()?;
        let files = OwnedFiles::of(&user);
        let tail = |path: &Path| files.read_tail(path, 0, LOG_TAIL).ok();
        let collected = tail(&self.pgdata.join("current_logfiles"))
            .and_then(|named| tail(&self.pgdata.join(server_log::current(&named)?)));
        server_log::receiver_trouble(&collected.or_else(|| tail(&self.log))?)
    }

    /// Where the agents say that its instances are.
    pub fn reported(&self) -> Known<Vec<NodeReported>> {
        records::reported(&self.resource, Patience::of(DEADLINE)).map_err(unknown)
    }

    /// Who has which data, and what ends an outage.
    pub fn outlook(&self, status: &Status, reported: &Known<Vec<NodeReported>>) -> Option<Outlook> {
        let patience = || Patience::of(DEADLINE);
        let record = match records::promotions(&self.resource, patience()) {
            Ok(all) => Record::of(&all),
            Err(error) => Record::Unread(error.to_string()),
        };
        let voters = records::voters(&self.resource, patience()).map(|all| Voters::latest(&all));
        let voters = voters.map_err(|error| error.to_string());
        Some(outlook(&recover::Facts {
            resource: &self.resource,
            status,
            record: &record,
            voters: voters.as_ref().map(Option::as_ref).map_err(String::as_str),
            reported: reported.as_ref().ok()?,
        }))
    }

    /// Its settings: the server's own, else those of its files.
    pub fn settings(&self) -> Known<Server> {
        let running = self.endpoint().and_then(|e| e.read(conf::QUERY, POSTGRES_DEADLINE).map_err(unknown));
        match running {
            Ok(rows) => {
                Ok(Server { name: format!("{} (running)", self.resource), settings: conf::read(&rows) })
            }
            Err(why) => {
                let user = SystemUser::lookup(&self.user).map_err(unknown)?;
                let settings = postgresql_conf(&OwnedFiles::of(&user), &self.config_file)
                    .map_err(|e| Unknown(format!("{}; {e}", why.0)))?;
                Ok(Server { name: self.config_file.display().to_string(), settings })
            }
        }
    }
}

/// The disks under the instances' data, and under what Pacemaker and corosync keep.
fn disks(instances: &Known<Vec<Instance>>) -> Known<Vec<Disk>> {
    let data = instances.as_ref()?.iter().map(|i| (i.pgdata.clone(), DiskHolds::Data));
    let state = STATE.map(|path| (PathBuf::from(path), DiskHolds::State));
    let mut all = Vec::new();
    for (path, holds) in data.chain(state) {
        all.extend(disk_times::of(&path, &path.display().to_string(), holds).map_err(unknown)?);
    }
    Ok(all)
}

/// sbd's configuration as it counts on this node: its file, and what systemd's unit sets beside it.
pub fn sbd_configuration(text: &Text) -> Known<Sbd> {
    let file = sbd::parse(&text.text).map_err(|e| Unknown(format!("{}:{}: {e}", text.name, e.line)))?;
    // Where systemd does not tell, the file is all that is known; the doctor says so.
    Ok(match sbd_unit() {
        Ok(unit) => file.with_environment(&unit),
        Err(_) => file,
    })
}

/// This machine's watchdogs, and which of them sbd has by its configuration.
pub fn watchdogs(sbd: &Known<Text>) -> Known<Watchdogs> {
    let configuration = sbd_configuration(sbd.as_ref()?)?;
    watchdog_facts::look(Path::new("/"), configuration.watchdog_device()).map_err(unknown)
}

/// What systemd starts as sbd, its drop-ins included.
pub fn sbd_unit() -> Known<sbd::Unit> {
    let text = ask(SYSTEMCTL, &["show", "sbd.service", sbd::Unit::PROPERTIES])?;
    let unit = sbd::Unit::parse(&text).filter(|unit| !unit.command.is_empty());
    unit.ok_or_else(|| unknown("systemctl show sbd.service does not tell what is started"))
}

/// The last drill with the watchdog.
pub fn watchdog_proof() -> Known<Option<WatchdogProof>> {
    let record = watchdog_record::read(Path::new(watchdog_record::PATH)).map_err(unknown)?;
    Ok(record.map(|record| WatchdogProof::of(watchdog_record::PATH, record, &boot_id(), drill::now_s())))
}

/// What only a node that runs can tell. `status`: what crm_mon said; `sbd`: its configuration.
pub fn node(status: &Known<Status>, sbd: &Known<Text>, instances: &Known<Vec<Instance>>) -> Node {
    let show = |unit: &str, property: &str| {
        let text = ask(SYSTEMCTL, &["show", unit, &format!("--property={property}")])?;
        property_of(&text, property)
            .ok_or_else(|| Unknown(format!("systemctl show {unit} has no {property}")))
    };
    Node {
        votes: votes(),
        encrypted: quorum_device().and_then(|said| {
            tools::tls_is_active(&said)
                .ok_or_else(|| unknown("corosync-qdevice-tool says nothing of TLS: it is not connected"))
        }),
        certificates: CERTIFICATES.iter().map(|name| certificate(name)).collect(),
        systemd_watchdog: ask(SYSTEMCTL, &["show", "--property=RuntimeWatchdogUSec"]).and_then(|text| {
            property_of(&text, "RuntimeWatchdogUSec")
                .ok_or_else(|| unknown("systemd does not tell RuntimeWatchdogUSec"))
        }),
        sbd_enabled: show("sbd.service", "UnitFileState").map(|state| state == "enabled"),
        sbd_unit: sbd_unit(),
        at_boot: AT_BOOT
            .iter()
            .map(|name| {
                let state = show(&format!("{name}.service"), "UnitFileState")?;
                Ok(Service { name, enabled: state == "enabled" })
            })
            .collect(),
        startup_sync: show("pacemaker.service", "Environment").map(|variables| {
            let of = |word: &str| word.strip_prefix("SBD_SYNC_RESOURCE_STARTUP=").map(str::to_owned);
            variables.split_whitespace().find_map(of)
        }),
        members: status
            .as_ref()
            .map_err(Unknown::from)
            .map(|status| status.nodes.iter().map(member).collect()),
        quorated: quorated(),
        self_fenced: self_fence_records::all(Path::new(self_fence_records::DIRECTORY))
            .map(|all| all.into_iter().map(|record| record.notice.node).collect())
            .map_err(unknown),
        disks: disks(instances),
        watchdogs: watchdogs(sbd),
        watchdog_proof: watchdog_proof(),
    }
}

/// What quorated told of itself last.
fn quorated() -> Known<Quorated> {
    Ok(checker::report().map_err(unknown)?.map_or(Quorated::Silent, Quorated::Runs))
}

/// What the nodes have told of their instances of a resource.
///
/// # Errors
/// pacemaker-attrd does not answer.
pub fn surveys(resource: &str) -> HostResult<BTreeMap<String, Survey>> {
    let values = pacemaker::query(&survey::attribute(resource), Patience::of(DEADLINE))?;
    // A node with another version tells nothing that is understood.
    Ok(values.into_iter().filter_map(|told| Some((told.node, told.value.parse().ok()?))).collect())
}

/// The record of promotions of a resource.
pub fn promotions(resource: &str) -> Record {
    match records::promotions(resource, Patience::of(DEADLINE)) {
        Ok(all) => Record::of(&all),
        Err(error) => Record::Unread(error.text),
    }
}

/// What Pacemaker says of the cluster.
pub fn status() -> Known<Status> {
    pacemaker::status(Patience::of(DEADLINE)).map_err(unknown)
}

/// Whether a unit of systemd runs.
pub fn runs(unit: &str) -> Known<bool> {
    let text = ask(SYSTEMCTL, &["show", unit, "--property=ActiveState"])?;
    let state = property_of(&text, "ActiveState");
    state.map(|s| s == "active").ok_or_else(|| Unknown(format!("systemctl show {unit} has no ActiveState")))
}

/// The votes.
pub fn votes() -> Known<Votes> {
    corosync::votes(Path::new(corosync::QUORUMTOOL), Deadline::after(DEADLINE)).map_err(unknown)
}

/// What the quorum device's client says of itself; only `-v` names the encryption.
pub fn quorum_device() -> Known<String> {
    ask(QDEVICE_TOOL, &["-s", "-v"])
}

fn property_of(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

fn certificate(name: &str) -> Known<Certificate> {
    let text = ask(CERTUTIL, &["-L", "-d", NSSDB, "-n", name])?;
    let end = tools::certificate_end(&text)
        .ok_or_else(|| Unknown(format!("certutil does not tell when the certificate {name:?} ends")))?;
    Ok(Certificate { name: name.to_owned(), left_s: end.saturating_sub(now_s()) })
}

fn now_s() -> i64 {
    i64::try_from(wall().millis() / 1000).unwrap_or(i64::MAX)
}

fn member(node: &crate::cluster::crm_mon::Node) -> Member {
    let away_s = if node.online { None } else { away_s(&node.name) };
    Member { name: node.name.clone(), online: node.online, away_s }
}

/// For how long a node has been away, by this node's journal.
fn away_s(name: &str) -> Option<u64> {
    let pattern = format!("Node {name} state is now lost");
    let words =
        ["--unit=pacemaker", "--output=json", "--no-pager", "--quiet", "--lines=1", "--grep", &pattern];
    let text = ask(JOURNALCTL, &words).ok()?;
    let boot = boot_id();
    journal::age_s(text.lines().last()?, journal::Now { wall: wall(), monotonic: monotonic(), boot: &boot })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn who_may_not_look_does_not_say_that_no_server_runs() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.path(), mode(0o755)).expect("changed");
        let pgdata = directory.path().join("pgdata");
        std::fs::create_dir(&pgdata).expect("made");
        let instance = Instance {
            resource: "postgres".to_owned(),
            config_file: pgdata.join("postgresql.conf"),
            user: "nobody".to_owned(),
            dbuser: None,
            dbname: None,
            dbservice: None,
            log: PathBuf::new(),
            pgdata: pgdata.clone(),
        };
        let why = || instance.endpoint().expect_err("no server").0;
        std::fs::set_permissions(&pgdata, mode(0o755)).expect("changed");
        assert!(why().contains("no server of postgres runs"), "{}", why());
        std::fs::set_permissions(&pgdata, mode(0o700)).expect("changed");
        assert!(why().contains("Permission denied") && !why().contains("runs"), "{}", why());
    }
}
