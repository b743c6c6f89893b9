//! Bad input: the right exit code, a reason with the name and the cure, never a panic, never a hang.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::time::Duration;

use crate::support::{Node, Run, World, code};

fn probe(node: &Node<'_>) -> Run {
    node.call("monitor").timeout(10).run()
}

/// A clear error or a safe answer: ends by itself, does not claim a role that nobody has.
fn assert_safe(what: &str, run: &Run) {
    assert!(run.code.is_some(), "{what} hangs: {run}");
    assert!((0..=9).contains(&run.code.unwrap_or(-1)), "{what}: no OCF code: {run}");
    assert!(!run.stderr.contains("panicked"), "{what}: {run}");
    assert!(run.elapsed < Duration::from_secs(15), "{what}: {run}");
}

#[test]
fn an_unknown_action_is_3() {
    let world = World::new("unknown-action");
    let node = world.node(1);
    for action in [
        "frobnicate",
        "",
        "--help",
        "START",
        "start stop",
        "migrate_to",
        "migrate_from",
        "reload",
        "status ",
        "ü",
    ] {
        node.must(action, code::UNIMPLEMENTED);
        node.call(action).bare().must(code::UNIMPLEMENTED);
    }
}

#[test]
fn meta_data_needs_nothing() {
    let world = World::new("meta-data");
    let node = world.node(1);
    let run = node.call("meta-data").bare().user(65534).must(code::SUCCESS);
    assert!(run.stdout.starts_with("<?xml"), "{}", run.stdout);
    assert_eq!(run.stderr, "");
    for action in ["start", "stop", "monitor", "promote", "demote", "notify", "validate-all", "reload-agent"]
    {
        let out = node.call(action).run().stdout;
        assert_eq!(out, "", "{action}: stdout is for meta-data alone");
    }
}

#[test]
fn a_closed_stdout_is_no_panic() {
    let world = World::new("closed-stdout");
    let node = world.node(1);
    let run = node.call("meta-data").closed_stdout().run();
    assert!(matches!(run.code, Some(code::SUCCESS | code::GENERIC)), "{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    node.call("monitor").closed_stdout().must(code::NOT_RUNNING);
}

#[test]
fn a_missing_parameter_is_named() {
    let world = World::new("missing-parameter");
    let node = world.node(1);
    for action in ["validate-all", "start"] {
        let run = node.call(action).without("pgdata").run();
        assert!(matches!(run.code, Some(code::ARGS | code::CONFIGURED)), "{run}");
        run.assert_reason(&["pgdata"]);
    }
}

#[test]
fn an_unusable_parameter_is_named() {
    let world = World::new("unusable-parameter");
    let node = world.node(1);
    let cases = [
        ("pgport", "5432x"),
        ("pgport", "0"),
        ("pgport", "70000"),
        ("maxlag", "-1"),
        ("maxlag", "a lot"),
        ("pgdata", "relative/path"),
        ("on_crash", "panic"),
        ("addresses", "srv1"),
        ("start_opts", "-c 'unbalanced"),
    ];
    for (name, value) in cases {
        let run = node.call("validate-all").param(name, value).run();
        assert!(matches!(run.code, Some(code::ARGS | code::CONFIGURED)), "{name}={value}: {run}");
        run.assert_reason(&[name]);
        // A mistake in the configuration never makes stop fail where nothing runs.
        let stop = node.call("stop").param(name, value).run();
        assert_safe(name, &stop);
    }
}

#[test]
fn a_user_that_does_not_exist() {
    let world = World::new("no-user");
    let node = world.node(1);
    let run = node.call("validate-all").param("system_user", "nosuchuser").run();
    assert!(matches!(run.code, Some(code::ARGS | code::INSTALLED | code::CONFIGURED)), "{run}");
    run.assert_reason(&["system_user", "nosuchuser"]);
}

#[test]
fn missing_binaries_are_5_and_a_probe_is_7() {
    let world = World::new("no-binaries");
    let node = world.node(1);
    let empty = world.dir.join("empty");
    fs::create_dir_all(&empty).expect("a directory can be made");
    for bindir in ["/nonexistent/bin", &*empty.to_string_lossy()] {
        for action in ["start", "validate-all"] {
            let run = node.call(action).param("bindir", bindir).must(code::INSTALLED);
            run.assert_reason(&["bindir", bindir]);
        }
        let probe = node.call("monitor").param("bindir", bindir).run();
        assert!(matches!(probe.code, Some(code::NOT_RUNNING)), "{probe}");
        node.call("stop").param("bindir", bindir).must(code::SUCCESS);
    }
}

#[test]
fn stop_works_without_binaries() {
    let world = World::new("stop-no-binaries");
    let node = world.primary(1);
    node.call("monitor").recurring().param("bindir", "/nonexistent").must(code::PROMOTED);
    node.call("stop").param("bindir", "/nonexistent").must(code::SUCCESS);
    assert!(node.processes().is_empty());
}

#[test]
fn garbage_in_postmaster_pid() {
    let world = World::new("garbage-pid");
    let node = world.node(1);
    let cases: [&[u8]; 8] = [
        b"",
        b"\n",
        b"garbage\n",
        b"-1\n",
        b"0\n",
        b"99999999999999999999\n",
        &[0xff; 4096],
        b"1\n/elsewhere\n0\n5432\n",
    ];
    for bytes in cases {
        node.overwrite("postmaster.pid", bytes);
        let what = String::from_utf8_lossy(bytes).into_owned();
        let run = probe(&node);
        assert_eq!(run.code, Some(code::NOT_RUNNING), "{what:?}: {run}");
        let stop = node.agent("stop");
        assert_eq!(stop.code, Some(code::SUCCESS), "{what:?}: {stop}");
    }
}

/// postmaster.pid is damaged while the server runs: it is still there, and stop still ends it.
#[test]
fn a_running_server_with_a_damaged_postmaster_pid() {
    for (name, bytes) in [("empty", &b""[..]), ("garbage", b"garbage\n"), ("init", b"1\n")] {
        let world = World::new(&format!("damaged-pid-{name}"));
        let node = world.primary(1);
        node.overwrite("postmaster.pid", bytes);
        let run = node.call("monitor").recurring().timeout(10).run();
        assert_ne!(run.code, Some(code::NOT_RUNNING), "{name}: a running server is not stopped: {run}");
        node.must("stop", code::SUCCESS);
        assert!(node.processes().is_empty(), "{name}: stop left a running server");
    }
}

#[test]
fn pg_version_of_another_age() {
    let world = World::new("pg-version");
    let node = world.node(1);
    let unset = |node: &Node<'_>, action: &str| node.call(action).without("bindir").run();
    for (bytes, words) in [
        (&b"12\n"[..], &["12", "13"][..]),
        (b"9.6\n", &["9.6"]),
        (b"999\n", &["999"]),
        (b"", &["PG_VERSION"]),
        (b"fifteen\n", &["PG_VERSION"]),
        (&[0xff, 0xfe], &["PG_VERSION"]),
    ] {
        node.overwrite("PG_VERSION", bytes);
        for action in ["validate-all", "start"] {
            let run = unset(&node, action);
            assert!(
                matches!(run.code, Some(code::ARGS | code::INSTALLED | code::CONFIGURED | code::GENERIC)),
                "{run}"
            );
            run.assert_reason(words);
        }
        assert_safe("probe", &unset(&node, "monitor"));
        assert_eq!(unset(&node, "stop").code, Some(code::SUCCESS));
    }
}

#[test]
fn damaged_control_file() {
    let world = World::new("pg-control");
    let node = world.primary(1);
    node.crash();
    let good = fs::read(node.pgdata.join("global/pg_control")).expect("a control file");
    let mut wrong_crc = good.clone();
    wrong_crc[40] ^= 0xff;
    let mut other_version = good.clone();
    other_version[8..12].copy_from_slice(&942_u32.to_le_bytes());
    for (what, bytes) in [
        ("empty", &b""[..]),
        ("truncated", &good[..100]),
        ("wrong CRC", &wrong_crc),
        ("other version", &other_version),
        ("zeros", &[0; 8192]),
    ] {
        node.overwrite("global/pg_control", bytes);
        let run = probe(&node);
        assert_safe(what, &run);
        assert!(!matches!(run.code, Some(code::SUCCESS | code::PROMOTED)), "{what}: {run}");
        let start = node.call("start").timeout(30).run();
        assert!(start.code.is_some_and(|c| c != code::SUCCESS), "{what}: {start}");
        start.assert_reason(&["pg_control"]);
        assert_eq!(node.agent("stop").code, Some(code::SUCCESS), "{what}");
    }
}

/// The control file of a healthy primary can't be read: it still answers, so it is still the primary.
#[test]
fn a_damaged_control_file_does_not_harm_a_healthy_primary() {
    let world = World::new("pg-control-healthy");
    let node = world.primary(1);
    let path = node.pgdata.join("global/pg_control");
    let good = fs::read(&path).expect("a control file");
    node.overwrite("global/pg_control", b"damaged");
    node.call("monitor").recurring().must(code::PROMOTED);
    node.overwrite("global/pg_control", &good);
}

#[test]
fn directories_that_are_not_data() {
    let world = World::new("no-data");
    let node = world.node(1);
    let empty = world.dir.join("empty");
    fs::create_dir_all(&empty).expect("a directory can be made");
    let file = world.dir.join("file");
    fs::write(&file, "x").expect("a writable directory");
    // Somebody's server that is just being launched.
    let program = world.dir.join("postgres");
    fs::copy("/bin/sleep", &program).expect("there is one");
    let mut bystander =
        std::process::Command::new(&program).arg("60").current_dir("/").spawn().expect("it runs");
    for pgdata in ["/nonexistent", "/dev/null", "/", &*empty.to_string_lossy(), &*file.to_string_lossy()] {
        let call = |action: &str| node.call(action).param("pgdata", pgdata).timeout(10).run();
        let start = call("start");
        assert!(start.code.is_some_and(|c| c != code::SUCCESS), "{pgdata}: {start}");
        start.assert_reason(&[pgdata]);
        let probe = call("monitor");
        assert!(matches!(probe.code, Some(code::NOT_RUNNING | code::INSTALLED)), "{pgdata}: {probe}");
        assert_eq!(call("stop").code, Some(code::SUCCESS), "{pgdata}");
        assert_eq!(bystander.try_wait().expect("ours"), None, "{pgdata}: stop ended what is not its own");
    }
    bystander.kill().expect("ours");
    bystander.wait().expect("ours");
}

#[test]
fn a_wrong_owner() {
    let world = World::new("wrong-owner");
    let node = world.node(1);
    chown(&node.pgdata, Some(0), Some(0)).expect("we are root");
    let run = node.call("start").timeout(20).run();
    assert!(matches!(run.code, Some(4 | code::GENERIC | code::INSTALLED | code::CONFIGURED)), "{run}");
    run.assert_reason(&["pgdata", "postgres"]);
    assert_safe("probe", &probe(&node));
    node.must("stop", code::SUCCESS);
}

#[test]
fn permissions_that_postgres_refuses() {
    let world = World::new("permissions");
    let node = world.node(1);
    fs::set_permissions(&node.pgdata, fs::Permissions::from_mode(0o777)).expect("we are root");
    let run = node.call("start").timeout(20).run();
    assert!(run.code.is_some_and(|c| c != code::SUCCESS), "{run}");
    run.assert_reason(&[]);
}

/// PAF #161, #211, #156: a typo made later turns stop into an error, and the node is fenced.
#[test]
fn a_broken_configuration_does_not_harm_a_running_primary() {
    let world = World::new("broken-conf");
    let node = world.node(1);
    node.must("start", code::SUCCESS);
    node.must("promote", code::SUCCESS);
    node.append_conf("this is not a setting\nmax_connections = banana\n");
    node.call("monitor").recurring().must(code::PROMOTED);
    node.call("notify").notify("post", "promote", &[("promote_uname", "srv1")]).must(code::SUCCESS);
    node.sql("insert into t values (1)");
    node.must("stop", code::SUCCESS);
    node.must("monitor", code::NOT_RUNNING);
    let run = node.call("start").timeout(30).run();
    assert!(run.code.is_some_and(|c| c != code::SUCCESS), "{run}");
    run.assert_reason(&["postgresql.conf"]);
    run.assert_within(Duration::from_secs(15));
    node.must("stop", code::SUCCESS);
}

#[test]
fn a_full_primary_is_healthy() {
    let world = World::new("full");
    let node = world.node(1);
    node.append_conf(
        "max_connections = 5\nsuperuser_reserved_connections = 0\nmax_wal_senders = 2\nautovacuum = off\n",
    );
    node.start_by_hand();
    let sockets = node.sockets.to_string_lossy().into_owned();
    let psql = World::bindir().join("psql");
    for _ in 0..6 {
        let words = [
            &*psql.to_string_lossy(),
            "-XAtq",
            "-h",
            &sockets,
            "-d",
            "postgres",
            "-c",
            "select pg_sleep(60)",
        ];
        crate::support::spawn_as_owner(&words, &node.pgdata);
    }
    crate::support::wait_for("full server", crate::support::SOON, || {
        node.try_sql("select 1").is_err().then_some(())
    });
    let run = node.call("monitor").recurring().timeout(10).run();
    run.assert_code(code::PROMOTED);
    node.must("stop", code::SUCCESS);
}

#[test]
fn a_wrong_password_is_not_a_failed_server() {
    let world = World::new("wrong-password");
    let node = world.primary(1);
    let home = world.dir.join("home");
    crate::support::owned_dir(&home);
    crate::support::owned_file(&home.join(".pgpass"), b"*:*:*:watcher:wrong\n", 0o600);
    let run = node.call("monitor").recurring().timeout(10).param("dbuser", "watcher").home(&home).run();
    // The server runs as a primary; that we may not ask it is a mistake of ours, and no reason to fail over.
    run.assert_code(code::PROMOTED);
    let none = node.call("monitor").recurring().timeout(10).param("dbuser", "nosuchrole").run();
    none.assert_code(code::PROMOTED);
}

/// PAF PR #216: pcs refuses to create the resource because validate-all demands notify=true before it is told.
#[test]
fn validate_all_before_pacemaker_knows_the_clone() {
    let world = World::new("validate");
    let node = world.node(1);
    let call = || {
        let mut call = node.call("validate-all");
        for name in [
            "notify",
            "promotable",
            "clone",
            "clone_max",
            "promoted_max",
            "on_node",
            "interval",
            "timeout",
            "name",
        ] {
            call = call.without(&format!("CRM_meta_{name}"));
        }
        call
    };
    call().must(code::SUCCESS);
    // The default directory of the socket and a binary found by the version.
    call().without("bindir").must(code::SUCCESS);
}

#[test]
fn nonsense_in_pacemakers_own_variables() {
    let world = World::new("meta-nonsense");
    let node = world.node(1);
    for (name, value) in
        [("timeout", "soon"), ("timeout", "0"), ("timeout", "-5"), ("interval", "often"), ("on_node", "")]
    {
        let run = node.call("monitor").env(&format!("OCF_RESKEY_CRM_meta_{name}"), value).run();
        assert_safe(name, &run);
    }
    for (name, value) in [
        ("OCF_RESOURCE_INSTANCE", "../../etc/x"),
        ("OCF_RESOURCE_INSTANCE", ""),
        ("HA_RSCTMP", "/nonexistent/x"),
    ] {
        let run = node.call("monitor").env(name, value).run();
        assert_safe(name, &run);
    }
}

/// Everybody may read `crm_mon` and the log, and a terminal obeys what it shows.
#[test]
fn a_reason_shows_no_password_and_moves_no_cursor() {
    let world = World::new("secrets");
    let node = world.node(1);
    for value in
        ["host=h user=u password=s3cret", "user=u password=very s3cret", "postgresql://u:s3cret@h/db"]
    {
        let run = node.call("validate-all").param("replication_conninfo", value).run();
        run.assert_code(code::CONFIGURED);
        run.assert_reason(&["replication_conninfo"]);
        assert!(!run.stderr.contains("s3cret"), "{run}");
        // Those that go on with the default.
        let run = node.call("monitor").param("replication_conninfo", value).run();
        assert!(!run.stderr.contains("s3cret"), "{run}");
    }
    let run = node.call("start\u{1b}]0;mine\u{7}\u{1b}[2J\nocf-exit-reason:all is well").run();
    run.assert_reason(&["unknown action"]);
    // PostgreSQL's own words, which hold what its configuration says.
    let line = "\nunix_socket_directories = '/nonexistent\\033[2J\\233mall is well'\n";
    let conf = node.pgdata.join("postgresql.conf");
    let text = std::fs::read_to_string(&conf).expect("there");
    std::fs::write(&conf, text + line).expect("ours");
    let failed = node.call("start").run();
    failed.assert_reason(&["FATAL"]);
    for run in [run, failed] {
        let reasons = run.stderr.lines().filter(|l| l.starts_with("ocf-exit-reason:"));
        assert_eq!(reasons.count(), 1, "{run}");
        assert!(run.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.stderr);
    }
}
