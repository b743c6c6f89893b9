use super::*;
use crate::record::history::Attempt;
use crate::testing::{healthy, site};
use quorate::layout::kind::Kind;

fn client() -> ClientState {
    ClientState {
        now: Duration::from_millis(10_000),
        heart: Some(Attempt {
            id: 198,
            connection: 1,
            asked: Duration::from_millis(9960),
            served: None,
            sent: Duration::from_millis(9960),
            ended: Duration::from_millis(9965),
            outcome: Outcome::Acked,
        }),
        beat: Some(Reading {
            connection: 1,
            asked: Duration::from_millis(9790),
            at: Duration::from_millis(9800),
            newest: Ok(194),
        }),
        ..ClientState::default()
    }
}

fn line<'a>(view: &'a str, begin: &str) -> &'a str {
    view.lines().find(|l| l.trim_start().starts_with(begin)).expect(begin)
}

#[test]
fn a_healthy_cluster_fits_the_columns() {
    let seen = healthy(site(Kind::Classic));
    let view = render(&seen, &[client()]);
    assert!(view.lines().all(|line| line.chars().count() <= COLUMNS), "{view}");
    assert!(view.contains("row 198 written 35 ms ago"), "{view}");
    assert!(view.contains("row 194 read back 200 ms ago"), "{view}");
    for word in ["on", "promoted", "1001", "0/5000148 @3", "takes writes", "primary"] {
        assert!(line(&view, "srv1").contains(word), "{word} in {view}");
    }
    assert!(line(&view, "srv2").contains("from srv1"), "{view}");
    assert!(line(&view, "witness").contains("qdevice"), "{view}");
    assert_eq!(roles(&seen), "srv1 promoted, srv2 unpromoted");
}

#[test]
fn several_instances_have_a_line_each() {
    let seen = healthy(site(Kind::Packed));
    let view = render(&seen, &[client(), client()]);
    assert!(view.lines().all(|line| line.chars().count() <= COLUMNS), "{view}");
    assert!(line(&view, "pack1 a").ends_with("primary a"), "{view}");
    assert!(line(&view, "pack2 b").ends_with("primary b"), "{view}");
    assert!(line(&view, "pack2 a").contains("from pack1"), "{view}");
    assert!(line(&view, "heart b").contains("row 198"), "{view}");
    assert!(!view.contains("beat"), "no float IP of a standby: {view}");
    assert_eq!(roles(&seen), "pack1 a promoted, pack1 b unpromoted, pack2 a unpromoted, pack2 b promoted");
}

#[test]
fn every_float_ip_is_shown() {
    let mut seen = healthy(site(Kind::ThreeCentres));
    assert!(line(&render(&seen, &[client()]), "tri3").ends_with("standby 2"));
    if let Ok(status) = &mut seen.status {
        for instance in status.instances.iter_mut().filter(|i| i.resource.contains("-ip")) {
            instance.nodes = vec!["tri2".to_owned()];
        }
    }
    let view = render(&seen, &[client()]);
    assert!(view.lines().all(|line| line.chars().count() <= COLUMNS), "{view}");
    assert!(line(&view, "tri2").ends_with("P S 1 2"), "{view}");
}

#[test]
fn a_failing_heart_says_why() {
    let client = ClientState {
        now: Duration::from_secs(9),
        tried: Some(Attempt {
            id: 5,
            connection: 1,
            asked: Duration::from_secs(8),
            served: None,
            sent: Duration::from_secs(8),
            ended: Duration::from_secs(9),
            outcome: Outcome::Refused("no TCP connection in time".to_owned()),
        }),
        ..ClientState::default()
    };
    let view = render(&healthy(site(Kind::Classic)), &[client]);
    assert!(view.contains("nothing written yet; no TCP connection in time"));
}
