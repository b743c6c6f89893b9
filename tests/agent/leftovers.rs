//! What a crash, a restore or a file system that is not mounted leaves where the server is to start.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Node, World, code, owned_dir, owned_file};

/// The lock of the node's socket, as a postmaster with this pid would have made it.
fn lock(node: &Node<'_>, pid: i32, data: &Path) -> std::path::PathBuf {
    let path = node.sockets.join(".s.PGSQL.5432.lock");
    let text = format!("{pid}\n{}\n1700000000\n5432\n{}\n", data.display(), node.sockets.display());
    owned_file(&path, text.as_bytes(), 0o600);
    path
}

/// PostgreSQL alone would refuse: "lock file already exists. Is another postmaster (PID …) using socket file …?"
#[test]
fn a_lock_whose_pid_is_another_postgresql_today_is_stale() {
    let world = World::new("lock-recycled");
    let bystander = world.primary(2);
    let node = world.node(1);
    let pid = bystander.postmaster().expect("it runs");
    let child = bystander.processes().into_iter().find(|p| *p != pid).expect("it has children");
    for (what, pid, data) in [
        ("made by our own server", pid, node.pgdata.clone()),
        ("made by a third one's", pid, world.dir.join("third")),
        ("the pid of a child", child, node.pgdata.clone()),
    ] {
        lock(&node, pid, &data);
        let run = node.agent("start");
        assert_eq!(run.code, Some(code::SUCCESS), "{what}: {run}");
        node.must("stop", code::SUCCESS);
        assert!(bystander.is_primary(), "{what}: the other one lives on");
    }
}

#[test]
fn a_lock_without_a_sense_is_stale() {
    let world = World::new("lock-garbage");
    let node = world.node(1);
    let path = node.sockets.join(".s.PGSQL.5432.lock");
    for bytes in [&b""[..], b"\n", b"garbage\n", b"0\n", b"1\n/\n", &[0xff; 64], &[0; 64]] {
        owned_file(&path, bytes, 0o600);
        let run = node.agent("start");
        assert_eq!(run.code, Some(code::SUCCESS), "{bytes:?}: {run}");
        node.must("stop", code::SUCCESS);
    }
}

/// Two instances with one socket: the second is refused, and the first keeps its socket.
#[test]
fn a_lock_that_a_living_server_holds_is_respected() {
    let world = World::new("lock-held");
    let holder = world.node(2);
    let node = world.node(1);
    holder.append_conf(&format!("unix_socket_directories = '{}'\n", node.sockets.display()));
    let psql = || {
        let words = World::bindir().join("psql");
        let sockets = node.sockets.to_string_lossy();
        crate::support::try_as_owner(&[
            &words.to_string_lossy(),
            "-XAtq",
            "-h",
            &sockets,
            "-d",
            "postgres",
            "-c",
            "select current_setting('cluster_name')",
        ])
    };
    holder.start_by_hand();
    assert_eq!(psql().as_deref().map(str::trim), Ok("srv2"));
    let run = node.call("start").timeout(20).run();
    assert_eq!(run.code, Some(code::GENERIC), "{run}");
    assert!(node.processes().is_empty(), "{run}");
    assert_eq!(psql().as_deref().map(str::trim), Ok("srv2"), "{run}");
}

/// The mount point of the data, with nothing mounted.
#[test]
fn an_empty_mount_point_stays_empty() {
    let world = World::new("mount-point");
    let [one, two] = world.pair();
    for empty in ["stopped", "running"] {
        if empty == "stopped" {
            two.must("stop", code::SUCCESS);
        } else {
            two.must("start", code::SUCCESS);
        }
        let mounted = Empty::over(&two.pgdata);
        let lists = [("promote_uname", "srv1"), ("promoted_uname", "srv1"), ("unpromoted_uname", "srv2")];
        for (when, operation) in
            [("post", "start"), ("pre", "promote"), ("post", "promote"), ("post", "demote")]
        {
            let _ = two.call("notify").notify(when, operation, &lists).timeout(10).run();
        }
        for action in ["monitor", "start", "promote", "demote", "validate-all"] {
            let _ = two.call(action).recurring().timeout(10).run();
        }
        let found: Vec<_> =
            fs::read_dir(&two.pgdata).expect("lists").flatten().map(|e| e.file_name()).collect();
        assert!(found.is_empty(), "{empty}: {found:?}");
        drop(mounted);
    }
    assert!(one.is_primary());
}

/// An empty file system over a directory.
struct Empty<'a>(&'a Path);

impl Empty<'_> {
    fn over(path: &Path) -> Empty<'_> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "empty"]).arg(path).status();
        assert!(mount.expect("mount runs").success());
        owned_dir(path);
        Empty(path)
    }
}

impl Drop for Empty<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}
