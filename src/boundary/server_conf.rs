//! postgresql.conf with the files that it includes, read as PostgreSQL reads it: with the rights of the user whose server it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clock::Deadline;
use super::host::{HostError, HostResult};
use super::owned_files::OwnedFiles;
use crate::decide::doctor::read::Broken;
use crate::pg::conf::{self, Line, Setting};

/// It takes milliseconds; the file system below may hang.
const DEADLINE: Duration = Duration::from_secs(3);
/// How deep PostgreSQL's files may include each other: its own limit.
const DEPTH: usize = 10;
/// More than anybody writes: each may be included by each.
const MOST_FILES: usize = 1000;
/// Bytes of all of them together; what is read of them takes up to fifty times as much.
const MOST_BYTES: usize = 2 << 20;

/// Settings of a postgresql.conf and of the files that it includes, in the order in which PostgreSQL reads them.
///
/// # Errors
/// The first file that can't be read or that PostgreSQL would refuse.
pub fn postgresql_conf(files: &OwnedFiles, path: &Path) -> HostResult<Vec<Setting>> {
    let mut read =
        Configuration { files, found: Vec::new(), read: 0, bytes: 0, deadline: Deadline::after(DEADLINE) };
    read.include(path, 0)?;
    Ok(read.found)
}

/// What is read of a configuration, with the rights of the user whose server reads it.
struct Configuration<'a> {
    files: &'a OwnedFiles,
    found: Vec<Setting>,
    /// Files so far.
    read: usize,
    /// Of all of them.
    bytes: usize,
    deadline: Deadline,
}

impl Configuration<'_> {
    fn include(&mut self, path: &Path, depth: usize) -> HostResult<()> {
        if depth > DEPTH {
            let why = format!("files include each other more than {DEPTH} deep");
            return Err(HostError::unusable(why).about(path.display()));
        }
        self.read += 1;
        if self.read > MOST_FILES {
            let why = format!("more than {MOST_FILES} files are included");
            return Err(HostError::unusable(why).about(path.display()));
        }
        if self.deadline.passed() {
            let why = format!("the files that are included were not read within {DEADLINE:?}");
            return Err(HostError::timed_out(why).about(path.display()));
        }
        let bytes = self.files.read_configuration(path)?;
        // A comment in another encoding is no fault.
        let text = String::from_utf8_lossy(&bytes);
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MOST_BYTES {
            let why = format!("more than {MOST_BYTES} bytes are included");
            return Err(HostError::unusable(why).about(path.display()));
        }
        let name = path.display().to_string();
        let lines = conf::parse(&name, &text).map_err(|(line, e)| {
            HostError::unusable(Broken { file: name.clone(), line, what: e.to_string() }.to_string())
        })?;
        let beside = |other: &str| path.parent().unwrap_or(Path::new("")).join(other);
        for line in lines {
            match line {
                Line::Setting(setting) => self.found.push(setting),
                Line::Include { path, optional } => {
                    let path = beside(&path);
                    if !optional || self.files.is_file(&path) {
                        self.include(&path, depth + 1)?;
                    }
                }
                Line::IncludeDir { path } => {
                    for file in configurations(self.files, &beside(&path))? {
                        self.include(&file, depth + 1)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The files of an include_dir that count, in the order that counts.
fn configurations(files: &OwnedFiles, dir: &Path) -> HostResult<Vec<PathBuf>> {
    let mut names = files.names(dir)?;
    names.retain(|name| name.ends_with(".conf") && !name.starts_with('.'));
    names.sort();
    Ok(names.iter().map(|name| dir.join(name)).collect())
}
