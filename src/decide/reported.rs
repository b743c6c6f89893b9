//! Where each instance is in the WAL, as its agent reports it: for `quorate status` and `quorate recover` on every node. No election
//! counts it: it is as old as the last monitor.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::clock::{BootTime, Millis};
use super::promotions::Id;
use crate::pg::timeline::WalPosition;

/// The private node attribute in which it stands: pacemaker-attrd keeps it on every member, and the CIB does not change.
#[must_use]
pub fn attribute(resource: &str) -> String {
    format!("quorate-wal-{resource}")
}

/// What an instance reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    pub position: WalPosition,
    /// The promotion on whose WAL its data are, as it stands beside them; `None`: none is noted there.
    pub on: Option<Id>,
}

/// The report of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReported {
    pub node: String,
    pub reported: Reported,
}

/// `TIMELINE:LSN:ID`, with `-` for no promotion.
impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.position.timeline, self.position.lsn)?;
        match self.on {
            Some(id) => write!(f, "{id}"),
            None => f.write_str("-"),
        }
    }
}

/// What is no [`Reported`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no reported position (TIMELINE:LSN:ID)")]
pub struct ReportedError(String);

impl FromStr for Reported {
    type Err = ReportedError;

    fn from_str(text: &str) -> Result<Self, ReportedError> {
        let read = || {
            let mut fields = text.trim().splitn(3, ':');
            let timeline = fields.next()?.parse().ok()?;
            let lsn = fields.next()?.parse().ok()?;
            let on = match fields.next()? {
                "-" => None,
                id => Some(id.parse().ok()?),
            };
            Some(Reported { position: WalPosition { timeline, lsn }, on })
        };
        read().ok_or_else(|| ReportedError(text.chars().take(60).collect()))
    }
}

/// An unchanged one is sent again after this time: pacemaker-attrd may have begun anew.
const AGAIN: Millis = 60_000;

/// Whether a position is to be sent. `last`: what was sent last, and when; `on`: the promotion that was noted beside the data, as far as
/// it is remembered.
#[must_use]
pub fn is_due(
    last: Option<(Reported, BootTime)>,
    position: WalPosition,
    on: Option<Id>,
    now: BootTime,
) -> bool {
    let is_other = |sent: Reported| sent.position != position || on.is_some() && sent.on != on;
    last.is_none_or(|(sent, at)| is_other(sent) || now.since(at) >= AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::samples::position;

    #[test]
    fn it_is_read_back() {
        for on in [None, Some("0000000a".parse().expect("an identity"))] {
            let reported = Reported { position: position(3, 0x1_0000_0028), on };
            assert_eq!(reported.to_string().parse(), Ok(reported));
        }
        for broken in ["", "3", "3:0/28", "3:0/28:", "3:x:-", "0:0/28:-", "3:0/28:zz", "3:0/28:-:more"] {
            assert!(broken.parse::<Reported>().is_err(), "{broken:?}");
        }
    }

    #[test]
    fn an_idle_server_reports_once_a_minute() {
        let sent = (Reported { position: position(3, 0x28), on: None }, BootTime::at(1_000));
        assert!(is_due(None, position(3, 0x28), None, BootTime::at(1_000)));
        assert!(!is_due(Some(sent), position(3, 0x28), None, BootTime::at(999 + AGAIN)));
        assert!(is_due(Some(sent), position(3, 0x28), None, BootTime::at(1_000 + AGAIN)));
        for other in [position(3, 0x29), position(4, 0x28)] {
            assert!(is_due(Some(sent), other, None, BootTime::at(1_001)));
        }
        let on = Some("0000000a".parse().expect("an identity"));
        assert!(
            is_due(Some(sent), position(3, 0x28), on, BootTime::at(1_001)),
            "noted beside the data since"
        );
    }
}
