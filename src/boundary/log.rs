//! One line in the system's log for each decision.

use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use super::host::Level;
use super::printable;

/// The agent's name in the log.
const AGENT: &str = "quorate-postgres";

/// A program's log: syslog under the name that `journalctl -t` finds, and standard error where there is no
/// syslog.
pub struct Log {
    tag: &'static str,
    prefix: String,
    logger: Option<Logger<LoggerBackend, Formatter3164>>,
}

impl Log {
    /// `resource` and `action` begin every line. The socket is opened with the first one.
    pub fn new(resource: &str, action: &str) -> Log {
        Log::tagged(AGENT, resource, action)
    }

    /// The log of another program of ours, under its own name.
    pub fn tagged(tag: &'static str, subject: &str, action: &str) -> Log {
        Log { tag, prefix: format!("{subject} {action}: "), logger: None }
    }

    /// The same, whose lines begin with nothing.
    pub fn of(tag: &'static str) -> Log {
        Log { tag, prefix: String::new(), logger: None }
    }

    /// Writes one line. A log that can't be written is no reason to fail.
    pub fn line(&mut self, level: Level, text: &str) {
        if self.logger.is_none() {
            self.logger = open(self.tag);
        }
        let line = printable::line(&format!("{}{text}", self.prefix));
        let written = match (&mut self.logger, level) {
            (None, _) => false,
            (Some(logger), Level::Info) => logger.info(&line).is_ok(),
            (Some(logger), Level::Warning) => logger.warning(&line).is_ok(),
            (Some(logger), Level::Error) => logger.err(&line).is_ok(),
            (Some(logger), Level::Critical) => logger.crit(&line).is_ok(),
        };
        if !written {
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{line}\n"));
        }
    }
}

fn open(tag: &str) -> Option<Logger<LoggerBackend, Formatter3164>> {
    let formatter = Formatter3164 {
        facility: Facility::LOG_DAEMON,
        hostname: None,
        process: tag.into(),
        pid: std::process::id(),
    };
    syslog::unix(formatter).ok()
}
