//! The processes of the cluster's daemons: of each unit's control group, which is one small file, else by one
//! pass over /proc.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::User;

use super::process::{self, ProcessInfo, ProcessState};
use crate::decide::detector::identity::{self, Candidate, Identity, Parent, control_group, root_group};
use crate::decide::detector::{Rule, Subject};

const PROC: &str = "/proc";
/// Where systemd's own hierarchy is mounted: the old one, beside the old one, alone.
const HIERARCHIES: [&str; 3] = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
/// Below the root of its groups: of every service that is given no slice of its own.
const SLICE: &str = "system.slice";
/// Pacemaker's packages make it.
const CLUSTER_USER: &str = "hacluster";

/// A daemon that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub process: ProcessInfo,
    /// The unit in which it runs: not always its own.
    pub unit: String,
}

/// Looks for daemons. A user database may block: not for a thread that is to be in time.
#[derive(Debug)]
pub struct Finder {
    proc: PathBuf,
    hierarchies: Vec<PathBuf>,
    /// The group below which systemd makes its own.
    root: String,
    cluster_user: Option<u32>,
}

/// A process that is the daemon, and how well it fits.
type Match = (Subject, bool, Found);

impl Finder {
    /// On this machine.
    ///
    /// # Errors
    /// /proc can't be read.
    pub fn new() -> io::Result<Self> {
        let first = std::fs::read(Path::new(PROC).join("1/cgroup"))?;
        Ok(Self {
            proc: PROC.into(),
            hierarchies: HIERARCHIES.map(PathBuf::from).into(),
            root: root_group(&String::from_utf8_lossy(&first)).to_owned(),
            cluster_user: None,
        })
    }

    /// Those of `wanted` that run in their own units: asks the units' groups.
    ///
    /// # Errors
    /// A process there can't be looked at: not a permission that root lacks by itself.
    pub fn in_units(&mut self, wanted: &[&'static Rule]) -> io::Result<Vec<(Subject, Found)>> {
        let mut units: Vec<&str> = wanted.iter().map(|rule| rule.unit).collect();
        units.sort_unstable();
        units.dedup();
        let mut matches = Vec::new();
        for unit in units {
            let rules: Vec<_> = wanted.iter().copied().filter(|rule| rule.unit == unit).collect();
            for pid in self.processes_of(unit) {
                self.look(pid, &rules, Some(unit), &mut matches)?;
            }
        }
        Ok(best(matches))
    }

    /// Those of `wanted` that run anywhere on this machine: one pass over /proc for all.
    ///
    /// # Errors
    /// /proc can't be read.
    pub fn anywhere(&mut self, wanted: &[&'static Rule]) -> io::Result<Vec<(Subject, Found)>> {
        let mut matches = Vec::new();
        for entry in std::fs::read_dir(&self.proc)? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            self.look(pid, wanted, None, &mut matches)?;
        }
        Ok(best(matches))
    }

    /// What the group of a unit lists; nothing where the unit is off, or has another slice.
    fn processes_of(&self, unit: &str) -> Vec<i32> {
        let list = |top: PathBuf| {
            let text = std::fs::read_to_string(top.join(SLICE).join(unit).join("cgroup.procs")).ok()?;
            // 0 is one outside of our process ids: of the host, where a container sees all of its groups.
            let pids: Vec<i32> =
                text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect();
            (!pids.is_empty()).then_some(pids)
        };
        let root = Path::new(self.root.trim_start_matches('/'));
        let tops = self.hierarchies.iter().flat_map(|top| [top.join(root), top.clone()]);
        tops.into_iter().find_map(list).unwrap_or_default()
    }

    /// Adds what the process `pid` is. `unit`: where it was found; read from /proc where that is not known.
    fn look(
        &mut self,
        pid: i32,
        wanted: &[&'static Rule],
        unit: Option<&str>,
        matches: &mut Vec<Match>,
    ) -> io::Result<()> {
        // First what rules out nearly all: of a kernel thread, too, which has no program.
        let program = match process::program(pid) {
            Ok(Some(program)) => program,
            Ok(None) => return Ok(()),
            Err(error) => return if unit.is_some() { Err(refused(pid, &error)) } else { Ok(()) },
        };
        let named = |rule: &&&'static Rule| program.file_name() == Path::new(rule.program).file_name();
        let Some(rule) = wanted.iter().find(named) else { return Ok(()) };
        let Some(info) = process::inspect(pid)?.filter(|p| p.state != ProcessState::Zombie) else {
            return Ok(());
        };
        let unit = match unit {
            Some(unit) => Some(unit.to_owned()),
            // A container's daemon has the same program, and maybe root's number.
            None if !process::is_of_this_namespace(pid) => None,
            None => self.unit_of(pid),
        };
        let candidate = Candidate {
            user: process::only_user(pid),
            program,
            unit,
            parent: match info.ppid {
                1 => Parent::Init,
                parent => process::program(parent).ok().flatten().map_or(Parent::Unknown, Parent::Program),
            },
        };
        let (own, unit) = match identity::identify(rule, &candidate, self.cluster_user(rule)) {
            Identity::Own => (true, rule.unit.to_owned()),
            Identity::Under(unit) => (false, unit),
            Identity::Other(_) => return Ok(()),
        };
        matches.push((rule.subject, own, Found { process: info, unit }));
        Ok(())
    }

    fn unit_of(&self, pid: i32) -> Option<String> {
        let text = std::fs::read(self.proc.join(format!("{pid}/cgroup"))).ok()?;
        let text = String::from_utf8_lossy(&text);
        identity::unit_of(control_group(&text)?, &self.root).map(str::to_owned)
    }

    /// The packages may be installed after us.
    fn cluster_user(&mut self, rule: &Rule) -> Option<u32> {
        if rule.user == identity::User::Cluster && self.cluster_user.is_none() {
            self.cluster_user = User::from_name(CLUSTER_USER).ok().flatten().map(|user| user.uid.as_raw());
        }
        self.cluster_user
    }
}

fn refused(pid: i32, error: &io::Error) -> io::Error {
    let what = format!(
        "/proc/{pid}/exe: {error}; quorated needs CAP_SYS_PTRACE to tell a daemon from another program"
    );
    io::Error::new(error.kind(), what)
}

/// One for each subject: in its own unit before another's, and of those the oldest, to which the others
/// belong.
fn best(mut matches: Vec<Match>) -> Vec<(Subject, Found)> {
    matches.sort_by_key(|(subject, own, found)| {
        (*subject, !own, found.process.id.start_time, found.process.id.pid)
    });
    matches.dedup_by_key(|(subject, _, _)| *subject);
    matches.into_iter().map(|(subject, _, found)| (subject, found)).collect()
}

/// The process of one daemon, for whoever looks once.
///
/// # Errors
/// /proc can't be read.
pub fn find(rule: &'static Rule) -> io::Result<Option<Found>> {
    let mut finder = Finder::new()?;
    let found = finder.in_units(&[rule])?;
    let found = if found.is_empty() { finder.anywhere(&[rule])? } else { found };
    Ok(found.into_iter().next().map(|(_, found)| found))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test starts what is to be found")]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::boundary::clock::Deadline;

    /// A process that is ended with the test.
    struct Running(Child);

    impl Running {
        fn new(command: &mut Command) -> Self {
            let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("starts");
            let running = Self(child);
            // It is itself only after exec.
            let own = std::env::current_exe().expect("an executable");
            let deadline = Deadline::after(std::time::Duration::from_secs(5));
            while !deadline.passed()
                && process::program(running.pid()).ok().flatten().is_none_or(|p| p == own)
            {
                deadline.sleep(std::time::Duration::from_millis(5));
            }
            running
        }

        fn pid(&self) -> i32 {
            i32::try_from(self.0.id()).expect("a pid")
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// A machine whose unit sbd.service lists these processes.
    fn machine(directory: &Path, listed: &[i32]) -> Finder {
        let unit = directory.join(SLICE).join("sbd.service");
        std::fs::create_dir_all(&unit).expect("made");
        let list: String = listed.iter().map(|pid| format!("{pid}\n")).collect();
        std::fs::write(unit.join("cgroup.procs"), list).expect("written");
        Finder {
            hierarchies: vec![directory.join("none"), directory.to_owned()],
            ..Finder::new().expect("/proc")
        }
        .with_root("")
    }

    impl Finder {
        fn with_root(self, root: &str) -> Self {
            Self { root: root.to_owned(), ..self }
        }
    }

    fn sleep_as(path: &Path) -> Command {
        std::fs::copy("/bin/sleep", path).expect("copied");
        let mut command = Command::new(path);
        command.arg("60").current_dir("/");
        command
    }

    #[test]
    fn who_only_looks_like_sbd_is_not_watched() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let directory = tempfile::Builder::new().prefix("daemons").tempdir_in("/tmp").expect("a directory");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).expect("opened");
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("a")).expect("made");
        let anybodys = Running::new(sleep_as(&path("sbd")).uid(65534));
        let roots = Running::new(&mut sleep_as(&path("a/sbd")));
        let named = Running::new(Command::new("/bin/sleep").arg0("sbd").arg("60"));
        // prctl(PR_SET_NAME): what ps and pgrep show.
        let comm = Running::new(
            Command::new("/bin/sh")
                .args(["-c", "echo sbd >/proc/self/comm; read x; sleep 60"])
                .stdin(Stdio::null()),
        );
        let rule = Subject::Sbd.rule();
        let pids = [anybodys.pid(), roots.pid(), named.pid(), comm.pid()];
        let mut finder = machine(&path("groups"), &[]);
        let mine =
            |found: Vec<(Subject, Found)>| found.into_iter().any(|(_, f)| pids.contains(&f.process.id.pid));
        assert!(!mine(finder.anywhere(&[rule]).expect("a pass")), "found by name");
        assert_eq!(finder.in_units(&[rule]).expect("a look"), []);
        // Even where they got into its unit, but for root's own build.
        let mut finder = machine(&path("groups"), &pids);
        let found = finder.in_units(&[rule]).expect("a look");
        assert_eq!(found.iter().map(|(_, f)| f.process.id.pid).collect::<Vec<_>>(), [roots.pid()]);
    }

    #[test]
    fn a_daemon_stays_known_when_its_package_is_upgraded() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("sbd");
        let daemon = Running::new(&mut sleep_as(&program));
        let child = Running::new(&mut sleep_as(&directory.path().join("other")));
        let mut finder = machine(&directory.path().join("groups"), &[0, child.pid(), daemon.pid()]);
        for what in ["installed", "replaced"] {
            let found = finder.in_units(&[Subject::Sbd.rule(), Subject::Corosync.rule()]).expect("a look");
            let [(Subject::Sbd, found)] = found.as_slice() else { panic!("{what}: {found:?}") };
            assert_eq!((found.process.id.pid, found.unit.as_str()), (daemon.pid(), "sbd.service"), "{what}");
            std::fs::remove_file(&program).expect("removed");
            std::fs::write(&program, "the next version").expect("written");
        }
    }
}
