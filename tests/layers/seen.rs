//! The check itself: what is a breach is seen, and what only looks like one is not.

use crate::breaches::breaches_of;
use crate::rules::{
    AS_ROOT, BINARY_MAX_LINES, FILE_ACCESS, FILE_ACCESS_WHY, IMPURE, MAX_LINES, OWN_FILES, RULES,
};

/// The check itself can fail: one synthetic breach for each rule.
#[test]
fn a_breach_is_seen() {
    for (token, _) in IMPURE {
        let source = format!("fn f() {{ let _ = {token}::f(); }}\n");
        assert!(!breaches_of("decide/monitor.rs", &source).is_empty(), "{token} in a pure module");
    }
    for rule in RULES {
        let source = format!("fn f() {{ let _ = {}; }}\n", rule.token);
        let of_the_lab = source.replace("crate::", "quorate::");
        assert!(
            breaches_of("lab/x.rs", &of_the_lab).iter().any(|b| b.0.contains(rule.why))
                || rule.allowed.contains(&"lab/"),
            "{} in lab/x.rs",
            rule.token
        );
        for place in rule.allowed {
            let path = if place.ends_with(".rs") { (*place).to_owned() } else { format!("{place}x.rs") };
            let named = breaches_of(&path, &source).iter().any(|b| b.0.contains(rule.why));
            assert!(!named, "{} in {path} is legal", rule.token);
        }
    }
    for token in FILE_ACCESS {
        let source = format!(
            "fn f() {{ let _ = x{}; }}\n",
            if token.starts_with('.') { (*token).to_owned() } else { format!("({token}(y))") }
        );
        for layer in AS_ROOT {
            let path = format!("{layer}node.rs");
            let named = breaches_of(&path, &source).iter().any(|b| b.0.contains(FILE_ACCESS_WHY));
            assert!(named, "{token} in {path}");
        }
        for (place, _) in OWN_FILES {
            let path = if place.ends_with(".rs") { (*place).to_owned() } else { format!("{place}x.rs") };
            let named = breaches_of(&path, &source).iter().any(|b| b.0.contains(FILE_ACCESS_WHY));
            assert!(!named, "{token} in {path} is legal");
        }
    }
    assert_eq!(breaches_of("decide/long.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1);
    assert_eq!(breaches_of("bin/quorate-agent.rs", &"\n".repeat(BINARY_MAX_LINES + 1)).len(), 1);
}

/// Whichever way a path takes, and wherever it stands in a file.
#[test]
fn a_breach_behind_super_or_a_test_is_seen() {
    for (path, source) in [
        ("decide/score.rs", "use super::super::boundary::host;\n"),
        ("decide/score.rs", "use crate::{\n    boundary::host,\n    pg::lsn::Lsn,\n};\n"),
        ("decide/score.rs", "pub(super) use super::super::{pg::lsn::Lsn, boundary::{host, node}};\n"),
        ("decide/detector/watch.rs", "fn f(x: super::super::super::boundary::Host) {}\n"),
        ("decide/detector/mod.rs", "use super::super::agent::Agent;\n"),
        ("decide/score.rs", "use std::{\n    fs,\n    fmt,\n};\n"),
        ("decide/score.rs", "#[cfg(test)]\nmod samples;\nuse std::fs;\n"),
        ("decide/score.rs", "#[cfg(test)]\nuse super::x;\nfn f() { std::env::var(0) }\n"),
        ("decide/score.rs", "#[cfg(test)]\nmod tests {\n    fn f() { let c = '{'; }\n}\nuse std::fs;\n"),
        (
            "decide/score.rs",
            "impl A {\n    #[cfg(test)]\n    fn f() { }\n    fn g() { std::fs::read(0) }\n}\n",
        ),
        ("decide/score.rs", "#[cfg(not(test))]\nuse std::fs;\n"),
        ("boundary/node.rs", "use super::super::agent::Agent;\n"),
        ("boundary/node.rs", "#[cfg(test)]\nmod tests { }\nfn f() { decide(1) }\n"),
        ("pg/lsn.rs", "use super::super::decide::score;\n"),
        ("pg/lsn.rs", "use std::fmt; use crate::decide::score;\n"),
        ("pg/lsn.rs", "use std::{\n    fmt,\n}; use super::super::decide::score;\n"),
        ("lab/run.rs", "use quorate::decide::score;\n"),
        ("lab/truth/mod.rs", "use quorate::{boundary::host, pg::lsn::Lsn};\n"),
        ("lab/truth/reads.rs", "use crate::faults::Fault;\n"),
        ("lab/truth/reads.rs", "use super::super::faults::Fault;\n"),
        ("lab/truth/reads.rs", "use crate::machines::protocol::Event;\n"),
        ("lab/record/measure.rs", "use crate::client::Client;\n"),
    ] {
        assert!(!breaches_of(path, source).is_empty(), "{path}: {source}");
    }
}

/// What only looks like a breach: prose, text and unit tests.
#[test]
fn prose_is_no_breach() {
    let source = "//! not std::fs\n/* std::fs\n std::env */\nfn f() -> &'static str { \"std::fs \\\" nix::\" } // std::env\n\
                  fn atokio() {}\n#[cfg(test)]\nmod tests { use std::fs; }\n";
    assert_eq!(breaches_of("decide/monitor.rs", source), vec![]);
    let values = "use quorate::pg::lsn::Lsn;\nuse crate::record::history::Outcome;\nuse super::Finding;\n";
    assert_eq!(breaches_of("lab/truth/reads.rs", values), vec![]);
    for legal in [
        "#[cfg(test)]\nmod tests {\n    use super::super::boundary;\n    fn f() { if true { std::fs::read(0) } }\n}\n",
        "#[cfg(all(test, feature = \"lab\"))]\nuse std::fs;\n",
        "use super::facts;\nuse super::super::pg::lsn::Lsn;\n",
        "use super::boundary_of::x;\n",
    ] {
        assert_eq!(breaches_of("decide/monitor.rs", legal), vec![], "{legal}");
    }
}
