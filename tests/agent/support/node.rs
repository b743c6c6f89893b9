//! One node with one instance.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::call::{Call, Run};
use super::cluster::Role;
use super::world::{World, as_owner, own_dir, try_as_owner};
use super::{SOON, wait_for};

/// PostgreSQL's port on every node: they differ by their address.
pub const PORT: u16 = 5432;

/// A node's name, instance and address.
pub struct Node<'w> {
    pub world: &'w World,
    pub name: String,
    pub number: u8,
    pub pgdata: PathBuf,
    pub sockets: PathBuf,
}

impl<'w> Node<'w> {
    /// A copy of the template, configured for this node.
    pub(super) fn new(world: &'w World, n: u8) -> Node<'w> {
        let node = Node::empty(world, n);
        as_owner(&[
            "cp",
            "-a",
            "--reflink=auto",
            "-T",
            &World::template().to_string_lossy(),
            &node.pgdata.to_string_lossy(),
        ]);
        node.configure();
        node
    }

    fn empty(world: &'w World, n: u8) -> Node<'w> {
        let name = format!("srv{n}");
        let home = world.dir.join(&name);
        own_dir(&home, World::owner());
        // The agent's files are root's; others may pass through.
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let sockets = home.join("s");
        own_dir(&sockets, World::owner());
        world.set_role(&name, Role::Stopped);
        Node { world, name, number: n, pgdata: home.join("data"), sockets }
    }

    /// A standby made by pg_basebackup from this running primary; not started.
    pub fn standby(&self, n: u8) -> Node<'w> {
        let node = Node::empty(self.world, n);
        let conninfo =
            format!("host={} port={PORT} user=replicator application_name={}", self.address(), node.name);
        as_owner(&[
            &World::bindir().join("pg_basebackup").to_string_lossy(),
            "--checkpoint=fast",
            "--wal-method=stream",
            "--write-recovery-conf",
            "--no-sync",
            "-d",
            &conninfo,
            "-D",
            &node.pgdata.to_string_lossy(),
        ]);
        node.configure();
        node
    }

    /// A standby that streams.
    pub fn running_standby(&self, n: u8) -> Node<'w> {
        let node = self.standby(n);
        node.start_by_hand();
        wait_for("streaming standby", SOON, || self.streams_to(&node.name).then_some(()));
        self.send_wal();
        node
    }

    /// Writes and flushes WAL that changes nothing: an idle primary does not tell its standbys how far it is.
    pub fn send_wal(&self) {
        self.sql("select pg_logical_emit_message(true, 'test', 'sent')");
    }

    fn configure(&self) {
        self.append_conf(&format!(
            "listen_addresses = '{}'\nport = {PORT}\nunix_socket_directories = '{}'\ncluster_name = '{}'\n",
            self.address(),
            self.sockets.display(),
            self.name
        ));
    }

    /// Adds lines to postgresql.conf; the last of a name counts.
    pub fn append_conf(&self, lines: &str) {
        let path = self.pgdata.join("postgresql.conf");
        let mut text = fs::read_to_string(&path).expect("a configuration");
        text.push_str(lines);
        fs::write(&path, text).expect("a writable configuration");
    }

    pub fn address(&self) -> String {
        self.world.address(self.number)
    }

    /// The agent, about to be called for this node with the parameters of a resource.
    pub fn call(&self, action: &str) -> Call {
        Call::new(self, action)
    }

    /// The agent's action with a minute's time.
    pub fn agent(&self, action: &str) -> Run {
        self.call(action).run()
    }

    /// The agent's action, which must end with `code`.
    #[track_caller]
    pub fn must(&self, action: &str, code: i32) -> Run {
        let run = self.agent(action);
        run.assert_code(code);
        run
    }

    /// Starts the instance with pg_ctl, in the role that its files say.
    pub fn start_by_hand(&self) {
        let log = self.pgdata.with_file_name("hand.log");
        let pg_ctl = World::bindir().join("pg_ctl");
        let words = [&pg_ctl.to_string_lossy(), "-D", &self.pgdata.to_string_lossy(), "-w", "-t", "30", "-l"]
            .map(ToOwned::to_owned);
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let log = log.to_string_lossy().into_owned();
        words.extend([log.as_str(), "start"]);
        if let Err(e) = try_as_owner(&words) {
            panic!("{}: {e}\n{}", self.name, fs::read_to_string(log).unwrap_or_default());
        }
        let role = if self.is_primary() { Role::Promoted } else { Role::Unpromoted };
        self.world.set_role(&self.name, role);
    }

    /// One value by psql over the socket; panics where that fails.
    #[track_caller]
    pub fn sql(&self, query: &str) -> String {
        self.try_sql(query).unwrap_or_else(|e| panic!("{}: {query}: {e}", self.name))
    }

    pub fn try_sql(&self, query: &str) -> Result<String, String> {
        let psql = World::bindir().join("psql");
        let sockets = self.sockets.to_string_lossy();
        let (psql, port) = (psql.to_string_lossy(), PORT.to_string());
        let words =
            ["timeout", "10", &*psql, "-XAtq", "-h", &*sockets, "-p", &port, "-d", "postgres", "-c", query];
        try_as_owner(&words).map(|out| out.trim().to_owned())
    }

    pub fn is_primary(&self) -> bool {
        self.try_sql("select pg_is_in_recovery()").is_ok_and(|a| a == "f")
    }

    pub fn is_standby(&self) -> bool {
        self.try_sql("select pg_is_in_recovery()").is_ok_and(|a| a == "t")
    }

    /// Whether a standby with this application_name streams from here.
    pub fn streams_to(&self, name: &str) -> bool {
        let query = format!(
            "select count(*) from pg_stat_replication where state = 'streaming' and application_name = '{name}'"
        );
        self.try_sql(&query).is_ok_and(|n| n == "1")
    }

    /// Writes rows, so that the WAL moves on.
    pub fn write(&self) {
        self.sql("insert into t select generate_series(1, 1000)");
    }

    /// The setting as the running server sees it.
    pub fn setting(&self, name: &str) -> String {
        self.sql(&format!("select setting from pg_settings where name = '{name}'"))
    }

    /// The postmaster named by postmaster.pid.
    pub fn postmaster(&self) -> Option<i32> {
        let text = fs::read_to_string(self.pgdata.join("postmaster.pid")).ok()?;
        let pid: i32 = text.lines().next()?.trim().parse().ok()?;
        // Not a zombie that nobody has reaped yet, nor another one's process with the same number.
        self.processes().contains(&pid).then_some(pid)
    }

    /// All processes that work in the data directory.
    pub fn processes(&self) -> Vec<i32> {
        let here = |pid: &i32| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&self.pgdata))
        };
        self.world.processes().into_iter().filter(here).collect()
    }

    #[track_caller]
    pub fn signal_postmaster(&self, signal: Signal) {
        let pid = self.postmaster().expect("a postmaster runs");
        kill(Pid::from_raw(pid), signal).expect("it is there");
    }

    pub fn signal_all(&self, signal: Signal) {
        for pid in self.processes() {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// `kill -9` of every process of the instance, as a crash, and Pacemaker has noticed it.
    pub fn crash(&self) {
        self.signal_all(Signal::SIGKILL);
        wait_for("end of the crashed instance", SOON, || self.processes().is_empty().then_some(()));
        self.world.set_role(&self.name, Role::Stopped);
    }

    /// Every file's and directory's owner and content stay; this one becomes `bytes`.
    pub fn overwrite(&self, file: &str, bytes: &[u8]) {
        let path = self.pgdata.join(file);
        fs::write(&path, bytes).expect("a writable file");
        let (uid, gid) = World::owner();
        chown(&path, Some(uid), Some(gid)).expect("we are root");
    }

    /// Waits until the standby has replayed what this primary wrote.
    pub fn wait_caught_up(&self, standby: &Node<'_>) {
        let target = self.sql("select pg_current_wal_lsn()");
        wait_for("standby that caught up", Duration::from_secs(20), || {
            let query = format!("select pg_last_wal_replay_lsn() >= '{target}'");
            standby.try_sql(&query).is_ok_and(|a| a == "t").then_some(())
        });
    }

    /// The newest timeline that the instance has a history of.
    pub fn timeline(&self) -> u32 {
        let names = fs::read_dir(self.pgdata.join("pg_wal")).expect("a WAL directory");
        names
            .filter_map(|e| {
                u32::from_str_radix(e.ok()?.file_name().to_str()?.strip_suffix(".history")?, 16).ok()
            })
            .max()
            .unwrap_or(1)
    }
}
