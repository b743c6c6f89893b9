use std::collections::BTreeMap;

use super::told::word;
use super::*;
use crate::cluster::crm_mon::{Failure, Instance, Node, Role, Status};
use crate::decide::history::{Evidence, Fencing};

const NOW: u64 = 1_764_417_600;

/// `name role score`, a name with `-` before it is offline; without a role nothing runs there.
fn status(nodes: &[&str]) -> Status {
    let mut status = Status { quorate: Some(true), ..Status::default() };
    for node in nodes {
        let words: Vec<&str> = node.split(' ').collect();
        let (name, online) = words[0].strip_prefix('-').map_or((words[0], true), |name| (name, false));
        status.nodes.push(Node {
            name: name.to_owned(),
            online,
            unclean: false,
            pending: words.contains(&"pending"),
            standby: false,
        });
        let role = match words.get(1) {
            Some(&"primary") => Role::Promoted,
            Some(&"standby") => Role::Unpromoted,
            _ => Role::Stopped,
        };
        status.instances.push(Instance {
            resource: "pgsqld".into(),
            agent: AGENT.into(),
            nodes: if role == Role::Stopped { Vec::new() } else { vec![name.to_owned()] },
            role,
            failed: false,
            blocked: false,
            managed: true,
            pending: None,
        });
        if let Some(score) = words.get(2) {
            let of_node = status.attributes.entry(name.to_owned()).or_default();
            of_node.insert("master-pgsqld".into(), (*score).to_owned());
        }
    }
    status
}

const HEALTHY: [&str; 2] = ["srv1 primary 1001", "srv2 standby 1000"];

fn lost(node: &str) -> Trigger {
    Trigger::Node { node: node.into(), is_member: false }
}

/// What is told of a cluster in this state, after everything of the states before it was told.
fn texts(before: &[Status], now: &Status, trigger: &Trigger) -> Vec<String> {
    let (mut told, none) = (Told::default(), BTreeMap::new());
    for (status, at) in before.iter().zip(NOW..) {
        let any = Trigger::Node { node: "none".into(), is_member: true };
        for change in changes(&Facts { status, paused: &none }, &any, &told) {
            told.set(&change.topic, &change.word, at);
        }
    }
    let found = changes(&Facts { status: now, paused: &none }, trigger, &told);
    found.into_iter().filter_map(|change| Some(change.message?.text)).collect()
}

fn with(mut status: Status, node: &str, attribute: &str, value: &str) -> Status {
    status.attributes.entry(node.into()).or_default().insert(attribute.into(), value.into());
    status
}

/// What it is, the states before, the state now, the event, and what is told.
type Case = (&'static str, Vec<Status>, Status, Trigger, Vec<&'static str>);

#[test]
fn each_state_is_told_when_it_changes_and_once() {
    let healthy = || status(&HEALTHY);
    let alone = || status(&["-srv1", "srv2 primary 1001"]);
    let no_quorum = Status { quorate: Some(false), ..alone() };
    let detached = status(&["srv1 primary 1001", "srv2 standby 100"]);
    let safe = || {
        with(status(&["srv1", "srv2 standby -900"]), "srv2", "quorate-safe-mode-pgsqld", "srv1 is missing")
    };
    let rejoins = || with(healthy(), "srv2", "quorate-rejoin-pgsqld", "rewinding from srv1 10 %");
    let further = with(healthy(), "srv2", "quorate-rejoin-pgsqld", "copying from srv1 90 %");
    let manual =
        || with(healthy(), "srv2", "quorate-rejoin-pgsqld", "manual: quorate rejoin srv2: a tablespace");
    let stopped = status(&["srv1 primary 1001", "srv2"]);
    let three = status(&["srv1 primary 1001", "srv2 standby 1000", "srv3 standby 990"]);
    let fewer = status(&["srv1 primary 1001", "srv2 standby 1000", "srv3 standby -1000"]);
    let any = lost("nobody");
    let cases: Vec<Case> = vec![
        ("a cluster begins", vec![], healthy(), any.clone(), vec![]),
        ("a node that was never there", vec![], status(&["srv1 standby 500", "-srv2"]), any.clone(), vec![]),
        ("nothing has changed", vec![healthy()], healthy(), lost("srv3"), vec![]),
        (
            "a node is lost",
            vec![healthy()],
            status(&["-srv1", "srv2 standby 1000"]),
            lost("srv1"),
            vec!["srv1 left the cluster; members: srv2, with quorum"],
        ),
        (
            "a node is lost, and Pacemaker's status has it still",
            vec![healthy()],
            healthy(),
            lost("srv2"),
            vec!["srv2 left the cluster; members: srv1, with quorum"],
        ),
        ("it was told", vec![healthy(), alone()], alone(), lost("srv1"), vec![]),
        (
            "without quorum",
            vec![healthy()],
            no_quorum,
            lost("srv1"),
            vec![
                "srv1 left the cluster; members: srv2, WITHOUT quorum: PostgreSQL stops on this side",
                "pgsqld has no standby that could take over: srv2 is the primary, and its loss ends the service; quorate status",
            ],
        ),
        (
            "it comes, and has not joined",
            vec![healthy(), alone()],
            status(&["srv1 x pending", "srv2 primary 1001"]),
            any.clone(),
            vec![],
        ),
        (
            "it is back",
            vec![healthy(), alone()],
            status(&["srv1 standby 1000", "srv2 primary 1001"]),
            any.clone(),
            vec![
                "srv1 is back in the cluster; members: srv1, srv2",
                "pgsqld has a standby that could take over, again: srv1; primary srv2",
            ],
        ),
        (
            "a standby that does not stream",
            vec![healthy()],
            detached,
            any.clone(),
            vec![
                "pgsqld has no standby that could take over: srv1 is the primary, and its loss ends the service; quorate status",
            ],
        ),
        (
            "nobody is promoted",
            vec![healthy()],
            status(&["srv1 standby 1000", "srv2 standby 990"]),
            any.clone(),
            vec![],
        ),
        (
            "one of two standbys",
            vec![three.clone()],
            fewer.clone(),
            any.clone(),
            vec!["pgsqld has a standby that could take over, it was 2: srv2; primary srv1"],
        ),
        (
            "two again",
            vec![three.clone(), fewer],
            three,
            any.clone(),
            vec!["pgsqld has 2 standbys that could take over, it was 1: srv2, srv3; primary srv1"],
        ),
        (
            "safe mode",
            vec![healthy()],
            safe(),
            any.clone(),
            vec![
                "pgsqld is in safe mode, nobody is promoted: srv1 is missing; quorate recover says what ends it",
            ],
        ),
        ("safe mode goes on", vec![safe()], safe(), any.clone(), vec![]),
        (
            "safe mode is over",
            vec![safe()],
            status(&["srv1 standby 5", "srv2"]),
            any.clone(),
            vec!["pgsqld is no longer in safe mode"],
        ),
        (
            "a rejoin begins",
            vec![healthy()],
            rejoins(),
            any.clone(),
            vec!["pgsqld on srv2 rejoins: rewinding from srv1 10 %"],
        ),
        ("it goes on", vec![rejoins()], further, any.clone(), vec![]),
        ("it is over", vec![rejoins()], healthy(), any.clone(), vec!["pgsqld on srv2 has rejoined"]),
        ("its end is that it runs", vec![rejoins(), stopped.clone()], stopped, any.clone(), vec![]),
        (
            "it gives up",
            vec![rejoins()],
            manual(),
            any.clone(),
            vec!["pgsqld on srv2 does not rejoin by itself: manual: quorate rejoin srv2: a tablespace"],
        ),
        ("that was told", vec![manual()], manual(), any, vec![]),
    ];
    for (what, before, now, trigger, wanted) in cases {
        assert_eq!(texts(&before, &now, &trigger), wanted, "{what}");
    }
}

#[test]
fn what_passes_in_a_promotion_counts_when_it_has_lasted() {
    let alone = status(&["srv1 primary 1001", "srv2 standby 100"]);
    let none = BTreeMap::new();
    let found = changes(&Facts { status: &alone, paused: &none }, &lost("x"), &Told::default());
    let settles: Vec<bool> = found.iter().filter(|c| c.message.is_some()).map(|c| c.settles).collect();
    assert_eq!(settles, [true]);
}

#[test]
fn a_pause_is_told_and_hides_what_it_causes() {
    let mut told = Told::default();
    let stopped = status(&["srv1 primary 1001", "srv2"]);
    for change in
        changes(&Facts { status: &status(&HEALTHY), paused: &BTreeMap::new() }, &lost("x"), &told.clone())
    {
        told.set(&change.topic, &change.word, NOW);
    }
    let paused = BTreeMap::from([("pgsqld".to_owned(), "disk sdb".to_owned())]);
    let found = changes(&Facts { status: &stopped, paused: &paused }, &lost("x"), &told);
    let texts: Vec<String> = found.iter().filter_map(|c| Some(c.message.as_ref()?.text.clone())).collect();
    assert_eq!(texts, ["pgsqld is paused, nothing of it fails over: disk sdb; quorate resume ends it"]);
    told.set("pause/pgsqld", "yes", NOW);
    let found = changes(&Facts { status: &status(&HEALTHY), paused: &BTreeMap::new() }, &lost("x"), &told);
    assert_eq!(found[0].message.as_ref().expect("told").text, "pgsqld is no longer paused");
}

#[test]
fn a_fencing_is_told_once_by_all_members() {
    let trigger = |reference: &str| Trigger::Fencing {
        node: "srv1".into(),
        description: format!(
            "Operation reboot of srv1 by srv2 for pacemaker-controld.7@srv2: OK (ref={reference})"
        ),
        is_done: true,
    };
    let (now, none) = (status(&["-srv1", "srv2 standby 900"]), BTreeMap::new());
    let facts = Facts { status: &now, paused: &none };
    let mut told = Told::default();
    let found = changes(&facts, &trigger("a-1"), &told);
    let fenced = found.iter().find(|c| c.topic == "fencing/srv1").expect("told");
    assert_eq!(
        fenced.message.as_ref().expect("told").text,
        "srv1 was fenced (reboot) by srv2, the cluster asked for it"
    );
    told.set(&fenced.topic, &fenced.word, NOW);
    assert!(!changes(&facts, &trigger("a-1"), &told).iter().any(|c| c.topic == "fencing/srv1"));
    assert!(
        changes(&facts, &trigger("a-2"), &told).iter().any(|c| c.topic == "fencing/srv1"),
        "the next one"
    );
    let by_hand = "Operation off of srv1 by srv2 for stonith_admin.9@srv3: OK";
    assert!(
        events::fencing("srv1", by_hand, true)
            .0
            .text
            .ends_with("(off) by srv2, stonith_admin on srv3 asked for it")
    );
    let (failed, _) =
        events::fencing("srv1", "Operation reboot of srv1 by <no-one> for a@b: No such device", false);
    assert_eq!(failed.severity, Severity::Critical);
    assert!(failed.text.contains("FAILED") && failed.text.contains("No such device"), "{}", failed.text);
    assert_eq!(events::fencing("srv1", "later words", true).0.text, "srv1 was fenced: later words");
}

fn promoted(from: Option<&str>, found: Evidence, status: &Status) -> Message {
    promotion(&Promoted { resource: "pgsqld", node: "srv2", from, timeline: Some(5) }, found, status)
}

#[test]
fn a_promotion_says_from_where_and_why() {
    let failure = Failure {
        operation: "pgsqld_monitor_3000".into(),
        node: "srv1".into(),
        status: "not running".into(),
        reason: "the postmaster is gone".into(),
    };
    let moved = status(&["srv1 standby 1000", "srv2 primary 1001"]);
    let failed = Status { failures: vec![failure.clone()], ..moved.clone() };
    let here = Failure { node: "srv2".into(), ..failure };
    let again = Status { failures: vec![here], ..moved.clone() };
    let gone = status(&["-srv1", "srv2 primary 1001"]);
    let fenced = || Evidence {
        fencing: Fencing::Done { client: "pacemaker-controld.7".into(), done: "12:00".into() },
        ..Evidence::default()
    };
    let asked = || Evidence { asked_on: Some("srv2".into()), fencing: Fencing::None, ..Evidence::default() };
    let quiet = || Evidence { fencing: Fencing::None, ..Evidence::default() };
    let first = "pgsqld: failover, srv2 is the primary now, it was srv1, timeline 5: ";
    let switch = "pgsqld: switchover, srv2 is the primary now, it was srv1, timeline 5: ";
    let cases = [
        (Some("srv1"), asked(), &moved, switch, "quorate switchover; quorate why", Severity::Info),
        (Some("srv1"), quiet(), &moved, switch, "the role was moved while srv1 ran", Severity::Info),
        (
            Some("srv1"),
            fenced(),
            &gone,
            first,
            "srv1: the cluster lost it and had it fenced",
            Severity::Warning,
        ),
        (Some("srv1"), quiet(), &gone, switch, "stopped in good order", Severity::Info),
        (Some("srv1"), quiet(), &failed, first, "monitor: the postmaster is gone", Severity::Warning),
        (
            Some("srv2"),
            quiet(),
            &again,
            "pgsqld: recovered in place on srv2, timeline 5: ",
            "the postmaster is gone",
            Severity::Warning,
        ),
        (None, quiet(), &moved, "pgsqld: srv2 is the primary, timeline 5; quorate why", "", Severity::Info),
    ];
    for (from, found, status, begins, has, severity) in cases {
        let message = promoted(from, found, status);
        assert!(message.text.starts_with(begins) && message.text.contains(has), "{}", message.text);
        assert_eq!((message.severity, message.role), (severity, Some("primary")), "{}", message.text);
    }
}

fn operation(task: &str, has_succeeded: bool) -> Operation {
    Operation {
        resource: "pgsqld".into(),
        node: "srv1".into(),
        task: task.into(),
        description: "not running".into(),
        has_succeeded,
        is_cancelled: false,
    }
}

#[test]
fn failures_are_for_people_and_roles_for_hooks() {
    let none = Status::default();
    for task in ["demote", "start"] {
        assert_eq!(role(&operation(task, true)).and_then(|m| m.role), Some("standby"));
    }
    assert_eq!(role(&operation("stop", true)).and_then(|m| m.role), Some("stopped"));
    assert!(role(&operation("stop", false)).is_none() && role(&operation("notify", true)).is_none());
    let failed = failure(&operation("monitor", false), &none).expect("told");
    assert_eq!(failed.text, "pgsqld failed on srv1: monitor: not running; quorate status");
    assert!(failure(&operation("monitor", true), &none).is_none());
    assert!(failure(&Operation { is_cancelled: true, ..operation("monitor", false) }, &none).is_none());
}

#[test]
fn most_actions_are_worth_no_look() {
    let wanted = |task: &str, has_succeeded| is_wanted(&Trigger::Resource(operation(task, has_succeeded)));
    for task in ["start", "stop", "promote", "demote"] {
        assert!(wanted(task, true) && wanted(task, false), "{task}");
    }
    assert!(wanted("monitor", false) && !wanted("monitor", true) && !wanted("notify", true));
    assert!(!is_wanted(&Trigger::Resource(Operation { is_cancelled: true, ..operation("monitor", false) })));
    let attribute = |name: &str| {
        is_wanted(&Trigger::Attribute { name: name.into(), node: "srv1".into(), value: "1".into() })
    };
    assert!(is_wanted(&lost("srv1")) && attributes("pgsqld").iter().all(|name| attribute(name)));
    assert!(!attribute("standby") && !attribute("pingd"));
}

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn events_are_read_and_what_is_none_is_named() {
    let read = |pairs: &[(&str, &str)]| Trigger::read(&environment(pairs));
    let node = ("CRM_alert_node", "srv1");
    assert_eq!(read(&[("CRM_alert_kind", "node"), node, ("CRM_alert_desc", "lost")]), Ok(Some(lost("srv1"))));
    let result = |status: &str, rc: &str| {
        let of = |name| ("CRM_alert_kind", name);
        let target = ("CRM_alert_target_rc", "8");
        let rest = [("CRM_alert_rsc", "pgsqld"), ("CRM_alert_task", "monitor"), target];
        let mut pairs = vec![of("resource"), node, ("CRM_alert_status", status), ("CRM_alert_rc", rc)];
        pairs.extend(rest);
        match read(&pairs) {
            Ok(Some(Trigger::Resource(operation))) => (operation.has_succeeded, operation.is_cancelled),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(result("0", "8"), (true, false));
    assert_eq!(result("0", "7"), (false, false));
    assert_eq!(result("2", "1"), (false, false), "timed out");
    assert_eq!(result("1", "1"), (false, true), "cancelled");
    assert_eq!(read(&[]), Err(TriggerError::NotAnAlert));
    assert_eq!(read(&[("CRM_alert_kind", "moon")]), Ok(None));
    for broken in
        [&[("CRM_alert_kind", "node")][..], &[("CRM_alert_kind", "fencing"), node, ("CRM_alert_rc", "x")]]
    {
        assert!(matches!(read(broken), Err(TriggerError::Value { .. })), "{broken:?}");
    }
}

#[test]
fn recipients_and_options() {
    let read = |recipient: &str| Options::read(&environment(&[("CRM_alert_recipient", recipient)]));
    let target = |recipient: &str| read(recipient).map(|options| options.target);
    assert_eq!(target(""), Ok(Target::Syslog));
    assert_eq!(target("syslog"), Ok(Target::Syslog));
    for good in ["dba@example.org", "root", "a.b+c@host"] {
        assert_eq!(target(&format!("mail:{good}")), Ok(Target::Mail(good.to_owned())));
    }
    for bad in
        ["", "-oQ/tmp@x", "a@-b", "a@b@c", "a b@c", "a\n@b", "|sh", "a@b\nBcc: c@d", "\"x\"@y", "a,b@c"]
    {
        assert!(matches!(target(&format!("mail:{bad}")), Err(OptionsError::Address(_))), "{bad:?}");
    }
    assert_eq!(target("command:/etc/quorate/hook"), Ok(Target::Command("/etc/quorate/hook".into())));
    for bad in ["hook", "", "/", "/a\nb"] {
        assert!(matches!(target(&format!("command:{bad}")), Err(OptionsError::Path(_))), "{bad:?}");
    }
    let url = "https://hooks.example.org:8443/T0/secret?x=1";
    assert_eq!(target(url), Ok(Target::Webhook(url.into())));
    for bad in [
        "https://",
        "http://a b",
        "https://u:p@h/",
        "https://h/\"\nproxy = x",
        "https://h/{a,b}",
        "https://-x",
    ] {
        assert_eq!(target(bad), Err(OptionsError::Url), "{bad:?}");
    }
    let secret = target("ftp://user:secret@host").expect_err("refused").to_string();
    assert!(!secret.contains("secret") && secret.contains("ftp://…"), "{secret}");
    let with = |name: &str, value: &str| {
        Options::read(&environment(&[("CRM_alert_recipient", "command:/x"), (name, value)]))
    };
    assert_eq!(with("deadline", "10s").expect("good").deadline_s, 10);
    for bad in ["0", "16", "-1", "1.5", "soon"] {
        assert!(matches!(with("deadline", bad), Err(OptionsError::Deadline(_))), "{bad}");
    }
    let chosen = with("events", "primary, node").expect("good");
    assert!(chosen.wants(Event::Primary) && !chosen.wants(Event::Role) && !chosen.wants(Event::Fencing));
    for bad in ["primary,failover", ","] {
        assert!(matches!(with("events", bad), Err(OptionsError::Events(_))), "{bad}");
    }
    assert!(with("token_file", "token").is_err() && with("mail_from", "a\n@b").is_err());
    assert!(with("events", "").expect("all").wants(Event::Role));
    assert!(!read("syslog").expect("good").wants(Event::Role), "a role that was given up is for hooks");
}

#[test]
fn what_was_told_is_kept_by_the_others() {
    let mut here = Told::default();
    here.set("node/srv1", "lost", NOW);
    let mut there = here.clone();
    there.set("node/srv1", "member", NOW + 5);
    let (a, b) = (here.to_string(), there.to_string());
    let all = Told::read([b.as_str(), a.as_str()], NOW + 9);
    assert_eq!(all.get("node/srv1"), Some("member"), "the latest counts");
    assert_eq!(all.to_string(), "node/srv1=member@1764417605");
    assert!(
        all.is_recent("node/srv1", "member", 60, NOW + 60)
            && !all.is_recent("node/srv1", "member", 60, NOW + 99)
    );
    // A clock that is ahead, and what somebody else wrote.
    let ahead = Told::read(["node/srv1=lost@99999999999 nonsense =@ x=y@z"], NOW);
    assert_eq!(ahead.to_string(), "node/srv1=lost@1764417600");
    let mut back = ahead.clone();
    back.restore("node/srv1", None, NOW);
    assert_eq!(back.get("node/srv1"), Some("-"));
    assert_eq!(topic("node", &["a b=c@d\n"]), "node/a_b_c_d_");
    assert_eq!(word(&"x".repeat(500)).len(), 80);
    let mut many = Told::default();
    (0..500).for_each(|i| many.set(&format!("n/{i}"), "w", NOW + i));
    let text = many.to_string();
    assert_eq!(text.split(' ').count(), 200);
    assert!(text.contains("n/499=") && !text.contains("n/1="));
    assert_ne!(attribute("syslog"), attribute("mail:a@b"));
    assert!(attribute("syslog").len() == "quorate-told-".len() + 8);
}

#[test]
fn the_status_is_waited_for_until_it_has_the_event() {
    let now = status(&["srv1 primary 1001", "-srv2"]);
    let node = |node: &str, is_member| Trigger::Node { node: node.into(), is_member };
    assert!(agrees(&node("srv2", false), &now) && !agrees(&node("srv2", true), &now));
    assert!(agrees(&node("srv9", false), &now) && !agrees(&node("srv9", true), &now));
    let attribute = |value: &str| Trigger::Attribute {
        name: "master-pgsqld".into(),
        node: "srv1".into(),
        value: value.into(),
    };
    assert!(agrees(&attribute("1001"), &now) && !agrees(&attribute(""), &now));
    assert!(agrees(&Trigger::Resource(operation("promote", true)), &now));
    let elsewhere = Operation { node: "srv2".into(), ..operation("promote", true) };
    assert!(!agrees(&Trigger::Resource(elsewhere), &now));
}
