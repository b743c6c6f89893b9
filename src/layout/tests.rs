//! Each rule of a description with the message that it gives; the examples; a site of another size.

use super::kind::Kind;
use super::*;

fn site(text: &str) -> Site {
    read(text, &Overrides::default()).unwrap_or_else(|p| panic!("{}\n{text}", explain("site.toml", &p)))
}

/// A layout, changes to its example, and how the one problem begins.
type Case = (Kind, &'static [(&'static str, &'static str)], &'static str);

/// The example with these replacements, and the one problem that it has then.
fn problem(kind: Kind, changes: &[(&str, &str)]) -> String {
    let mut text = examples::text(kind).to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in the example");
        text = text.replacen(from, to, 1);
    }
    match read(&text, &Overrides::default()) {
        Ok(_) => panic!("{changes:?} is no problem"),
        Err(problems) => {
            assert_eq!(problems.len(), 1, "{}", explain("site.toml", &problems));
            let line = text.lines().nth(problems[0].line - 1).unwrap_or_default();
            format!(
                "{}| {}; {}",
                line.split('#').next().unwrap_or_default().trim(),
                problems[0].what,
                problems[0].cure
            )
        }
    }
}

const SECOND_NODE: &str = "[[node]]\nname = \"srv2\"\ncentre = \"west\"\naddresses = [\"192.168.56.22\"]\n";
const WITNESS: &str = "[witness]\nname = \"witness\"\ncentre = \"third\"                    # neither of the nodes' centres\naddress = \"192.168.56.5\"\n";

#[test]
fn the_examples_are_sound_and_may_run_side_by_side() {
    let sites: Vec<Site> = Kind::ALL.iter().map(|k| site(examples::text(*k))).collect();
    for (a, kind) in sites.iter().zip(Kind::ALL) {
        assert_eq!(a.kind, kind);
        for b in sites.iter().filter(|b| b.name != a.name) {
            for node in &a.nodes {
                assert!(b.nodes.iter().all(|n| n.name != node.name && n.addresses != node.addresses));
            }
            assert!(b.instances.iter().all(|i| a.instances.iter().all(|j| i.primary_ip != j.primary_ip)));
            if let (Some(v), Some(w)) = (&a.witness, &b.witness) {
                assert_eq!(v, w, "one witness serves all");
            }
        }
    }
}

#[test]
fn every_wrong_description_gets_its_line_and_its_cure() {
    use Kind::{Classic, ManyReplicas, Packed, ThreeCentres};
    let cases: &[Case] = &[
        (
            Classic,
            &[("layout = \"classic\"", "layout = \"clasic\"")],
            "layout = \"clasic\"| there is no layout \"clasic\"; use one of",
        ),
        (Classic, &[("port = 5432", "prot = 5432")], "prot = 5432| unknown field `prot`"),
        (Classic, &[("port = 5432", "port = \"5432\"")], "port = \"5432\"| invalid type"),
        (Classic, &[("port = 5432", "port = 0")], "port = 0| 0 is not a port; use 1 to 65535"),
        (
            Classic,
            &[("name = \"srv2\"", "name = \"Srv_2\"")],
            "name = \"Srv_2\"| \"Srv_2\" can't be the host name of a node; write what hostname prints",
        ),
        (
            Classic,
            &[("name = \"main\"", "name = \"my db\"")],
            "name = \"my db\"| \"my db\" can't name an instance",
        ),
        (
            Classic,
            &[("home = \"srv1\"", "home = \"srv3\"")],
            "home = \"srv3\"| the home \"srv3\" is no node; name one of srv1, srv2",
        ),
        (
            Classic,
            &[("\"192.168.56.22\"", "\"192.168.56.222.1\"")],
            "addresses = [\"192.168.56.222.1\"]| \"192.168.56.222.1\" is not an address",
        ),
        (
            Classic,
            &[("clients = \"192.168.56.0/24\"", "clients = \"192.168.56.1/24\"")],
            "clients = \"192.168.56.1/24\"| \"192.168.56.1/24\" is not a network of several hosts; write the network, such as \"192.168.56.0/24\"",
        ),
        (
            Classic,
            &[("version = 15", "version = 9")],
            "version = 9| PostgreSQL 9 is not supported; the agent knows 13 to 18",
        ),
        (
            Classic,
            &[("profile = \"default\"", "profile = \"quick\"")],
            "profile = \"quick\"| there is no profile \"quick\"; use \"default\" or \"fast\"",
        ),
        (
            Classic,
            &[("watchdog_s = 5", "watchdog_s = 2")],
            "watchdog_s = 2| 2 s are out of range; use 5 to 300 s",
        ),
        // Even and odd against the witness.
        (
            Classic,
            &[(WITNESS, "")],
            "[[node]]| 2 nodes without a witness: half of them are no majority; describe a [witness]",
        ),
        (
            ThreeCentres,
            &[(
                "[[instance]]",
                "[witness]\nname = \"w\"\ncentre = \"x\"\naddress = \"10.0.0.1\"\n[[instance]]",
            )],
            "[witness]| 3 nodes and a witness: an even number of votes",
        ),
        (
            Classic,
            &[("centre = \"third\"", "centre = \"east\"")],
            "centre = \"east\"| the witness stands in east, a data centre of nodes",
        ),
        (
            Classic,
            &[("centre = \"west\"", "centre = \"east\"")],
            "[[node]]| the nodes are in 1 centre (east), the layout classic spans 2 centres",
        ),
        (
            ManyReplicas,
            &[("name = \"many3\"\ncentre = \"west\"", "name = \"many3\"\ncentre = \"east\"")],
            "[[node]]| east has 3 nodes, west has 1",
        ),
        // Names, ports and addresses.
        (Classic, &[("name = \"srv2\"", "name = \"srv1\"")], "name = \"srv1\"| two machines are called srv1"),
        (
            Classic,
            &[("name = \"witness\"", "name = \"srv2\"")],
            "name = \"srv2\"| two machines are called srv2",
        ),
        (Packed, &[("name = \"b\"", "name = \"a\"")], "name = \"a\"| two instances are called a"),
        (Packed, &[("port = 5433", "port = 5432")], "port = 5432| two instances have the port 5432"),
        (
            Classic,
            &[("\"192.168.56.22\"", "\"192.168.56.21\"")],
            "addresses = [\"192.168.56.21\"]| 192.168.56.21 belongs to the node srv1 and to the node srv2",
        ),
        (
            Classic,
            &[("primary_ip = \"192.168.56.120\"", "primary_ip = \"192.168.56.22\"")],
            "primary_ip = \"192.168.56.22\"| 192.168.56.22 belongs to the node srv2 and to a float IP of the instance main",
        ),
        (
            Classic,
            &[("primary_ip = \"192.168.56.120\"", "primary_ip = \"192.168.99.120\"")],
            "primary_ip = \"192.168.99.120\"| 192.168.99.120 is outside of 192.168.56.0/24",
        ),
        (
            Classic,
            &[("primary_ip = \"192.168.56.120\"", "primary_ip = \"192.168.56.255\"")],
            "primary_ip = \"192.168.56.255\"| 192.168.56.255 is the network's or the broadcast address",
        ),
        (
            ThreeCentres,
            &[("\"192.168.56.32\", \"192.168.57.32\"", "\"192.168.56.32\"")],
            "name = \"tri2\"| tri2 has 1 addresses, and there are 2 networks",
        ),
        (
            ThreeCentres,
            &[("\"192.168.57.32\"", "\"192.168.58.32\"")],
            "addresses = [\"192.168.56.32\", \"192.168.58.32\"]| 192.168.58.32 is outside of 192.168.57.0/24",
        ),
        // What the layouts are.
        (Classic, &[(SECOND_NODE, "")], "[[node]]| the layout classic does not have 1 nodes"),
        (
            Packed,
            &[(
                "[[instance]]\nname = \"b\"\nport = 5433\nhome = \"pack2\"\nprimary_ip = \"192.168.56.102\"\n",
                "",
            )],
            "[[instance]]| the layout packed has one instance only; describe a second one",
        ),
        (
            Packed,
            &[("port = 5433", "port = 5433\nstandby_ips = [\"192.168.56.103\"]")],
            "standby_ips = [\"192.168.56.103\"]| 1 standby IPs for 0 standbys in the layout packed; leave them out",
        ),
        (
            Classic,
            &[("[\"192.168.56.121\"]", "[\"192.168.56.121\", \"192.168.56.122\"]")],
            "standby_ips = [\"192.168.56.121\", \"192.168.56.122\"]| 2 standby IPs for 1 standbys in the layout classic; describe one",
        ),
        (
            Classic,
            &[("port = 5432", "port = 5432\nsync = \"strict\"")],
            "sync = \"strict\"| sync = \"strict\" with two nodes: every commit would hang",
        ),
        (
            ThreeCentres,
            &[("port = 5432", "port = 5432\nsync = \"off\"")],
            "sync = \"off\"| the layout three-centres is synchronous",
        ),
        (
            Classic,
            &[("port = 5432", "port = 5432\nsync = \"on\"")],
            "sync = \"on\"| there is no sync \"on\"; use one of \"off\", \"prefer\", \"strict\"",
        ),
    ];
    for (kind, changes, expected) in cases {
        let found = match changes {
            // Without a node there is more than one thing to say; the first one counts here.
            [(from, "")] if *from == SECOND_NODE => {
                let text = examples::text(*kind).replacen(from, "", 1);
                let problems = read(&text, &Overrides::default()).expect_err("one node is no cluster");
                let all = explain("site.toml", &problems);
                assert!(all.contains("does not have 1 nodes") && all.contains("1 centre (east)"), "{all}");
                continue;
            }
            _ => problem(*kind, changes),
        };
        assert!(found.starts_with(expected), "\n{found}\ninstead of\n{expected}");
    }
}

#[test]
fn networks_must_not_overlap() {
    let text = examples::text(Kind::ThreeCentres).replace("192.168.57.0/24", "192.168.56.0/23");
    let all = explain("f", &read(&text, &Overrides::default()).expect_err("overlap"));
    assert!(all.contains("overlap: one cable fault would cut both links"), "{all}");
}

#[test]
fn nothing_and_garbage_are_errors_with_a_line() {
    for text in [
        "",
        "layout",
        "layout = 1",
        "[[node]]\nname = 3",
        "\u{0}",
        "layout = \"classic\"\nlayout = \"packed\"",
    ] {
        let problems = read(text, &Overrides::default()).expect_err(text);
        assert!(!problems.is_empty() && problems[0].line >= 1, "{text}");
    }
}

#[test]
fn synchronous_standbys_are_the_others_the_far_ones_first() {
    let three = site(examples::text(Kind::ThreeCentres));
    assert_eq!(three.synchronous_standby_names(&three.nodes[1]), "ANY 1 (\"tri1\", \"tri3\")");
    let many = site(examples::text(Kind::ManyReplicas));
    assert_eq!(many.synchronous_standby_names(&many.nodes[0]), "FIRST 1 (\"many3\", \"many4\", \"many2\")");
    assert_eq!(many.synchronous_standby_names(&many.nodes[2]), "FIRST 1 (\"many1\", \"many2\", \"many4\")");
    let classic = site(examples::text(Kind::Classic));
    assert_eq!(classic.synchronous_standby_names(&classic.nodes[0]), "");
}

#[test]
fn numbers_are_aliases() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(&kind.number().to_string()), Some(kind));
        assert_eq!(Kind::parse(kind.name()), Some(kind));
    }
    assert_eq!(Kind::parse("5"), None);
}

#[test]
fn an_instance_without_a_home_takes_its_turn() {
    let text =
        examples::text(Kind::Packed).replacen("home = \"pack1\"", "", 1).replacen("home = \"pack2\"", "", 1);
    let homes: Vec<String> = site(&text).instances.into_iter().map(|i| i.home).collect();
    assert_eq!(homes, ["pack1", "pack2"]);
}

#[test]
fn every_example_renders() {
    for kind in Kind::ALL {
        for agent in [render::Agent::Quorate, render::Agent::Paf] {
            let files = render::render(&site(examples::text(kind)), agent).expect("renders");
            assert!(files.iter().all(|f| f.text.ends_with('\n') && !f.text.contains("{{")), "{kind:?}");
            for step in render::steps(&site(examples::text(kind))) {
                assert!(files.iter().any(|f| f.path == step.script && f.text.starts_with("#!/bin/bash\n")));
            }
        }
    }
}

#[test]
fn heuristics_go_by_the_words_of_our_agent_and_can_be_left_out() {
    let found = |text: &str, agent| {
        let files = render::render(&site(text), agent).expect("renders");
        let has = |path| files.iter().any(|f| f.path == path && f.text.contains("primary-here"));
        [has(render::CLUSTER), has(render::COROSYNC_CONF)]
    };
    let classic = examples::text(Kind::Classic);
    assert_eq!(found(classic, render::Agent::Quorate), [true, true]);
    assert_eq!(found(classic, render::Agent::Paf), [false, false]);
    assert_eq!(found(examples::text(Kind::ThreeCentres), render::Agent::Quorate), [false, false]);
    let without = classic.replace("[witness]\n", "[witness]\nheuristics = false\n");
    assert_eq!(found(&without, render::Agent::Quorate), [false, false]);
}
