//! What the owner of the data plants for root: links, FIFOs, another directory, another user's process. The agent reads and
//! changes nothing that the owner could not, waits for no FIFO, and signals nobody else's process.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Inotify, Node, Run, SOON, World, code, owned_dir, owned_file, try_as_owner, wait_for};

const SECRET: &str = "FATAL:  root:$y$j9T$top-secret:19000";

/// A file that root alone may read.
fn secret(world: &World) -> PathBuf {
    let path = world.dir.join("shadow");
    fs::write(&path, format!("{SECRET}\n")).expect("a writable directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    path
}

#[track_caller]
fn assert_untold(run: &Run) {
    assert!(!run.stderr.contains("top-secret") && !run.stdout.contains("top-secret"), "{run}");
}

/// The file is as it was, and the owner of the data has no copy of it.
#[track_caller]
fn assert_kept(secret: &Path, node: &Node<'_>) {
    let meta = fs::metadata(secret).expect("it is still there");
    assert_eq!((meta.uid(), meta.mode() & 0o777), (0, 0o600));
    assert_eq!(fs::read_to_string(secret).expect("it is still there"), format!("{SECRET}\n"));
    let found = try_as_owner(&["grep", "-rsl", "top-secret", &node.pgdata.to_string_lossy()]);
    assert!(found.is_err(), "the owner of the data can read it: {found:?}");
}

/// `ln -s /etc/shadow PGDATA/postgresql.auto.conf`, and a promotion elsewhere has the agent write the file anew.
#[test]
fn a_linked_auto_conf_gives_no_secret_away() {
    let world = World::new("planted-auto-conf");
    let one = world.primary(1);
    let two = one.running_standby(2);
    let secret = secret(&world);
    let auto_conf = two.pgdata.join("postgresql.auto.conf");
    fs::remove_file(&auto_conf).expect("it is there");
    symlink(&secret, &auto_conf).expect("a link");
    let lists = [("promote_uname", "srv1"), ("promoted_uname", "srv1"), ("unpromoted_uname", "srv2")];
    for operation in ["promote", "start"] {
        let run = two.call("notify").notify("post", operation, &lists).run();
        assert_untold(&run);
        assert_kept(&secret, &two);
    }
    two.agent("monitor");
    assert_kept(&secret, &two);
}

/// Whatever file of an instance at rest is a link to a secret, or a FIFO: every action ends in time, tells and changes nothing.
#[test]
fn no_file_of_the_data_directory_is_a_trap() {
    let world = World::new("planted-files");
    let secret = secret(&world);
    let mut number = 0;
    for name in [
        "PG_VERSION",
        "global/pg_control",
        "postmaster.pid",
        "postgresql.auto.conf",
        "standby.signal",
        "promote",
        "backup_label",
        "pg_wal/00000002.history",
    ] {
        for kind in ["link", "fifo"] {
            number += 1;
            let node = world.node(number);
            let path = node.pgdata.join(name);
            let _ = fs::remove_file(&path);
            match kind {
                "link" => symlink(&secret, &path).expect("a link"),
                _ => {
                    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
                    let (uid, gid) = World::owner();
                    std::os::unix::fs::chown(&path, Some(uid), Some(gid)).expect("we are root");
                }
            }
            for action in ["validate-all", "monitor", "start", "notify", "stop"] {
                let run = node.call(action).timeout(6).run();
                assert!(run.code.is_some(), "{name} as a {kind}: {run}");
                assert_untold(&run);
                if action == "stop" {
                    assert_eq!(run.code, Some(code::SUCCESS), "{name} as a {kind}: {run}");
                }
            }
            assert_kept(&secret, &node);
            assert!(node.processes().is_empty(), "{name} as a {kind}");
        }
    }
}

/// A directory like /etc/tmpfiles.d: a file there, whoever's it is, is root's command.
struct RootsDirectory(PathBuf);

impl RootsDirectory {
    fn new(world: &World) -> Self {
        let path = world.dir.join("tmpfiles.d");
        fs::create_dir(&path).expect("a directory can be made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Self(path)
    }

    #[track_caller]
    fn assert_untouched(&self) {
        let names: Vec<_> = fs::read_dir(&self.0).expect("it is there").flatten().map(|e| e.path()).collect();
        assert!(names.is_empty(), "made in root's directory: {names:?}");
        assert_eq!(fs::metadata(&self.0).expect("it is there").uid(), 0, "root's directory was given away");
    }
}

/// PGDATA leads into root's directory, and a process of the owner's own there passes for its postmaster.
#[test]
fn a_data_directory_that_is_a_link_to_roots_gets_no_file() {
    let world = World::new("planted-pgdata");
    let node = world.node(1);
    let roots = RootsDirectory::new(&world);
    fs::rename(&node.pgdata, node.pgdata.with_file_name("aside")).expect("it is ours");
    symlink(&roots.0, &node.pgdata).expect("a link");
    let lists = [("promote_uname", "srv2"), ("promoted_uname", "srv2"), ("unpromoted_uname", "srv1")];
    for action in ["validate-all", "monitor", "notify", "start", "promote", "demote", "stop"] {
        let _mimic = Impostor::new(&node, &World::owner().0.to_string());
        let run = node.call(action).notify("post", "promote", &lists).timeout(10).run();
        assert!(run.code.is_some(), "{run}");
        roots.assert_untouched();
    }
}

/// The same, put in place by inotify at the very moment between the check of `start` and its first write.
#[test]
fn the_check_of_a_start_is_not_beaten_by_a_race() {
    let world = World::new("planted-race");
    let one = world.primary(1);
    let two = one.standby(2);
    let roots = RootsDirectory::new(&world);
    let link = two.pgdata.with_file_name("link");
    symlink(&roots.0, &link).expect("a link");
    let lists = [("promoted_uname", "srv1"), ("start_uname", "srv2"), ("active_uname", "srv1")];
    for trigger in ["postgresql.auto.conf", "PG_VERSION", "global/pg_control"] {
        for _ in 0..3 {
            let swapped = Arc::new(AtomicBool::new(false));
            let watch = Inotify::on_open(&two.pgdata.join(trigger));
            let (flag, pgdata, other) = (Arc::clone(&swapped), two.pgdata.clone(), link.clone());
            let thread = std::thread::spawn(move || {
                if watch.wait(Duration::from_secs(8)) {
                    crate::support::exchange(&pgdata, &other);
                    flag.store(true, Ordering::Release);
                }
            });
            let run = two.call("start").notify("pre", "start", &lists).timeout(10).run();
            thread.join().expect("no panic");
            if swapped.load(Ordering::Acquire) {
                crate::support::exchange(&two.pgdata, &link);
            }
            two.must("stop", code::SUCCESS);
            roots.assert_untouched();
            assert!(run.code.is_some(), "{trigger}: {run}");
        }
    }
}

/// A server that fails and leaves something else in the place of its log.
fn failing_server(node: &Node<'_>, script: &str) -> PathBuf {
    let bindir = node.pgdata.with_file_name("bin");
    owned_dir(&bindir);
    let text = format!("#!/bin/sh\n{script}\nexit 1\n");
    owned_file(&bindir.join("postgres"), text.as_bytes(), 0o755);
    bindir
}

#[test]
fn a_log_that_is_a_link_shows_no_secret() {
    let world = World::new("planted-log-link");
    let node = world.node(1);
    let secret = secret(&world);
    let log = node.pgdata.with_file_name("postgres.log");
    let plant = format!("rm -f '{0}'; ln -s '{1}' '{0}'", log.display(), secret.display());
    let bindir = failing_server(&node, &plant);
    for _ in 0..2 {
        let run = node.call("start").param("bindir", &bindir.to_string_lossy()).timeout(10).run();
        run.assert_code(code::GENERIC);
        assert_untold(&run);
        assert_kept(&secret, &node);
    }
}

#[test]
fn a_log_that_is_a_fifo_does_not_hold_a_start_up() {
    let world = World::new("planted-log-fifo");
    let node = world.node(1);
    let log = node.pgdata.with_file_name("postgres.log");
    let bindir = failing_server(&node, &format!("rm -f '{0}'; mkfifo '{0}'", log.display()));
    for round in 0..2 {
        let run = node.call("start").param("bindir", &bindir.to_string_lossy()).timeout(10).run();
        run.assert_code(code::GENERIC);
        run.assert_within(Duration::from_secs(8));
        if round > 0 {
            run.assert_reason(&["log_file", "not a regular file"]);
        }
    }
}

/// Root makes no log directory where the owner of the data can put a link in its place before it is given away.
#[test]
fn roots_hand_makes_no_log_directory_in_the_owners_own() {
    let world = World::new("planted-log-directory");
    let node = world.node(1);
    let closed = node.pgdata.with_file_name("closed");
    owned_dir(&closed);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).expect("we are root");
    let log = closed.join("logs/pg.log");
    let run = node.call("start").param("log_file", &log.to_string_lossy()).timeout(10).run();
    run.assert_code(code::GENERIC);
    run.assert_reason(&["log_file", "install -d -o postgres"]);
    assert!(!closed.join("logs").exists());
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("we are root");
    node.call("start").param("log_file", &log.to_string_lossy()).must(code::SUCCESS);
    assert_eq!(fs::metadata(&log).expect("the log").uid(), World::owner().0);
}

/// A process that is called postgres and works in the data directory.
struct Impostor(Child);

impl Impostor {
    fn new(node: &Node<'_>, user: &str) -> Self {
        let program = node.world.dir.join("impostor/postgres");
        fs::create_dir_all(node.world.dir.join("impostor")).expect("a directory can be made");
        if !program.exists() {
            fs::copy("/bin/sleep", &program).expect("coreutils are there");
        }
        let child = Command::new("setpriv")
            .args([&format!("--reuid={user}"), "--regid=nogroup", "--clear-groups"])
            .arg(&program)
            .arg("300")
            .current_dir(&node.pgdata)
            .stdin(Stdio::null())
            .spawn()
            .expect("setpriv is there");
        let pid = child.id();
        wait_for("impostor", SOON, || {
            let exe = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
            (exe == program).then_some(())
        });
        Self(child)
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn another_users_process_is_never_signalled() {
    let world = World::new("planted-stranger");
    let node = world.node(1);
    let mut stranger = Impostor::new(&node, "nobody");
    let pid = stranger.0.id();
    let pid_file = format!(
        "{pid}\n{}\n1700000000\n5432\n{}\nlocalhost\n  1 2\nready   \n",
        node.pgdata.display(),
        node.sockets.display()
    );
    owned_file(&node.pgdata.join("postmaster.pid"), pid_file.as_bytes(), 0o600);
    let lock = node.sockets.join(".s.PGSQL.5432.lock");
    owned_file(&lock, pid_file.as_bytes(), 0o600);
    let lists = [("promote_uname", "srv2"), ("promoted_uname", "srv2"), ("unpromoted_uname", "srv1")];
    for action in ["monitor", "notify", "demote", "stop"] {
        let run = node.call(action).notify("post", "promote", &lists).timeout(15).run();
        assert!(stranger.lives(), "{action} has ended it: {run}");
    }
    node.must("stop", code::SUCCESS);
    node.must("monitor", code::NOT_RUNNING);
    // Neither the pid file nor the lock of the socket keeps the instance from starting.
    node.must("start", code::SUCCESS);
    node.must("stop", code::SUCCESS);
    assert!(stranger.lives());
}
