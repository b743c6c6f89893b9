//! The table of the nodes: as many of its columns as fit, the most important ones first.

use ratatui::text::Line;

use super::column::Column;
use super::load::Load;
use super::text::{Ink, Tone, bytes, cut};
use crate::cluster::observe::{Database, Observation, Seen};
use crate::machines::protocol::{Activity, Cable, NodeKind, Power};
use crate::view::screen;
use quorate::layout::site::Instance;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Node,
    Power,
    Role,
    Score,
    Lsn,
    Does,
    Float,
    Cpu,
    Memory,
    Tasks,
}

/// From left to right: what it is, its head, how important it is (0 is always there), the width that its words usually need, so
/// that columns don't come and go with what is in them, and on which side it is aligned.
const FIELDS: [(Field, &str, u8, usize, Side); 10] = [
    (Field::Node, "node", 0, 4, Side::Left),
    (Field::Power, "power", 2, 6, Side::Left),
    (Field::Role, "role", 1, 10, Side::Left),
    (Field::Score, "score", 9, 5, Side::Right),
    (Field::Lsn, "LSN @timeline", 7, 13, Side::Left),
    (Field::Does, "PostgreSQL", 5, 12, Side::Left),
    (Field::Float, "float IP", 6, 8, Side::Left),
    (Field::Cpu, "cpu", 3, 4, Side::Right),
    (Field::Memory, "mem", 4, 4, Side::Right),
    (Field::Tasks, "tasks", 8, 5, Side::Right),
];

/// Words begin at the left of their column, numbers end at its right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Room for the float IPs of one instance: short words, or from a width on long ones.
const FLOAT_IPS: usize = 9;
const LONG_FLOAT_IPS: usize = 18;
const LONG: usize = 110;

/// The table of a cluster that was seen.
#[must_use]
pub fn table(column: &Column, seen: &Observation, width: usize, ink: Ink) -> Vec<Line<'static>> {
    let mut rows: Vec<(&Seen, Option<&Instance>, bool)> = Vec::new();
    for node in &seen.nodes {
        match node.info.kind {
            NodeKind::Witness => rows.push((node, None, true)),
            NodeKind::Database => {
                let instances = seen.site.instances.iter().enumerate();
                rows.extend(instances.map(|(index, i)| (node, Some(i), index == 0)));
            }
        }
    }
    let room = if width >= LONG { LONG_FLOAT_IPS } else { FLOAT_IPS };
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(node, instance, is_first)| {
            let load = column.loads.get(&node.info.name).copied().filter(|_| *is_first);
            FIELDS.iter().map(|(field, ..)| cell(*field, seen, node, *instance, load, room)).collect()
        })
        .collect();
    let widest = |index: usize, head: &str, usual: usize| {
        let cells = cells.iter().filter_map(|row| Some(row.get(index)?.chars().count()));
        cells.max().unwrap_or(0).max(head.chars().count()).max(usual)
    };
    let widths: Vec<usize> = FIELDS.iter().enumerate().map(|(index, f)| widest(index, f.1, f.3)).collect();
    let shown = fitting(&widths, width);
    let line = |words: &[String]| {
        let shown = shown.iter().filter_map(|index| {
            let (width, (.., side)) = (widths.get(*index)?, FIELDS.get(*index)?);
            let word = words.get(*index)?;
            Some(match side {
                Side::Left => format!("{word:<width$}"),
                Side::Right => format!("{word:>width$}"),
            })
        });
        cut(shown.collect::<Vec<_>>().join(" ").trim_end(), width)
    };
    let heads: Vec<String> = FIELDS.iter().map(|(_, head, ..)| (*head).to_owned()).collect();
    let mut lines = vec![ink.line(Tone::Head, line(&heads))];
    for ((node, instance, _), words) in rows.iter().zip(&cells) {
        lines.push(ink.line(tone(seen, node, *instance), line(words)));
    }
    lines
}

/// The indices of the columns that fit into the width, from left to right.
fn fitting(widths: &[usize], width: usize) -> Vec<usize> {
    let mut by_importance: Vec<usize> = (0..FIELDS.len()).collect();
    by_importance.sort_by_key(|index| FIELDS.get(*index).map(|f| f.2));
    let (mut shown, mut used) = (Vec::new(), 0);
    for index in by_importance {
        let needs = widths.get(index).copied().unwrap_or(0) + usize::from(used > 0);
        if used + needs <= width || used == 0 {
            shown.push(index);
            used += needs;
        }
    }
    shown.sort_unstable();
    shown
}

fn cell(
    field: Field,
    seen: &Observation,
    node: &Seen,
    instance: Option<&Instance>,
    load: Option<Load>,
    float_ips: usize,
) -> String {
    let figure = |value: Option<String>| match load {
        Some(_) => value.unwrap_or_else(|| "-".to_owned()),
        // A second line of the same node.
        None => String::new(),
    };
    match (field, instance) {
        (Field::Node, _) => screen::label(seen, node, instance),
        (Field::Power, _) => screen::machine(node).to_owned(),
        (Field::Role, None) => "qdevice".to_owned(),
        (Field::Role, Some(instance)) => screen::role(seen, node, instance),
        (Field::Score, Some(instance)) => {
            let resource = seen.site.names(instance).resource();
            let score = seen.status.as_ref().ok().and_then(|s| s.promotion_score(&resource, &node.info.name));
            score.unwrap_or("-").to_owned()
        }
        (Field::Lsn, Some(instance)) => screen::database(seen, node, instance).0,
        (Field::Does, Some(instance)) => screen::database(seen, node, instance).1,
        (Field::Float, Some(instance)) => screen::float_ips(seen, node, instance, float_ips),
        (Field::Score | Field::Lsn | Field::Does | Field::Float, None) => String::new(),
        (Field::Cpu, _) => figure(load.and_then(|l| l.cpu_percent).map(|p| format!("{p}%"))),
        (Field::Memory, _) => figure(load.and_then(|l| l.memory).map(bytes)),
        (Field::Tasks, _) => figure(load.and_then(|l| l.tasks).map(|n| n.to_string())),
    }
}

/// Red for what is down, yellow for what is on its way, green for the primary; the words say the same.
fn tone(seen: &Observation, node: &Seen, instance: Option<&Instance>) -> Tone {
    let info = &node.info;
    let is_hurt =
        info.power == Power::Off || info.cable == Cable::Unlinked || info.activity == Activity::Frozen;
    let Some(instance) = instance else { return if is_hurt { Tone::Bad } else { Tone::Normal } };
    let role = screen::role(seen, node, instance);
    match (is_hurt, role.as_str(), seen.database(&info.name, instance)) {
        (true, ..) | (_, "unclean" | "offline", _) => Tone::Bad,
        (false, "promoted", Some(Database::Answers { in_recovery: false, .. })) => Tone::Good,
        (false, "unpromoted", Some(Database::Answers { in_recovery: true, upstream: Some(_), .. })) => {
            Tone::Normal
        }
        (false, ..) => Tone::Notice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_important_columns_stay() {
        let widths = [5, 6, 10, 6, 14, 12, 9, 4, 4, 5];
        let fields =
            |width: usize| -> Vec<&str> { fitting(&widths, width).iter().map(|i| FIELDS[*i].1).collect() };
        assert_eq!(fields(200).len(), FIELDS.len());
        assert_eq!(fields(33), ["node", "power", "role", "cpu", "mem"]);
        assert_eq!(fields(46), ["node", "power", "role", "PostgreSQL", "cpu", "mem"]);
        assert_eq!(fields(1), ["node"]);
        let used: usize = fitting(&widths, 80).iter().map(|i| widths[*i] + 1).sum();
        assert!(used <= 81, "{used}");
    }
}
