//! Processes, read from /proc, signalled and waited for without the risk of hitting a recycled pid.

mod family;
#[cfg(feature = "daemon")]
pub mod prepared;

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::clock::Deadline;
use crate::decide::facts::RunState;
pub use crate::pg::instance::ProcessId;
pub use family::postgres_family;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::Signal;

/// The state letter of /proc/PID/stat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// R
    Running,
    /// S
    Sleeping,
    /// D: waits for a disk or a file server, can't be killed until that answers.
    DiskSleep,
    /// T: by SIGSTOP.
    Stopped,
    /// t: by a debugger.
    Traced,
    /// Z or X: over, counts as gone.
    Zombie,
    /// I: idle kernel thread, or a letter of a newer kernel.
    Other(char),
}

/// What a process that a debugger holds counts as. Everything else of a state means the same to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debugged {
    /// Whoever debugs a server or a daemon knows it: nothing is failed, killed or reset for it.
    AsRunning,
    /// It answers nobody, as one that was stopped by a signal: where only this moment counts.
    AsStopped,
}

impl ProcessState {
    /// As the decisions see it.
    pub const fn run_state(self, debugged: Debugged) -> RunState {
        match (self, debugged) {
            (Self::Stopped, _) | (Self::Traced, Debugged::AsStopped) => RunState::Stopped,
            (Self::DiskSleep, _) => RunState::Uninterruptible,
            (Self::Running | Self::Sleeping | Self::Zombie | Self::Other(_), _)
            | (Self::Traced, Debugged::AsRunning) => RunState::Running,
        }
    }
}

impl From<char> for ProcessState {
    fn from(letter: char) -> Self {
        match letter {
            'R' => Self::Running,
            'S' => Self::Sleeping,
            'D' => Self::DiskSleep,
            'T' => Self::Stopped,
            't' => Self::Traced,
            'Z' | 'X' | 'x' => Self::Zombie,
            other => Self::Other(other),
        }
    }
}

/// What /proc says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Identity.
    pub id: ProcessId,
    /// Parent; 0 for a process whose parent is outside our pid namespace.
    pub ppid: i32,
    /// State.
    pub state: ProcessState,
    /// Name, at most 15 bytes.
    pub comm: String,
}

/// Outcome of sending a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signalled {
    /// Sent.
    Sent,
    /// That very process is over.
    AlreadyGone,
}

/// Reads a process; `None` when there is none (a zombie is `Some`, with its state).
///
/// # Errors
/// /proc can't be read, or has another format.
pub fn inspect(pid: i32) -> io::Result<Option<ProcessInfo>> {
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => parse_stat(&String::from_utf8_lossy(&stat)).map(Some).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat has an unknown format"))
        }),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The process with this identity; `None` when it is over: no such pid, the pid is another process by now, or a zombie.
///
/// # Errors
/// As [`inspect`].
pub fn alive(id: ProcessId) -> io::Result<Option<ProcessInfo>> {
    Ok(inspect(id.pid)?.filter(|info| info.id == id && info.state != ProcessState::Zombie))
}

/// The process that started us.
///
/// # Errors
/// As [`inspect`].
pub fn parent() -> io::Result<Option<ProcessInfo>> {
    inspect(nix::unistd::getppid().as_raw())
}

/// The PostgreSQL processes of this user that work in the data directory: the postmaster, its children, and children that
/// outlived it. Zombies are left out, and so are processes of other users: whoever may enter the directory can work there.
///
/// A server's processes have the data directory as working directory. `directory` has its links resolved. Links in /proc are
/// only read, never followed: following one would wait for the disk below, which may hang.
///
/// # Errors
/// /proc can't be read.
pub fn postgres_below(directory: &Path, uid: u32) -> io::Result<Vec<ProcessInfo>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        found.extend(postgres_at(pid, directory, uid)?);
    }
    Ok(found)
}

/// Its children, where the kernel has a list of them.
pub fn children(pid: i32) -> Vec<i32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Whether that very process is root's.
pub fn is_roots(id: ProcessId) -> bool {
    user_of(id) == Some(0)
}

/// What a process of PostgreSQL's calls itself; `None`: it is gone, or we may not look.
pub fn title(pid: i32) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&line).trim_end_matches('\0').to_owned())
}

/// The program that a process executes, without the mark of a file that was replaced since; `None` for a
/// kernel thread, and where there is no such process.
///
/// # Errors
/// We may not look.
pub fn program(pid: i32) -> io::Result<Option<PathBuf>> {
    match std::fs::read_link(format!("/proc/{pid}/exe")) {
        Ok(target) => Ok(Some(without_mark(target))),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The processes of our process id namespace, with the file names of their programs. Kernel threads have none.
///
/// # Errors
/// /proc can't be read.
pub fn programs() -> io::Result<Vec<(ProcessInfo, String)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let (Some(info), Some(program)) = (inspect(pid)?, program(pid)?) else { continue };
        if let Some(name) = program.file_name().and_then(|n| n.to_str()).filter(|_| is_of_this_namespace(pid))
        {
            found.push((info, name.to_owned()));
        }
    }
    Ok(found)
}

/// The user of a process, where its real, effective and saved one are the same. Not the owner of /proc/PID,
/// which is root for everybody who asks for it (`PR_SET_DUMPABLE`).
pub fn only_user(pid: i32) -> Option<u32> {
    let status = std::fs::read(format!("/proc/{pid}/status")).ok()?;
    one_user(&String::from_utf8_lossy(&status))
}

fn one_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let users =
        line.split_ascii_whitespace().take(3).map(|word| word.parse().ok()).collect::<Option<Vec<u32>>>()?;
    match users.as_slice() {
        [real, effective, saved] if real == effective && real == saved => Some(*real),
        _ => None,
    }
}

/// Whether a process is of our process id namespace: not a container's.
pub fn is_of_this_namespace(pid: i32) -> bool {
    link(pid, "ns/pid").is_some_and(|space| link_of_self("ns/pid") == Some(space))
}

/// The process `pid`, if it is one of those that [`postgres_below`] finds. Reads nothing of the other processes.
///
/// # Errors
/// As [`postgres_below`].
pub fn postgres_at(pid: i32, directory: &Path, uid: u32) -> io::Result<Option<ProcessInfo>> {
    // No data lie there, and any server that is just being launched works there: a stop with pgdata=/ would end it.
    if directory.parent().is_none() {
        return Ok(None);
    }
    // A container's PostgreSQL works in a directory of the same name, but not in this one.
    if link(pid, "cwd").is_none_or(|cwd| cwd != directory) || link(pid, "ns/pid") != link_of_self("ns/pid") {
        return Ok(None);
    }
    let exe = link(pid, "exe");
    // The agent is installed as `postgres` too; run by hand from within the data directory it would end itself.
    if exe.is_some() && exe == link_of_self("exe") {
        return Ok(None);
    }
    let Some(info) = inspect(pid)? else { return Ok(None) };
    let name = exe.and_then(|exe| exe.file_name().map(|n| n.to_string_lossy().into_owned()));
    let name = name.unwrap_or_else(|| info.comm.clone());
    let ours = info.state != ProcessState::Zombie
        && matches!(name.as_str(), "postgres" | "postmaster")
        && user_of(info.id) == Some(uid);
    Ok(ours.then_some(info))
}

/// Whether a PostgreSQL process carries a child's title, `postgres: checkpointer` (PostgreSQL's ps_status.c). The postmaster keeps its
/// command line.
pub fn is_child_of_postmaster(pid: i32) -> bool {
    title(pid).is_some_and(|title| title.starts_with("postgres: "))
}

/// The working directory of a process, its links resolved by the kernel; `None`: it is gone, a zombie, or we may not look.
pub fn works_in(pid: i32) -> Option<PathBuf> {
    link(pid, "cwd")
}

fn link_of_self(name: &str) -> Option<PathBuf> {
    i32::try_from(std::process::id()).ok().and_then(|pid| link(pid, name))
}

/// Target of /proc/PID/`name`, without the mark of a deleted file (the binary after an upgrade of the package).
fn link(pid: i32, name: &str) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/{name}")).ok().map(without_mark)
}

fn without_mark(target: PathBuf) -> PathBuf {
    match target.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(text) => PathBuf::from(text),
        None => target,
    }
}

/// Sends a signal to that very process.
///
/// The race: between a look at /proc and kill(2) the process may end and its pid go to another. A pidfd is opened first, then
/// the identity is read again: if it still holds, the pidfd refers to it for good.
///
/// # Errors
/// We may not signal it, or /proc can't be read.
pub fn signal(id: ProcessId, signal: Signal) -> io::Result<Signalled> {
    match open(id)? {
        Some(fd) => send(&fd, signal),
        None => Ok(Signalled::AlreadyGone),
    }
}

/// As [`signal()`], to a process of that user and no other: what led to it may be the user's own doing, as a pid file is.
///
/// # Errors
/// As [`signal()`]; also another user's process.
pub fn signal_of(uid: u32, id: ProcessId, signal: Signal) -> io::Result<Signalled> {
    let Some(fd) = open(id)? else { return Ok(Signalled::AlreadyGone) };
    match user_of(id) {
        Some(owner) if owner == uid => send(&fd, signal),
        Some(owner) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("process {id} belongs to uid {owner}, not to uid {uid}: it is not ours to signal"),
        )),
        None => Ok(Signalled::AlreadyGone),
    }
}

fn send(fd: &OwnedFd, signal: Signal) -> io::Result<Signalled> {
    // SAFETY: an open descriptor, a valid signal, no siginfo, no flags.
    let rc = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd.as_raw_fd(),
            signal as libc::c_int,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    match Errno::result(rc) {
        Ok(_) => Ok(Signalled::Sent),
        Err(Errno::ESRCH) => Ok(Signalled::AlreadyGone),
        Err(errno) => Err(errno.into()),
    }
}

/// Waits until all of them are over, and returns those that are not at the deadline.
///
/// # Errors
/// /proc can't be read.
pub fn wait_gone(ids: &[ProcessId], deadline: Deadline) -> io::Result<Vec<ProcessId>> {
    let mut waiting = Vec::new();
    for &id in ids {
        waiting.extend(open(id)?.map(|fd| (id, fd)));
    }
    while !waiting.is_empty() {
        let mut fds: Vec<PollFd<'_>> =
            waiting.iter().map(|(_, fd)| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
        let over: Vec<bool> = match poll(&mut fds, deadline.poll_timeout()) {
            Ok(0) if deadline.passed() => break,
            Ok(_) => fds.iter().map(|fd| fd.any().unwrap_or(true)).collect(),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let mut over = over.into_iter();
        waiting.retain(|_| !over.next().unwrap_or(false));
    }
    Ok(waiting.into_iter().map(|(id, _)| id).collect())
}

/// Waits until one of these processes is over, or the deadline.
pub fn wait_any(processes: &[std::os::fd::BorrowedFd<'_>], deadline: Deadline) {
    let mut fds: Vec<PollFd<'_>> = processes.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    // A signal ends the wait early, which costs a look.
    let _ = poll(&mut fds, deadline.poll_timeout());
}

/// The user whose process it is; `None` when it is over, or when it has the ids of several users, as a program with a set-user-id
/// bit: it belongs to neither.
pub fn user_of(id: ProcessId) -> Option<u32> {
    let status = std::fs::read(format!("/proc/{}/status", id.pid)).ok()?;
    let uid = parse_uid(&String::from_utf8_lossy(&status))?;
    // Read before this: the status is of the process that still has this identity.
    alive(id).ok().flatten().map(|_| uid)
}

/// `Uid: REAL EFFECTIVE SAVED FILESYSTEM`, where they are one. The name is above it, and cannot hold a line break.
fn parse_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let mut uids = line.split_ascii_whitespace().map(str::parse::<u32>);
    let real = uids.next()?.ok()?;
    uids.all(|uid| uid == Ok(real)).then_some(real)
}

/// A descriptor of that very process, readable when it is over; `None` when it is over already.
///
/// # Errors
/// As [`inspect`].
pub fn open(id: ProcessId) -> io::Result<Option<OwnedFd>> {
    let Some(fd) = pidfd(id.pid)? else { return Ok(None) };
    Ok(alive(id)?.map(|_| fd))
}

/// pidfd_open(2); `None` when there is no such process. The descriptor becomes readable when the process is over.
pub(crate) fn pidfd(pid: i32) -> io::Result<Option<OwnedFd>> {
    // SAFETY: pidfd_open takes integers; the result is checked before it becomes an OwnedFd, of which nobody else knows.
    match Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }) {
        // SAFETY: a fresh descriptor.
        Ok(fd) => Ok(Some(unsafe {
            OwnedFd::from_raw_fd(libc::c_int::try_from(fd).expect("a descriptor is an int"))
        })),
        Err(Errno::ESRCH | Errno::EINVAL) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// The text of /proc/PID/stat: `PID (COMM) STATE PPID …`; COMM may hold blanks and parentheses.
pub fn parse_stat(stat: &str) -> Option<ProcessInfo> {
    let (pid, rest) = stat.split_once(" (")?;
    let (comm, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?.into();
    let ppid = fields.next()?.parse().ok()?;
    // Fields 5 to 21 lie between; the start time is the 22nd.
    let start_time = fields.nth(17)?.parse().ok()?;
    Some(ProcessInfo {
        id: ProcessId { pid: pid.parse().ok()?, start_time },
        ppid,
        state,
        comm: comm.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn me() -> ProcessInfo {
        inspect(i32::try_from(std::process::id()).expect("pid")).expect("proc").expect("alive")
    }

    #[test]
    fn a_debugger_alone_is_told_apart() {
        for letter in "RSDTtZXI".chars() {
            let state = ProcessState::from(letter);
            let [running, stopped] =
                [Debugged::AsRunning, Debugged::AsStopped].map(|as_what| state.run_state(as_what));
            assert_eq!(running == stopped, letter != 't', "{letter}");
            assert_eq!(stopped == RunState::Stopped, "Tt".contains(letter), "{letter}");
            assert_eq!(running == RunState::Uninterruptible, letter == 'D', "{letter}");
        }
    }

    #[test]
    fn reads_stat_with_an_odd_name() {
        let stat = "19670 (a) b (c) S 1 19670 19670 0 -1 4194560 3186 0 0 0 3 2 0 0 20 0 1 0 10069981 221446144 6861 18446744073709551615";
        let info = parse_stat(stat).expect("valid");
        assert_eq!((info.id.pid, info.id.start_time, info.ppid), (19670, 10_069_981, 1));
        assert_eq!((info.comm.as_str(), info.state), ("a) b (c", ProcessState::Sleeping));
        assert_eq!(parse_stat("19670 (x) S 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn a_process_has_one_user_or_none() {
        let status = |users: &str| format!("Name:\tUid:\nUid:\t{users}\nGid:\t0\t0\t0\t0\n");
        for (users, user) in [
            ("0\t0\t0\t0", Some(0)),
            ("112\t112\t112\t112", Some(112)),
            ("65534\t0\t0\t0", None),
            ("0\t65534\t0\t65534", None),
            ("0\t0\t65534\t0", None),
            ("0\t0", None),
            ("x\t0\t0\t0", None),
        ] {
            assert_eq!(one_user(&status(users)), user, "{users}");
        }
        assert_eq!(only_user(me().id.pid), Some(nix::unistd::getuid().as_raw()));
        assert_eq!(only_user(i32::MAX), None);
    }

    #[test]
    fn a_recycled_pid_is_never_signalled() {
        let mut other = me().id;
        other.start_time -= 1;
        // Would end this test if it were sent.
        assert_eq!(signal(other, Signal::SIGKILL).expect("works"), Signalled::AlreadyGone);
        assert_eq!(alive(other).expect("works"), None);
        let never = ProcessId { pid: i32::MAX, start_time: 1 };
        assert_eq!(signal(never, Signal::SIGKILL).expect("works"), Signalled::AlreadyGone);
    }

    #[test]
    fn another_users_process_is_not_signalled() {
        let me = me().id;
        let uid = user_of(me).expect("one user's");
        assert_eq!(uid, nix::unistd::Uid::current().as_raw());
        // Would end this test if it were sent.
        let refused = signal_of(uid + 1, me, Signal::SIGKILL).expect_err("not theirs").to_string();
        assert!(refused.contains(&format!("belongs to uid {uid}")), "{refused}");
        let other = ProcessId { start_time: me.start_time - 1, ..me };
        assert_eq!(signal_of(uid, other, Signal::SIGKILL).expect("works"), Signalled::AlreadyGone);
        assert_eq!(user_of(other), None);
        assert_eq!(parse_uid("Name:\tx\nUid:\t5\t5\t5\t5\nGid:\t1\n"), Some(5));
        assert_eq!(parse_uid("Name:\tx\nUid:\t5\t0\t0\t0\n"), None);
        assert_eq!(parse_uid("Name:\tx\n"), None);
    }

    #[test]
    fn waiting_ends_at_the_deadline() {
        let left = wait_gone(&[me().id], Deadline::after(Duration::from_millis(30))).expect("works");
        assert_eq!(left, [me().id]);
        assert_eq!(wait_gone(&[], Deadline::after(Duration::from_secs(9))).expect("works"), []);
    }

    #[test]
    fn a_parent_exists_and_has_us_as_a_child() {
        let parent = parent().expect("works").expect("it started us");
        assert!(children(parent.id.pid).contains(&me().id.pid) || children(parent.id.pid).is_empty());
    }
}
