//! What `quorated` tells for the HTTP endpoint, as that reads it: without rights, from files of root's.

use std::path::Path;

use super::host::{HostError, HostResult};
use super::storage;
use crate::cluster::checker;
use crate::cluster::health::{Health, PATH};

/// What it told last; `None`: nothing since the boot.
///
/// # Errors
/// The file is there and can't be read, or makes no sense.
pub fn read() -> HostResult<Option<Health>> {
    read_from(Path::new(PATH))
}

/// The same, from elsewhere.
///
/// # Errors
/// As above.
pub fn read_from(path: &Path) -> HostResult<Option<Health>> {
    let text = storage::read_text_if_there(path)?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|e| HostError::unusable(format!("{}: {e}", path.display())))
    };
    text.map(read).transpose()
}

/// The metrics of `quorated` itself, which are there already; none where they can't be read.
pub fn checker_metrics() -> String {
    let path = Path::new(checker::PATH).with_file_name(checker::METRICS);
    storage::read_text_if_there(&path).ok().flatten().unwrap_or_default()
}
