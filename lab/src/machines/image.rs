//! The templates of the nodes' disks, built once for each suite: a Debian root with everything that a node needs, or a
//! plain one, as an installer leaves it.

use super::cleanup;
use super::sources::{self, Source};
use crate::host::error::{LabError, Result};
use crate::host::paths::STATE_DIR;
use crate::host::progress::Progress;
use crate::host::run;
use crate::host::wait;
use nix::fcntl::{Flock, FlockArg};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a node has beyond Debian's minimum.
const PACKAGES: [&str; 26] = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "corosync",
    "corosync-qdevice",
    "corosync-qnetd",
    "pacemaker",
    "pacemaker-cli-utils",
    "resource-agents",
    // PAF, for comparison.
    "resource-agents-paf",
    "sbd",
    "pcs",
    "postgresql",
    "iproute2",
    "iputils-arping",
    "iputils-ping",
    "nftables",
    "procps",
    "psmisc",
    "kmod",
    "less",
    "openssl",
    "xz-utils",
    "ca-certificates",
    "libxml2-utils",
    "strace",
];
/// What Debian's installer leaves, as far as a container has it.
const PLAIN: [&str; 12] = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "iproute2",
    "iputils-ping",
    "kmod",
    "procps",
    "less",
    "nano",
    "ca-certificates",
    "openssh-server",
    "sudo",
];
/// What README has installed on machines, database nodes and witness: apt finds it without a network. The package's own
/// dependencies come with corosync.
const TO_INSTALL: [&str; 9] = [
    "pacemaker",
    "pacemaker-cli-utils",
    "resource-agents",
    "corosync",
    "corosync-qdevice",
    "sbd",
    "pcs",
    "postgresql",
    "corosync-qnetd",
];
/// In the root `$1`, for the packages that follow: their files, in apt's own cache. An overlay that is thrown away needs no
/// fsync. UTF-8, as an installer sets it.
///
/// Two recommendations of recommendations are kept out: with the fence agents of every cloud 785 packages come on trixie,
/// without 195, and Pacemaker starts the same.
const PREPARE_PLAIN: &str = "root=$1; shift; \
    printf 'Package: fence-agents* python3-googleapi\\nPin: release *\\nPin-Priority: -1\\n' \
        >\"$root/etc/apt/preferences.d/lab\"; \
    chroot \"$root\" apt-get install --download-only -y -q \"$@\"; \
    echo force-unsafe-io >\"$root/etc/dpkg/dpkg.cfg.d/90lab\"; echo LANG=C.UTF-8 >\"$root/etc/default/locale\"";
/// What every node's set-up expects to have been done.
const BASE_SCRIPT: &str = include_str!("../../../vagrant/provision/base.sh");
/// Changed when the way of building changes and old templates must not be used any more.
const FORMAT: u32 = 1;
/// Seen: 49 s. A slow mirror may need longer.
const BUILD_DEADLINE: Duration = Duration::from_secs(900);

/// Debian's releases that the lab knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    Bookworm,
    Trixie,
}

impl Suite {
    /// The codename.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Bookworm => "bookworm",
            Suite::Trixie => "trixie",
        }
    }

    /// The major version of its PostgreSQL.
    pub fn postgresql(self) -> u16 {
        match self {
            Suite::Bookworm => 15,
            Suite::Trixie => 17,
        }
    }

    /// The host's own, or bookworm where the host's is unknown to the lab.
    pub fn of_host() -> Suite {
        match host_codename().as_deref() {
            Ok("trixie") => Suite::Trixie,
            _ => Suite::Bookworm,
        }
    }
}

/// What a template has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Content {
    /// Everything that a node needs; none of it starts by itself.
    Node,
    /// A Debian that was just installed: apt knows what README's commands install, nothing of it is there.
    Plain,
}

impl Content {
    /// Its part of a template's name.
    fn name(self) -> &'static str {
        match self {
            Content::Node => "",
            Content::Plain => "-plain",
        }
    }
}

/// The template of a suite, built now when there is none yet.
pub fn ensure(suite: Suite, content: Content, progress: &Progress) -> Result<PathBuf> {
    let templates = Path::new(STATE_DIR).join("templates");
    fs::create_dir_all(&templates).map_err(|source| LabError::File { path: templates.clone(), source })?;
    let path =
        templates.join(format!("{}{}-{:08x}", suite.name(), content.name(), fingerprint(suite, content)));
    if path.exists() {
        return Ok(path);
    }
    let _lock = lock(&templates.join(".lock"), progress)?;
    if path.exists() {
        return Ok(path);
    }
    remove_unfinished(&templates)?;
    let building = templates.join(format!(".building-{}-{}", suite.name(), std::process::id()));
    let built = build(suite, content, &building, progress);
    if let Err(e) = built {
        remove_tree(&building)?;
        return Err(e);
    }
    fs::rename(&building, &path).map_err(|source| LabError::File { path: path.clone(), source })?;
    Ok(path)
}

/// Removes all templates, and the prepared disks that stand on them.
pub fn remove_all() -> Result<()> {
    if let Some(name) = cleanup::all_names().first() {
        return Err(LabError::Host(format!(
            "cluster {name} stands on them; remove it first with: quorate-lab down --all"
        )));
    }
    ["templates", "prepared"].iter().try_for_each(|dir| remove_tree(&Path::new(STATE_DIR).join(dir)))
}

fn fingerprint(suite: Suite, content: Content) -> u32 {
    let text = match content {
        Content::Node => format!("{FORMAT}\n{}\n{}\n{BASE_SCRIPT}", suite.name(), PACKAGES.join(" ")),
        Content::Plain => {
            format!(
                "{FORMAT}\n{}\n{}\n{}\n{PREPARE_PLAIN}",
                suite.name(),
                PLAIN.join(" "),
                TO_INSTALL.join(" ")
            )
        }
    };
    crc32c::crc32c(text.as_bytes())
}

fn lock(path: &Path, progress: &Progress) -> Result<Flock<fs::File>> {
    let failed = |source: std::io::Error| LabError::File { path: path.to_owned(), source };
    let file = fs::File::create(path).map_err(failed)?;
    let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => return Ok(lock),
        Err((file, _)) => file,
    };
    progress.step("wait: another quorate-lab builds a template");
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| failed(e.into()))
}

/// What builds that were killed have left. Called under the lock: nobody works on them.
fn remove_unfinished(templates: &Path) -> Result<()> {
    let entries = fs::read_dir(templates)
        .map_err(|source| LabError::File { path: templates.to_owned(), source })?
        .flatten();
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with(".building-") {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a directory tree. A killed mmdebstrap may have left file systems mounted in it; they are unmounted first,
/// so that what they show isn't removed.
fn remove_tree(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let prefix = format!("{}/", path.display());
    let inner = mounts.lines().filter_map(|l| l.split(' ').nth(1)).filter(|p| p.starts_with(&prefix));
    for mount in inner.collect::<Vec<_>>().into_iter().rev() {
        run::check(&["umount", "--lazy", mount], Duration::from_secs(10))?;
    }
    run::check(
        &["rm", "-rf", "--one-file-system", "--", &path.display().to_string()],
        Duration::from_secs(120),
    )?;
    Ok(())
}

fn build(suite: Suite, content: Content, root: &Path, progress: &Progress) -> Result<()> {
    let sources = host_sources(suite)?;
    let what = match content {
        Content::Node => "",
        Content::Plain => "a plain ",
    };
    progress.step(&format!("image: building {what}Debian {} (about a minute, once)", suite.name()));
    let list: String = sources.iter().map(|s| s.line() + "\n").collect();
    let list_file = root.with_extension("list");
    let log_file = root.with_extension("log");
    fs::write(&list_file, list).map_err(|source| LabError::File { path: list_file.clone(), source })?;
    let mut argv: Vec<String> = [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        "--aptopt=Acquire::Languages \"none\"",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    ]
    .map(str::to_owned)
    .to_vec();
    argv.extend(apt_options()?.into_iter().map(|o| format!("--aptopt={o}")));
    match content {
        Content::Node => {
            argv.push("--aptopt=APT::Install-Recommends \"false\"".to_owned());
            argv.push(format!("--include={}", PACKAGES.join(",")));
        }
        // mmdebstrap itself takes no recommendations; who installs on the machine does.
        Content::Plain => {
            argv.push(format!("--include={}", PLAIN.join(",")));
            argv.extend(["--skip=cleanup/apt/lists", "--skip=cleanup/apt/cache"].map(str::to_owned));
        }
    }
    argv.push(suite.name().to_owned());
    argv.extend([root.display().to_string(), list_file.display().to_string()]);
    let result = run_logged(&argv, &log_file, progress);
    let log = fs::read_to_string(&log_file).unwrap_or_default();
    let _ = fs::remove_file(&list_file);
    let _ = fs::remove_file(&log_file);
    if result? != 0 {
        let tail: Vec<&str> = log.lines().rev().take(15).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Err(LabError::Command { command: argv.join(" "), problem: tail.join("\n") });
    }
    let root = root.display().to_string();
    match content {
        Content::Node => {
            progress.step("image: preparing the services");
            run::run(&["chroot", &root, "bash", "-s"], Some(BASE_SCRIPT), Duration::from_secs(60))?
                .success("base.sh")
                .map(drop)
        }
        Content::Plain => {
            progress.step("image: fetching what is to be installed on its machines");
            let mut argv = vec!["sh", "-ec", PREPARE_PLAIN, "sh", &root];
            argv.extend(TO_INSTALL);
            run::check(&argv, BUILD_DEADLINE).map(drop)
        }
    }
}

/// Runs mmdebstrap and shows its steps (the lines that start with "I: ") as they come.
fn run_logged(argv: &[String], log: &Path, progress: &Progress) -> Result<i32> {
    let pid_file = log.with_extension("pid");
    let script = "echo $$ >\"$1\"; log=$2; shift 2; exec \"$@\" >\"$log\" 2>&1 </dev/null";
    // When this program is killed, mmdebstrap ends too, in the orderly way.
    let mut words =
        ["setpriv", "--pdeathsig", "TERM", "--", "sh", "-ec", script, "sh"].map(str::to_owned).to_vec();
    words.extend([pid_file.display().to_string(), log.display().to_string()]);
    // A database in UTF-8, as an installer makes it.
    words.extend(["env".into(), "LC_ALL=C.UTF-8".into(), "LANG=C.UTF-8".into()]);
    words.extend(argv.iter().cloned());
    let worker = std::thread::spawn(move || run::run(&words, None, BUILD_DEADLINE));
    let mut shown = 0;
    let mut stopped = false;
    loop {
        let finished = worker.is_finished();
        let text = fs::read_to_string(log).unwrap_or_default();
        let steps: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("I: ")).collect();
        for step in steps.iter().skip(shown) {
            progress.step(&format!("image: {step}"));
        }
        shown = steps.len();
        if finished {
            break;
        }
        if wait::interrupted() && !stopped {
            stopped = true;
            terminate(&pid_file);
        }
        run::nap(Duration::from_millis(200));
    }
    let _ = fs::remove_file(&pid_file);
    let output = worker
        .join()
        .unwrap_or_else(|_| Err(LabError::Host("the thread that ran mmdebstrap ended by itself".into())))?;
    if stopped { Err(LabError::Interrupted) } else { Ok(output.status) }
}

/// Asks the process group of this file's process to end; mmdebstrap then unmounts what it has mounted.
fn terminate(pid_file: &Path) {
    let pid = fs::read_to_string(pid_file).ok().and_then(|t| t.trim().parse().ok());
    if let Some(pid) = pid {
        // One that has just ended by itself is as good.
        let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
    }
}

fn host_codename() -> Result<String> {
    let path = PathBuf::from("/etc/os-release");
    let text = fs::read_to_string(&path).map_err(|source| LabError::File { path, source })?;
    text.lines()
        .find_map(|l| l.strip_prefix("VERSION_CODENAME="))
        .map(|v| v.trim_matches('"').to_owned())
        .ok_or_else(|| {
            LabError::Host("/etc/os-release has no VERSION_CODENAME: is this a Debian host?".into())
        })
}

/// Debian's own sources of the host, for this suite.
fn host_sources(suite: Suite) -> Result<Vec<Source>> {
    let mut all = Vec::new();
    let mut read = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        match path.extension().and_then(|e| e.to_str()) {
            Some("list") => all.extend(sources::parse_list(&text)),
            Some("sources") => all.extend(sources::parse_deb822(&text)),
            _ => {}
        }
    };
    read(Path::new("/etc/apt/sources.list"));
    let mut parts: Vec<PathBuf> =
        fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|e| e.path()).collect();
    parts.sort();
    parts.iter().for_each(|p| read(p));
    let codename = host_codename()?;
    let found = sources::retarget(&all, &codename, suite.name());
    if found.is_empty() {
        return Err(LabError::Host(format!(
            "no source of Debian {codename} \"main\" in /etc/apt/sources.list or /etc/apt/sources.list.d: \
             the lab builds its nodes from the host's own sources"
        )));
    }
    Ok(found)
}

/// The host's proxies and certificate checks, as apt options.
fn apt_options() -> Result<Vec<String>> {
    let dump = run::check(&["apt-config", "dump", "Acquire"], Duration::from_secs(10))?;
    let wanted = |l: &&str| l.contains("::Proxy") || l.contains("::Verify-") || l.contains("::CAInfo");
    Ok(dump.lines().filter(wanted).filter(|l| !l.contains("\"\"")).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_suite_has_its_own_template() {
        let all = [Suite::Bookworm, Suite::Trixie]
            .map(|suite| [Content::Node, Content::Plain].map(|content| fingerprint(suite, content)));
        let mut all = all.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
    }
}
