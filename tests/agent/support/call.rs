//! One call of the agent, with the environment that Pacemaker's executor gives it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::cluster::{Role, Tools};
use super::node::{Node, PORT};
use super::world::World;

/// What is in front of the agent's stdout.
enum Stdout {
    File,
    Closed,
}

/// A call that is being put together.
pub struct Call {
    roles: PathBuf,
    node: String,
    action: String,
    program: PathBuf,
    env: BTreeMap<String, String>,
    /// Stand-ins for Pacemaker's tools, mounted over the real ones: a layer for /usr/sbin.
    layer: PathBuf,
    /// What stands in the place of the owner's home directory.
    home: Option<PathBuf>,
    scratch: PathBuf,
    timeout: Duration,
    stdout: Stdout,
    uid: Option<u32>,
    /// Where the agent is called from.
    directory: PathBuf,
}

/// How a call ended.
#[derive(Debug)]
pub struct Run {
    pub action: String,
    /// The exit code; 128 + the signal where one ended it; `None` where it had to be killed at its timeout.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

impl Call {
    pub(super) fn new(node: &Node<'_>, action: &str) -> Call {
        let mut env = BTreeMap::new();
        let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
        set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        set("OCF_ROOT", "/usr/lib/ocf");
        set("OCF_RA_VERSION_MAJOR", "1");
        set("OCF_RA_VERSION_MINOR", "1");
        set("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:");
        set("OCF_RESOURCE_INSTANCE", "pgsqld");
        set("OCF_RESOURCE_PROVIDER", "quorate");
        set("OCF_RESOURCE_TYPE", "postgres");
        set("HA_RSCTMP", &node.world.rsctmp().join(&node.name).to_string_lossy());
        set("HA_cluster_type", "corosync");
        set("OCF_RESKEY_crm_feature_set", "3.16.2");
        set("OCF_RESKEY_CRM_meta_on_node", &node.name);
        set("OCF_RESKEY_CRM_meta_on_node_uuid", &node.number.to_string());
        set("OCF_RESKEY_CRM_meta_notify", "true");
        set("OCF_RESKEY_CRM_meta_promotable", "true");
        set("OCF_RESKEY_CRM_meta_clone", "0");
        set("OCF_RESKEY_CRM_meta_clone_max", &node.world.nodes().to_string());
        set("OCF_RESKEY_CRM_meta_clone_node_max", "1");
        set("OCF_RESKEY_CRM_meta_promoted_max", "1");
        set("OCF_RESKEY_CRM_meta_promoted_node_max", "1");
        set("OCF_RESKEY_CRM_meta_globally_unique", "false");
        set("OCF_RESKEY_CRM_meta_name", action);
        set("OCF_RESKEY_CRM_meta_interval", "0");
        set("OCF_RESKEY_pgdata", &node.pgdata.to_string_lossy());
        set("OCF_RESKEY_bindir", &World::bindir().to_string_lossy());
        set("OCF_RESKEY_pghost", &node.sockets.to_string_lossy());
        set("OCF_RESKEY_pgport", &PORT.to_string());
        // As the layouts have it: no superuser.
        set("OCF_RESKEY_dbuser", "quorate");
        set("OCF_RESKEY_log_file", &node.pgdata.with_file_name("postgres.log").to_string_lossy());
        set("OCF_RESKEY_replication_conninfo", &format!("user=replicator port={PORT}"));
        let mut addresses = String::new();
        for n in 1..=4 {
            let _ = write!(addresses, "srv{n}={} ", node.world.address(n));
        }
        set("OCF_RESKEY_addresses", addresses.trim());
        fs::create_dir_all(node.world.rsctmp().join(&node.name)).expect("a directory can be made");
        Call {
            roles: node.world.dir.join("roles"),
            node: node.name.clone(),
            action: action.to_owned(),
            program: World::agent(),
            env,
            layer: node.world.tools(&node.name, Tools::Cluster),
            home: None,
            scratch: node.world.dir.clone(),
            timeout: Duration::from_secs(60),
            stdout: Stdout::File,
            uid: None,
            directory: PathBuf::from("/"),
        }
        .timeout(60)
    }

    /// A parameter of the resource.
    pub fn param(self, name: &str, value: &str) -> Call {
        self.env(&format!("OCF_RESKEY_{name}"), value)
    }

    /// A parameter that is not set.
    pub fn without(mut self, name: &str) -> Call {
        self.env.remove(&format!("OCF_RESKEY_{name}"));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Call {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Nothing in the environment but what the system itself has.
    pub fn bare(mut self) -> Call {
        self.env.retain(|k, _| k == "PATH");
        self
    }

    /// A recurring monitor rather than a probe.
    pub fn recurring(self) -> Call {
        self.env("OCF_RESKEY_CRM_meta_interval", "15000")
    }

    /// The operation's timeout in seconds; the call is killed at it, as Pacemaker does.
    pub fn timeout(mut self, seconds: u64) -> Call {
        self.timeout = Duration::from_secs(seconds);
        self.env("OCF_RESKEY_CRM_meta_timeout", &(seconds * 1000).to_string())
    }

    /// Other stand-ins for Pacemaker's tools.
    pub fn tools(mut self, node: &Node<'_>, tools: Tools) -> Call {
        self.layer = node.world.tools(&node.name, tools);
        self
    }

    /// A notification: type, operation, and pairs such as ("promote_uname", "srv2").
    pub fn notify(self, when: &str, operation: &str, lists: &[(&str, &str)]) -> Call {
        let mut call = self
            .env("OCF_RESKEY_CRM_meta_notify_type", when)
            .env("OCF_RESKEY_CRM_meta_notify_operation", operation);
        for name in [
            "promoted",
            "unpromoted",
            "promote",
            "demote",
            "start",
            "stop",
            "active",
            "inactive",
            "available",
        ] {
            call = call.env(&format!("OCF_RESKEY_CRM_meta_notify_{name}_uname"), " ");
        }
        for (name, value) in lists {
            call = call.env(&format!("OCF_RESKEY_CRM_meta_notify_{name}"), value);
        }
        call
    }

    /// Another home directory for the owner of the instance.
    pub fn home(mut self, path: &Path) -> Call {
        self.home = Some(path.to_owned());
        self
    }

    pub fn closed_stdout(mut self) -> Call {
        self.stdout = Stdout::Closed;
        self
    }

    /// Calls it from there.
    pub fn from(mut self, directory: &Path) -> Call {
        directory.clone_into(&mut self.directory);
        self
    }

    /// Runs it as another user.
    pub fn user(mut self, uid: u32) -> Call {
        self.uid = Some(uid);
        self
    }

    /// Runs it in a mount namespace where the tools are ours.
    pub fn run(self) -> Run {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let tag = format!("call-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let out_path = self.scratch.join(format!("{tag}.out"));
        let err_path = self.scratch.join(format!("{tag}.err"));
        let script = "mount -t overlay -o lowerdir=\"$1\":/usr/sbin none /usr/sbin || exit 98
            [ -z \"$2\" ] || mount --bind \"$2\" /var/lib/postgresql || exit 98
            shift 2; exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]).arg(&self.layer);
        command.arg(self.home.as_deref().unwrap_or(Path::new("")));
        if let Some(uid) = self.uid {
            command.args(["setpriv", &format!("--reuid={uid}"), &format!("--regid={uid}"), "--clear-groups"]);
        }
        if matches!(self.stdout, Stdout::Closed) {
            command.args(["sh", "-c", "exec \"$@\" >&-", "sh"]);
        }
        command
            .arg(&self.program)
            .arg(&self.action)
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.directory)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(File::create(&out_path).expect("a writable directory"))
            .stderr(File::create(&err_path).expect("a writable directory"));
        let began = Instant::now();
        let mut child = command.spawn().expect("unshare is there");
        let pid = i32::try_from(child.id()).expect("a pid");
        let code = loop {
            if let Some(status) = child.try_wait().expect("it is our child") {
                use std::os::unix::process::ExitStatusExt;
                break Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
            }
            if began.elapsed() > self.timeout {
                let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        // Pacemaker's belief follows the operation that succeeded.
        let role = match (self.action.as_str(), code) {
            ("start" | "demote", Some(0)) => Some(Role::Unpromoted),
            ("promote", Some(0)) => Some(Role::Promoted),
            ("stop", Some(0)) => Some(Role::Stopped),
            _ => None,
        };
        if let Some(role) = role {
            fs::write(self.roles.join(&self.node), format!("{role:?}\n")).expect("a writable directory");
        }
        if std::env::var_os("QUORATE_TEST_TRACE").is_some() {
            eprint!("{}: {} -> {code:?} {:?}\n{}", self.node, self.action, began.elapsed(), read(&err_path));
        }
        Run {
            action: self.action,
            code,
            elapsed: began.elapsed(),
            stdout: read(&out_path),
            stderr: read(&err_path),
        }
    }

    /// Runs it; it must end with `code`.
    #[track_caller]
    pub fn must(self, code: i32) -> Run {
        let run = self.run();
        run.assert_code(code);
        run
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

impl Run {
    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{self}");
        assert!(!self.stderr.contains("panicked"), "{self}");
    }

    /// The exit reason names all of `words`.
    #[track_caller]
    pub fn assert_reason(&self, words: &[&str]) {
        let reasons: String = self.stderr.lines().filter(|l| l.starts_with("ocf-exit-reason:")).collect();
        assert!(!reasons.is_empty(), "no ocf-exit-reason: {self}");
        for word in words {
            assert!(reasons.contains(word), "the reason does not name {word:?}: {self}");
        }
    }

    #[track_caller]
    pub fn assert_within(&self, limit: Duration) {
        assert!(self.elapsed <= limit, "took longer than {limit:?}: {self}");
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or("killed at its timeout".to_owned(), |c| c.to_string());
        write!(f, "{} -> {code} after {:?}\n{}", self.action, self.elapsed, self.stderr)
    }
}
