//! Each failover as a bar on one axis: what its time was spent on.

use super::statistics::{float, seconds};
use super::summary::{Group, Summary};
use super::svg::{Anchor, Svg};
use crate::record::phases::{Failover, Step};

const WIDTH: f64 = 960.0;
const NAMES_END: f64 = 224.0;
const BEGINS: f64 = 234.0;
const ENDS: f64 = 890.0;
const FIGURES_AT: f64 = 955.0;
const ROW: f64 = 20.0;
const BAR: f64 = 13.0;
const AXIS: f64 = 24.0;
/// Between two setups of a fault.
const GAP: f64 = 8.0;
/// A name fits into a part that is this wide for each of its letters.
const LETTER: f64 = 7.0;
/// Between two parts, so that they are told apart without their colours.
const BETWEEN: f64 = 1.5;

/// A part of a bar: a step, from when to when in ms since the fault.
pub type Part = (Step, u64, u64);

/// The parts of a failover. Each begins where the one before it ended; a step whose moment is not known is not there, and its time
/// belongs to the next one that is. A promotion that was logged only after the first good write ends with that write.
#[must_use]
pub fn parts(failover: &Failover) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut from = 0;
    let end = failover.first_write_ms.unwrap_or(u64::MAX);
    for (step, ms) in failover.steps() {
        let Some(to) = ms.map(|ms| ms.min(end)) else { continue };
        if to >= from {
            parts.push((step, from, to));
            from = to;
        }
    }
    parts
}

/// The class of a step's colour.
#[must_use]
pub const fn colour(step: Step) -> &'static str {
    match step {
        Step::Detection => "detection",
        Step::Fencing => "fencing",
        Step::Decision => "decision",
        Step::Promotion => "promotion",
        Step::FloatIp => "float-ip",
        Step::FirstWrite => "first-write",
    }
}

/// A panel for each fault of which there are failovers: its name, and the picture.
#[must_use]
pub fn panels(summary: &Summary) -> Vec<(String, String)> {
    let ends = summary.runs.iter().flat_map(|r| &r.phases).filter_map(|f| parts(f).last().map(|p| p.2));
    let Some(longest) = ends.max() else { return Vec::new() };
    let axis = Axis::of(longest);
    let groups = summary.groups.chunk_by(|a, b| a.fault_label == b.fault_label);
    groups.filter_map(|groups| Some((groups[0].fault_label.clone(), panel(summary, groups, axis)?))).collect()
}

/// From the fault to the longest of all failovers.
#[derive(Debug, Clone, Copy)]
struct Axis {
    step_s: u64,
    end_s: u64,
}

impl Axis {
    fn of(longest_ms: u64) -> Self {
        let seconds = longest_ms.div_ceil(1000).max(1);
        let step_s = [1, 2, 5, 10, 20, 50, 100].into_iter().find(|s| seconds / s <= 12).unwrap_or(200);
        Self { step_s, end_s: seconds.div_ceil(step_s) * step_s }
    }

    fn x(self, ms: u64) -> f64 {
        BEGINS + float(ms) / (float(self.end_s) * 1000.0) * (ENDS - BEGINS)
    }
}

fn panel(summary: &Summary, groups: &[Group], axis: Axis) -> Option<String> {
    let mut rows = Svg::default();
    let mut y = 4.0;
    let mut count = 0;
    for group in groups {
        let mut first = true;
        for run in summary.members(group) {
            for failover in &run.phases {
                let several = run.phases.len() > 1;
                let which = if several { format!("{} ", failover.instance) } else { String::new() };
                let setup = if first { format!("{} ", group.setup_label) } else { String::new() };
                rows.text("name", (NAMES_END, y + 12.0), Anchor::End, &format!("{setup}{which}#{}", run.run));
                bar(&mut rows, failover, axis, y);
                first = false;
                count += 1;
                y += ROW;
            }
        }
        if !first {
            y += GAP;
        }
    }
    if count == 0 {
        return None;
    }
    let mut svg = Svg::default();
    for tick in (0..=axis.end_s).step_by(usize::try_from(axis.step_s).ok()?) {
        let x = axis.x(tick * 1000);
        svg.line("grid", (x, 0.0), (x, y));
        svg.text("axis", (x, y + 15.0), Anchor::Middle, &format!("{tick} s"));
    }
    svg.append(rows);
    let label = format!("Timelines of {count} failovers after {}", groups[0].fault_label);
    Some(svg.finish(WIDTH, y + AXIS, &label))
}

fn bar(svg: &mut Svg, failover: &Failover, axis: Axis, y: f64) {
    let top = y + (ROW - BAR) / 2.0 - 1.0;
    for (step, from, to) in parts(failover) {
        let (left, right) = (axis.x(from), axis.x(to));
        let width = (right - left - BETWEEN).max(0.8);
        let told =
            format!("{}: {} s to {} s{}", step.name(), seconds(from), seconds(to), words(failover, step));
        svg.rect(&format!("part {}", colour(step)), (left, top), (width, BAR), &told);
        if width > LETTER * float(step.name().len() as u64) + 6.0 {
            svg.text("part", ((left + right) / 2.0, top + 10.0), Anchor::Middle, step.name());
        }
    }
    if let Some(down) = &failover.node_down {
        let x = axis.x(down.ms);
        let points = [(x - 4.5, top - 4.0), (x + 4.5, top - 4.0), (x, top + 4.0)];
        svg.shape("down", &points, &format!("{} s: {}", seconds(down.ms), down.words));
    }
    if let Some(end) = failover.first_write_ms {
        let (from, to) = (axis.x(failover.writes_stopped_ms.min(end)), axis.x(end));
        let told =
            format!("no good write from {} s to {} s", seconds(failover.writes_stopped_ms), seconds(end));
        svg.rect("silent", (from, top + BAR + 1.0), (to - from, 2.0), &told);
        let outage = failover.instance_outage_ms.unwrap_or(end.saturating_sub(failover.writes_stopped_ms));
        svg.text("figure", (FIGURES_AT, y + 12.0), Anchor::End, &format!("{} s", seconds(outage)));
    } else {
        svg.text("figure", (FIGURES_AT, y + 12.0), Anchor::End, "no write");
    }
}

/// The line that tells of a step.
fn words(failover: &Failover, step: Step) -> String {
    let mark = match step {
        Step::Detection => &failover.detected,
        Step::Fencing => &failover.fenced,
        Step::Decision => &failover.decided,
        Step::Promotion => &failover.promoted,
        Step::FloatIp => &failover.float_ip,
        Step::FirstWrite => &None,
    };
    mark.as_ref().map_or(String::new(), |m| format!("; {}: {}", m.node, m.words))
}
