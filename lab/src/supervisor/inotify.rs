//! Room for the machines' inotify instances. Each systemd watches its units, its journal, its bus; the kernel gives root 128 on the
//! whole host by default (`fs.inotify.max_user_instances`, inotify(7)), and a machine that gets none hangs in its boot.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cluster::handle::Cluster;
use crate::host::error::{LabError, Result};
use crate::host::paths::RUN_DIR;
use crate::machines::cleanup;

const LIMIT: &str = "/proc/sys/fs/inotify/max_user_instances";
/// Seen: 8 to 9 a machine, with the cluster's daemons.
const A_MACHINE: usize = 12;
/// What root's daemons on the host may use; the limit is each user's own.
const THE_HOST: usize = 40;

/// The limit as it was before the first cluster. No cluster's name begins with a dot.
fn kept() -> PathBuf {
    Path::new(RUN_DIR).join(".inotify-instances")
}

/// Raises the limit where so many more machines would not find room; says what it changed. [`give_back`] undoes it.
///
/// # Errors
/// When the limit can't be read or raised.
pub fn make_room(machines: usize) -> Result<Option<String>> {
    let up = cleanup::all_names().into_iter().filter_map(|name| Cluster::connect(name.as_str()).ok());
    let there: usize = up.filter_map(|cluster| cluster.nodes().ok()).map(|nodes| nodes.len()).sum();
    let text = fs::read_to_string(LIMIT).map_err(failed(Path::new(LIMIT)))?;
    let Some(wanted) = wanted(&text, there + machines) else { return Ok(None) };
    if !kept().exists() {
        fs::create_dir_all(RUN_DIR).map_err(failed(Path::new(RUN_DIR)))?;
        fs::write(kept(), &text).map_err(failed(&kept()))?;
    }
    fs::write(LIMIT, wanted.to_string()).map_err(failed(Path::new(LIMIT)))?;
    Ok(Some(format!(
        "host: fs.inotify.max_user_instances {} -> {wanted}, until the last cluster is gone",
        text.trim()
    )))
}

/// Sets the limit back once no cluster is left.
///
/// # Errors
/// When it can't be set.
pub fn give_back() -> Result<()> {
    if !cleanup::all_names().is_empty() {
        return Ok(());
    }
    let Ok(before) = fs::read_to_string(kept()) else { return Ok(()) };
    fs::write(LIMIT, before.trim()).map_err(failed(Path::new(LIMIT)))?;
    fs::remove_file(kept()).map_err(failed(&kept()))
}

/// The limit that so many machines need; `None` where there is room, or the kernel says something else than a number.
fn wanted(limit: &str, machines: usize) -> Option<usize> {
    let now: usize = limit.trim().parse().ok()?;
    let needed = THE_HOST + A_MACHINE * machines;
    (now < needed).then_some(needed)
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> LabError + use<> {
    let path = path.to_owned();
    move |source| LabError::File { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_the_host_and_for_each_machine() {
        assert_eq!(wanted("128\n", 7), None);
        assert_eq!(wanted("128\n", 8), Some(136));
        assert_eq!(wanted("136\n", 8), None);
        assert_eq!(wanted("none", 20), None);
    }
}
