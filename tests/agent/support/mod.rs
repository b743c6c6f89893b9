//! The harness: [`World`], [`Node`], [`Run`].

mod call;
mod cluster;
mod disk;
mod node;
mod planting;
mod world;

pub use call::{Call, Run};
pub use cluster::Tools;
pub use disk::Volume;
pub use node::Node;
pub use planting::{Inotify, exchange};
pub use world::{World, try_as_owner};

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Exit codes by their OCF names.
pub mod code {
    pub const SUCCESS: i32 = 0;
    pub const GENERIC: i32 = 1;
    pub const ARGS: i32 = 2;
    pub const UNIMPLEMENTED: i32 = 3;
    pub const INSTALLED: i32 = 5;
    pub const CONFIGURED: i32 = 6;
    pub const NOT_RUNNING: i32 = 7;
    pub const PROMOTED: i32 = 8;
    pub const FAILED_PROMOTED: i32 = 9;
}

/// Looks every 50 ms until `look` gives something; panics with `what` after `limit`.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < limit, "no {what} within {limit:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Ten seconds: longer than anything that is expected to happen by itself.
pub const SOON: Duration = Duration::from_secs(10);

/// A directory of the instances' owner.
pub fn owned_dir(path: &Path) {
    world::own_dir(path, World::owner());
}

/// A file of the instances' owner.
pub fn owned_file(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).expect("a writable directory");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    let (uid, gid) = World::owner();
    chown(path, Some(uid), Some(gid)).expect("we are root");
}

/// Starts a command as the instances' owner and leaves it; it works in `dir`, so the world's end finds it.
pub fn spawn_as_owner(words: &[&str], dir: &Path) {
    let user = world::OWNER;
    Command::new("setsid")
        .args([
            "--fork",
            "setpriv",
            &format!("--reuid={user}"),
            &format!("--regid={user}"),
            "--init-groups",
            "--",
        ])
        .args(words)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("setsid is there");
}

/// Runs as the owner of the data; whether it succeeded.
pub fn succeeds_as_owner(words: &[&str], dir: &Path) -> bool {
    let user = world::OWNER;
    Command::new("setpriv")
        .args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups", "--"])
        .args(words)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("setpriv is there")
        .success()
}
