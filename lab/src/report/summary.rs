//! Everything that the report says, as values; this is `report.json`.

use serde::Serialize;

use super::random::RandomResult;
use super::results::RunResult;
use super::sources::Material;
use super::statistics::Statistics;
use super::{published, table, verdict};
use crate::faults;
use quorate::layout::kind::Kind;

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// When it was made: ms since 1970, UTC.
    pub made_ms: u64,
    /// What was read.
    pub files: Vec<String>,
    /// Why a test has failed; empty when all passed.
    pub complaints: Vec<String>,
    /// The sums over all runs.
    pub totals: Totals,
    /// A fault on a setup, in the order of the faults, then of the layouts.
    pub groups: Vec<Group>,
    /// Each run, as it was read.
    pub runs: Vec<RunResult>,
    /// Each schedule at random.
    pub randoms: Vec<RandomResult>,
    /// Whose published figures stand beside ours.
    pub published_source: &'static str,
    /// What may be compared with them.
    pub comparable: &'static str,
}

/// The sums over all runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    pub runs: usize,
    pub failed: usize,
    /// Acknowledged writes, those of schedules at random among them.
    pub acked: usize,
    /// Acknowledged writes that are lost, where that is forbidden.
    pub lost_where_forbidden: usize,
    /// The same where replication is asynchronous and the fault left no time.
    pub lost_where_possible: usize,
    /// Measured runs of which nobody knows what was lost.
    pub lost_unknown: usize,
    /// Time in which two nodes took writes.
    pub two_primaries_ms: u64,
}

/// What the runs of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setup {
    pub layout: String,
    pub agent: String,
    pub suite: String,
    pub timing: String,
}

impl Setup {
    fn of(run: &RunResult) -> Self {
        Self {
            layout: run.layout.clone(),
            agent: run.agent.clone(),
            suite: run.suite.clone(),
            timing: run.timing.clone(),
        }
    }

    /// In a few words: the layout, and what else tells it apart from the others. What nearly all have in common, this project's
    /// agent and its default timings, is not said where nothing else has that layout.
    fn label(&self, all: &[Self]) -> String {
        let mut words = vec![self.layout.clone()];
        let other_agent =
            |o: &Self| o.layout == self.layout && o.timing == self.timing && o.agent != self.agent;
        if self.agent != "quorate" || all.iter().any(other_agent) {
            words.push(self.agent.clone());
        }
        if all.iter().any(|other| other.suite != self.suite) {
            words.push(self.suite.clone());
        }
        if self.timing != "default" {
            words.push(format!("{} timings", self.timing));
        }
        words.join(" · ")
    }

    /// Its place among others.
    #[must_use]
    pub fn rank(&self) -> (usize, &str, &str, &str, &str) {
        let place = Kind::ALL.iter().position(|k| k.name() == self.layout).unwrap_or(Kind::ALL.len());
        // The project's own agent first, the others by name.
        let agent = if self.agent == "quorate" { "" } else { &self.agent };
        (place, &self.layout, agent, &self.suite, &self.timing)
    }
}

/// A fault on a setup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    pub fault: String,
    /// What it was to hit.
    pub target: String,
    /// How replication fared before it.
    pub replication: String,
    #[serde(flatten)]
    pub setup: Setup,
    /// The fault, with the target and the replication where they aren't the usual ones.
    pub fault_label: String,
    /// The setup in a few words.
    pub setup_label: String,
    pub runs: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Runs whose fault was injected and its consequences measured; others failed before that.
    pub measured: usize,
    /// Of those, the ones in which the writes did not come back.
    pub never: usize,
    /// Of the runs in which the writes came back, or never went; in ms.
    pub outage_ms: Option<Statistics>,
    /// The longest time without a write of each run, in ms.
    pub interruption_ms: Option<Statistics>,
    /// Acknowledged writes that are lost, in the runs of which it is known.
    pub lost_acked: usize,
    /// Measured runs of which nobody knows what was lost.
    pub lost_unknown: usize,
    /// Of all runs together.
    pub two_primaries_ms: u64,
    /// What became of the old primaries.
    pub fates: String,
    /// Runs after which help by hand was needed.
    pub helped: usize,
    /// What Tuchanka published of it.
    pub published: Option<published::Published>,
    /// Which of the runs, as places in the list of all.
    pub members: Vec<usize>,
}

impl Summary {
    /// Sums up what was read.
    #[must_use]
    pub fn of(material: Material, made_ms: u64) -> Self {
        let Material { runs, randoms, files } = material;
        let groups = groups(&runs);
        Self {
            made_ms,
            files,
            complaints: complaints(&runs, &groups, &randoms),
            totals: totals(&runs, &randoms),
            groups,
            runs,
            randoms,
            published_source: published::SOURCE,
            comparable: published::COMPARABLE,
        }
    }

    /// Whether everything passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.complaints.is_empty()
    }

    /// The runs of a group.
    pub fn members<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a RunResult> {
        group.members.iter().filter_map(|index| self.runs.get(*index))
    }

    /// The layouts, agents and suites of all runs and schedules, for the title.
    #[must_use]
    pub fn scope(&self) -> String {
        let setups = || self.groups.iter().map(|g| &g.setup);
        let mut layouts: Vec<&str> = setups().map(|s| s.layout.as_str()).collect();
        layouts.extend(self.randoms.iter().map(|r| r.layout.as_str()));
        layouts.sort_by_key(|w| Kind::ALL.iter().position(|k| k.name() == *w).unwrap_or(Kind::ALL.len()));
        let agents = setups().map(|s| s.agent.as_str()).chain(self.randoms.iter().map(|r| r.agent.as_str()));
        let mut words: Vec<&str> = Vec::new();
        for word in layouts.into_iter().chain(agents).chain(setups().map(|s| s.suite.as_str())) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(" · ")
    }
}

fn groups(runs: &[RunResult]) -> Vec<Group> {
    let setups: Vec<Setup> = runs.iter().map(Setup::of).collect();
    let mut sorted: Vec<Vec<usize>> = Vec::new();
    let same = |a: &RunResult, b: &RunResult| {
        (&a.fault, &a.target, &a.replication) == (&b.fault, &b.target, &b.replication)
    };
    for (index, run) in runs.iter().enumerate() {
        let mine = |group: &&mut Vec<usize>| {
            group.first().is_some_and(|first| same(&runs[*first], run) && setups[*first] == setups[index])
        };
        match sorted.iter_mut().find(mine) {
            Some(group) => group.push(index),
            None => sorted.push(vec![index]),
        }
    }
    let mut groups: Vec<Group> =
        sorted.into_iter().filter_map(|members| group(runs, &setups, members)).collect();
    let place = |fault: &str| faults::ALL.iter().position(|f| f.name == fault).unwrap_or(faults::ALL.len());
    groups.sort_by(|a, b| {
        let key = |g: &Group| (place(&g.fault), g.fault_label.clone());
        key(a).cmp(&key(b)).then_with(|| a.setup.rank().cmp(&b.setup.rank()))
    });
    groups
}

fn group(runs: &[RunResult], setups: &[Setup], members: Vec<usize>) -> Option<Group> {
    let first = &runs[*members.first()?];
    let setup = Setup::of(first);
    let all: Vec<&RunResult> = members.iter().map(|index| &runs[*index]).collect();
    let outages: Vec<u64> = all.iter().filter_map(|r| r.outage_ms).collect();
    let measured = || all.iter().filter(|r| r.is_measured());
    let interruptions: Vec<u64> = measured().map(|r| r.interruption_ms).collect();
    // The figures of another test bed are of a primary that nobody had prepared to lose something.
    let usual = first.target == "primary" && !lags(first);
    Some(Group {
        fault: first.fault.clone(),
        target: first.target.clone(),
        replication: first.replication.clone(),
        fault_label: fault_label(first),
        setup_label: setup.label(setups),
        runs: all.len(),
        failed: all.iter().filter(|r| r.failed.is_some()).count(),
        measured: measured().count(),
        never: measured().filter(|r| r.outage_ms.is_none()).count(),
        outage_ms: Statistics::of(&outages),
        interruption_ms: Statistics::of(&interruptions),
        lost_acked: all.iter().filter_map(|r| r.lost_acked).sum(),
        lost_unknown: measured().filter(|r| r.lost_acked.is_none()).count(),
        two_primaries_ms: all.iter().map(|r| r.two_primaries_ms).sum(),
        fates: table::fates(&all),
        helped: all.iter().filter(|r| !r.help_by_hand.is_empty()).count(),
        published: published::of(&first.fault, &first.layout).filter(|_| usual),
        setup,
        members,
    })
}

fn lags(run: &RunResult) -> bool {
    !matches!(run.replication.as_str(), "" | "free")
}

fn fault_label(run: &RunResult) -> String {
    let mut label = run.fault.clone();
    if faults::by_name(&run.fault).map_or("primary", |f| f.usual_target) != run.target {
        label += &format!(" on {}", run.target);
    }
    if lags(run) {
        label += &format!(", replication {}", run.replication);
    }
    label
}

fn complaints(runs: &[RunResult], groups: &[Group], randoms: &[RandomResult]) -> Vec<String> {
    let mut all = Vec::new();
    for group in groups {
        for run in group.members.iter().map(|index| &runs[*index]) {
            let found = verdict(std::slice::from_ref(run));
            all.extend(found.into_iter().map(|what| format!("{}: {what}", group.setup_label)));
        }
    }
    for random in randoms {
        let where_ = format!("{} {} at random, seed {}", random.layout, random.agent, random.seed);
        all.extend(random.complaints.iter().map(|what| format!("{where_}: {what}")));
    }
    all
}

fn totals(runs: &[RunResult], randoms: &[RandomResult]) -> Totals {
    let mut totals = Totals { runs: runs.len(), ..Totals::default() };
    for run in runs {
        totals.failed += usize::from(run.failed.is_some());
        totals.acked += run.acked;
        totals.two_primaries_ms += run.two_primaries_ms;
        match (run.lost_acked, verdict::loss_of(run)) {
            (None, _) => totals.lost_unknown += usize::from(run.is_measured()),
            (Some(lost), faults::Loss::Forbidden) => totals.lost_where_forbidden += lost,
            (Some(lost), faults::Loss::Possible) => totals.lost_where_possible += lost,
        }
    }
    for random in randoms {
        totals.acked += random.acked;
        let asynchronous = Kind::parse(&random.layout)
            .is_some_and(|k| k.replication() == quorate::layout::kind::Replication::Asynchronous);
        if asynchronous {
            totals.lost_where_possible += random.lost_acked;
        } else {
            totals.lost_where_forbidden += random.lost_acked;
        }
    }
    totals
}
