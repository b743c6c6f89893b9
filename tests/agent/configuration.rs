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
