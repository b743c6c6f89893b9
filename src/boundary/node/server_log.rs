//! What the server wrote to its log since it was launched.

use std::path::Path;
use std::time::SystemTime;

use super::{Node, OwnedFiles};
use crate::pg::server_log::{collected_in, current, since_last_start};

/// The end of the log that is read, bytes: as much as a minute of refused connections leaves when a client tries ten times a second.
const TAIL: u64 = 64 << 10;

impl Node {
    /// Its own output; that of its logging collector where there is one.
    pub(super) fn server_said(&self) -> String {
        let Ok(files) = self.files() else { return String::new() };
        let output = files.read_tail(&self.log_file(), self.log_from, TAIL).unwrap_or_default();
        let Some(directory) = collected_in(&output) else { return output };
        // By the time of the files only where there is no other way: it is the wall clock's, which may have been set back.
        let collected =
            current_log(files, self.pgdata()).or_else(|| newest_log(files, &self.pgdata().join(directory)));
        collected.map_or(output, |text| since_last_start(&text).to_owned())
    }
}

/// The end of the file that the collector names.
fn current_log(files: &OwnedFiles, pgdata: &Path) -> Option<String> {
    let named = files.read_tail(&pgdata.join("current_logfiles"), 0, TAIL).ok()?;
    files.read_tail(&pgdata.join(current(&named)?), 0, TAIL).ok()
}

/// The end of the file that was written last. What is no text has its own ending (.csv, .json).
fn newest_log(files: &OwnedFiles, directory: &Path) -> Option<String> {
    let text = |name: &String| !name.ends_with(".csv") && !name.ends_with(".json");
    let written = |path: &Path| files.modified(path).unwrap_or(SystemTime::UNIX_EPOCH);
    let paths = files.names(directory).ok()?.into_iter().filter(text).map(|name| directory.join(name));
    let newest = paths.max_by_key(|path| written(path))?;
    files.read_tail(&newest, 0, TAIL).ok()
}
