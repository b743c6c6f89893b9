//! Runs the host's commands for the lab, each with a deadline.

use super::error::{LabError, Result};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where commands are looked up, on the host and in the nodes.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; 128 + the signal's number for a command that was killed.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
    /// The wall time it took.
    pub took: Duration,
}

impl Output {
    /// The standard output, or an error that names the command, its exit code and what it said.
    pub fn success(self, command: &str) -> Result<String> {
        if self.status == 0 {
            return Ok(self.stdout);
        }
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let tail: Vec<&str> = said.trim().lines().rev().take(20).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        Err(LabError::Command {
            command: command.to_owned(),
            problem: format!("exit code {}: {}", self.status, tail.join("\n")),
        })
    }
}

/// Runs a command of the host to its end, or kills its process group at the deadline.
pub fn run<S: AsRef<str>>(argv: &[S], input: Option<&str>, deadline: Duration) -> Result<Output> {
    let words: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
    let shown = words.join(" ");
    let fail = |problem: String| LabError::Command { command: shown.clone(), problem };
    let started = Instant::now();
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|e| fail(e.to_string()))?;
    let feed = child.stdin.take().zip(input.map(str::to_owned)).map(|(mut pipe, text)| {
        std::thread::spawn(move || {
            // A command that doesn't read its input to the end is its own business.
            let _ = std::io::Write::write_all(&mut pipe, text.as_bytes());
        })
    });
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = match wait(&mut child, started + deadline).map_err(|e| fail(e.to_string()))? {
        Some(status) => status,
        None => {
            kill_group(child.id());
            let _ = child.wait();
            return Err(fail(format!("killed: no end within {} s", deadline.as_secs_f32())));
        }
    };
    if let Some(feed) = feed {
        let _ = feed.join();
    }
    // A daemon that inherited the pipes would keep them open: don't wait for their end for ever.
    let grace = Instant::now() + Duration::from_secs(2);
    Ok(Output {
        status,
        stdout: collect(stdout, grace),
        stderr: collect(stderr, grace),
        took: started.elapsed(),
    })
}

/// Runs a command that has to succeed, and gives its standard output.
pub fn check<S: AsRef<str>>(argv: &[S], deadline: Duration) -> Result<String> {
    let words: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
    run(argv, None, deadline)?.success(&words.join(" "))
}

type Pipe = std::sync::mpsc::Receiver<Vec<u8>>;

fn drain<R: Read + Send + 'static>(pipe: Option<R>) -> Pipe {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = [0u8; 8192];
        while let Ok(n) = pipe.read(&mut buffer) {
            if n == 0 || sender.send(buffer[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn collect(pipe: Pipe, until: Instant) -> String {
    let mut all = Vec::new();
    while let Ok(part) = pipe.recv_timeout(until.saturating_duration_since(Instant::now())) {
        all.extend(part);
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn wait(child: &mut Child, until: Instant) -> std::io::Result<Option<i32>> {
    use std::os::unix::process::ExitStatusExt;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill_group(pid: u32) {
    let group = nix::unistd::Pid::from_raw(pid as i32);
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
}
