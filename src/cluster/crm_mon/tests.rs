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
fn an_empty_cluster_is_not_an_error() {
    assert_eq!(parse("<pacemaker-result/>").expect("parses"), Status::default());
}
