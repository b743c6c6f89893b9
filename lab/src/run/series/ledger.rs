//! The results of all clusters of a test, in one file that is written after each run.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::host::error::{LabError, Result};
use crate::report::{self, RunResult};

/// The results so far.
#[derive(Debug)]
pub struct Ledger {
    dir: PathBuf,
    /// Each with the cluster's name.
    results: Mutex<Vec<(String, RunResult)>>,
}

impl Ledger {
    /// An empty one in this directory.
    ///
    /// # Errors
    /// When the directory can't be made.
    pub fn begin(dir: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&dir).map_err(|source| LabError::File { path: dir.clone(), source })?;
        Ok(Self { dir, results: Mutex::default() })
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &PathBuf {
        &self.dir
    }

    /// Adds a result and writes all of them down.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn add(&self, cluster: &str, result: RunResult) -> Result<()> {
        let mut results = self.results();
        results.push((cluster.to_owned(), result));
        let all: Vec<RunResult> = results.iter().map(|(_, result)| result.clone()).collect();
        report::write_results(&self.dir, &all)
    }

    /// All results in the order in which the runs ended.
    #[must_use]
    pub fn all(&self) -> Vec<RunResult> {
        self.results().iter().map(|(_, result)| result.clone()).collect()
    }

    /// Those of a cluster.
    #[must_use]
    pub fn of(&self, cluster: &str) -> Vec<RunResult> {
        let results = self.results();
        results.iter().filter(|(of, _)| of == cluster).map(|(_, result)| result.clone()).collect()
    }

    /// A poisoned lock holds a list that is still whole: a push either happened or didn't.
    fn results(&self) -> MutexGuard<'_, Vec<(String, RunResult)>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
