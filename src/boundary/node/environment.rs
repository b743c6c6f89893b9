//! What a server is started with beside its configuration.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::{HostError, HostResult, Node, OwnedFiles, host_error};
use crate::pg::environment_file;

/// Where Debian keeps its clusters' configurations.
const DEBIANS: &str = "/etc/postgresql";
/// What holds for those of them that have no such file of their own.
const COMMON: &str = "/etc/postgresql-common/environment";

impl Node {
    /// The variables of Debian's file `environment` beside the configuration, which pg_ctlcluster starts the server with: libraries,
    /// locale, time zone of an instance that was run by systemd before.
    pub(super) fn environment(&self, files: &OwnedFiles) -> HostResult<Vec<(OsString, OsString)>> {
        let Some(path) = place(files, &self.settings.config_file) else { return Ok(Vec::new()) };
        let content = match files.read_configuration(&path) {
            Ok(content) => content,
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            Err(error) => return Err(host_error(error)),
        };
        let variables = environment_file::parse(&content)
            .map_err(|e| HostError::unusable(format!("{}: {e}", path.display())))?;
        Ok(variables.into_iter().map(|(name, value)| (name.into(), OsString::from_vec(value))).collect())
    }
}

fn place(files: &OwnedFiles, config_file: &Path) -> Option<PathBuf> {
    let own = config_file.with_file_name("environment");
    match files.is_there(&own) {
        Ok(false) => config_file.starts_with(DEBIANS).then(|| PathBuf::from(COMMON)),
        Ok(true) | Err(_) => Some(own),
    }
}
