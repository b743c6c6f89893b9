//! The outages of each fault as distributions: one panel a fault, one row a setup, one dot a run.

use super::published::Published;
use super::results::RunResult;
use super::statistics::{Statistics, float, seconds};
use super::summary::{Group, Summary};
use super::svg::{Anchor, Svg};

const WIDTH: f64 = 960.0;
/// Where the names of the setups end, and the three parts of the scale: no outage, seconds, never.
const NAMES_END: f64 = 208.0;
const NONE_AT: f64 = 228.0;
const SCALE_BEGINS: f64 = 272.0;
const SCALE_ENDS: f64 = 812.0;
const NEVER_AT: f64 = 840.0;
const FIGURES_AT: f64 = 955.0;
const ROW: f64 = 30.0;
const HEAD: f64 = 6.0;
const AXIS: f64 = 26.0;
/// Where a tick may be.
const SCALE: [f64; 12] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
/// Of fewer runs there are no quarters to draw.
const BOX_FROM: usize = 5;

/// A scale that all panels share, so that faults can be compared by eye. Logarithmic: outages go from tenths of seconds to minutes.
#[derive(Debug, Clone, Copy)]
struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    fn of(summary: &Summary) -> Self {
        let ours = summary.groups.iter().filter_map(|g| g.outage_ms.as_ref()).map(|s| float(s.max) / 1000.0);
        let theirs = summary.groups.iter().filter_map(|g| match g.published? {
            Published::Noticed { mean_s, std_dev_s, .. } => Some(f64::from(mean_s + std_dev_s)),
            Published::NeverNoticed => None,
        });
        let most = ours.chain(theirs).fold(10.0, f64::max);
        let shortest = summary.runs.iter().filter_map(|r| r.outage_ms).filter(|ms| *ms > 0).min();
        let least = shortest.map_or(1.0, |ms| float(ms) / 1000.0).min(1.0);
        let from = SCALE.into_iter().rev().find(|tick| *tick <= least).unwrap_or(SCALE[0]);
        Self { from, to: most * 1.05 }
    }

    /// Where a time in seconds is; what does not fit stands at the end.
    fn x(self, s: f64) -> f64 {
        let part = (s.max(self.from) / self.from).ln() / (self.to / self.from).ln();
        SCALE_BEGINS + part.min(1.0) * (SCALE_ENDS - SCALE_BEGINS)
    }

    fn ticks(self) -> impl Iterator<Item = f64> {
        SCALE.into_iter().filter(move |tick| (self.from..=self.to).contains(tick))
    }
}

/// A panel for each fault: its name, and the picture.
#[must_use]
pub fn panels(summary: &Summary) -> Vec<(String, String)> {
    let scale = Scale::of(summary);
    let groups = summary.groups.chunk_by(|a, b| a.fault_label == b.fault_label);
    groups.map(|groups| (groups[0].fault_label.clone(), panel(summary, groups, scale))).collect()
}

fn panel(summary: &Summary, groups: &[Group], scale: Scale) -> String {
    let mut svg = Svg::default();
    let bottom = HEAD + ROW * float(groups.len() as u64);
    for tick in scale.ticks() {
        let x = scale.x(tick);
        svg.line("grid", (x, HEAD), (x, bottom));
        svg.text("axis", (x, bottom + 16.0), Anchor::Middle, &format!("{tick} s"));
    }
    svg.text("axis", (NONE_AT, bottom + 16.0), Anchor::Middle, "none");
    if groups.iter().any(|g| g.never > 0) {
        svg.text("axis", (NEVER_AT, bottom + 16.0), Anchor::Middle, "never");
    }
    let mut y = HEAD;
    for group in groups {
        row(&mut svg, summary, group, scale, y + ROW / 2.0);
        y += ROW;
    }
    let label = format!(
        "Outages of {}: {}",
        groups[0].fault_label,
        groups.iter().map(words).collect::<Vec<_>>().join("; ")
    );
    svg.finish(WIDTH, bottom + AXIS, &label)
}

fn words(group: &Group) -> String {
    let median = group
        .outage_ms
        .as_ref()
        .map_or("none measured".to_owned(), |s| format!("median {} s", seconds(s.median)));
    format!("{}, {} runs, {median}", group.setup_label, group.runs)
}

fn row(svg: &mut Svg, summary: &Summary, group: &Group, scale: Scale, y: f64) {
    svg.text("name", (NAMES_END, y + 4.0), Anchor::End, &group.setup_label);
    svg.line("base", (SCALE_BEGINS, y), (SCALE_ENDS, y));
    if let Some(Published::Noticed { mean_s, std_dev_s, count }) = group.published {
        theirs(svg, scale, y, (mean_s, std_dev_s, count));
    }
    let colour = if group.setup.agent == "quorate" { "ours" } else { "other" };
    let at = |ms: u64| if ms == 0 { NONE_AT } else { scale.x(float(ms) / 1000.0) };
    let mut outages: Vec<u64> = summary.members(group).filter_map(|r| r.outage_ms).collect();
    outages.sort_unstable();
    if outages.len() >= BOX_FROM {
        let (low, high) = (at(quarter(&outages, 1)), at(quarter(&outages, 3)));
        svg.rect(&format!("box {colour}"), (low, y - 8.0), (high - low, 16.0), "the middle half of the runs");
    }
    for (index, run) in summary.members(group).enumerate() {
        // Runs of the same length side by side; the order of the runs, so that the picture is the same each time.
        let up = [0.0, -4.0, 4.0, -2.0, 2.0][index % 5];
        match run.outage_ms {
            Some(ms) => svg.dot(&format!("dot {colour}"), (at(ms), y + up), 3.4, &told(run)),
            None if run.is_measured() => never(svg, (NEVER_AT, y + up), &told(run)),
            // It failed before the fault.
            None => {}
        }
    }
    if let Some(Statistics { median, .. }) = &group.outage_ms {
        svg.rect(&format!("median {colour}"), (at(*median) - 1.2, y - 11.0), (2.4, 22.0), "the median");
    }
    let median = group.outage_ms.as_ref().map_or("–".to_owned(), |s| format!("{} s", seconds(s.median)));
    let restored = outages.len();
    let of = if restored == group.runs { String::new() } else { format!("{restored} of ") };
    let figures = format!("{median} ({of}{})", group.runs);
    svg.text("figure", (FIGURES_AT, y + 4.0), Anchor::End, &figures);
}

/// The published mean as a diamond, its standard deviation as a bar.
fn theirs(svg: &mut Svg, scale: Scale, y: f64, (mean, deviation, count): (u32, u32, u32)) {
    let (low, x, high) = (
        scale.x(f64::from(mean.saturating_sub(deviation))),
        scale.x(f64::from(mean)),
        scale.x(f64::from(mean + deviation)),
    );
    svg.line("theirs", (low, y), (high, y));
    let points = [(x - 6.0, y), (x, y - 6.0), (x + 6.0, y), (x, y + 6.0)];
    svg.shape(
        "theirs",
        &points,
        &format!("Tuchanka, published: mean {mean} s, std-dev {deviation} s, {count} runs"),
    );
}

fn never(svg: &mut Svg, (x, y): (f64, f64), title: &str) {
    svg.rect("never", (x - 4.0, y - 4.0), (8.0, 8.0), title);
}

fn told(run: &RunResult) -> String {
    let outage = run.outage_ms.map_or("no service".to_owned(), |ms| format!("{} s", seconds(ms)));
    let failed = run.failed.as_ref().map_or(String::new(), |why| format!("; failed: {why}"));
    format!("run {} on {}: {outage}; {}{failed}", run.run, run.node, run.old_primary)
}

/// A quarter of sorted values, the nearest of them.
fn quarter(sorted: &[u64], which: usize) -> u64 {
    sorted[(sorted.len() - 1) * which / 4]
}
