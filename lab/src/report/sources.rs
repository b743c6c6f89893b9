//! Finds and reads the results of many tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::random::RandomResult;
use super::results::RunResult;
use crate::host::error::{LabError, Result};

/// What `quorate-lab test` writes.
pub const RESULTS: &str = "results.json";
/// What `quorate-lab random` writes.
pub const RANDOM: &str = "random.json";
/// Results lie in a directory, or in one directory for each cluster; deeper there is only evidence.
const DEPTH: u32 = 3;

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Material {
    pub runs: Vec<RunResult>,
    pub randoms: Vec<RandomResult>,
    /// The files that were read, as they were named.
    pub files: Vec<String>,
}

/// Reads the results in these directories and what is below them; a file may be named too.
///
/// # Errors
/// When one of them does not exist, has no results, or has some that can't be read.
pub fn read(places: &[PathBuf]) -> Result<Material> {
    let mut material = Material::default();
    let mut known = BTreeSet::new();
    for place in places {
        let mut files = Vec::new();
        if place.is_file() {
            files.push(place.clone());
        } else {
            find(place, DEPTH, &mut files)?;
        }
        if files.is_empty() {
            return Err(LabError::Host(format!(
                "{}: neither {RESULTS} nor {RANDOM} is there; quorate-lab test --report {} and quorate-lab random --report {} \
                 write them",
                place.display(),
                place.display(),
                place.display()
            )));
        }
        for file in files {
            // A directory may be named twice, or below another that is named.
            let same = file.canonicalize().map_err(|source| LabError::File { path: file.clone(), source })?;
            if known.insert(same) {
                take(&file, &mut material)?;
            }
        }
    }
    Ok(material)
}

fn find(dir: &Path, depth: u32, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |source| LabError::File { path: dir.to_owned(), source };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)
        .map_err(failed)?
        .map(|e| Ok(e?.path()))
        .collect::<std::io::Result<_>>()
        .map_err(failed)?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if matches!(name, RESULTS | RANDOM) && entry.is_file() {
            files.push(entry);
        } else if depth > 0 && entry.is_dir() && !entry.is_symlink() && !name.starts_with("evidence-") {
            find(&entry, depth - 1, files)?;
        }
    }
    Ok(())
}

fn take(file: &Path, material: &mut Material) -> Result<()> {
    if file.file_name().is_some_and(|name| name == RANDOM) {
        material.randoms.push(parse(file, "quorate-lab random")?);
    } else {
        material.runs.extend(parse::<Vec<RunResult>>(file, "quorate-lab test")?);
    }
    material.files.push(file.display().to_string());
    Ok(())
}

fn parse<T: DeserializeOwned>(file: &Path, writer: &str) -> Result<T> {
    let text =
        std::fs::read_to_string(file).map_err(|source| LabError::File { path: file.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|e| {
        LabError::Host(format!(
            "{}: not what {writer} writes: {e}; leave it out, or write it anew with {writer} --report {}",
            file.display(),
            file.parent().unwrap_or(Path::new(".")).display()
        ))
    })
}
