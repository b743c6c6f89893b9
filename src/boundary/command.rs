//! The one place that starts other programs.
//!
//! Standard input is empty unless given, the locale is C, the program is an absolute path, output is bounded, and at the deadline
//! the whole process group is killed. A grandchild that keeps our pipes open delays nothing: output is read until the child itself
//! is over.

mod pump;

use std::ffi::{CString, NulError, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;

use self::pump::{End, kill_group, watch};
use super::clock::Deadline;
use super::identity::SystemUser;
use super::process::{self, ProcessId};

/// More standard output than any tool of ours has reason to give; reading more would only cost memory.
pub const STDOUT_LIMIT: usize = 4 << 20;
/// The end of standard error that is kept: the reason of a failure comes last.
pub const STDERR_LIMIT: usize = 8 << 10;

/// A command that is about to run.
#[derive(Debug, Clone)]
pub struct Command {
    program: PathBuf,
    args: Vec<OsString>,
    environment: Environment,
    variables: Vec<(OsString, OsString)>,
    stdin: Option<Vec<u8>>,
    directory: Option<PathBuf>,
    user: Option<SystemUser>,
}

/// Where the child's environment starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Ours. The default.
    Inherited,
    /// Nothing but PATH.
    Clean,
}

/// Result of a command that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// The last [`STDERR_LIMIT`] bytes of standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Why a command gave no result. Each holds the full command line.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No such program.
    #[error("{program} is missing or not executable; install the package that provides it (command: {command})", program = .program.display())]
    NotFound {
        /// The program.
        program: PathBuf,
        /// Command line.
        command: String,
    },
    /// The kernel refused.
    #[error("can't start: {command}: {source}")]
    Spawn {
        /// Command line.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// Killed at its deadline, with its process group.
    #[error("no end within {after:.1?}, so it was killed: {command}{}", said(stderr))]
    TimedOut {
        /// Command line.
        command: String,
        /// How long it ran.
        after: Duration,
        /// What it said.
        stderr: String,
    },
    /// An exit code other than 0.
    #[error("exit code {code}: {command}{}", said(stderr))]
    Failed {
        /// Command line.
        command: String,
        /// Exit code.
        code: i32,
        /// What it said.
        stderr: String,
    },
    /// Ended by a signal that was not ours.
    #[error("killed by signal {signal}: {command}{}", said(stderr))]
    Signalled {
        /// Command line.
        command: String,
        /// Signal.
        signal: i32,
        /// What it said.
        stderr: String,
    },
    /// More than [`STDOUT_LIMIT`].
    #[error("more than {STDOUT_LIMIT} bytes of output, killed: {command}")]
    TooMuchOutput {
        /// Command line.
        command: String,
    },
}

/// Whether a program, or a link to one, is there.
#[must_use]
pub fn is_there(program: &Path) -> bool {
    program.is_file()
}

fn said(stderr: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Command {
    /// A command by its absolute path: PATH differs between Pacemaker, systemd and a shell.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            environment: Environment::Inherited,
            variables: Vec::new(),
            stdin: None,
            directory: None,
            user: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Where the environment starts from; [`Self::env`] adds to it.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// What the child reads on standard input; else it reads nothing.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Working directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Runs as this user, with its groups, HOME, USER and LOGNAME. Needs root unless we are that user already.
    #[must_use]
    pub fn run_as(mut self, user: &SystemUser) -> Self {
        self.user = Some(user.clone());
        self
    }

    /// The command line as one would type it, for messages.
    pub fn line(&self) -> String {
        let words =
            std::iter::once(self.program.as_os_str()).chain(self.args.iter().map(OsString::as_os_str));
        let quoted = words.map(|word| {
            let word = word.to_string_lossy();
            shlex::try_quote(&word).map_or_else(|_| format!("{word:?}"), std::borrow::Cow::into_owned)
        });
        quoted.collect::<Vec<_>>().join(" ")
    }

    /// Runs to the end; an exit code other than 0 is an error.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn run(&self, deadline: Deadline) -> Result<Output, CommandError> {
        let output = self.run_any(deadline)?;
        if output.code == 0 {
            return Ok(output);
        }
        Err(CommandError::Failed { command: self.line(), code: output.code, stderr: output.stderr })
    }

    /// Runs to the end, whatever the exit code: for programs whose code is the answer.
    ///
    /// # Errors
    /// See [`CommandError`], except `Failed`.
    pub fn run_any(&self, deadline: Deadline) -> Result<Output, CommandError> {
        let mut command = self.prepare(Some("C"));
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let started = std::time::Instant::now();
        let mut child = self.start(&mut command)?;
        let ended = watch(&mut child, self.stdin.as_deref().unwrap_or_default(), deadline);
        if !matches!(ended, Ok((_, End::Exited(_)))) {
            kill_group(&mut child);
        }
        let (collected, end) =
            ended.map_err(|source| CommandError::Spawn { command: self.line(), source })?;
        let stderr = String::from_utf8_lossy(&collected.stderr).into_owned();
        match end {
            End::Deadline => {
                Err(CommandError::TimedOut { command: self.line(), after: started.elapsed(), stderr })
            }
            End::TooMuchOutput => Err(CommandError::TooMuchOutput { command: self.line() }),
            End::Exited(status) => match status.code() {
                Some(code) => Ok(Output { code, stdout: collected.stdout, stderr }),
                None => Err(CommandError::Signalled {
                    command: self.line(),
                    signal: status.signal().unwrap_or(0),
                    stderr,
                }),
            },
        }
    }

    /// Runs on our own terminal, in the user's own locale, for as long as the user likes.
    ///
    /// # Errors
    /// It can't be started or waited for.
    pub fn run_interactive(&self) -> Result<ExitStatus, CommandError> {
        let mut command = self.prepare(None);
        let mut child = self.start(&mut command)?;
        child.wait().map_err(|source| CommandError::Spawn { command: self.line(), source })
    }

    /// Starts a program that talks to us by a socket in the place of its standard input, and ends when that is closed. No fork: what is
    /// started so has no step of ours between.
    ///
    /// # Errors
    /// It can't be started.
    #[cfg(feature = "daemon")]
    pub fn spawn_beside(&self, socket: std::os::fd::OwnedFd) -> Result<Child, CommandError> {
        let mut command = self.prepare(Some("C"));
        command.stdin(socket).stdout(Stdio::null()).process_group(0);
        self.start(&mut command)
    }

    /// Starts a daemon: in a session of its own, with standard output and error to `log`, and with none of our descriptors.
    /// It outlives us.
    ///
    /// # Errors
    /// The program can't be started.
    pub fn spawn_detached(&self, log: File) -> Result<Detached, CommandError> {
        let refuse = |source| CommandError::Spawn { command: self.line(), source };
        let (out, err) = (log.try_clone().map_err(refuse)?, log);
        let mut command = self.prepare(Some("C"));
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        // SAFETY: runs between fork and exec: setsid, close_range and fcntl only, no allocation, no locks.
        unsafe { command.pre_exec(detach) };
        let child = self.start(&mut command)?;
        let pid = i32::try_from(child.id()).expect("Linux pids are below 2^22");
        let info = process::inspect(pid).map_err(refuse)?;
        let info = info.ok_or_else(|| refuse(io::Error::other("it was gone at once")))?;
        Ok(Detached { id: info.id, child })
    }

    fn prepare(&self, locale: Option<&str>) -> std::process::Command {
        #[expect(clippy::disallowed_methods, reason = "the one place")]
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args);
        if self.environment == Environment::Clean {
            command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        }
        // LC_ALL would outdo a locale that the child is given.
        let given = |(name, _): &(OsString, OsString)| name == "LANG" || name.as_bytes().starts_with(b"LC_");
        let locale = locale.filter(|_| !self.variables.iter().any(given));
        command.envs(locale.map(|locale| ("LC_ALL", locale)));
        let user = self.user.as_ref().filter(|user| user.uid != nix::unistd::Uid::effective().as_raw());
        match (user, &self.directory) {
            (Some(user), directory) => {
                command.env("HOME", &user.home).env("USER", &user.name).env("LOGNAME", &user.name);
                let (uid, gid, groups) = (user.uid, user.gid, user.groups.clone());
                let directory = directory.as_ref().map(|d| CString::new(d.as_os_str().as_bytes()));
                // SAFETY: runs between fork and exec: bare system calls on values that exist already, no allocation, no locks.
                unsafe { command.pre_exec(move || become_user(uid, gid, &groups, directory.as_ref())) };
            }
            (None, Some(directory)) => {
                command.current_dir(directory);
            }
            (None, None) => {}
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn start(&self, command: &mut std::process::Command) -> Result<Child, CommandError> {
        if !self.program.is_absolute() {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "not an absolute path");
            return Err(CommandError::Spawn { command: self.line(), source });
        }
        command.spawn().map_err(|source| match source.kind() {
            // ENOENT may also come from the working directory, or from the interpreter of a script.
            io::ErrorKind::NotFound if !self.program.exists() => {
                CommandError::NotFound { program: self.program.clone(), command: self.line() }
            }
            _ => CommandError::Spawn { command: self.line(), source },
        })
    }
}

/// A daemon of ours.
#[derive(Debug)]
pub struct Detached {
    id: ProcessId,
    child: Child,
}

impl Detached {
    /// Its identity.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// How it ended, if it has; takes the zombie away.
    ///
    /// # Errors
    /// wait(2) failed.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

/// Enters the directory last: as root one would get into directories that are closed to the user.
fn become_user(
    uid: u32,
    gid: u32,
    groups: &[u32],
    directory: Option<&Result<CString, NulError>>,
) -> io::Result<()> {
    // SAFETY: the pointer and the length are of a live slice of gid_t, the path ends with a null; the others take integers.
    unsafe {
        Errno::result(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()))?;
        Errno::result(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        Errno::result(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
        match directory {
            Some(Ok(directory)) => Errno::result(libc::chdir(directory.as_ptr())).map(drop)?,
            Some(Err(_)) => return Err(Errno::EINVAL.into()),
            None => {}
        }
    }
    Ok(())
}

fn detach() -> io::Result<()> {
    // SAFETY: system calls on integers. Descriptors are marked rather than closed: the one on which std reports a failed exec is needed still.
    unsafe {
        Errno::result(libc::setsid())?;
        if libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) != 0 {
            // Before Linux 5.11. Nothing of ours opens more descriptors than that.
            for fd in 3..4096 {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        Command::new("/bin/sh").arg("-c").arg(script)
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    #[test]
    fn output_and_code() {
        let output = sh("cat; echo out; echo err >&2").stdin("in ").run(soon()).expect("runs");
        assert_eq!((output.text().as_str(), output.stderr.as_str(), output.code), ("in out\n", "err\n", 0));
        let error = sh("echo why >&2; exit 3").run(soon()).expect_err("fails").to_string();
        assert!(
            error.contains("exit code 3") && error.contains("/bin/sh -c 'echo why") && error.ends_with("why"),
            "{error}"
        );
        assert_eq!(sh("exit 3").run_any(soon()).expect("runs").code, 3);
        assert!(matches!(sh("kill -9 $$").run(soon()), Err(CommandError::Signalled { signal: 9, .. })));
    }

    #[test]
    fn the_locale_and_the_environment() {
        assert_eq!(sh("echo $LC_ALL").run(soon()).expect("runs").text(), "C\n");
        let clean =
            sh("env | sort | grep -v -e ^PWD -e ^_ -e ^SHLVL").environment(Environment::Clean).env("A", "b");
        let text = clean.run(soon()).expect("runs").text();
        assert!(
            text.starts_with("A=b\nLC_ALL=C\nPATH=/usr/local/sbin:") && text.lines().count() == 3,
            "{text}"
        );
    }

    #[test]
    fn a_user_gets_into_no_directory_that_is_closed_to_it() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let nobody = SystemUser::lookup("nobody").expect("nobody");
        let closed = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(closed.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .expect("ours");
        let refused = sh("true").directory(closed.path()).run_as(&nobody).run(soon());
        assert!(matches!(refused, Err(CommandError::Spawn { .. })), "{refused:?}");
        assert_eq!(sh("pwd").directory("/").run_as(&nobody).run(soon()).expect("runs").text(), "/\n");
    }

    #[test]
    fn what_can_not_start() {
        let missing = Command::new("/no/such/program").run(soon());
        assert!(matches!(missing, Err(CommandError::NotFound { .. })), "{missing:?}");
        assert!(matches!(Command::new("sh").run(soon()), Err(CommandError::Spawn { .. })));
        assert!(matches!(Command::new("/etc/passwd").run(soon()), Err(CommandError::Spawn { .. })));
    }

    #[test]
    fn the_deadline_kills_the_whole_group() {
        let started = std::time::Instant::now();
        // The child prints its grandchild's pid, then both sleep on.
        let script = "sleep 60 & echo $! >&2; wait";
        let error = sh(script).run(Deadline::after(Duration::from_millis(200))).expect_err("too long");
        assert!(started.elapsed() < Duration::from_secs(3));
        let CommandError::TimedOut { stderr, .. } = error else { panic!("{error}") };
        let grandchild: i32 = stderr.trim().parse().expect("a pid");
        let gone = || {
            process::inspect(grandchild)
                .expect("proc")
                .is_none_or(|p| p.state == process::ProcessState::Zombie)
        };
        let deadline = soon();
        while !gone() && !deadline.passed() {
            deadline.sleep(Duration::from_millis(5));
        }
        assert!(gone());
    }

    #[test]
    fn a_grandchild_with_our_pipes_delays_nothing() {
        let started = std::time::Instant::now();
        let output = sh("setsid sleep 5 & echo done").run(soon()).expect("runs");
        assert_eq!(output.text(), "done\n");
        assert!(started.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn bounds() {
        let error = sh("yes").run(soon());
        assert!(matches!(error, Err(CommandError::TooMuchOutput { .. })), "{error:?}");
        let output = sh("seq 1 100000 >&2").run(soon()).expect("runs");
        assert!(output.stderr.len() <= STDERR_LIMIT && output.stderr.ends_with("100000\n"));
        let output = sh("seq 1 200000").run(soon()).expect("runs");
        assert!(output.text().ends_with("\n200000\n"));
        // Nobody reads our input.
        assert!(sh("exit 0").stdin(vec![0; 1 << 20]).run(soon()).is_ok());
    }
}
