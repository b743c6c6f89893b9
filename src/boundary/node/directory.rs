//! That the server to be launched works in PGDATA, and where one works whose PGDATA was renamed.

use std::path::PathBuf;

use super::{InstallTrouble, Node, OwnedFiles};
use crate::boundary::{process, registry, server_conf};
use crate::pg::directory;

impl Node {
    /// Refuses a configuration that names another data directory: the server would run there, where nobody looks for it. A
    /// configuration that can't be read is PostgreSQL's to refuse; it is launched in PGDATA all the same.
    pub(super) fn check_directory(&self, files: &OwnedFiles) -> Result<(), InstallTrouble> {
        let pgdata = self.pgdata();
        let named = match server_conf::postgresql_conf(files, &self.settings.config_file) {
            Ok(settings) => directory::named(&settings).cloned(),
            Err(_) => None,
        };
        // One of another encoding can't be compared.
        if let Some(named) = named.filter(|named| !named.value.contains(char::REPLACEMENT_CHARACTER)) {
            let place =
                named.line.map_or_else(|| named.file.clone(), |line| format!("{}:{line}", named.file));
            // A relative one is of where the server is launched.
            let directory = pgdata.join(&named.value);
            if !files.is_same_directory(pgdata, &directory) {
                return Err(InstallTrouble::Unusable(format!(
                    "parameter pgdata={} is not data_directory={} ({place}): make them the same",
                    pgdata.display(),
                    named.value
                )));
            }
        }
        directory::option(&self.settings.start_opts).map_or(Ok(()), |option| {
            Err(InstallTrouble::Unusable(format!(
                "parameter start_opts: {option} names a data directory: take it out, the parameter pgdata does that"
            )))
        })
    }

    /// The working directory of the server that was started here, where that is not PGDATA any more: renamed, removed or covered below a
    /// running server. The record of it names the process, with the time of its start.
    pub(super) fn moved(&self, uid: u32) -> Option<PathBuf> {
        let recorded = registry::find(&self.run.resource).ok()??.postmaster?;
        process::alive(recorded).ok()??;
        let directory = process::works_in(recorded.pid)?;
        process::postgres_at(recorded.pid, &directory, uid).ok()?.map(|_| directory)
    }
}
