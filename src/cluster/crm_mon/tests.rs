use super::*;

#[test]
fn words_of_old_and_new_pacemaker_are_the_same_roles() {
    assert_eq!(Role::parse("Master"), Role::Promoted);
    assert_eq!(Role::parse("Promoted"), Role::Promoted);
    assert_eq!(Role::parse("Slave"), Role::Unpromoted);
    assert_eq!(Role::parse("Unpromoted"), Role::Unpromoted);
    assert_eq!(Role::parse("Promoting"), Role::Changing("Promoting".to_owned()));
    assert_eq!(Role::parse("Sleeping"), Role::Unknown("Sleeping".to_owned()));
}

#[test]
fn text_that_is_not_crm_mons_is_an_error() {
    assert!(matches!(parse(""), Err(ParseError::NoResult)));
    assert!(matches!(parse("crm_mon: Connection to cluster failed"), Err(ParseError::NoResult)));
    // Killed in the middle of printing.
    assert!(parse("<pacemaker-result><nodes><node name=\"srv1\" online=\"true\"/>").is_err());
    assert!(parse("<pacemaker-result><nodes>").is_err());
    assert!(matches!(
        parse("<pacemaker-result><nodes><node online=\"true\"/></nodes></pacemaker-result>"),
        Err(ParseError::Missing { attribute: "name", .. })
    ));
}

#[test]
fn elements_lie_in_each_other_only_so_deep() {
    let deep = format!("<pacemaker-result>{}", "<resource id=\"a\" role=\"Started\">".repeat(101));
    assert!(matches!(parse(&deep), Err(ParseError::Deep)));
}

#[test]
fn an_empty_cluster_is_not_an_error() {
    assert_eq!(parse("<pacemaker-result/>").expect("parses"), Status::default());
}

/// Captured from a real cluster: Pacemaker 2.1.5, two nodes, PAF.
const HEALTHY_2_1: &str = include_str!("healthy-2.1.xml");

#[test]
fn a_healthy_cluster_of_pacemaker_2_1_is_read() {
    let status = parse(HEALTHY_2_1).expect("parses");
    assert_eq!(status.quorate, Some(true));
    assert_eq!(status.dc.as_deref(), Some("srv2"));
    assert_eq!(status.version.as_deref(), Some("2.1.5-a3f44794f94"));
    assert!(status.nodes.iter().all(|n| n.online && !n.unclean && !n.pending && !n.standby));
    assert_eq!(status.nodes_with_role("pgsqld", &Role::Promoted), ["srv1"]);
    assert_eq!(status.nodes_with_role("pgsqld", &Role::Unpromoted), ["srv2"]);
    assert_eq!(status.node_of("primary-ip"), Some("srv1"));
    assert_eq!(status.node_of("standby-ip"), Some("srv2"));
    assert_eq!(status.promotion_score("pgsqld", "srv1"), Some("1001"));
    assert_eq!(status.promotion_score("pgsqld", "srv2"), Some("1000"));
    assert_eq!(status.promotion_score("pgsqld", "srv3"), None);
    assert!(status.failures.is_empty() && status.bans.is_empty());
    assert!(status.instances.iter().all(|i| i.managed && !i.failed && !i.blocked));
}

/// Captured from a real cluster: Pacemaker 3.0.0, two nodes, this project's agent.
const HEALTHY_3_0: &str = include_str!("healthy-3.0.xml");

#[test]
fn a_healthy_cluster_of_pacemaker_3_0_is_read() {
    let status = parse(HEALTHY_3_0).expect("parses");
    assert_eq!(status.quorate, Some(true));
    assert_eq!(status.version.as_deref(), Some("3.0.0-3.0.0"));
    assert_eq!(status.nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(), ["srv1", "srv2"]);
    assert!(status.nodes.iter().all(|n| n.online && !n.unclean && !n.pending && !n.standby));
    assert_eq!(status.nodes_with_role("pgsqld", &Role::Promoted), ["srv1"]);
    assert_eq!(status.nodes_with_role("pgsqld", &Role::Unpromoted), ["srv2"]);
    assert_eq!(status.role_on("pgsqld", "srv2"), Some(&Role::Unpromoted));
    assert_eq!(status.role_on("pgsqld", "srv3"), None);
    assert_eq!(status.node_of("primary-ip"), Some("srv1"));
    assert_eq!(status.promotion_score("pgsqld", "srv2"), Some("500"));
}

/// Captured while a frozen primary was being brought back: Pacemaker 2.1.5.
const FAILURE_2_1: &str = include_str!("failure-2.1.xml");

#[test]
fn a_failed_action_keeps_its_reason() {
    let status = parse(FAILURE_2_1).expect("parses");
    assert_eq!(
        status.failures,
        [Failure {
            operation: "pgsqld_monitor_15000".to_owned(),
            node: "srv2".to_owned(),
            status: "error".to_owned(),
            reason: "the postmaster is stopped (SIGSTOP) and does not answer".to_owned(),
        }]
    );
}
