//! The self-fencing notices of other nodes, a file each below `/run/quorate/self-fenced`. `quorated` writes them; fencing reads them.

use std::path::{Path, PathBuf};

use super::host::{HostError, HostResult};
use super::{files, storage};
use crate::cluster::self_fencing::SelfFenceRecord;

/// Where they are.
pub const DIRECTORY: &str = "/run/quorate/self-fenced";

/// The file of a node. A name that would leave the directory is none.
fn path(directory: &Path, node: &str) -> HostResult<PathBuf> {
    if node.is_empty() || node.starts_with('.') || node.contains('/') {
        return Err(HostError::unusable(format!("{node:?} is no node's name")));
    }
    Ok(directory.join(node))
}

/// The self-fencing notice of a node; `None`: it sent none since it was last here.
///
/// # Errors
/// When the file is there and can't be read, or makes no sense.
pub fn find(directory: &Path, node: &str) -> HostResult<Option<SelfFenceRecord>> {
    let path = path(directory, node)?;
    let text = storage::read_text_if_there(&path)?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|e| HostError::unusable(format!("{}: {e}", path.display())))
    };
    text.map(read).transpose()
}

/// All that are kept. A file that makes no sense is passed over: it is evidence of nothing.
///
/// # Errors
/// When the directory is there and can't be read.
pub fn all(directory: &Path) -> HostResult<Vec<SelfFenceRecord>> {
    let host_error = |e: std::io::Error| HostError::from(e).about(directory.display());
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(host_error(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(host_error)?.file_name();
        if let Some(node) = name.to_str() {
            found.extend(find(directory, node).ok().flatten());
        }
    }
    Ok(found)
}

/// Keeps a self-fencing notice.
///
/// # Errors
/// When it can't be written.
pub fn keep(directory: &Path, record: &SelfFenceRecord) -> HostResult<()> {
    let path = path(directory, &record.notice.node)?;
    let host_error = |e: std::io::Error| HostError::from(e).about(path.display());
    let text = serde_json::to_string(record).map_err(|e| host_error(e.into()))?;
    std::fs::create_dir_all(directory).map_err(host_error)?;
    files::replace(&path, text.as_bytes()).map_err(host_error)
}

/// Drops the notice of a node that is back.
///
/// # Errors
/// When it is there and can't be removed.
pub fn drop(directory: &Path, node: &str) -> HostResult<()> {
    files::remove(&path(directory, node)?).map_err(HostError::from)
}

/// Drops all of them, also those that make no sense.
///
/// # Errors
/// The directory is there and can't be removed.
pub fn clear(directory: &Path) -> HostResult<()> {
    match std::fs::remove_dir_all(directory) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(HostError::from(e).about(directory.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::clock::BootTime;
    use crate::cluster::corosync::Ring;
    use crate::cluster::self_fencing::{How, Left, SelfFencingNotice};

    #[test]
    fn kept_found_and_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("self-fenced");
        let notice = SelfFencingNotice {
            node: "srv1".into(),
            boot: "b".into(),
            reason: "r".into(),
            how: How::Reboot,
            within: 400,
            foreign: Some(vec!["x".into()]),
        };
        let left = Some(Left { at: BootTime::at(9), ring: Ring { seq: 8, node_id: 2 } });
        let record = SelfFenceRecord { notice, node_id: 1, received: BootTime::at(7), left };
        assert_eq!(find(&place, "srv1"), Ok(None));
        keep(&place, &record).unwrap();
        assert_eq!(find(&place, "srv1"), Ok(Some(record)));
        drop(&place, "srv1").unwrap();
        drop(&place, "srv1").unwrap();
        assert_eq!(find(&place, "srv1"), Ok(None));
        for bad in ["", ".", "../x", "a/b"] {
            assert!(find(&place, bad).is_err(), "{bad:?}");
        }
        std::fs::write(place.join("srv2"), "rubbish").unwrap();
        assert!(find(&place, "srv2").unwrap_err().text.contains("srv2"));
        clear(&place).unwrap();
        assert_eq!(find(&place, "srv2"), Ok(None));
        clear(&place).unwrap();
    }
}
