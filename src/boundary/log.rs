//! One line in the system's log for each decision.

use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use super::host::Level;

/// A program's log: syslog under the name that `journalctl -t NAME` finds (the agent's is quorate-postgres), and standard error where
/// there is no syslog.
pub struct Log {
    process: &'static str,
    prefix: String,
    logger: Option<Logger<LoggerBackend, Formatter3164>>,
}

impl Log {
    /// `resource` and `action` begin every line. The socket is opened with the first one.
    pub fn new(resource: &str, action: &str) -> Log {
        Log { process: "quorate-postgres", prefix: format!("{resource} {action}: "), logger: None }
    }

    /// The log of another program; its lines begin with nothing.
    pub fn of(process: &'static str) -> Log {
        Log { process, prefix: String::new(), logger: None }
    }

    /// Writes one line. A log that can't be written is no reason to fail.
    pub fn line(&mut self, level: Level, text: &str) {
        if self.logger.is_none() {
            self.logger = open(self.process);
        }
        let line = format!("{}{}", self.prefix, text.replace('\n', " "));
        let written = match (&mut self.logger, level) {
            (None, _) => false,
            (Some(logger), Level::Info) => logger.info(&line).is_ok(),
            (Some(logger), Level::Warning) => logger.warning(&line).is_ok(),
            (Some(logger), Level::Error) => logger.err(&line).is_ok(),
        };
        if !written {
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{line}\n"));
        }
    }
}

fn open(process: &str) -> Option<Logger<LoggerBackend, Formatter3164>> {
    let formatter = Formatter3164 {
        facility: Facility::LOG_DAEMON,
        hostname: None,
        process: process.into(),
        pid: std::process::id(),
    };
    syslog::unix(formatter).ok()
}
