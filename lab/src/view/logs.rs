//! The lines of the nodes' journals that an operator wants: warnings and errors of Pacemaker, corosync and sbd, and all that the
//! agent says.
//!
//! Asked for with one command a node every 5 s. A `journalctl -f` for each node would cost less while nothing happens, but
//! would be a process of the lab's inside each node, in its way when the node's power is cut; and reading the journal's
//! files from outside would need a journalctl of the host that knows the node's format.

use std::time::Duration;

use crate::cluster::handle::Cluster;
use crate::machines::protocol::{Event, Happening, Owner, PowerLoss};

/// For one node's answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Lines of one node at a time: a storm must not push all else out of the view.
const MOST: &str = "20";
/// Whose warnings are shown.
const WHO: [&str; 10] = [
    "pacemakerd",
    "pacemaker-attrd",
    "pacemaker-based",
    "pacemaker-controld",
    "pacemaker-execd",
    "pacemaker-fenced",
    "pacemaker-schedulerd",
    "corosync",
    "corosync-qdevice",
    "sbd",
];
/// What the scheduler says of each action of a lost node, and of each transition after that.
const NOISE: [&str; 2] = ["is unrunnable", "Calculated transition"];
/// The agent.
const AGENT: &str = "quorate-postgres";

/// One line of a node's journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When, since 1970.
    pub at: Duration,
    /// The node.
    pub node: String,
    /// Who says it, in short.
    pub who: String,
    /// What.
    pub text: String,
}

/// What one question brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The new lines, the oldest first.
    pub entries: Vec<Entry>,
    /// Where the next question goes on.
    pub cursor: Option<String>,
}

/// Asks a node for what is new since the cursor; without one, for what is new since a moment ago. A node that does not
/// answer has nothing new.
#[must_use]
pub fn ask(cluster: &Cluster, node: &str, cursor: Option<&str>) -> Answer {
    let words = question(cursor);
    match cluster.exec(node, &words, TIMEOUT) {
        Ok(output) => read(node, &output.stdout),
        Err(_) => Answer::default(),
    }
}

fn question(cursor: Option<&str>) -> Vec<String> {
    let mut words: Vec<String> =
        ["journalctl", "--no-pager", "--quiet", "--show-cursor"].map(str::to_owned).to_vec();
    words.extend(["--output=short-unix".to_owned(), "-n".to_owned(), MOST.to_owned()]);
    words.push(cursor.map_or("--since=-1min".to_owned(), |cursor| format!("--after-cursor={cursor}")));
    words.extend((0..=4).map(|priority| format!("PRIORITY={priority}")));
    words.extend(WHO.map(|who| format!("SYSLOG_IDENTIFIER={who}")));
    words.extend(["+".to_owned(), format!("SYSLOG_IDENTIFIER={AGENT}")]);
    words
}

fn read(node: &str, text: &str) -> Answer {
    let cursor = text.lines().find_map(|l| l.strip_prefix("-- cursor: ")).map(str::to_owned);
    Answer { entries: text.lines().filter_map(|line| entry(node, line)).collect(), cursor }
}

/// `1764000000.123456 srv1 pacemaker-controld[70]:  warning: text`
fn entry(node: &str, line: &str) -> Option<Entry> {
    let (at, rest) = line.split_once(' ')?;
    let (seconds, micros) = at.split_once('.')?;
    let at = Duration::from_secs(seconds.parse().ok()?) + Duration::from_micros(micros.parse().ok()?);
    let (_, rest) = rest.split_once(' ')?;
    let (who, text) = rest.split_once(": ")?;
    let who = who.split('[').next().unwrap_or(who);
    if who == "pacemaker-schedulerd" && NOISE.iter().any(|noise| text.contains(noise)) {
        return None;
    }
    let who = if who == AGENT { "agent" } else { who.strip_prefix("pacemaker-").unwrap_or(who) };
    Some(Entry { at, node: node.to_owned(), who: who.to_owned(), text: text.trim().to_owned() })
}

/// What happened to the machines after the first `known` events, as lines of the journal.
#[must_use]
pub fn of_machines(events: &[Event], known: usize) -> Vec<Entry> {
    let entry = |event: &Event| {
        Some(Entry {
            at: Duration::from_micros(event.at.wall_us),
            node: event.node.clone(),
            who: "machine".to_owned(),
            text: in_words(&event.happening)?,
        })
    };
    events.iter().skip(known).filter_map(entry).collect()
}

/// `None` for what belongs to every boot and shutdown.
fn in_words(happening: &Happening) -> Option<String> {
    Some(match happening {
        Happening::WatchdogArmed { .. } | Happening::WatchdogDisarmed { .. } => return None,
        Happening::Booted => "boots".to_owned(),
        Happening::PowerLost { cause: PowerLoss::Cut } => "has lost its power".to_owned(),
        Happening::PowerLost { cause: PowerLoss::Watchdog } => "was reset by its watchdog".to_owned(),
        Happening::PowerLost { cause: PowerLoss::Itself } => "has shut itself down".to_owned(),
        Happening::WatchdogExpired { of: Owner::Sbd } => "watchdog: no keepalive in time".to_owned(),
        Happening::WatchdogExpired { of: Owner::Quorated } => {
            "quorated's watchdog: no keepalive in time".to_owned()
        }
        Happening::ResetRequested => "sbd asks for a reset".to_owned(),
        Happening::Unlinked => "cable pulled".to_owned(),
        Happening::Linked => "cable put in".to_owned(),
        Happening::Impaired { by } => {
            format!("loses {} % of packets leaving, {} % arriving", by.leaving, by.arriving)
        }
        Happening::Parted { from } => format!("is cut off from {}", from.join(", ")),
        Happening::Reunited => "reaches everybody again".to_owned(),
        Happening::Frozen => "all processes stopped".to_owned(),
        Happening::Delayed { by: Some(by) } => format!("packets are {} ms late", by.least.as_millis()),
        Happening::Delayed { by: None } => "packets are in time".to_owned(),
        Happening::Paused => "paused, with its watchdogs".to_owned(),
        Happening::Thawed => "all processes go on".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machines::protocol::Stamp;

    #[test]
    fn lines_of_the_journal_are_read() {
        let text = "1764000000.123456 srv1 pacemaker-controld[70]:  warning: srv2 is lost\n\
                    1764000001.000001 srv1 quorate-postgres[99]: pg-a promote: took 1 s\n\
                    1764000002.000001 srv1 pacemaker-schedulerd[9]: warning: pg_stop_0 on srv2 is unrunnable\n\
                    -- cursor: s=12;i=3\n";
        let answer = read("srv1", text);
        assert_eq!(answer.cursor.as_deref(), Some("s=12;i=3"));
        let told: Vec<_> =
            answer.entries.iter().map(|e| (e.at.as_micros(), e.who.as_str(), e.text.as_str())).collect();
        assert_eq!(
            told,
            [
                (1_764_000_000_123_456, "controld", "warning: srv2 is lost"),
                (1_764_000_001_000_001, "agent", "pg-a promote: took 1 s"),
            ]
        );
        assert_eq!(read("srv1", ""), Answer::default());
        assert_eq!(read("srv1", "no line of a journal\n\n"), Answer::default());
    }

    #[test]
    fn what_happened_to_machines_is_told_once() {
        let event = |happening| Event {
            node: "srv1".to_owned(),
            at: Stamp { monotonic_us: 1, wall_us: 5_000_000 },
            happening,
        };
        let events = [
            event(Happening::Booted),
            event(Happening::WatchdogDisarmed { of: Owner::Sbd }),
            event(Happening::PowerLost { cause: PowerLoss::Watchdog }),
        ];
        let told = of_machines(&events, 1);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].at, Duration::from_secs(5));
        assert_eq!(told[0].text, "was reset by its watchdog");
        assert!(of_machines(&events, 3).is_empty());
    }

    #[test]
    fn the_question_goes_on_where_the_last_one_ended() {
        let first = question(None).join(" ");
        assert!(first.contains("--since=-1min") && !first.contains("cursor="), "{first}");
        let next = question(Some("s=1")).join(" ");
        assert!(next.contains("--after-cursor=s=1"), "{next}");
        assert!(next.ends_with("SYSLOG_IDENTIFIER=sbd + SYSLOG_IDENTIFIER=quorate-postgres"), "{next}");
    }
}
