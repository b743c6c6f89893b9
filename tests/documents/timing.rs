//! The generated part of `docs/timing.md`.

use quorate::cli::timing::{commits, range};
use quorate::cluster::timing::Preset;
use quorate::cluster::timing::predict::{margin, predictions};
use quorate::layout::kind::Kind;
use quorate::layout::{Overrides, examples, read};

/// What each fault costs the layouts' examples, and the margin.
pub fn predicted() -> String {
    let mut columns = Vec::new();
    for preset in [Preset::Default, Preset::Fast] {
        for kind in Kind::ALL {
            let overrides = Overrides { preset: Some(preset), ..Overrides::default() };
            let site = read(examples::text(kind), &overrides).expect("an example");
            let rows = predictions(&site.profile, commits(&site));
            let left = margin(&site.profile);
            columns.push((kind, preset, rows, left));
        }
    }
    let faults = columns[0].2.iter().map(|p| p.fault);
    let mut out = String::from("| layout | profile |");
    faults.clone().for_each(|fault| out.push_str(&format!(" {fault} |")));
    out.push_str(" dead after | another promoted after | to spare |\n|---|---|---|---|---|");
    faults.clone().for_each(|_| out.push_str("---|"));
    out.push('\n');
    for (kind, preset, rows, left) in &columns {
        out.push_str(&format!("| {} | `{}` |", kind.name(), preset.name()));
        for fault in faults.clone() {
            let cell = rows.iter().find(|p| p.fault == fault).map_or("–".to_owned(), range);
            out.push_str(&format!(" {cell} |"));
        }
        let s = |ms: u32| f64::from(ms) / 1000.0;
        out.push_str(&format!(
            " {:.1} s | {:.1} s | {:.1} s |\n",
            s(left.dead_ms),
            s(left.promoted_ms),
            left.spare_ms() as f64 / 1000.0
        ));
    }
    out
}
