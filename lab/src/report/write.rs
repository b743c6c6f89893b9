//! Reads the results of many tests and writes the report of them.

use std::path::{Path, PathBuf};

use super::summary::Summary;
use super::{html, markdown, sources};
use crate::host::error::{LabError, Result};
use crate::machines::protocol::Stamp;

/// Writes `report.md`, `report.html` and `report.json` of the results in these places into `out`; says what was written.
///
/// # Errors
/// When results can't be read, see [`sources::read`], or the report can't be written.
pub fn write(places: &[PathBuf], out: &Path) -> Result<Written> {
    let summary = Summary::of(sources::read(places)?, Stamp::now().wall_us / 1000);
    std::fs::create_dir_all(out).map_err(|source| LabError::File { path: out.to_owned(), source })?;
    let file = |name: &str, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|source| LabError::File { path: path.clone(), source })?;
        Ok::<_, LabError>(path)
    };
    let json = serde_json::to_string_pretty(&summary)
        .map_err(|e| LabError::File { path: out.join("report.json"), source: e.into() })?;
    file("report.json", json + "\n")?;
    file("report.md", markdown::page(&summary))?;
    let page = file("report.html", html::page(&summary))?;
    Ok(Written { page, runs: summary.runs.len(), randoms: summary.randoms.len(), files: summary.files.len() })
}

/// Writes the report of a test into its own directory, and says where it is. The results are there already: without the report the
/// test has done its work all the same.
#[must_use]
pub fn tell(dir: &Path) -> String {
    match write(&[dir.to_owned()], dir) {
        Ok(written) => format!("report: {}", written.page.display()),
        Err(e) => format!("no report: {e}"),
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The page for people.
    pub page: PathBuf,
    /// Runs in it.
    pub runs: usize,
    /// Schedules at random in it.
    pub randoms: usize,
    /// Files that were read.
    pub files: usize,
}
