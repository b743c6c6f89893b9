//! The table: what which layer may not name, and where each file is reached by its path.

/// Longest source file; the longest file of a project is the one that nobody split.
pub(crate) const MAX_LINES: usize = 500;

/// A call or a path that only some modules may name.
pub(crate) struct Rule {
    /// What may not be named.
    pub(crate) token: &'static str,
    /// Prefixes where it may be: below `src/`, and of the laboratory `lab/` for `lab/src/`.
    pub(crate) allowed: &'static [&'static str],
    /// What to use instead, or why.
    pub(crate) why: &'static str,
}

/// Modules whose functions take values and return values.
pub(crate) const PURE: &[&str] =
    &["ocf/", "pg/", "cluster/", "decide/", "layout/", "lab/truth/", "lab/record/"];

/// The lab's pure rooms, and what of the lab each may name: the checker knows no fault injector, no cluster and no client.
pub(crate) const LAB_VALUES: &[(&str, &[&str])] = &[
    ("lab/truth/", &["lab/truth", "lab/record/history"]),
    ("lab/record/", &["lab/record", "lab/machines/protocol"]),
];

/// The laboratory, as a path from the root: looked for where a path leads, since some of it is values.
pub(crate) const LAB: &str = "crate::lab";

/// What a pure module may not name.
pub(crate) const IMPURE: &[(&str, &str)] = &[
    ("std::fs", "files are read in boundary/"),
    ("std::env", "the environment is read once, in the binary"),
    ("std::process", "processes are boundary/command and boundary/process"),
    ("std::net::Tcp", "connections are boundary/postgres"),
    ("std::os::unix::net", "connections are boundary/"),
    ("std::thread", "threads belong to the shells"),
    ("Instant::now", "pass `now` in"),
    ("SystemTime::now", "pass `now` in"),
    ("File::open", "files are read in boundary/"),
    ("tokio", "the runtime belongs to boundary/postgres"),
    ("nix::", "system calls belong to boundary/"),
    ("libc::", "system calls belong to boundary/"),
    ("syslog", "a decision returns its explanation; the shell logs it once"),
    ("eprintln!", "stdout and stderr belong to the shells"),
    ("println!", "stdout and stderr belong to the shells"),
    ("print!", "stdout and stderr belong to the shells"),
    ("dbg!", "stdout and stderr belong to the shells"),
    ("crate::boundary", "effects are handed in as values"),
    ("crate::agent", "a decision does not know who carries it out"),
    (LAB, "a decision does not know who carries it out"),
];

/// Who may name what, for the layers that have effects.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        token: "process::Command",
        allowed: &["boundary/command.rs", "lab/client/"],
        why: "boundary/command is the only runner: null stdin, LC_ALL=C, a deadline, the whole group killed",
    },
    Rule {
        token: "thread::spawn",
        // A command that fails by its exit code, whichever way.
        allowed: &["lab/", "cli/primary_here.rs"],
        why: "it panics where the kernel refuses a thread: a Builder, as daemon/threads does, whose error is said",
    },
    Rule {
        token: "tokio_postgres",
        allowed: &["boundary/postgres.rs", "boundary/postgres/", "lab/client/"],
        why: "boundary/postgres is the only client: connect and statement timeouts",
    },
    Rule {
        token: "process::exit",
        allowed: &[],
        why: "main returns an ExitCode; nothing else ends the process",
    },
    Rule {
        token: "quick_xml",
        allowed: &["cluster/", "ocf/"],
        why: "boundary/pacemaker hands the text over; cluster/ parses it",
    },
    Rule {
        token: "crate::decide",
        // boundary/ gathers facts and applies effects: both are words of decide/.
        allowed: &[
            "decide/",
            "agent/",
            "alert/",
            "daemon/",
            "fence/",
            "rejoin/",
            "cli/",
            "http/",
            "boundary/",
        ],
        why: "policy is called by the shells alone",
    },
    Rule {
        token: "decide(",
        allowed: &["decide/", "agent/", "alert/", "daemon/", "fence/", "rejoin/", "cli/", "http/"],
        why: "boundary/ knows the words of decide/, not its decisions",
    },
];

/// What reads or changes files by their path. On a path that the database's user controls root would do it for that user.
pub(crate) const FILE_ACCESS: &[&str] = &[
    "std::fs",
    "fs::read",
    "fs::write",
    "File::open",
    "File::create",
    "OpenOptions",
    ".exists()",
    ".try_exists()",
    ".is_file()",
    ".is_dir()",
    ".is_symlink()",
    ".metadata()",
    ".symlink_metadata()",
    ".read_link()",
    ".read_dir()",
    ".canonicalize()",
    "canonicalize(",
    "read_link(",
    "statvfs(",
    "libc::open",
    "libc::stat",
    "libc::chown",
    "fcntl::open",
];

/// The layers that run as root on a database node.
pub(crate) const AS_ROOT: &[&str] =
    &["boundary/", "agent/", "alert/", "daemon/", "fence/", "rejoin/", "cli/"];

/// Where they may nevertheless: the way to the user's files, and files that nobody but root (or the operator who names them) can put
/// in their place. Nothing that handles PGDATA, a home directory, the log or a socket belongs on this list.
pub(crate) const OWN_FILES: &[(&str, &str)] = &[
    ("boundary/owned_files.rs", "the way to the files of the database's user"),
    ("boundary/owned_files/", "the same"),
    ("boundary/storage.rs", "bounded reads of root's own files"),
    ("boundary/files.rs", "writes of root's own files"),
    ("boundary/alert.rs", "an alert's command and token, root's own; /run/quorate-alert"),
    ("boundary/output_directory.rs", "a directory that it has found to be root's or the caller's alone"),
    ("boundary/process.rs", "/proc"),
    ("boundary/process/prepared.rs", "/proc"),
    ("boundary/command.rs", "the programs that are run"),
    ("boundary/command/", "pipes"),
    ("boundary/descriptors.rs", "/proc"),
    ("boundary/daemons.rs", "/proc"),
    ("boundary/disk_stats.rs", "/sys"),
    ("boundary/disk_times.rs", "/sys, /proc/self/mountinfo"),
    ("boundary/node_reset.rs", "/proc/sysrq-trigger, /run/quorate"),
    ("boundary/group_key.rs", "the group's key, root's own"),
    ("boundary/history.rs", "/var/lib/quorate/history"),
    ("boundary/corosync_socket.rs", "/etc/libqb"),
    ("boundary/memory.rs", "HA_RSCTMP"),
    ("boundary/registry.rs", "HA_RSCTMP"),
    ("boundary/rejoin/task.rs", "/var/lib/quorate/rejoin, /run/quorate"),
    ("boundary/reset_record.rs", "/var/lib/quorate, the kernel's log"),
    ("boundary/scheduler.rs", "a temporary directory of its own"),
    ("boundary/self_fence_records.rs", "/run/quorate"),
    ("boundary/self_fence_requests.rs", "/run/quorate"),
    ("boundary/setup.rs", "/etc/corosync"),
    ("boundary/watchdog.rs", "the watchdog device"),
    ("boundary/watchdog_facts.rs", "/sys, /dev and /proc"),
    ("boundary/watchdog_record.rs", "/var/lib/quorate"),
    ("boundary/write_test.rs", "the locks of trial writes, in HA_RSCTMP and /run/quorate"),
    ("boundary/write_test/", "the child of a trial write, with the owner's identity"),
    ("cli/layout.rs", "what the operator has rendered"),
    ("cli/packaging.rs", "the package's build"),
    ("daemon/cluster.rs", "Pacemaker's copy of the CIB"),
    ("daemon/report.rs", "/run/quorate"),
    ("daemon/storage.rs", "/run/quorate, Pacemaker's and corosync's directories"),
    ("fence/mod.rs", "corosync's programs"),
];

pub(crate) const FILE_ACCESS_WHY: &str = "what the database's user owns is reached by boundary/owned_files, with that user's rights; \
                               root's own files by boundary/storage and boundary/files";

/// Longest binary.
pub(crate) const BINARY_MAX_LINES: usize = 60;
