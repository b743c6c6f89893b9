//! What `quorated` tells of itself, for `quorate status` and for monitoring.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::clock::{BootTime, Millis};

/// Where it is.
pub const PATH: &str = "/run/quorate/quorated.json";
/// Beside it, for node_exporter and the HTTP endpoint, which run as users of their own.
pub const METRICS: &str = "quorated.prom";
/// Older than this, in ms, `quorated` does not run or hangs: it writes every 5 s.
pub const STALE: Millis = 20_000;

/// A report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checker {
    pub pid: u32,
    /// When it was written.
    pub written: BootTime,
    /// Whether anything is done about what is found, or only said.
    pub acts: bool,
    /// Whether a lost quorum ends the primaries of this node.
    pub quorum_armed: bool,
    /// What votequorum said; `None`: nothing.
    pub quorate: Option<bool>,
    pub watched: Vec<Watched>,
    /// What hangs and is left alone.
    #[serde(default)]
    pub excuses: Vec<Excuse>,
    /// Directories into which small writes are made, and how many of these are pending.
    pub places: usize,
    pub places_pending: usize,
    /// The watchdog device that its configuration names.
    #[serde(default)]
    pub device: OwnDevice,
    /// What is believed of the messages of other nodes' `quorated`.
    #[serde(default)]
    pub group: GroupState,
    /// The reset that this node had last, where it is not long ago.
    #[serde(default)]
    pub last_reset: Option<String>,
    /// A reset of this node that is called for and held back, and why.
    #[serde(default)]
    pub held_reset: Option<String>,
    pub counts: Counts,
}

/// The state of `quorated`'s process group on this node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupState {
    /// Why nothing can be sealed, so that no message is believed; `None`: it can.
    pub no_key: Option<String>,
    /// Messages that were not from root's `quorated`, or copies of one, since it was started.
    pub refused: u64,
}

/// A watchdog device of `quorated`'s own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnDevice {
    /// None is named.
    #[default]
    None,
    KeptAlive,
    /// It can't be had, and why.
    Missing(String),
}

/// A daemon that is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    pub name: String,
    /// Whether a hang of it would be acted on: it was once well.
    pub armed: bool,
    pub answers: u64,
    /// Attempts in a row that failed, up to now.
    pub failures: u32,
    /// How long the last answer took, in µs.
    pub took_us: u64,
    /// What the last failure said.
    pub error: Option<String>,
}

/// A daemon that hangs, about which nothing is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excuse {
    pub name: String,
    pub why: String,
    /// Since when.
    pub since: BootTime,
}

/// What happened since it was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub looks: u64,
    pub kills: u64,
    pub restarts: u64,
    pub fences: u64,
    pub failures_told: u64,
    pub resets: u64,
    /// How often the others were asked whether this node may be reset.
    #[serde(default)]
    pub resets_asked: u64,
    /// The most that a look came late, in ms: how near the observer itself was to being starved.
    pub latest_ms: u64,
}

impl Checker {
    /// Whether the report is of one that runs.
    #[must_use]
    pub const fn is_fresh(&self, now: BootTime) -> bool {
        now.since(self.written) < STALE
    }

    /// Why a daemon is left alone, and for how long, in words.
    #[must_use]
    pub fn because(&self, excuse: &Excuse) -> String {
        format!("{}, for {} s", excuse.why, (self.written - excuse.since) / 1000)
    }

    /// As Prometheus reads it (text exposition format 0.0.4).
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            let _ = writeln!(text, "# HELP quorated_{name} {help}\n# TYPE quorated_{name} {kind}");
            for (labels, value) in values {
                // Prometheus counts time in seconds; here it comes in microseconds.
                let _ = if name.ends_with("_seconds") {
                    let (whole, rest) = (value / 1_000_000, value % 1_000_000);
                    writeln!(text, "quorated_{name}{labels} {whole}.{rest:06}")
                } else {
                    writeln!(text, "quorated_{name}{labels} {value}")
                };
            }
        };
        let each = |of: fn(&Watched) -> u64| -> Vec<(String, u64)> {
            self.watched.iter().map(|w| (format!("{{daemon=\"{}\"}}", w.name), of(w))).collect()
        };
        let one = |value: u64| vec![(String::new(), value)];
        family("armed", "gauge", "Whether a hang of the daemon is acted on.", &each(|w| w.armed.into()));
        family("failures", "gauge", "Attempts in a row without an answer.", &each(|w| w.failures.into()));
        let excused = |w: &Watched| self.excuses.iter().any(|e| e.name == w.name).into();
        let excused = self
            .watched
            .iter()
            .map(|w| (format!("{{daemon=\"{}\"}}", w.name), excused(w)))
            .collect::<Vec<_>>();
        family("excused", "gauge", "Whether the daemon hangs and is left alone.", &excused);
        family("answer_seconds", "gauge", "How long the last answer took.", &each(|w| w.took_us));
        family(
            "quorum_armed",
            "gauge",
            "Whether a lost quorum ends primaries.",
            &one(self.quorum_armed.into()),
        );
        family(
            "quorate",
            "gauge",
            "What votequorum said: 1 quorate, 0 not, 2 nothing.",
            &one(self.quorate.map_or(2, u64::from)),
        );
        family(
            "writes_pending",
            "gauge",
            "Small writes that have not returned.",
            &one(self.places_pending as u64),
        );
        family(
            "reset_held_back",
            "gauge",
            "Whether this node would be reset and is not, since nobody well would go on.",
            &one(self.held_reset.is_some().into()),
        );
        let device = match self.device {
            OwnDevice::None => 2,
            OwnDevice::KeptAlive => 1,
            OwnDevice::Missing(_) => 0,
        };
        family(
            "watchdog_device",
            "gauge",
            "Whether the watchdog device is armed and kept alive: 1 yes, 0 it can't be had, 2 none is named.",
            &one(device),
        );
        family(
            "messages_sealed",
            "gauge",
            "Whether messages of other nodes can be believed.",
            &one(self.group.no_key.is_none().into()),
        );
        family(
            "messages_refused_total",
            "counter",
            "Messages that were not from root's quorated.",
            &one(self.group.refused),
        );
        let counts = &self.counts;
        let acts = [
            ("kill", counts.kills),
            ("restart", counts.restarts),
            ("fence", counts.fences),
            ("fail", counts.failures_told),
            ("reset", counts.resets),
            ("ask", counts.resets_asked),
        ];
        let acts: Vec<_> = acts.iter().map(|(act, n)| (format!("{{act=\"{act}\"}}"), *n)).collect();
        family("acts_total", "counter", "Actions taken, by kind.", &acts);
        family("looks_total", "counter", "Rounds of observation so far.", &one(counts.looks));
        family(
            "late_seconds",
            "gauge",
            "The longest delay of a round of observation.",
            &one(counts.latest_ms.saturating_mul(1000)),
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_what_prometheus_reads() {
        let watched =
            Watched { name: "sbd".into(), armed: true, failures: 2, took_us: 415, ..Watched::default() };
        let excuses = vec![Excuse { name: "sbd".into(), why: "maintenance".into(), since: BootTime::at(7) }];
        let counts = Counts { latest_ms: 1250, ..Counts::default() };
        let checker =
            Checker { watched: vec![watched], quorate: Some(true), excuses, counts, ..Checker::default() };
        let text = checker.metrics();
        for line in [
            "# TYPE quorated_armed gauge",
            "quorated_armed{daemon=\"sbd\"} 1",
            "quorated_failures{daemon=\"sbd\"} 2",
            "quorated_excused{daemon=\"sbd\"} 1",
            "quorated_answer_seconds{daemon=\"sbd\"} 0.000415",
            "quorated_late_seconds 1.250000",
            "quorated_quorate 1",
            "quorated_watchdog_device 2",
            "quorated_messages_refused_total 0",
            "quorated_acts_total{act=\"reset\"} 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
        }
        assert!(text.lines().all(|l| l.starts_with('#') || l.split(' ').count() == 2), "{text}");
    }

    #[test]
    fn an_excuse_has_its_age() {
        let checker = Checker { written: BootTime::at(40_500), ..Checker::default() };
        let excuse = Excuse { name: "sbd".into(), why: "maintenance".into(), since: BootTime::at(5000) };
        assert_eq!(checker.because(&excuse), "maintenance, for 35 s");
    }

    #[test]
    fn an_old_report_is_of_one_that_hangs() {
        let checker = Checker { written: BootTime::at(1000), ..Checker::default() };
        let at_last = checker.written + STALE;
        assert!(checker.is_fresh(at_last.before(1)) && !checker.is_fresh(at_last));
    }
}
