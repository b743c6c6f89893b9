//! The helper processes of quorated, as they run: asked by a socket, short of processes, and with writes that take too long.
#![allow(clippy::disallowed_methods, reason = "a test starts the program that it tests")]

use std::fs;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

const QUORATED: &str = env!("CARGO_BIN_EXE_quorated");
/// Without root's right to pass by the limits of processes.
const NOBODY: [&str; 4] = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];

/// One that runs, and the other end of its stdin.
struct Helper {
    child: Child,
    socket: OwnedFd,
}

impl Helper {
    fn start(words: &[&str]) -> Self {
        let (socket, its) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
                .expect("sockets");
        let mut command = Command::new(words[0]);
        let child = command.args(&words[1..]).stdin(Stdio::from(its)).spawn().expect("it starts");
        Self { child, socket }
    }

    fn ask(&self, request: &str) -> String {
        send(self.socket.as_raw_fd(), request.as_bytes(), MsgFlags::MSG_NOSIGNAL).expect("it takes it");
        let mut text = vec![0; 65536];
        let length = recv(self.socket.as_raw_fd(), &mut text, MsgFlags::empty()).expect("it answers");
        assert_ne!(length, 0, "it ended");
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    /// A trial write into `place`, which is awaited for so long.
    fn write(&self, place: &Path, uid: u32, millis: u32) -> String {
        let (secs, nanos) = (millis / 1000, millis % 1000 * 1_000_000);
        let (place, lock) = (place.display(), place.join("lock").display().to_string());
        self.ask(&format!(
            "{{\"Write\":{{\"places\":[\"{place}\"],\"uid\":{uid},\"lock\":\"{lock}\",\
             \"patience\":{{\"secs\":{secs},\"nanos\":{nanos}}},\"name\":\".quorated\"}}}}"
        ))
    }

    /// The pids of its children that are over and not taken note of.
    fn zombies(&self) -> Vec<String> {
        let parent = format!(" {} ", self.child.id());
        let stats = fs::read_dir("/proc").expect("proc").flatten();
        let stats = stats.filter_map(|e| fs::read_to_string(e.path().join("stat")).ok());
        stats
            .filter(|stat| {
                stat.rsplit_once(") ").is_some_and(|(_, s)| s.starts_with("Z") && s[1..].starts_with(&parent))
            })
            .collect()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn writes_that_take_too_long_leave_no_zombies() {
    let helper = Helper::start(&[QUORATED, "--helper=storage"]);
    let places: Vec<_> = (0..20).map(|_| tempfile::tempdir().expect("a directory")).collect();
    let mut pending = 0;
    for place in &places {
        // No time at all: each of them is given up.
        pending += usize::from(helper.write(place.path(), 0, 0).contains("Pending"));
    }
    assert!(pending > 10, "only {pending} were given up: the test shows nothing");
    wait_until("their end", || {
        helper.write(places[0].path(), 0, 2000);
        helper.zombies().is_empty()
    });
}

#[test]
fn it_survives_a_machine_without_room_for_processes() {
    let place = tempfile::tempdir().expect("a directory");
    nix::unistd::chown(place.path(), Some(65534.into()), None).expect("root");
    let words: Vec<&str> =
        ["setpriv"].into_iter().chain(NOBODY).chain([QUORATED, "--helper=storage"]).collect();
    let helper = Helper::start(&words);
    let limit = |nproc: &str| {
        let pid = helper.child.id().to_string();
        // As the same user: root may lack CAP_SYS_RESOURCE.
        let mut set = Command::new("setpriv");
        let set = set.args(NOBODY).args(["prlimit", "--pid", &pid, &format!("--nproc={nproc}:")]).status();
        assert!(set.expect("util-linux").success());
    };
    let written = |answer: &str| answer.contains("Written");
    let answer = helper.write(place.path(), 65534, 5000);
    assert!(written(&answer), "{answer}");
    limit("0");
    let answer = helper.write(place.path(), 65534, 5000);
    assert!(answer.contains("Untried") && answer.contains("temporarily unavailable"), "{answer}");
    limit("1000");
    let answer = helper.write(place.path(), 65534, 5000);
    assert!(written(&answer), "{answer}");
}

#[test]
fn it_ends_with_quorated() {
    let mut helper = Helper::start(&[QUORATED, "--helper=storage"]);
    let (closed, _) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).expect("sockets");
    drop(std::mem::replace(&mut helper.socket, closed));
    wait_until("its end", || helper.child.try_wait().expect("ours").is_some());
}

#[test]
fn quorated_says_that_it_has_no_threads_and_does_not_panic() {
    // The helper process is one, and so is quorated itself.
    let mut command = Command::new("setpriv");
    command.args(NOBODY).args(["prlimit", "--nproc=2", QUORATED]);
    let mut child = command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().expect("setpriv");
    wait_until("its end", || child.try_wait().expect("ours").is_some());
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("ours").code(), Some(1), "{said}");
    assert!(said.contains("can't be started") && !said.contains("panicked"), "{said}");
}
