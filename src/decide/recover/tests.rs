use super::*;
use crate::cluster::crm_mon;

const LAST: &str = "4:5:7:4:0/5000060:0000000d:0000000c:srv1";

/// Node, what crm_mon says of it, and of its instance.
fn status(quorate: bool, nodes: &[(&str, bool, Option<&str>)]) -> Status {
    let node = |(name, online, _): &(&str, bool, Option<&str>)| {
        format!(
            r#"<node name="{name}" id="1" online="{online}" standby="false" unclean="false" pending="false"/>"#
        )
    };
    let instance = |(name, _, role): &(&str, bool, Option<&str>)| {
        role.map_or(String::new(), |role| {
            format!(
                r#"<resource id="pgsqld" resource_agent="ocf:quorate:postgres" role="{role}" active="true" failed="false" managed="true" blocked="false"><node name="{name}" id="1" cached="false"/></resource>"#
            )
        })
    };
    let xml = format!(
        r#"<pacemaker-result api-version="2.25" request="crm_mon"><summary><current_dc present="true" version="2.1.5" name="srv2" id="2" with_quorum="{quorate}"/></summary><nodes>{}</nodes><resources><clone id="c" multi_state="true">{}</clone></resources><status code="0" message="OK"/></pacemaker-result>"#,
        nodes.iter().map(node).collect::<String>(),
        nodes.iter().map(instance).collect::<String>(),
    );
    crm_mon::parse(&xml).expect("crm_mon's XML")
}

fn reported(node: &str, text: &str) -> NodeReported {
    NodeReported { node: node.to_owned(), reported: text.parse().expect("a position") }
}

struct Case {
    status: Status,
    record: Record,
    voters: Option<Voters>,
    reported: Vec<NodeReported>,
}

impl Case {
    fn facts(&self) -> Facts<'_> {
        Facts {
            resource: "pgsqld",
            status: &self.status,
            record: &self.record,
            voters: Ok(self.voters.as_ref()),
            reported: &self.reported,
        }
    }

    fn outlook(&self) -> Outlook {
        outlook(&self.facts())
    }

    fn choice(&self) -> (Vec<String>, Loss) {
        match self.outlook().advice {
            Advice::Choose { start, accept: Some(loss) } => (start, loss),
            other => panic!("{other:?}"),
        }
    }
}

/// After an outage of all nodes srv1, the last primary, does not come back.
fn without_the_primary() -> Case {
    let mut status = status(true, &[("srv1", false, None), ("srv2", true, Some("Unpromoted"))]);
    let why = "start the missing instances, 1 of 2 run: nobody is promoted".to_owned();
    status.attributes.entry("srv2".into()).or_default().insert("quorate-safe-mode-pgsqld".into(), why);
    Case {
        status,
        record: Record::of(&[LAST.parse().expect("a promotion")]),
        voters: None,
        reported: vec![reported("srv2", "5:0/6000148:0000000d")],
    }
}

#[test]
fn the_last_primary_ends_it_without_a_loss() {
    let case = without_the_primary();
    let (start, loss) = case.choice();
    assert_eq!(start, ["srv1"]);
    assert_eq!(
        (loss.node.as_str(), &loss.of[..], loss.lacks),
        ("srv2", &["srv1".to_owned()][..], Lacks::Nothing)
    );
    assert_eq!(loss.sentence(), "What only srv1 can have is given up; how much is not known.");
    assert!(accept(&case.facts(), &case.outlook(), "srv2").is_ok());
    let refused = accept(&case.facts(), &case.outlook(), "srv1").expect_err("it does not run");
    assert_eq!(refused, "srv1 runs no standby of pgsqld; these do: srv2");
    let rows = case.outlook().rows;
    assert!(rows[0].was_primary && rows[0].data == Data::Unknown && !rows[0].runs, "{rows:?}");
    assert!(rows[1].refuses.as_deref().is_some_and(|why| why.starts_with("start the missing")), "{rows:?}");
}

/// Its node is a member, and its instance is stopped.
#[test]
fn what_the_stopped_primary_had_reported_is_a_lower_bound() {
    let mut case = without_the_primary();
    case.reported.push(reported("srv1", "5:0/6000248:0000000d"));
    let loss = case.choice().1;
    assert_eq!((loss.at_least, loss.node.as_str()), (256, "srv2"));
    assert!(loss.sentence().starts_with("At least 256 bytes of WAL that only srv1"), "{}", loss.sentence());
}

#[test]
fn data_of_the_last_promotion_come_before_any_number() {
    let mut case = without_the_primary();
    case.status = status(
        true,
        &[("srv1", false, None), ("srv2", true, Some("Unpromoted")), ("srv3", true, Some("Unpromoted"))],
    );
    // Promoted by hand: a higher timeline, and more WAL.
    case.reported.push(reported("srv3", "9:0/9000000:0000000a"));
    let loss = case.choice().1;
    assert_eq!(
        (loss.node.as_str(), loss.of.len()),
        ("srv2", 2),
        "what srv3 has is of another line: {loss:?}"
    );
    let loss = accept(&case.facts(), &case.outlook(), "srv3").expect("it may be the one that is wanted");
    assert!(loss.lacks == Lacks::LastPromotion && loss.of.contains(&"srv2".to_owned()), "{loss:?}");
    // Of two whose timelines the record knows the agent takes the later one.
    case.reported[1] = reported("srv3", "4:0/9000000:0000000c");
    let refused = accept(&case.facts(), &case.outlook(), "srv3").expect_err("srv2 is ahead by its timeline");
    assert!(refused.contains("quorate recover --promote srv2"), "{refused}");
}

/// The note beside the data is written anew once a standby has caught up.
#[test]
fn an_older_note_on_the_last_timeline_is_no_other_branch() {
    let mut case = without_the_primary();
    case.reported = vec![reported("srv2", "5:0/6000148:0000000c")];
    assert_eq!(case.outlook().rows[1].data, Data::Last);
    for other in ["5:0/6000148:0000000f", "4:0/6000148:0000000c", "6:0/6000148:0000000d"] {
        case.reported = vec![reported("srv2", other)];
        assert_eq!(case.outlook().rows[1].data, Data::Other, "{other}");
    }
    assert!(case.choice().1.sentence().ends_with("It lacks everything since the last promotion."));
    case.reported = vec![reported("srv2", "5:0/6000148:-")];
    assert_eq!(case.choice().1.lacks, Lacks::Unknown);
}

/// Whoever runs and says nothing, or is of an unknown line, may have what nobody else has.
#[test]
fn a_silent_voter_proves_nothing() {
    let mut case = without_the_primary();
    case.voters = Some("4:17:2:srv1,srv2,srv3".parse().expect("voters"));
    case.status = status(
        true,
        &[("srv1", false, None), ("srv2", true, Some("Unpromoted")), ("srv3", true, Some("Unpromoted"))],
    );
    for silent in [None, Some("5:0/6000100:0000000f"), Some("4:0/6000100:0000000d"), Some("5:0/6000100:-")] {
        case.reported = vec![reported("srv2", "5:0/6000148:0000000d")];
        case.reported.extend(silent.map(|text| reported("srv3", text)));
        let loss = case.choice().1;
        assert_eq!((loss.node.as_str(), &loss.of[..]), ("srv2", &["srv1".to_owned(), "srv3".to_owned()][..]));
    }
    // Of an earlier promotion: nothing is known of the last one's commits.
    case.voters = Some("3:17:2:srv1,srv2,srv3".parse().expect("voters"));
    case.reported = vec![reported("srv2", "5:0/6000148:0000000d"), reported("srv3", "5:0/6000100:0000000d")];
    assert_eq!(case.choice().1.of, ["srv1"]);
    assert!(case.outlook().commits.contains("earlier promotion"), "{}", case.outlook().commits);
    for record in [Record::Empty, Record::Unread("x".into())] {
        case.record = record;
        let loss = case.choice().1;
        assert!(loss.lacks == Lacks::Unknown && loss.of.len() == 2, "unknown is not safe: {loss:?}");
    }
}

#[test]
fn what_pacemaker_was_told_not_to_do_is_said_first() {
    let mut case = without_the_primary();
    let ban = |promoted_only| Ban {
        id: "cli-ban-pgsqld".into(),
        resource: "pgsqld-clone".into(),
        node: "srv2".into(),
        promoted_only,
    };
    case.status.bans = vec![ban(true)];
    let refused = accept(&case.facts(), &case.outlook(), "srv2").expect_err("a ban");
    assert!(refused.contains("pcs constraint delete cli-ban-pgsqld"), "{refused}");
    case.status.bans.clear();
    case.status.instances.iter_mut().for_each(|i| i.managed = false);
    assert!(accept(&case.facts(), &case.outlook(), "srv2").is_err_and(|why| why.contains("does not manage")));
}

#[test]
fn a_primary_that_waits_for_its_fencing_is_no_primary() {
    let mut case = without_the_primary();
    case.status = status(true, &[("srv1", false, Some("Promoted")), ("srv2", true, Some("Unpromoted"))]);
    case.status.nodes.iter_mut().filter(|n| n.name == "srv1").for_each(|n| n.unclean = true);
    assert_eq!(case.outlook().advice, Advice::Fence { primary: "srv1".into() });
    assert!(accept(&case.facts(), &case.outlook(), "srv2").is_err_and(|why| why.contains("fenced")));
}

#[test]
fn each_state_has_its_own_cure() {
    let mut case = without_the_primary();
    assert_eq!(cure(&case.outlook(), "srv1"), "pcs cluster start srv1");
    case.status.nodes.iter_mut().for_each(|node| node.online = true);
    assert_eq!(cure(&case.outlook(), "srv1"), "pcs resource cleanup pgsqld node=srv1");
    case.status.nodes.iter_mut().for_each(|node| node.standby = true);
    assert_eq!(cure(&case.outlook(), "srv1"), "pcs node unstandby srv1");
    // A member without PostgreSQL has nothing to start.
    let ban = Ban { id: "x".into(), resource: "pgsqld".into(), node: "srv3".into(), promoted_only: false };
    case.status = status(true, &[("srv2", true, Some("Unpromoted")), ("srv3", false, None)]);
    case.status.bans = vec![ban];
    assert!(case.outlook().rows.iter().all(|row| row.node != "srv3"));
}

#[test]
fn who_is_behind_another_one_that_runs_is_not_promoted() {
    let mut case = without_the_primary();
    case.status = status(
        true,
        &[("srv1", false, None), ("srv2", true, Some("Unpromoted")), ("srv3", true, Some("Unpromoted"))],
    );
    case.reported.push(reported("srv3", "5:0/6000100:0000000d"));
    let refused = accept(&case.facts(), &case.outlook(), "srv3").expect_err("srv2 is ahead");
    assert!(refused.contains("quorate recover --promote srv2"), "{refused}");
    assert_eq!(case.outlook().rows[2].behind, Some(0x48));
}

#[test]
fn enough_voters_prove_that_nothing_is_lost() {
    let mut case = without_the_primary();
    case.voters = Some("4:17:2:srv1,srv2,srv3".parse().expect("voters"));
    case.status =
        status(true, &[("srv1", false, None), ("srv2", true, Some("Unpromoted")), ("srv3", false, None)]);
    let (start, loss) = case.choice();
    assert_eq!(start, ["srv1", "srv3"], "one of them is enough, either one");
    assert!(!loss.of.is_empty());
    case.status = status(
        true,
        &[("srv1", false, None), ("srv2", true, Some("Unpromoted")), ("srv3", true, Some("Unpromoted"))],
    );
    case.reported.push(reported("srv3", "5:0/6000100:0000000d"));
    let (_, loss) = case.choice();
    assert_eq!(loss.sentence(), "No acknowledged commit is known that only another one has.");
    assert_eq!(case.outlook().commits, "each acknowledged commit is on at least 2 of srv1, srv2, srv3");
}

#[test]
fn what_comes_first_is_said_first() {
    let mut case = without_the_primary();
    case.status.quorate = Some(false);
    assert_eq!(case.outlook().advice, Advice::Quorum { missing: vec!["srv1".into()] });
    assert!(accept(&case.facts(), &case.outlook(), "srv2").is_err_and(|why| why.contains("no quorum")));
    case.status.quorate = None;
    assert!(matches!(case.outlook().advice, Advice::Quorum { .. }), "nobody said that there is any");
    let running = [("srv1", true, Some("Promoted")), ("srv2", true, Some("Unpromoted"))];
    case.status = status(true, &running);
    assert_eq!(case.outlook().advice, Advice::Nothing { primary: "srv1".into() });
    assert!(
        accept(&case.facts(), &case.outlook(), "srv2").is_err_and(|why| why.contains("srv1 is the primary"))
    );
    let starting = [("srv1", true, Some("Unpromoted")), ("srv2", true, Some("Unpromoted"))];
    case.status = status(true, &starting);
    assert_eq!(case.outlook().advice, Advice::Wait);
    case.status = status(true, &[("srv1", true, None), ("srv2", false, None)]);
    assert!(matches!(case.outlook().advice, Advice::Choose { accept: None, .. }), "nobody runs");
}
