//! One test's world: a directory, addresses, the agent's binary where Pacemaker would look for it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use super::node::Node;
use super::{SOON, code, wait_for};

/// The owner of the instances, as Debian's packages make it.
pub const OWNER: &str = "postgres";

/// What all tests of this process share.
struct Shared {
    /// Reachable by [`OWNER`], and short: a socket's path holds 107 bytes.
    base: PathBuf,
    bindir: PathBuf,
    owner: (u32, u32),
}

fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        crate::left_out::without_root(
            "agent",
            "real PostgreSQL servers, driven as Pacemaker drives the agent",
        );
        let base = match std::env::var_os("QUORATE_TEST_DIR") {
            Some(dir) => PathBuf::from(dir).join("agent"),
            None => {
                // SAFETY: the function is `extern "C"`, unwinds never and needs nothing that ends before it.
                unsafe { libc::atexit(remove_base) };
                own_base()
            }
        };
        fs::create_dir_all(&base).expect("the base directory can be made");
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let bindir = newest_bindir();
        let user = nix::unistd::User::from_name(OWNER).expect("users can be read").expect("a postgres user");
        let owner = (user.uid.as_raw(), user.gid.as_raw());
        let agent = base.join("postgres");
        fs::copy(env!("CARGO_BIN_EXE_quorate-agent"), &agent).expect("the agent can be copied");
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let shared = Shared { base, bindir, owner };
        make_template(&shared);
        shared
    })
}

/// Where the worlds are when nobody (tests/run.sh) gave us a place and removes it.
fn own_base() -> PathBuf {
    std::env::temp_dir().join(format!("quorate-agent-{}", std::process::id()))
}

extern "C" fn remove_base() {
    let _ = fs::remove_dir_all(own_base());
}

fn newest_bindir() -> PathBuf {
    let mut versions: Vec<u32> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed: make deps")
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .filter(|v| Path::new(&format!("/usr/lib/postgresql/{v}/bin/postgres")).exists())
        .collect();
    versions.sort_unstable();
    let newest = versions.last().expect("PostgreSQL is installed: make deps");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

/// One initdb for all tests: an instance is a copy of this.
fn make_template(shared: &Shared) {
    let data = shared.base.join("template");
    own_dir(&data, shared.owner);
    let initdb = shared.bindir.join("initdb");
    as_owner(&[
        &initdb.to_string_lossy(),
        "-D",
        &data.to_string_lossy(),
        "--no-sync",
        "--no-locale",
        "--encoding=UTF8",
        "--auth-local=peer",
        "--auth-host=trust",
    ]);
    let hba = data.join("pg_hba.conf");
    let rules = "local postgres quorate peer map=quorate\nlocal all watcher scram-sha-256\nlocal all all peer\nhost all,replication all 127.0.0.0/8 trust\n";
    fs::write(&hba, rules).expect("the template is writable");
    fs::write(data.join("pg_ident.conf"), format!("quorate {OWNER} quorate\n"))
        .expect("the template is writable");
    let conf = data.join("postgresql.conf");
    let mut text = fs::read_to_string(&conf).expect("initdb wrote it");
    text.push_str(
        "wal_level = replica\nmax_wal_senders = 10\nhot_standby = on\nwal_keep_size = 64MB\nmax_connections = 20\n\
         shared_buffers = 16MB\nmin_wal_size = 32MB\nmax_wal_size = 128MB\nlogging_collector = off\n\
         wal_retrieve_retry_interval = 200ms\nwal_receiver_timeout = 5s\n",
    );
    fs::write(&conf, text).expect("the template is writable");
    // After the configuration: a standby refuses to start with smaller settings than the last primary's.
    let major =
        shared.bindir.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok());
    let more = match major {
        Some(16..) => ", pg_checkpoint, pg_use_reserved_connections",
        Some(15) => ", pg_checkpoint",
        Some(_) | None => "",
    };
    let single = format!(
        "printf '%s\\n' \"CREATE ROLE replicator REPLICATION LOGIN\" \
         \"CREATE ROLE quorate LOGIN IN ROLE pg_monitor{more}\" \
         \"CREATE ROLE watcher LOGIN IN ROLE pg_monitor PASSWORD 'secret'\" \
         \"CREATE TABLE t (n bigint)\" | '{}' --single -D '{}' postgres",
        shared.bindir.join("postgres").display(),
        data.display()
    );
    as_owner(&["sh", "-c", &single]);
}

/// A directory of the owner's, mode 0700.
pub fn own_dir(path: &Path, owner: (u32, u32)) {
    fs::create_dir_all(path).expect("a directory can be made");
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("it is ours");
    chown(path, Some(owner.0), Some(owner.1)).expect("we are root");
}

/// Runs a command as [`OWNER`] and returns its stdout; panics where it fails.
pub fn as_owner(words: &[&str]) -> String {
    let out = try_as_owner(words);
    out.unwrap_or_else(|e| panic!("{words:?}: {e}"))
}

/// Runs a command as [`OWNER`], at most 60 s.
pub fn try_as_owner(words: &[&str]) -> Result<String, String> {
    let out = Command::new("timeout")
        .args(["--kill-after=5", "60", "setpriv", &format!("--reuid={OWNER}"), &format!("--regid={OWNER}")])
        .args(["--init-groups", "--"])
        .args(words)
        .current_dir("/")
        .env_remove("PGPASSFILE")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    if out.status.success() {
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    } else {
        Err(format!("{}: {}", out.status, String::from_utf8_lossy(&out.stderr)))
    }
}

/// One test's directory and address range; all that runs in it ends when it is dropped.
pub struct World {
    pub dir: PathBuf,
    net: String,
}

impl World {
    pub fn new(name: &str) -> World {
        // 127.x.y.0/24 of its own: tests run in parallel, and every node of a cluster has the same port.
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        let dir = shared().base.join(name);
        fs::create_dir_all(&dir).expect("a directory can be made");
        let world = World { dir, net: format!("127.{}.{count}", 10 + pid % 240) };
        fs::create_dir_all(world.rsctmp()).expect("a directory can be made");
        fs::create_dir_all(world.attributes()).expect("a directory can be made");
        world
    }

    /// PostgreSQL's programs.
    pub fn bindir() -> &'static Path {
        &shared().bindir
    }

    /// uid and gid of the instances' owner.
    pub fn owner() -> (u32, u32) {
        shared().owner
    }

    /// The agent's binary.
    pub fn agent() -> PathBuf {
        shared().base.join("postgres")
    }

    /// What a new instance is a copy of.
    pub fn template() -> PathBuf {
        shared().base.join("template")
    }

    /// Pacemaker's `HA_RSCTMP`.
    pub fn rsctmp(&self) -> PathBuf {
        self.dir.join("rsctmp")
    }

    /// The address of the `n`th node.
    pub fn address(&self, n: u8) -> String {
        format!("{}.{n}", self.net)
    }

    /// A node with a fresh instance that was never started: srv1, srv2, …
    pub fn node(&self, n: u8) -> Node<'_> {
        Node::new(self, n)
    }

    /// A node whose instance runs as a primary.
    pub fn primary(&self, n: u8) -> Node<'_> {
        let node = self.node(n);
        node.start_by_hand();
        node
    }

    /// Nodes 1 and 2, both started by the agent: a primary and a standby that has everything.
    pub fn pair(&self) -> [Node<'_>; 2] {
        let one = self.node(1);
        one.must("start", code::SUCCESS);
        one.must("promote", code::SUCCESS);
        let two = one.standby(2);
        two.must("start", code::SUCCESS);
        wait_for("streaming standby", SOON, || one.streams_to("srv2").then_some(()));
        one.send_wal();
        one.wait_caught_up(&two);
        two.call("monitor").recurring().must(code::SUCCESS);
        [one, two]
    }

    /// Processes that work below this world, stopped ones too.
    pub fn processes(&self) -> Vec<i32> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
            if fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&self.dir)) {
                found.push(pid);
            }
        }
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for _ in 0..50 {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for pid in left {
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(pid),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}
