use super::*;

fn set(nodes: &str) -> BTreeSet<String> {
    nodes.split_whitespace().map(str::to_owned).collect()
}

fn statement(count: usize, nodes: &str) -> Statement {
    Statement { count, nodes: set(nodes) }
}

/// Every set of instances out of four.
fn sets() -> impl Iterator<Item = BTreeSet<String>> {
    (0..16u32)
        .map(|bits| ["a", "b", "c", "d"].into_iter().enumerate().filter(move |(n, _)| bits & (1 << n) != 0))
        .map(|names| names.map(|(_, name)| name.to_owned()).collect())
}

fn statements() -> Vec<Statement> {
    sets()
        .flat_map(|nodes| (1..=nodes.len()).map(move |count| Statement { count, nodes: nodes.clone() }))
        .collect()
}

/// Whether a commit that is on these is one that the statement speaks of.
fn holds(statement: &Statement, on: &BTreeSet<String>) -> bool {
    statement.nodes.intersection(on).count() >= statement.count
}

#[test]
fn what_is_implied_holds_wherever_a_commit_is() {
    for a in statements() {
        for b in statements() {
            let always = sets().filter(|on| holds(&a, on)).all(|on| holds(&b, &on));
            assert_eq!(a.implies(&b), always, "{a} and {b}");
            let either = a.or(&b);
            for on in sets().filter(|on| holds(&a, on) || holds(&b, on)) {
                assert!(holds(&either, &on), "{a} or {b}: {either} on {on:?}");
            }
        }
    }
}

#[test]
fn whoever_hears_from_enough_hears_from_one_that_has_it() {
    for statement in statements() {
        for answered in sets() {
            let enough = statement.missing(&answered).is_none();
            let safe = sets()
                .filter(|on| holds(&statement, on))
                .all(|on| on.intersection(&answered).next().is_some());
            assert_eq!(enough, safe, "{statement}, answered {answered:?}");
        }
    }
    assert_eq!(statement(2, "a b c").missing(&set("b x")), Some(vec!["a".to_owned(), "c".to_owned()]));
}

#[test]
fn a_record_is_read_as_it_was_written() {
    for text in ["3:17:2:srv1,srv2,srv3", "1:1:1:srv-1.example", "9:4:0:"] {
        assert_eq!(text.parse::<Voters>().expect(text).to_string(), text);
    }
    for text in
        ["", "1:1:0:srv1", "1:1:2:srv1", "1:1:1:", "1:1:1:a b", "1:1:1:a,", "x:1:1:a", "1:1:1", "1:1:-1:a"]
    {
        let error = text.parse::<Voters>().expect_err(text);
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}

#[test]
fn the_latest_is_that_of_the_last_promotion() {
    let voters = |text: &str| text.parse::<Voters>().expect(text);
    let on = |text| NodeVoters { node: "x".into(), voters: voters(text) };
    let all = ["2:9:1:a", "3:4:1:b", "3:3:1:c"].map(on);
    let last = Voters::latest(&all).expect("one");
    assert_eq!(last, voters("3:4:1:b"));
    assert_eq!(Voters::after(Some(&last), 4, None, BootTime::at(0)), voters("4:5:0:"));
    assert_eq!(Voters::after(Some(&last), 2, None, BootTime::at(0)).generation, 3);
    assert_eq!(Voters::after(None, 1, Some(statement(1, "a")), BootTime::at(0)), voters("1:1:1:a"));
    assert_eq!(Voters::latest(&[]), None);
}

#[test]
fn the_setting_is_read_and_written() {
    for (text, count, nodes) in [
        ("", 0, ""),
        ("ANY 1 (\"srv2\", \"srv3\")", 1, "srv2 srv3"),
        ("FIRST 2 (a, b,c)", 2, "a b c"),
        ("2 (a, b)", 2, "a b"),
        ("a, b", 1, "a b"),
        ("any 1(a)", 1, "a"),
    ] {
        assert_eq!(Names::parse(text), Some(Names { count, nodes: set(nodes) }), "{text}");
    }
    for text in ["*", "ANY 1 (*)", "ANY (a)", "ANY 0 (a)", "ANY 1 (a", "ANY 1 (\"a b\")", "ANY x (a)", "()"] {
        assert_eq!(Names::parse(text), None, "{text}");
    }
    let names = Names { count: 2, nodes: set("srv2 srv-3") };
    assert_eq!(names.to_string(), "ANY 2 (\"srv-3\", \"srv2\")");
    assert_eq!(Names::parse(&names.to_string()), Some(names));
    assert_eq!(Names::default().to_string(), "");
}

#[test]
fn what_a_setting_says_of_a_commit() {
    let names = |count, nodes| Names { count, nodes: set(nodes) };
    assert_eq!(names(1, "b c").statement("a"), statement(2, "a b c"));
    assert_eq!(names(1, "a b c").statement("a"), statement(2, "a b c"), "a server does not wait for itself");
    assert_eq!(names(0, "").statement("a"), statement(1, "a"));
    assert_eq!(
        names(1, "a").statement("a"),
        statement(1, "a"),
        "every commit hangs: nothing is acknowledged"
    );
}
