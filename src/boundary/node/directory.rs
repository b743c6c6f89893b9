//! What a launch needs: programs, user, directories. That the server works in PGDATA, and where one works whose PGDATA was renamed.

use std::path::PathBuf;

use super::{HostError, HostResult, Node, OwnedFiles, command, data_directory};
use crate::boundary::storage::StorageError;
use crate::boundary::{process, registry, rejoin, server_conf};
use crate::pg::directory;

impl Node {
    /// The directory of PostgreSQL's programs: by parameter, else by the data directory's version.
    pub(in crate::boundary) fn bindir(&self) -> HostResult<PathBuf> {
        let missing = |text: String| HostError::missing(text);
        if let Some(bindir) = &self.settings.bindir {
            return if command::is_there(&bindir.join("postgres")) {
                Ok(bindir.clone())
            } else {
                Err(missing(format!(
                    "parameter bindir={}: no program postgres in it; set bindir or install PostgreSQL here",
                    bindir.display()
                )))
            };
        }
        let files = self.files().map_err(|e| missing(e.to_string()))?;
        // In the middle of a rejoin the data have another name.
        let version = match data_directory::read_version(files, self.pgdata()) {
            Err(error) => rejoin::other_names(self.pgdata())
                .into_iter()
                .find_map(|directory| data_directory::read_version(files, &directory).ok())
                .ok_or_else(|| missing(error.to_string())),
            version => version.map_err(|error| missing(error.to_string())),
        };
        let version = version?.get();
        let candidates = [
            format!("/usr/lib/postgresql/{version}/bin"),
            format!("/usr/pgsql-{version}/bin"),
            "/usr/bin".into(),
        ];
        candidates.iter().map(PathBuf::from).find(|dir| command::is_there(&dir.join("postgres"))).ok_or_else(
            || {
                missing(format!(
                    "no program postgres in {}; install PostgreSQL {version} or set the parameter bindir",
                    candidates.join(", ")
                ))
            },
        )
    }

    /// Whether everything is there that a start needs.
    pub(super) fn installation(&self) -> HostResult<()> {
        let files = self.files().map_err(|e| HostError::unusable(format!("parameter system_user: {e}")))?;
        // Its owner first: to another user the directory is closed, and the reason would be that.
        let pgdata = data_directory::check(files, self.pgdata());
        match pgdata {
            Err(why @ (StorageError::Owner { .. } | StorageError::Mode { .. })) => {
                return Err(HostError::forbidden(format!("parameter pgdata: {why}")));
            }
            Err(why) => return Err(HostError::missing(format!("parameter pgdata: {why}"))),
            Ok(()) => {}
        }
        data_directory::read_version(files, self.pgdata())
            .map_err(|e| HostError::missing(format!("parameter pgdata: {e}")))?;
        self.bindir()?;
        if files.is_file(&self.settings.config_file) {
            self.check_directory(files)
        } else {
            Err(HostError::missing(format!(
                "parameter config_file={}: no such file; on Debian it is /etc/postgresql/N/main/postgresql.conf",
                self.settings.config_file.display()
            )))
        }
    }

    /// Refuses a configuration that names another data directory: the server would run there, where nobody looks for it. A
    /// configuration that can't be read is PostgreSQL's to refuse; it is launched in PGDATA all the same.
    pub(super) fn check_directory(&self, files: &OwnedFiles) -> HostResult<()> {
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
                return Err(HostError::unusable(format!(
                    "parameter pgdata={} is not data_directory={} ({place}): make them the same",
                    pgdata.display(),
                    named.value
                )));
            }
        }
        directory::option(&self.settings.start_opts).map_or(Ok(()), |option| {
            Err(HostError::unusable(format!(
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
