//! The start of the server.

use super::{Node, host_error};
use crate::boundary::command::{Command, Environment};
use crate::boundary::data_directory;
use crate::boundary::host::{HostError, HostResult};
use crate::boundary::rejoin;
use crate::decide::start::LaunchSetting;

impl Node {
    pub(super) fn launch_server(&mut self, settings: &[LaunchSetting]) -> HostResult<()> {
        // Held while the server is launched: who takes it next finds the server's processes.
        let _lock = rejoin::Lock::take(&self.run.resource)
            .map_err(host_error)?
            .ok_or_else(|| HostError::forbidden("quorate-rejoin works on the data directory"))?;
        let files = self.files().map_err(host_error)?.clone();
        let bindir = self.bindir()?;
        let version = data_directory::read_version(&files, self.pgdata()).map_err(host_error)?.get();
        let log_file = self.log_file();
        if let Some(directory) = log_file.parent() {
            files.make_directory(directory).map_err(|e| HostError::from(e).about("parameter log_file"))?;
        }
        let log = files.append(&log_file).map_err(|e| HostError::from(e).about("parameter log_file"))?;
        self.log_from = files.length(&log_file);
        let mut command = Command::new(bindir.join("postgres"))
            .arg("-D")
            .arg(self.pgdata())
            .arg("-c")
            .arg(format!("config_file={}", self.settings.config_file.display()))
            .args(&self.settings.start_opts)
            // The last one counts, ahead of the configuration's: where else it ran nobody would find it.
            .arg("-c")
            .arg(format!("data_directory={}", self.pgdata().display()))
            .directory(self.pgdata())
            .environment(Environment::Clean)
            .run_as(files.user());
        for (name, value) in self.environment(&files)? {
            command = command.env(name, value);
        }
        for setting in settings.iter().filter(|s| s.until.is_none_or(|last| version <= last)) {
            command = command.arg("-c").arg(format!("{}={}", setting.name, setting.value));
        }
        self.launched = Some(command.spawn_detached(log).map_err(host_error)?);
        Ok(())
    }
}
