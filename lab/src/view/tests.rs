use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::column::{Column, Event};
use super::load::Gauge;
use super::logs::Entry;
use super::render::{Scene, draw};
use super::testing::{at, client, result};
use super::text::Ink;
use super::ui::Ui;
use crate::testing::{healthy, site};
use quorate::layout::kind::Kind;

/// A cluster in the middle of its third run.
fn column(kind: Kind) -> Column {
    let site = site(kind);
    let instances = site.instances.len();
    let mut column = Column::new(&site.name);
    column.tell(at(0), Event::About(format!("{}, bookworm, quorate, default", kind.name())));
    let seen = Arc::new(healthy(site));
    let gauges = |cpu_us| -> BTreeMap<String, Gauge> {
        let gauge = Gauge { cpu_us: Some(cpu_us), memory: Some(118 << 20), tasks: Some(43) };
        seen.nodes.iter().map(|n| (n.info.name.clone(), gauge)).collect()
    };
    column.tell(at(0), Event::Seen(Arc::clone(&seen)));
    column.tell(at(0), Event::Gauges(gauges(0)));
    column.tell(at(1), Event::Gauges(gauges(120_000)));
    column.tell(at(1), Event::Finished(Box::new(result("postgres-kill", Some(2900)))));
    column.tell(at(2), Event::Finished(Box::new(result("postgres-kill", Some(3300)))));
    column.tell(at(3), Event::Finished(Box::new(result("power-off", None))));
    for (second, ago) in [(4, 20), (5, 20), (6, 900), (7, 1900), (8, 20)] {
        column.tell(at(second), Event::ClientStates(vec![client(ago); instances]));
    }
    for (second, line) in [
        (4, "--- power-off 2 of 3 ---"),
        (6, "power-off on srv1 (primary: srv1)"),
        (7, "it happened: no power"),
    ] {
        column.tell(at(second), Event::Said(line.to_owned()));
    }
    column.tell(at(6), Event::Broken);
    let entry = |second, who: &str, text: &str| Entry {
        at: at(second),
        node: "srv2".to_owned(),
        who: who.to_owned(),
        text: text.to_owned(),
    };
    column.tell(
        at(8),
        Event::Journal(vec![
            entry(7, "corosync", "[TOTEM ] A processor failed, forming new configuration"),
            entry(8, "agent", "pg promote: took 0.9 s"),
        ]),
    );
    column
}

fn all() -> Vec<Column> {
    Kind::ALL.iter().map(|kind| column(*kind)).collect()
}

fn picture(columns: &[Column], ui: Ui, width: u16, height: u16, ink: Ink) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let now = at(9) + Duration::from_millis(300);
    terminal.draw(|frame| draw(frame, &Scene { columns, ui, now, ink })).expect("drawn");
    terminal
}

fn lines(terminal: &Terminal<TestBackend>) -> Vec<String> {
    let buffer = terminal.backend().buffer();
    let row = |y| (0..buffer.area.width).map(move |x| buffer[(x, y)].symbol()).collect::<String>();
    (0..buffer.area.height).map(|y| row(y).trim_end().to_owned()).collect()
}

fn text(columns: &[Column], ui: Ui, width: u16, height: u16) -> String {
    lines(&picture(columns, ui, width, height, Ink::Colour)).join("\n")
}

#[test]
fn one_cluster_at_80_by_24() {
    let drawn = text(&[column(Kind::Classic)], Ui::default(), 80, 24);
    let wanted = include_str!("snapshots/classic-80x24.txt");
    assert_eq!(drawn, wanted.trim_end_matches('\n'), "drawn:\n{drawn}\n");
}

#[test]
fn four_clusters_at_80_by_24_have_one_in_focus_and_a_line_each() {
    let drawn = text(&all(), Ui { focus: 1, ..Ui::default() }, 80, 24);
    let wanted = include_str!("snapshots/four-80x24.txt");
    assert_eq!(drawn, wanted.trim_end_matches('\n'), "drawn:\n{drawn}\n");
}

#[test]
fn four_clusters_stand_side_by_side_at_200_by_40() {
    let drawn = text(&all(), Ui::default(), 200, 40);
    let wanted = include_str!("snapshots/four-200x40.txt");
    assert_eq!(drawn, wanted.trim_end_matches('\n'), "drawn:\n{drawn}\n");
}

#[test]
fn whatever_the_size_the_name_the_state_and_the_trace_are_there() {
    let columns = all();
    for (width, height) in [(80, 24), (80, 20), (100, 30), (159, 24), (160, 24), (240, 70)] {
        for focus in 0..columns.len() {
            let drawn = text(&columns, Ui { focus, ..Ui::default() }, width, height);
            for word in [
                columns[focus].name.as_str(),
                "FAULT 3.3 s ago",
                "─ trace ",
                "it happened: no power",
                "heart",
            ] {
                assert!(drawn.contains(word), "{word} at {width}x{height}, {focus}:\n{drawn}");
            }
        }
    }
    // No size makes it panic.
    for (width, height) in [(1, 1), (5, 3), (20, 10), (80, 2), (39, 24), (0, 0)] {
        for count in [0, 1, 4] {
            let ui = Ui { help: true, ..Ui::default() };
            let _ = text(&columns[..count], ui, width, height);
        }
    }
}

#[test]
fn a_column_that_knows_nothing_yet_says_so() {
    let drawn = text(&[Column::new("classic")], Ui::default(), 80, 24);
    assert!(drawn.contains("not seen yet"), "{drawn}");
    assert!(drawn.contains("the cluster has not been looked at yet"), "{drawn}");
}

#[test]
fn without_colours_it_says_the_same() {
    let columns = all();
    let coloured = picture(&columns, Ui::default(), 80, 24, Ink::Colour);
    let plain = picture(&columns, Ui::default(), 80, 24, Ink::Plain);
    assert_eq!(lines(&coloured), lines(&plain));
    let colours = |terminal: &Terminal<TestBackend>| {
        let cells = terminal.backend().buffer().content.iter();
        cells.filter(|c| c.fg != Color::Reset || c.bg != Color::Reset).count()
    };
    assert_eq!(colours(&plain), 0);
    assert!(colours(&coloured) > 0);
}

#[test]
fn the_trace_scrolls_back_as_far_as_it_goes() {
    let mut column = Column::new("classic");
    for n in 0..100 {
        column.tell(at(n), Event::Said(format!("step {n}")));
    }
    let columns = [column];
    let drawn = |scroll| text(&columns, Ui { scroll, ..Ui::default() }, 80, 24);
    assert!(drawn(0).contains("step 99"), "{}", drawn(0));
    assert!(!drawn(10).contains("step 99") && drawn(10).contains("step 89"), "{}", drawn(10));
    assert!(drawn(10).contains("10 lines below"), "{}", drawn(10));
    assert!(drawn(1000).contains("step 0\n"), "{}", drawn(1000));
}

#[test]
fn the_keys_are_said() {
    let ui = Ui { help: true, ..Ui::default() };
    let drawn = text(&[column(Kind::Classic)], ui, 80, 24);
    for (key, what) in super::ui::KEYS {
        assert!(drawn.contains(key) && drawn.contains(what), "{key} in\n{drawn}");
    }
    let stopping = text(&[column(Kind::Classic)], Ui { stopping: true, ..Ui::default() }, 80, 24);
    assert!(stopping.contains("stopping: what is broken is healed first"), "{stopping}");
}
