//! The pages that people read.

use super::super::random::RandomResult;
use super::super::sources::Material;
use super::super::summary::Summary;
use super::super::timeline::parts;
use super::super::{RunResult, html, markdown, svg};
use super::good;
use crate::record::phases::{Failover, Mark, Step};
use crate::truth::{Finding, Found};

fn mark(ms: u64) -> Option<Mark> {
    Some(Mark { ms, node: "srv2".to_owned(), words: "corosync: [TOTEM ] <left> & \"gone\"".to_owned() })
}

fn failover() -> Failover {
    Failover {
        instance: "main".to_owned(),
        instance_outage_ms: Some(19_400),
        writes_stopped_ms: 0,
        node_down: mark(7_000),
        detected: mark(6_700),
        fenced: mark(18_700),
        decided: mark(18_800),
        promoted: mark(19_000),
        float_ip: mark(19_200),
        first_write_ms: Some(19_400),
    }
}

/// Two setups, a failed run, a schedule at random; names that HTML must not take for its own.
fn material() -> Material {
    let switched = RunResult {
        interruption_ms: 80,
        outage_ms: Some(0),
        old_primary: "stayed primary".to_owned(),
        ..good("upgrade")
    };
    let off = |run, outage_ms| RunResult {
        run,
        outage_ms,
        phases: vec![failover()],
        old_primary: "standby by itself".to_owned(),
        ..good("power-off")
    };
    let paf = RunResult {
        agent: "paf".to_owned(),
        phases: Vec::new(),
        failed: Some("<b>never</b> whole & \"good\" | again\u{1}".to_owned()),
        ..off(1, None)
    };
    let random = RandomResult {
        layout: "three-centres".to_owned(),
        agent: "quorate".to_owned(),
        seed: 4,
        rounds: vec!["unlink; reset".to_owned(); 3],
        acked: 12_345,
        lost_acked: 0,
        lost_bytes: None,
        lost_ms: 0,
        recovered: 2,
        longest_pause_ms: 21_050,
        findings: vec![Found { instance: "main".to_owned(), finding: Finding::Recovered { count: 2 } }],
        complaints: Vec::new(),
    };
    Material {
        runs: vec![off(1, Some(19_400)), off(2, Some(17_000)), paf, switched],
        randoms: vec![random],
        files: vec!["report/results.json".to_owned()],
    }
}

fn summary() -> Summary {
    Summary::of(material(), 1_795_520_400_000)
}

#[test]
fn the_markdown_is_the_golden_one() {
    let page = markdown::page(&summary());
    assert!(page == include_str!("golden.md"), "it is not golden.md any more:\n{page}<end>");
}

/// Every element, with its attributes as text, and all text between them.
fn parse(page: &str) -> (Vec<(String, String)>, String) {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(page);
    let (mut elements, mut text, mut open) = (Vec::new(), String::new(), Vec::new());
    loop {
        match reader.read_event().unwrap_or_else(|e| panic!("at {}: {e}", reader.error_position())) {
            Event::Eof => break,
            event @ (Event::Start(_) | Event::Empty(_)) => {
                let is_empty = matches!(event, Event::Empty(_));
                let (Event::Start(element) | Event::Empty(element)) = event else { continue };
                let name = element.name().as_ref().to_owned();
                for attribute in element.attributes() {
                    attribute.unwrap_or_else(|e| panic!("an attribute of {name}: {e}"));
                }
                if !is_empty {
                    open.push(name.clone());
                }
                elements.push((name, element.to_string()));
            }
            Event::End(element) => {
                let name = element.name().as_ref().to_owned();
                assert_eq!(open.pop(), Some(name));
            }
            Event::Text(part) => text += &*part,
            Event::GeneralRef(part) => text += &format!("&{};", &*part),
            _ => {}
        }
    }
    assert_eq!(open, Vec::<String>::new());
    (elements, text)
}

#[test]
fn the_page_is_well_formed_and_needs_nothing_else() {
    let page = html::page(&summary());
    let (elements, text) = parse(&page);
    let count = |name: &str| elements.iter().filter(|(n, _)| n == name).count();
    assert_eq!((count("html"), count("main"), count("style")), (1, 1, 1));
    // Nothing is loaded, nothing runs.
    for name in ["script", "link", "img", "iframe", "object"] {
        assert_eq!(count(name), 0, "{name}");
    }
    for (name, element) in &elements {
        for word in [" src=", " href=", " on", "url("] {
            assert!(!element.contains(word), "{name}: {element}");
        }
    }
    assert!(!page.contains("http") && !page.contains("@import"));
    // Names from outside are text.
    assert!(text.contains("&lt;b&gt;never&lt;/b&gt; whole &amp; &quot;good&quot; | again?"), "{text}");
}

#[test]
fn each_run_is_a_dot_and_each_failover_a_bar() {
    let page = html::page(&summary());
    let count = |what: &str| page.matches(what).count();
    // Two of power-off and one of upgrade; one of each kind stands in the key. Two of quorate's, one of PAF's in the key.
    assert_eq!(count("<circle class=\"dot ours\""), 3 + 1);
    assert_eq!(count("<circle class=\"dot other\""), 1);
    assert_eq!(count("<rect class=\"never\""), 1 + 1);
    for class in ["detection", "fencing", "decision", "promotion", "float-ip", "first-write"] {
        assert_eq!(count(&format!("<rect class=\"part {class}\"")), 2, "{class}");
    }
    assert_eq!(count("<polygon class=\"down\""), 2 + 1);
    assert!(page.contains("<b>FAIL</b>"));
}

#[test]
fn a_report_of_good_results_passes_and_has_no_empty_parts() {
    let runs = vec![good("unlink")];
    let sum = Summary::of(Material { runs, ..Material::default() }, 0);
    let page = html::page(&sum);
    parse(&page);
    assert!(page.contains("<b>PASS</b>"));
    for part in ["At random", "What each failover", "complaints"] {
        assert!(!page.contains(part), "{part}");
    }
    let text = markdown::page(&sum);
    assert!(
        text.contains("**PASS**") && !text.contains("## Complaints") && !text.contains("## Phases"),
        "{text}"
    );
    parse(&html::page(&Summary::of(Material::default(), 0)));
}

#[test]
fn a_bar_has_the_parts_that_are_known() {
    let whole = [
        (Step::Detection, 0, 6_700),
        (Step::Fencing, 6_700, 18_700),
        (Step::Decision, 18_700, 18_800),
        (Step::Promotion, 18_800, 19_000),
        (Step::FloatIp, 19_000, 19_200),
        (Step::FirstWrite, 19_200, 19_400),
    ];
    assert_eq!(parts(&failover()), whole);
    // The float IP stayed, nobody was fenced, and the promotion was logged after the first write.
    let crash = Failover { fenced: None, float_ip: None, promoted: mark(19_900), ..failover() };
    assert_eq!(
        parts(&crash),
        [
            (Step::Detection, 0, 6_700),
            (Step::Decision, 6_700, 18_800),
            (Step::Promotion, 18_800, 19_400),
            (Step::FirstWrite, 19_400, 19_400),
        ]
    );
    assert_eq!(parts(&Failover::default()), []);
}

#[test]
fn text_is_made_safe() {
    assert_eq!(svg::escape("a<b>&'\"c\u{1}\n\u{ffff}d"), "a&lt;b&gt;&amp;&#39;&quot;c? ?d");
}
