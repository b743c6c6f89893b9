//! What an operator asks of an instance's data: a node attribute that its agent reads at the next start, and takes back.

use std::fmt;
use std::str::FromStr;

use super::task::{Cause, Phase, Task, Way};
use crate::ocf::settings::OnDiverged;

/// The node attribute by which `quorate rejoin` asks.
#[must_use]
pub fn request_attribute(resource: &str) -> String {
    format!("quorate-rejoin-request-{resource}")
}

/// The request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub way: Way,
    /// More WAL than rejoin_max_loss may be given up; it is kept all the same.
    pub accept_loss: bool,
}

const ACCEPT: &str = "accept-loss";

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Rewind => "rewind",
            Way::Copy => "copy",
        };
        f.write_str(way)?;
        if self.accept_loss { write!(f, ",{ACCEPT}") } else { Ok(()) }
    }
}

/// Not a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no request to rejoin: rewind or copy, with {ACCEPT} or without")]
pub struct RequestError(String);

impl FromStr for Request {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        let unknown = || RequestError(text.chars().take(40).collect());
        let (way, accept_loss) = match text.split_once(',') {
            None => (text, false),
            Some((way, ACCEPT)) => (way, true),
            Some(_) => return Err(unknown()),
        };
        let way = match way {
            "rewind" => Way::Rewind,
            "copy" => Way::Copy,
            _ => return Err(unknown()),
        };
        Ok(Self { way, accept_loss })
    }
}

impl Request {
    /// What it makes of a rejoin that is on record: it begins again.
    /// `policy`: on_diverged.
    #[must_use]
    pub fn renewed(self, task: Task, policy: OnDiverged) -> Task {
        // pg_rewind sees no difference on one timeline, and is never run twice in a directory.
        let must_copy =
            task.half || matches!(task.cause, Cause::Forked | Cause::Starved) || policy == OnDiverged::Copy;
        // A request says "look again": what is kept may be of an earlier time.
        let kept = task.kept.filter(|_| task.half);
        Task {
            way: if must_copy { Way::Copy } else { self.way },
            phase: Phase::Wanted,
            failures: 0,
            failed_in: None,
            last_error: None,
            loss_accepted: self.accept_loss,
            kept,
            progress: None,
            ..task
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_as_written() {
        for way in [Way::Rewind, Way::Copy] {
            for accept_loss in [false, true] {
                let request = Request { way, accept_loss };
                assert_eq!(request.to_string().parse(), Ok(request));
            }
        }
        for bad in ["", "1", "rewind,", "copy,x", "erase", "rewind,accept-loss,copy"] {
            assert!(bad.parse::<Request>().is_err(), "{bad}");
        }
    }
}
