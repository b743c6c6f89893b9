//! The generated part of `docs/timing.md`.

use quorate::cli::timing::{commits, range};
use quorate::cluster::timing::Preset;
use quorate::cluster::timing::predict::{Margin, Prediction, margin, predictions};
use quorate::layout::kind::Kind;
use quorate::layout::{Overrides, examples, read};

/// What each fault costs the layouts' examples, and the margin: a table for each preset.
pub fn predicted() -> String {
    [Preset::Default, Preset::Fast].map(table).join("\n")
}

fn table(preset: Preset) -> String {
    let columns = Kind::ALL.map(|kind| {
        let overrides = Overrides { preset: Some(preset), ..Overrides::default() };
        let site = read(examples::text(kind), &overrides).expect("an example");
        (kind, predictions(&site.profile, commits(&site)), margin(&site.profile))
    });
    let row = |name: &str, cells: Vec<String>| format!("| {name} | {} |\n", cells.join(" | "));
    let names = columns.iter().map(|(kind, ..)| kind.name().to_owned()).collect();
    let mut out = row(&format!("profile `{}`", preset.name()), names);
    out.push_str(&format!("|---|{}\n", "---|".repeat(columns.len())));
    for fault in columns[0].1.iter().map(|p| p.fault) {
        let cell =
            |rows: &[_]| rows.iter().find(|p: &&Prediction| p.fault == fault).map_or("–".to_owned(), range);
        out.push_str(&row(fault, columns.iter().map(|(_, rows, _)| cell(rows)).collect()));
    }
    let s = |ms: f64| format!("{:.1} s", ms / 1000.0);
    let each = |of: fn(&Margin) -> f64| columns.iter().map(|(.., left)| s(of(left))).collect();
    out.push_str(&row("dead after", each(|left| left.dead_ms.into())));
    out.push_str(&row("another promoted after", each(|left| left.promoted_ms.into())));
    out.push_str(&row("to spare", each(|left| left.spare_ms() as f64)));
    out
}
