//! postgresql.auto.conf, which PostgreSQL reads after the operator's files: the settings that the agent keeps.

use super::{Node, host_error};
use crate::boundary::data_directory;
use crate::boundary::host::HostResult;
use crate::pg::auto_conf;

impl Node {
    pub(super) fn write_conninfo(&self, primary_conninfo: &str) -> HostResult<()> {
        self.write_setting("primary_conninfo", Some(primary_conninfo))
    }

    /// In postgresql.auto.conf; `None` takes it out.
    pub(in crate::boundary) fn write_setting(&self, name: &str, value: Option<&str>) -> HostResult<()> {
        let path = self.pgdata().join("postgresql.auto.conf");
        let files = self.files().map_err(host_error)?;
        data_directory::require(files, self.pgdata()).map_err(host_error)?;
        let before = files.read_if_there(&path).map_err(host_error)?.unwrap_or_default();
        if auto_conf::get(&before, name).as_deref() == value {
            return Ok(());
        }
        let after = value
            .map_or_else(|| auto_conf::reset(&before, name), |value| auto_conf::set(&before, name, value));
        files.replace(&path, &after).map_err(host_error)
    }
}
