//! The instance's configuration as administrators have it: other encodings, other modes, Debian's directories.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use crate::support::{Node, World, code, owned_dir, owned_file};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").mode() & 0o7777
}

/// A variable of the postmaster.
fn variable(node: &Node<'_>, name: &str) -> Option<String> {
    let pid = node.postmaster().expect("it runs");
    let environment = fs::read(format!("/proc/{pid}/environ")).expect("we are root");
    let text = String::from_utf8_lossy(&environment).into_owned();
    text.split('\0').find_map(|v| v.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

/// ALTER SYSTEM in a LATIN1 database, an editor of another system, `initdb --allow-group-access`.
#[test]
fn the_other_bytes_and_the_mode_of_auto_conf_stay() {
    let world = World::new("auto-conf");
    let one = world.primary(1);
    let two = one.standby(2);
    let path = two.pgdata.join("postgresql.auto.conf");
    let text = b"# \xe9t\xe9\r\nbonjour.name = 'caf\xe9 \xa0 it''s'\r\nprimary_conninfo = 'host=nowhere'\r\nwork_mem = '5MB'";
    owned_file(&path, text, 0o640);
    fs::set_permissions(&two.pgdata, fs::Permissions::from_mode(0o750)).expect("we are root");
    fs::remove_file(two.pgdata.join("standby.signal")).expect("pg_basebackup made it");
    two.must("start", code::SUCCESS);
    let after = fs::read(&path).expect("there");
    let conninfo = b"primary_conninfo = ";
    let at = after.windows(conninfo.len()).position(|w| w == conninfo).expect("it is set");
    let end = at + after[at..].iter().position(|b| *b == b'\n').expect("a line") + 1;
    let others: Vec<u8> = [&after[..at], &after[end..]].concat();
    assert_eq!(others, b"# \xe9t\xe9\r\nbonjour.name = 'caf\xe9 \xa0 it''s'\r\nwork_mem = '5MB'");
    assert_eq!((mode(&path), mode(&two.pgdata.join("standby.signal"))), (0o640, 0o640));
    assert_eq!(two.setting("work_mem"), "5120");
    assert!(two.setting("primary_conninfo").contains(&one.address()));
}

/// What pg_ctlcluster reads for a cluster of Debian's.
#[test]
fn the_variables_beside_the_configuration_are_the_servers() {
    let world = World::new("environment");
    let node = world.node(1);
    let etc = world.dir.join("etc");
    owned_dir(&etc);
    let configuration = etc.join("postgresql.conf");
    fs::copy(node.pgdata.join("postgresql.conf"), &configuration).expect("copied");
    let (uid, gid) = World::owner();
    chown(&configuration, Some(uid), Some(gid)).expect("we are root");
    let start = || node.call("start").param("config_file", &configuration.to_string_lossy()).run();
    start().assert_code(code::SUCCESS);
    assert_eq!(
        (variable(&node, "LC_ALL").as_deref(), variable(&node, "MALLOC_ARENA_MAX")),
        (Some("C"), None)
    );
    node.must("stop", code::SUCCESS);

    let environment = etc.join("environment");
    let text =
        "# variables\n\nMALLOC_ARENA_MAX = 2\nGREETING='it''s \\'here\\'' # quoted\nLANG = en_US.UTF-8\n";
    owned_file(&environment, text.as_bytes(), 0o644);
    start().assert_code(code::SUCCESS);
    assert_eq!(variable(&node, "MALLOC_ARENA_MAX").as_deref(), Some("2"));
    assert_eq!(variable(&node, "GREETING").as_deref(), Some("it's 'here'"));
    assert_eq!((variable(&node, "LANG").as_deref(), variable(&node, "LC_ALL")), (Some("en_US.UTF-8"), None));
    node.must("stop", code::SUCCESS);

    owned_file(&environment, b"A = 1\nPGPASSWORD = 's3cret' x\n", 0o644);
    let run = start();
    run.assert_code(code::GENERIC);
    run.assert_reason(&[&*environment.to_string_lossy(), "line 2"]);
    assert!(!run.stderr.contains("s3cret"), "{run}");
}

/// The server would run in another directory, and everything but the start would look for it here.
#[test]
fn a_configuration_of_another_data_directory_is_refused() {
    let world = World::new("data-directory");
    let (node, other) = (world.node(1), world.node(2));
    let etc = world.dir.join("etc");
    owned_dir(&etc);
    let configuration = etc.join("postgresql.conf");
    let configure = |more: &str| {
        let mut text = fs::read_to_string(node.pgdata.join("postgresql.conf")).expect("initdb's");
        text.push_str(more);
        owned_file(&configuration, text.as_bytes(), 0o644);
    };
    let call = |action: &str| node.call(action).param("config_file", &configuration.to_string_lossy());
    let line = |path: &Path| format!("data_directory = '{}'\n", path.display());
    owned_file(&etc.join("more.conf"), line(&other.pgdata).as_bytes(), 0o644);
    for text in [line(&other.pgdata), "include 'more.conf'\n".to_owned(), line(&world.dir.join("nowhere"))] {
        configure(&text);
        for action in ["validate-all", "start"] {
            let run = call(action).run();
            assert_eq!(run.code, Some(code::ARGS), "{text}: {run}");
            run.assert_reason(&["data_directory", &*node.pgdata.to_string_lossy(), ".conf:"]);
        }
        assert!(node.processes().is_empty() && other.processes().is_empty(), "{text}");
        call("stop").must(code::SUCCESS);
    }
    // The same by a link, as PostgreSQL's own directory of its configurations has it, or by the last of two lines.
    let link = world.dir.join("link");
    std::os::unix::fs::symlink(&node.pgdata, &link).expect("a link");
    for text in [line(&link), line(&other.pgdata) + &line(&node.pgdata), "data_directory = ''\n".to_owned()] {
        configure(&text);
        call("validate-all").must(code::SUCCESS);
        call("start").must(code::SUCCESS);
        assert!(node.postmaster().is_some(), "{text}");
        call("stop").must(code::SUCCESS);
    }
    // What is not read here does not lead the server away.
    configure(&(format!("# {}\n", "x".repeat(98)).repeat(11_000) + &line(&other.pgdata)));
    call("start").must(code::SUCCESS);
    assert!(node.postmaster().is_some() && other.postmaster().is_none());
    call("stop").must(code::SUCCESS);
    configure("");
    let run = call("start").param("start_opts", &format!("-D {}", other.pgdata.display())).run();
    run.assert_code(code::ARGS);
    run.assert_reason(&["start_opts", "pgdata"]);
}
