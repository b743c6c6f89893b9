//! An overview of a healthy pair, seen from its primary and from its standby; and of what is wrong.

use super::*;
use crate::cluster::corosync::tools;
use crate::cluster::crm_mon;
use crate::decide::doctor::Severity;
use crate::decide::doctor::examine;
use crate::decide::doctor::facts;
use crate::decide::doctor::facts::Facts;
use crate::decide::doctor::facts::Surroundings;
use crate::decide::doctor::read::{Gathered, Text, read};
use crate::pg::lsn::Lsn;
use crate::pg::timeline::Timeline;
use crate::pg::view::{ConnectedStandby, Connection, Receiver, SyncState};

const CONF: &str = "totem {\nsecauth: on\n token: 3000\n}\nnodelist {\n node {\n name: srv1\n }\n node {\n name: srv2\n }\n}\nquorum {\n provider: corosync_votequorum\n device {\n model: net\n timeout: 2000\n sync_timeout: 3000\n votes: 1\n net {\n algorithm: ffsplit\n host: witness\n }\n heuristics {\n mode: sync\n sync_timeout: 1000\n exec_primary: /usr/bin/quorate primary-here --log\n }\n }\n}\n";
const CIB: &str = "<cib><configuration><crm_config><cluster_property_set><nvpair name=\"stonith-watchdog-timeout\" value=\"10\"/><nvpair name=\"concurrent-fencing\" value=\"true\"/><nvpair name=\"no-quorum-policy\" value=\"suicide\"/></cluster_property_set></crm_config></configuration></cib>";
const VOTES: &str = "Quorate: Yes\nExpected votes: 3\nTotal votes: 3\nQuorum: 2\nMembership information\n 1 1 A,V,NMW srv1\n 2 1 A,V,NMW srv2\n";

fn status(second: &str, role: &str) -> String {
    format!(
        "<pacemaker-result><summary><current_dc name=\"srv1\" with_quorum=\"true\"/></summary>\
         <nodes><node name=\"srv1\" online=\"true\"/><node name=\"srv2\" {second}/></nodes>\
         <resources><clone><resource id=\"pgsqld\" role=\"Promoted\"><node name=\"srv1\"/></resource>\
         <resource id=\"pgsqld\" role=\"{role}\"><node name=\"srv2\"/></resource></clone></resources>\
         <node_attributes><node name=\"srv1\"><attribute name=\"master-pgsqld\" value=\"1001\"/></node>\
         <node name=\"srv2\"><attribute name=\"master-pgsqld\" value=\"900\"/></node></node_attributes>\
         </pacemaker-result>"
    )
}

fn facts(status: &Known<Status>, votes: Known<&str>) -> Facts {
    let text = |name: &str, text: &str| Ok(Text { name: name.to_owned(), text: text.to_owned() });
    let mut node = facts::Node::unknown("not asked");
    node.votes = votes.map(|text| tools::votes(text).expect("its output"));
    node.members = status.as_ref().map_err(Unknown::from).map(|s| {
        let member = |n: &Node| facts::Member { name: n.name.clone(), online: n.online, away_s: Some(70) };
        s.nodes.iter().map(member).collect()
    });
    let gathered = Gathered {
        corosync: text("corosync.conf", CONF),
        cib: text("cib", CIB),
        sbd: Err(Unknown("not asked".to_owned())),
        postgresql: Err(Unknown("not asked".to_owned())),
        surroundings: Surroundings::unknown(),
        node,
    };
    read(gathered).expect("sound files")
}

fn seen_with(status: &Known<Status>, host: &str, answer: Known<Answer>) -> Overview {
    seen_voting(status, host, answer, Ok(VOTES))
}

fn seen_voting(status: &Known<Status>, host: &str, answer: Known<Answer>, votes: Known<&str>) -> Overview {
    seen_server(status, host, server(answer), votes)
}

fn seen_server(status: &Known<Status>, host: &str, server: SeenServer, votes: Known<&str>) -> Overview {
    seen_facts(&facts(status, votes), status, host, server)
}

fn seen_facts(facts: &facts::Facts, status: &Known<Status>, host: &str, server: SeenServer) -> Overview {
    let report = examine(facts);
    overview(&Seen {
        host,
        now: 1_764_000_300,
        status,
        facts,
        report: &report,
        connected: Ok(true),
        sbd_runs: Ok(true),
        servers: vec![server],
        kept: Ok((0, 0)),
    })
}

fn primary(standbys: Vec<ConnectedStandby>) -> Known<Answer> {
    Ok(Answer::Primary(PrimaryView {
        lsn: Lsn(0x300_1000),
        timeline: Timeline::new(3).expect("not 0"),
        standbys,
        synchronous_standby_names: String::new(),
    }))
}

fn streaming() -> ConnectedStandby {
    ConnectedStandby {
        application_name: "srv2".to_owned(),
        state: "streaming".to_owned(),
        sync_state: SyncState::Async,
        sent: Some(Lsn(0x300_1000)),
        flush: Some(Lsn(0x300_0F00)),
        connection: Connection::default(),
    }
}

fn parsed(second: &str, role: &str) -> Known<Status> {
    Ok(crm_mon::parse(&status(second, role)).expect("crm_mon's"))
}

#[test]
fn a_healthy_pair_seen_from_its_primary() {
    let found = seen_with(&parsed("online=\"true\"", "Unpromoted"), "srv1", primary(vec![streaming()]));
    assert_eq!(found.issues, []);
    assert_eq!((found.health.exit_code(), found.quorate, found.dc.as_deref()), (0, Some(true), Some("srv1")));
    assert_eq!(found.votes, Some(Votes { expected: Some(3), present: Some(3), needed: Some(2) }));
    assert_eq!(found.quorum_device, "connected to witness, votes on 2 of 2 members");
    assert_eq!(found.one_more_loss, "of pgsqld's primary: srv2 may take over");
    assert_eq!(found.fencing, "armed: sbd runs, a lost node counts as reset after 10 s");
    let [first, second] = &found.servers[..] else { panic!("{found:?}") };
    assert_eq!((first.role.as_str(), first.timeline, first.score), ("Promoted", Some(3), Some(1001)));
    assert_eq!((second.lag_bytes, second.timeline, second.score), (Some(0x100), Some(3), Some(900)));
    assert_eq!(second.sync.as_deref(), Some("async"));
}

#[test]
fn seen_from_the_standby() {
    let receiver = Receiver {
        pid: None,
        status: "streaming".to_owned(),
        sender_host: None,
        sender_port: None,
        timeline: Timeline::new(3),
        latest_end: Some(Lsn(0x300_0010)),
    };
    let view = StandbyView {
        received: Some(Lsn(0x300_0000)),
        replayed: None,
        receiver: Some(receiver),
        streams_to: Vec::new(),
        primary_conninfo: None,
        is_paused: false,
    };
    let online = parsed("online=\"true\"", "Unpromoted");
    let found = seen_with(&online, "srv2", Ok(Answer::Standby(view.clone())));
    assert_eq!(found.issues, []);
    assert_eq!((found.servers[1].lag_bytes, found.servers[1].timeline), (Some(16), Some(3)));
    assert_eq!(found.servers[0].lsn, None, "the primary's is not known here");
    let alone = StandbyView { receiver: None, ..view };
    let found = seen_with(&online, "srv2", Ok(Answer::Standby(alone)));
    assert_eq!(found.issues[0].what, "pgsqld on srv2 does not stream: not connected");
    assert_eq!(found.health, Health::Degraded);
}

#[test]
fn what_is_missing_is_an_issue_with_its_age() {
    let found = seen_with(&parsed("online=\"false\"", "Stopped"), "srv1", primary(Vec::new()));
    assert_eq!((found.members[1].state, found.members[1].away_s), ("OFFLINE", Some(70)));
    let issues: Vec<&str> = found.issues.iter().map(|i| i.what.as_str()).collect();
    assert_eq!(issues, ["members: srv2 is not online, for 1 min 10 s"]);
}

#[test]
fn a_silent_corosync_is_an_issue() {
    let online = parsed("online=\"true\"", "Unpromoted");
    let silent = Err(Unknown("no end within 3.0s".to_owned()));
    let found = seen_voting(&online, "srv1", primary(vec![streaming()]), silent);
    assert_eq!(found.issues[0].what, "corosync does not tell the votes: no end within 3.0s");
    assert_eq!((found.votes, found.issues.len()), (None, 1));
}

#[test]
fn two_primaries_none_and_silence() {
    let two = seen_with(&parsed("online=\"true\"", "Promoted"), "srv1", Err(Unknown("not here".to_owned())));
    assert_eq!(two.issues[0].what, "pgsqld is promoted on srv1 and srv2");
    assert_eq!(two.issues[0].severity, Severity::Critical);
    let nobody = Err(Unknown("crm_mon hangs".to_owned()));
    let found = seen_with(&nobody, "srv1", Err(Unknown("not here".to_owned())));
    assert!(found.issues[0].what.contains("Pacemaker does not answer"), "{found:?}");
    assert_eq!(
        (found.members[0].state, found.servers.len(), found.health.exit_code()),
        ("in corosync", 1, 3)
    );
}

fn server(answer: Known<Answer>) -> SeenServer {
    SeenServer {
        resource: "pgsqld".to_owned(),
        answer,
        reported: Ok(Vec::new()),
        outlook: None,
        waits: Ok(Waits::default()),
        trouble: None,
    }
}

fn reported(node: &str, text: &str) -> NodeReported {
    NodeReported { node: node.to_owned(), reported: text.parse().expect("a position") }
}

#[test]
fn positions_come_from_the_agents_where_nobody_else_tells() {
    let seen = SeenServer {
        reported: Ok(vec![reported("srv1", "3:0/3001000:-"), reported("srv2", "3:0/3000F00:-")]),
        ..server(Err(Unknown("a third node".to_owned())))
    };
    let found = seen_server(&parsed("online=\"true\"", "Unpromoted"), "srv3", seen, Ok(VOTES));
    let [first, second] = &found.servers[..] else { panic!("{found:?}") };
    assert_eq!((first.lsn, first.lag_bytes, first.is_reported), (Some(Lsn(0x300_1000)), None, true));
    assert_eq!(
        (second.lsn, second.lag_bytes, second.timeline),
        (Some(Lsn(0x300_0F00)), Some(0x100), Some(3))
    );
    assert_eq!(found.issues, []);
}

#[test]
fn commits_that_hang_are_down() {
    let Ok(Answer::Primary(view)) = primary(Vec::new()) else { panic!("a primary") };
    let view = PrimaryView { synchronous_standby_names: "FIRST 1 (srv2)".to_owned(), ..view };
    let hangs = |longest_s| SeenServer {
        waits: Ok(Waits { sessions: 3, longest_s }),
        ..server(Ok(Answer::Primary(view.clone())))
    };
    let online = parsed("online=\"true\"", "Unpromoted");
    let found = seen_server(&online, "srv1", hangs(75), Ok(VOTES));
    assert_eq!(found.health, Health::Down);
    assert_eq!(
        found.issues[0].what,
        "commits of pgsqld HANG (3, the longest for 1 min 15 s): synchronous_standby_names is \"FIRST 1 (srv2)\", and none of them streams"
    );
    assert_eq!(
        found.commits,
        ["of pgsqld wait for \"FIRST 1 (srv2)\"; waiting: 3, the longest for 1 min 15 s"]
    );
    // A commit that waits for its turn is none.
    let found = seen_server(&online, "srv1", hangs(1), Ok(VOTES));
    assert!(!found.issues.iter().any(|i| i.what.contains("HANG")) && found.health == Health::Degraded);
}

#[test]
fn instances_that_do_not_count() {
    let changed = |from: &str, to: &str| {
        let text = status("online=\"true\"", "Unpromoted");
        assert!(text.contains(from));
        let status = Ok(crm_mon::parse(&text.replace(from, to)).expect("crm_mon's"));
        seen_with(&status, "srv1", primary(vec![streaming()]))
    };
    let found = changed("value=\"900\"", "value=\"\"");
    assert!(found.issues[0].what.contains("runs on srv2 and has no promotion score"), "{found:?}");
    assert_eq!(found.one_more_loss, "of pgsqld's primary ENDS THE SERVICE: no standby may take over");
    let found = changed("value=\"900\"", "value=\"-1000\"");
    assert!(found.issues[0].what.contains("srv2 is refused (score -1000)"), "{found:?}");
    let found = changed("role=\"Unpromoted\"><node name=\"srv2\"/>", "role=\"Stopped\">");
    assert!(found.issues[0].what.contains("pgsqld does not run on srv2"), "{found:?}");
    assert_eq!((found.issues[0].severity, found.health), (Severity::Error, Health::Degraded));
}

#[test]
fn one_vote_less_is_said() {
    let votes = VOTES.replace("Total votes: 3", "Total votes: 2");
    let online = parsed("online=\"true\"", "Unpromoted");
    let found = seen_voting(&online, "srv1", primary(vec![streaming()]), Ok(&votes));
    assert_eq!(found.one_more_loss, "ENDS THE SERVICE: 2 votes are present, 2 are needed");
    assert_eq!(found.health, Health::Degraded);
}

#[test]
fn an_outage_says_who_is_missing_and_what_to_type() {
    use crate::decide::promotions::Record;
    let text = status("online=\"true\"", "Unpromoted")
        .replace("name=\"srv1\" online=\"true\"", "name=\"srv1\" online=\"false\"");
    let text = text.replace("<resource id=\"pgsqld\" role=\"Promoted\"><node name=\"srv1\"/></resource>", "");
    let text = text.replace("value=\"900\"/>", "value=\"-900\"/><attribute name=\"quorate-safe-mode-pgsqld\" value=\"start the missing instances\"/>");
    let status = crm_mon::parse(&text).expect("crm_mon's");
    let reported = vec![reported("srv2", "3:0/3000F00:-")];
    let outlook = crate::decide::recover::outlook(&crate::decide::recover::Facts {
        resource: "pgsqld",
        status: &status,
        record: &Record::Empty,
        voters: Ok(None),
        reported: &reported,
    });
    let seen =
        SeenServer { outlook: Some(outlook), ..server(Err(Unknown("here no server runs".to_owned()))) };
    let found = seen_server(&Ok(status), "srv2", seen, Ok(VOTES));
    let issue = found.issues.iter().find(|i| i.what.contains("SAFE MODE")).expect("said");
    assert!(
        issue.what.contains("missing: srv1 OFFLINE") && issue.what.contains("srv2 at 3:0/3000F00"),
        "{issue:?}"
    );
    assert!(
        issue.cure.contains("pcs cluster start srv1")
            && issue.cure.contains("quorate recover --promote srv2"),
        "{issue:?}"
    );
    assert_eq!(found.health.exit_code(), 2);
}

#[test]
fn a_failover_under_way_is_waited_for() {
    let none = |nodes: &str| {
        let text = status(nodes, "Unpromoted")
            .replace("<resource id=\"pgsqld\" role=\"Promoted\"><node name=\"srv1\"/></resource>", "");
        let seen = seen_with(
            &Ok(crm_mon::parse(&text).expect("crm_mon's")),
            "srv2",
            Err(Unknown("none".to_owned())),
        );
        let found = seen.issues.iter().find(|i| i.what.contains("no primary")).map(|i| i.cure.clone());
        found.expect("said")
    };
    assert!(none("online=\"true\"").starts_with("wait for a failover that is under way: srv2 is fit"));
    assert!(none("online=\"false\" unclean=\"true\"").starts_with("wait: srv2 is being fenced"));
    assert!(none("online=\"false\"").starts_with("quorate recover"));
}

#[test]
fn without_pacemaker_the_server_here_is_shown() {
    let nobody = Err(Unknown("crm_mon hangs".to_owned()));
    let found = seen_with(&nobody, "srv1", primary(vec![streaming()]));
    assert_eq!((found.servers[0].role.as_str(), found.servers[0].timeline), ("(primary)", Some(3)));
    assert_eq!(found.health, Health::Unknown);
}

#[test]
fn a_pause_is_said_with_its_age_and_reason() {
    let status = parsed("online=\"true\"", "Unpromoted");
    let mut facts = facts(&status, Ok(VOTES));
    let property = crate::cluster::cib::Property {
        name: "quorate-pause-pgsqld".to_owned(),
        value: "1764000000 new memory".to_owned(),
        line: 1,
    };
    facts.cib.as_mut().expect("a CIB").content.properties.push(property);
    let server = SeenServer {
        resource: "pgsqld".to_owned(),
        answer: primary(vec![streaming()]),
        reported: Ok(Vec::new()),
        outlook: None,
        waits: Ok(Waits::default()),
        trouble: None,
    };
    let found = seen_facts(&facts, &status, "srv1", server);
    let issue = found.issues.iter().find(|issue| issue.what.contains("paused")).expect("it is said");
    assert!(issue.what.contains("for 5 min 0 s, nothing fails over: new memory"), "{issue:?}");
    assert_eq!(issue.cure, "quorate resume");
}
