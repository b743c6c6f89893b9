//! Draws the clusters: one cluster in focus and a line for each of the others, or all side by side where there is room.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::column::Column;
use super::panels;
use super::text::{Ink, Tone, cut, spread};
use super::ui::{KEYS, Ui};

/// From this width on several clusters stand side by side …
const WIDE: u16 = 160;
/// … if each has so much of it.
const COLUMN: u16 = 40;
/// From this width of a column on trace and journal stand side by side.
const TWO: u16 = 140;
/// The gap between two columns.
const GAP: u16 = 1;
/// The trace keeps so many lines, its rule among them.
const TRACE: usize = 3;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The clusters.
    pub columns: &'a [Column],
    /// The state of the view itself.
    pub ui: Ui,
    /// The view's time.
    pub now: Duration,
    /// Whether there are colours.
    pub ink: Ink,
}

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>) {
    let area = frame.area();
    let count = u16::try_from(scene.columns.len()).unwrap_or(u16::MAX).max(1);
    let footer = Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area };
    let body = Rect { height: area.height.saturating_sub(1), ..area };
    if count > 1 && area.width >= WIDE && area.width / count >= COLUMN {
        side_by_side(frame, scene, body, count);
    } else {
        in_focus(frame, scene, body);
    }
    put(frame, footer, vec![scene.ink.line(Tone::Bar, keys(scene, footer.width.into()))]);
    if scene.ui.help {
        help(frame, scene);
    }
}

fn keys(scene: &Scene<'_>, width: usize) -> String {
    if scene.ui.stopping {
        return spread(" stopping: what is broken is healed first …", "", width);
    }
    let switch = if scene.columns.len() > 1 { "Tab 1-9 cluster   " } else { "" };
    let left = format!(" q stop   {switch}Up/Down PgUp/PgDn trace   ? help");
    spread(&left, "quorate-lab ", width)
}

fn side_by_side(frame: &mut Frame<'_>, scene: &Scene<'_>, area: Rect, count: u16) {
    let width = area.width.saturating_sub(GAP * (count - 1)) / count;
    for (index, x) in (0..scene.columns.len()).zip((area.x..).step_by(usize::from(width + GAP))) {
        column(frame, scene, index, Rect { x, width, ..area });
        if index > 0 {
            let line = vec![Line::from("│"); area.height.into()];
            put(frame, Rect { x: x.saturating_sub(GAP), width: GAP, ..area }, line);
        }
    }
}

fn in_focus(frame: &mut Frame<'_>, scene: &Scene<'_>, area: Rect) {
    let others = scene.columns.iter().enumerate().filter(|(index, _)| *index != scene.ui.focus);
    let lines: Vec<Line<'static>> = others
        .map(|(index, c)| {
            let tone = if c.broken.is_some() { Tone::Notice } else { Tone::Normal };
            scene.ink.line(tone, panels::summary(c, index + 1, scene.now, area.width.into()))
        })
        .collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height / 2);
    let above = Rect { height: area.height - height, ..area };
    column(frame, scene, scene.ui.focus, above);
    put(frame, Rect { y: above.bottom(), height, ..area }, lines);
}

/// One cluster's panels, from the top: what may not be missing comes first, the trace has what is left.
fn column(frame: &mut Frame<'_>, scene: &Scene<'_>, index: usize, area: Rect) {
    let Some(column) = scene.columns.get(index) else { return };
    let (width, height, ink) = (usize::from(area.width), usize::from(area.height), scene.ink);
    let is_focus = scene.ui.focus == index;
    let number = (scene.columns.len() > 1).then_some(index + 1);
    let mut lines = heads(scene, column, number, width);
    let cluster = panels::cluster(column, scene.now, width, ink);
    let clients_seen = panels::clients_seen(column, width, ink);
    let fixed = lines.len() + cluster.len() + clients_seen.len();
    // A fault a line, up to a quarter of the height.
    let most = (height / 4).min(height.saturating_sub(fixed + TRACE + 1)).max(1);
    lines.extend(panels::statistics(column, width, most, ink));
    lines.extend(clients_seen);
    lines.extend(cluster);
    let rest = height.saturating_sub(lines.len());
    let scroll = if is_focus { scene.ui.scroll } else { 0 };
    if area.width >= TWO {
        // Side by side, as high as there is room.
        let top = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
        put(frame, area, lines);
        let left = Rect { y: area.y + top, height: area.height - top, width: (area.width - GAP) / 2, ..area };
        let right = Rect { x: left.right() + GAP, width: area.width - left.width - GAP, ..left };
        put(frame, left, panels::trace(column, left.width.into(), rest, scroll, ink));
        put(frame, right, panels::journal(column, right.width.into(), rest, ink));
        return;
    }
    // A third for the journal, and no rule without a line below it.
    let journal = match rest.saturating_sub(TRACE).min(rest.div_ceil(3)) {
        0 | 1 => 0,
        some => some.min(column.journal.len().max(1) + 1),
    };
    if journal > 0 {
        lines.extend(panels::journal(column, width, journal, ink));
    }
    lines.extend(panels::trace(column, width, rest - journal, scroll, ink));
    put(frame, area, lines);
}

/// One line where it has room, else two: the name must not push out how it is.
fn heads(scene: &Scene<'_>, column: &Column, number: Option<usize>, width: usize) -> Vec<Line<'static>> {
    let bar = |text| scene.ink.line(Tone::Bar, text);
    if width >= 100 {
        return vec![bar(panels::head(column, number, scene.now, width))];
    }
    let number = number.map_or(String::new(), |n| format!("{n} "));
    let name = format!(" {number}{}  {}", column.name, column.part);
    if width >= 72 {
        let now = super::text::clock(scene.now);
        let right =
            format!("{}   {}{now} UTC ", panels::state(column, scene.now), panels::runs(column, "   "));
        return vec![bar(spread(&name, &right, width))];
    }
    vec![
        bar(spread(&name, &format!("{} ", panels::state(column, scene.now)), width)),
        scene.ink.line(
            Tone::Normal,
            spread(&cut(&format!(" {}", column.about), width), &panels::runs(column, ""), width),
        ),
    ]
}

fn help(frame: &mut Frame<'_>, scene: &Scene<'_>) {
    let mut lines: Vec<Line<'static>> =
        KEYS.iter().map(|(key, what)| scene.ink.line(Tone::Normal, format!(" {key:<13} {what}"))).collect();
    lines.push(Line::default());
    for line in [
        " heart: rows written through the primary's float IP",
        " beat: the same rows read back through a standby's",
        " one mark a second: | good  X interrupted  . no client",
        " float IP: P the primary's, S those of standbys",
        " cpu: 100% is one processor; mem: without idle page cache",
        " dev: standard deviation of a sample; fail: runs with a",
        " complaint; a run without a figure is in no mean",
    ] {
        lines.push(scene.ink.line(Tone::Normal, line));
    }
    let area = frame.area();
    let (width, height) = (62.min(area.width), (lines.len() as u16 + 2).min(area.height));
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" help ")), place);
}

fn put(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    frame.render_widget(Paragraph::new(lines), area);
}
