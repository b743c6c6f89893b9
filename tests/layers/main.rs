//! The layer table of `src/lib.rs`, checked against the sources: what a module may not name, it does not
//! name. The laboratory's crate is read as if it were the module `lab` of the product.
//!
//! The check is textual on purpose. It reads code without comments, strings and unit tests, so a breach is a
//! line that a reviewer would point at, and the message says which rule of which layer it breaks.

mod circles;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use source::{as_one_crate, code_lines, paths};

/// Longest source file; the longest file of a project is the one that nobody split.
const MAX_LINES: usize = 500;

/// A call or a path that only some modules may name.
struct Rule {
    /// What may not be named.
    token: &'static str,
    /// Prefixes where it may be: below `src/`, and of the laboratory `lab/` for `lab/src/`.
    allowed: &'static [&'static str],
    /// What to use instead, or why.
    why: &'static str,
}

/// Modules whose functions take values and return values.
const PURE: &[&str] = &["ocf/", "pg/", "cluster/", "decide/", "layout/", "lab/truth/", "lab/record/"];

/// The lab's pure rooms, and what of the lab each may name: the checker knows no fault injector, no cluster and no client.
const LAB_VALUES: &[(&str, &[&str])] = &[
    ("lab/truth/", &["lab/truth", "lab/record/history"]),
    ("lab/record/", &["lab/record", "lab/machines/protocol"]),
];

/// The laboratory, as a path from the root: looked for where a path leads, since some of it is values.
const LAB: &str = "crate::lab";

/// What a pure module may not name.
const IMPURE: &[(&str, &str)] = &[
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
const RULES: &[Rule] = &[
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
        allowed: &["decide/", "agent/", "daemon/", "fence/", "rejoin/", "cli/", "boundary/"],
        why: "policy is called by the shells alone",
    },
    Rule {
        token: "decide(",
        allowed: &["decide/", "agent/", "daemon/", "fence/", "rejoin/", "cli/"],
        why: "boundary/ knows the words of decide/, not its decisions",
    },
];

/// What reads or changes files by their path. On a path that the database's user controls root would do it for that user.
const FILE_ACCESS: &[&str] = &[
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
const AS_ROOT: &[&str] = &["boundary/", "agent/", "daemon/", "fence/", "rejoin/", "cli/"];

/// Where they may nevertheless: the way to the user's files, and files that nobody but root (or the operator who names them) can put
/// in their place. Nothing that handles PGDATA, a home directory, the log or a socket belongs on this list.
const OWN_FILES: &[(&str, &str)] = &[
    ("boundary/owned_files.rs", "the way to the files of the database's user"),
    ("boundary/owned_files/", "the same"),
    ("boundary/storage.rs", "bounded reads of root's own files"),
    ("boundary/files.rs", "writes of root's own files"),
    ("boundary/process.rs", "/proc"),
    ("boundary/process/prepared.rs", "/proc"),
    ("boundary/command.rs", "the programs that are run"),
    ("boundary/command/", "pipes"),
    ("boundary/daemons.rs", "/proc"),
    ("boundary/disk_stats.rs", "/sys"),
    ("boundary/disk_times.rs", "/sys, /proc/self/mountinfo"),
    ("boundary/node_reset.rs", "/proc/sysrq-trigger, /run/quorate"),
    ("boundary/group_key.rs", "the group's key, root's own"),
    ("boundary/ipc.rs", "/etc/libqb"),
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

const FILE_ACCESS_WHY: &str = "what the database's user owns is reached by boundary/owned_files, with that user's rights; \
                               root's own files by boundary/storage and boundary/files";

/// Whether this line reaches a file by its path where it may not.
fn reaches_files(path: &str, line: &str) -> Option<&'static str> {
    if !AS_ROOT.iter().any(|layer| path.starts_with(layer))
        || OWN_FILES.iter().any(|(p, _)| path.starts_with(p))
    {
        return None;
    }
    // A line that starts with a method call has none of its receiver before it.
    FILE_ACCESS
        .iter()
        .find(|token| if token.starts_with('.') { line.contains(**token) } else { names(line, token) })
        .copied()
}

/// Longest binary.
const BINARY_MAX_LINES: usize = 60;

/// One broken rule, as the test prints it.
#[derive(Debug, PartialEq, Eq)]
struct Breach(String);

/// Whether `token` stands in `line` at a word boundary.
fn names(line: &str, token: &str) -> bool {
    line.match_indices(token).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The file behind a path of this test.
fn file_of(path: &str) -> String {
    path.strip_prefix("lab/").map_or_else(|| format!("src/{path}"), |below| format!("lab/src/{below}"))
}

/// The breaches of a line that names these tokens.
fn breaches_at(path: &str, number: usize, named: &dyn Fn(&str) -> bool) -> Vec<Breach> {
    let at = format!("{}:{}", file_of(path), number + 1);
    let mut found = Vec::new();
    if PURE.iter().any(|p| path.starts_with(p)) {
        for (token, why) in IMPURE.iter().filter(|(token, _)| named(token)) {
            found.push(Breach(format!("{at}: a pure module names `{token}`: {why}")));
        }
    }
    for rule in RULES.iter().filter(|rule| named(rule.token)) {
        if !rule.allowed.iter().any(|p| path.starts_with(p)) {
            found.push(Breach(format!("{at}: names `{}`: {}", rule.token, rule.why)));
        }
    }
    if path.starts_with("boundary/") && named("crate::agent") {
        found.push(Breach(format!("{at}: an effect does not know who asked for it")));
    }
    found
}

/// Breaches of one file; `path` is relative to `src/`, or begins with `lab/`.
fn breaches_of(path: &str, source: &str) -> Vec<Breach> {
    let mut found = Vec::new();
    let lines = source.lines().count();
    if lines > MAX_LINES {
        found.push(Breach(format!("{}: {lines} lines, more than {MAX_LINES}: split it", file_of(path))));
    }
    if (path.starts_with("bin/") || path == "lab/main.rs") && lines > BINARY_MAX_LINES {
        found.push(Breach(format!(
            "{}: {lines} lines, more than {BINARY_MAX_LINES}: a binary parses, runs and maps to an exit code",
            file_of(path)
        )));
    }
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return found;
    }
    let mut lines = code_lines(source);
    if path.starts_with("lab/") {
        as_one_crate(&mut lines);
    }
    for (number, line) in lines.iter().enumerate() {
        let named = |token: &str| token != LAB && names(line, token);
        found.extend(breaches_at(path, number, &named));
        if let Some(token) = reaches_files(path, line) {
            let at = format!("{}:{}", file_of(path), number + 1);
            found.push(Breach(format!("{at}: reaches a file by `{token}`: {FILE_ACCESS_WHY}")));
        }
    }
    // The same by the way that a path takes: through `super`, or as one of a group.
    for (number, written) in paths(path, &lines) {
        let room = written.strip_prefix("crate::").map(|p| p.replace("::", "/"));
        let values =
            LAB_VALUES.iter().find(|(pure, _)| path.starts_with(pure)).map_or(&[][..], |(_, named)| named);
        if room.is_some_and(|room| values.iter().any(|value| room.starts_with(value))) {
            continue;
        }
        let named = |token: &str| names(&written, token) && (token == LAB || !names(&lines[number], token));
        found.extend(breaches_at(path, number, &named));
    }
    found
}

/// Every source file of the product and of the laboratory, with its path as [`breaches_of`] has it.
fn sources() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for (place, prefix) in [("src", ""), ("lab/src", "lab/")] {
        let place = root().join(place);
        for file in rust_files(&place) {
            let path = file.strip_prefix(&place).expect("found below it").to_string_lossy().into_owned();
            let source = fs::read_to_string(&file).expect("a source file is UTF-8");
            sources.push((format!("{prefix}{path}"), source));
        }
    }
    sources
}

/// Every `.rs` file below `dir`, sorted.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("a source directory is readable") {
            let path = entry.expect("a source directory is readable").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_module_keeps_to_its_layer() {
    let sources = sources();
    assert!(
        sources.iter().filter(|(path, _)| path.starts_with("lab/")).count() > 100,
        "the laboratory is read"
    );
    let breaches: Vec<Breach> = sources.iter().flat_map(|(path, source)| breaches_of(path, source)).collect();
    assert!(
        breaches.is_empty(),
        "{} breaches of the layers:\n{}",
        breaches.len(),
        breaches.iter().map(|b| b.0.as_str()).collect::<Vec<_>>().join("\n")
    );
}

/// What two decisions share stands in a file of its own.
#[test]
fn no_decision_uses_itself_by_way_of_others() {
    let src = root().join("src");
    let mut files = Vec::new();
    for file in rust_files(&src.join("decide")) {
        let path = file.strip_prefix(&src).expect("found below src").to_string_lossy().into_owned();
        let is_test = ["tests", "/tests/", "samples", "model"].iter().any(|part| {
            if part.starts_with('/') { path.contains(part) } else { path.ends_with(&format!("{part}.rs")) }
        });
        if !is_test {
            files.push((path, fs::read_to_string(&file).expect("a source file is UTF-8")));
        }
    }
    let uses = circles::uses(&files);
    assert!(uses.len() > 40, "{} files of decide", uses.len());
    assert_eq!(circles::circles(&uses), Vec::<String>::new(), "files in a circle");
}

/// The laboratory's files without those of its tests, each with its path below `lab/src`.
fn files_of_the_laboratory() -> Vec<(String, String)> {
    let files = sources()
        .into_iter()
        .filter_map(|(path, source)| Some((path.strip_prefix("lab/")?.to_owned(), source)));
    files
        .filter(|(path, _)| !["tests.rs", "testing.rs"].iter().any(|end| path.ends_with(end)))
        .filter(|(path, _)| path != "lib.rs" && path != "main.rs" && !path.contains("/tests/"))
        .collect()
}

/// The rooms of the laboratory in the order of its table: each uses those above it. And no file is in a circle.
#[test]
fn a_room_of_the_laboratory_uses_those_above_it() {
    let uses = circles::uses(&files_of_the_laboratory());
    assert!(uses.len() > 100, "{} files of the laboratory", uses.len());
    let index = fs::read_to_string(root().join("lab/src/lib.rs")).expect("lab/src/lib.rs is UTF-8");
    let rows = index.lines().filter_map(|line| line.strip_prefix("//! | [`")?.split_once("`]"));
    let order: Vec<&str> = rows.map(|(room, _)| room).collect();
    let rooms = circles::rooms(&uses);
    let listed: BTreeSet<&str> = order.iter().copied().collect();
    let found: BTreeSet<&str> = rooms.keys().map(String::as_str).collect();
    assert_eq!(listed, found, "lab/src/lib.rs (left) lists the rooms (right)");
    assert_eq!(circles::below(&rooms, &order), Vec::<String>::new());
    assert_eq!(circles::circles(&uses), Vec::<String>::new(), "files in a circle");
}

/// A place that is gone is a gap for the next file of that name.
#[test]
fn every_place_with_files_of_its_own_is_there() {
    for (place, _) in OWN_FILES {
        assert!(root().join("src").join(place).exists(), "src/{place} is on the list and not there");
    }
}

#[test]
fn test_files_are_short_too() {
    for file in ["tests", "lab/tests", "lab/preload"].iter().flat_map(|place| rust_files(&root().join(place)))
    {
        let lines = fs::read_to_string(&file).expect("a source file is UTF-8").lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines, more than {MAX_LINES}", file.display());
    }
}

#[test]
fn the_index_lists_every_module() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs is UTF-8");
    for entry in fs::read_dir(root().join("src")).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        let name = path.file_stem().expect("an entry has a name").to_string_lossy().into_owned();
        if name == "lib" || name == "bin" {
            continue;
        }
        assert!(lib.contains(&format!("pub mod {name};")), "src/lib.rs does not list the module {name}");
        assert!(
            lib.lines().any(|l| l.starts_with("//!") && l.contains(&name)),
            "src/lib.rs does not say what the module {name} is for"
        );
    }
}

/// The check itself can fail: one synthetic breach for each rule.
#[test]
fn a_breach_is_seen() {
    for (token, _) in IMPURE {
        let source = format!("fn f() {{ let _ = {token}::f(); }}\n");
        assert!(!breaches_of("decide/monitor.rs", &source).is_empty(), "{token} in a pure module");
    }
    for rule in RULES {
        let source = format!("fn f() {{ let _ = {}; }}\n", rule.token);
        let of_the_lab = source.replace("crate::", "quorate::");
        assert!(
            breaches_of("lab/x.rs", &of_the_lab).iter().any(|b| b.0.contains(rule.why))
                || rule.allowed.contains(&"lab/"),
            "{} in lab/x.rs",
            rule.token
        );
        for place in rule.allowed {
            let path = if place.ends_with(".rs") { (*place).to_owned() } else { format!("{place}x.rs") };
            let named = breaches_of(&path, &source).iter().any(|b| b.0.contains(rule.why));
            assert!(!named, "{} in {path} is legal", rule.token);
        }
    }
    for token in FILE_ACCESS {
        let source = format!(
            "fn f() {{ let _ = x{}; }}\n",
            if token.starts_with('.') { (*token).to_owned() } else { format!("({token}(y))") }
        );
        for layer in AS_ROOT {
            let path = format!("{layer}node.rs");
            let named = breaches_of(&path, &source).iter().any(|b| b.0.contains(FILE_ACCESS_WHY));
            assert!(named, "{token} in {path}");
        }
        for (place, _) in OWN_FILES {
            let path = if place.ends_with(".rs") { (*place).to_owned() } else { format!("{place}x.rs") };
            let named = breaches_of(&path, &source).iter().any(|b| b.0.contains(FILE_ACCESS_WHY));
            assert!(!named, "{token} in {path} is legal");
        }
    }
    assert_eq!(breaches_of("decide/long.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1);
    assert_eq!(breaches_of("bin/quorate-agent.rs", &"\n".repeat(BINARY_MAX_LINES + 1)).len(), 1);
}

/// Whichever way a path takes, and wherever it stands in a file.
#[test]
fn a_breach_behind_super_or_a_test_is_seen() {
    for (path, source) in [
        ("decide/score.rs", "use super::super::boundary::host;\n"),
        ("decide/score.rs", "use crate::{\n    boundary::host,\n    pg::lsn::Lsn,\n};\n"),
        ("decide/score.rs", "pub(super) use super::super::{pg::lsn::Lsn, boundary::{host, node}};\n"),
        ("decide/detector/watch.rs", "fn f(x: super::super::super::boundary::Host) {}\n"),
        ("decide/detector/mod.rs", "use super::super::agent::Agent;\n"),
        ("decide/score.rs", "use std::{\n    fs,\n    fmt,\n};\n"),
        ("decide/score.rs", "#[cfg(test)]\nmod samples;\nuse std::fs;\n"),
        ("decide/score.rs", "#[cfg(test)]\nuse super::x;\nfn f() { std::env::var(0) }\n"),
        ("decide/score.rs", "#[cfg(test)]\nmod tests {\n    fn f() { let c = '{'; }\n}\nuse std::fs;\n"),
        (
            "decide/score.rs",
            "impl A {\n    #[cfg(test)]\n    fn f() { }\n    fn g() { std::fs::read(0) }\n}\n",
        ),
        ("decide/score.rs", "#[cfg(not(test))]\nuse std::fs;\n"),
        ("boundary/node.rs", "use super::super::agent::Agent;\n"),
        ("boundary/node.rs", "#[cfg(test)]\nmod tests { }\nfn f() { decide(1) }\n"),
        ("pg/lsn.rs", "use super::super::decide::score;\n"),
        ("pg/lsn.rs", "use std::fmt; use crate::decide::score;\n"),
        ("pg/lsn.rs", "use std::{\n    fmt,\n}; use super::super::decide::score;\n"),
        ("lab/run.rs", "use quorate::decide::score;\n"),
        ("lab/truth/mod.rs", "use quorate::{boundary::host, pg::lsn::Lsn};\n"),
        ("lab/truth/reads.rs", "use crate::faults::Fault;\n"),
        ("lab/truth/reads.rs", "use super::super::faults::Fault;\n"),
        ("lab/truth/reads.rs", "use crate::machines::protocol::Event;\n"),
        ("lab/record/measure.rs", "use crate::client::Client;\n"),
    ] {
        assert!(!breaches_of(path, source).is_empty(), "{path}: {source}");
    }
}

/// What only looks like a breach: prose, text and unit tests.
#[test]
fn prose_is_no_breach() {
    let source = "//! not std::fs\n/* std::fs\n std::env */\nfn f() -> &'static str { \"std::fs \\\" nix::\" } // std::env\n\
                  fn atokio() {}\n#[cfg(test)]\nmod tests { use std::fs; }\n";
    assert_eq!(breaches_of("decide/monitor.rs", source), vec![]);
    let values = "use quorate::pg::lsn::Lsn;\nuse crate::record::history::Outcome;\nuse super::Finding;\n";
    assert_eq!(breaches_of("lab/truth/reads.rs", values), vec![]);
    for legal in [
        "#[cfg(test)]\nmod tests {\n    use super::super::boundary;\n    fn f() { if true { std::fs::read(0) } }\n}\n",
        "#[cfg(all(test, feature = \"lab\"))]\nuse std::fs;\n",
        "use super::facts;\nuse super::super::pg::lsn::Lsn;\n",
        "use super::boundary_of::x;\n",
    ] {
        assert_eq!(breaches_of("decide/monitor.rs", legal), vec![], "{legal}");
    }
}
