//! The boundary against real PostgreSQL servers. Runs as root, needs PostgreSQL 13 to 18 installed.

#[path = "../common/left_out.rs"]
mod left_out;
mod senders;
mod server;
mod trust;

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use quorate::boundary::control_file;
use quorate::boundary::data_directory::{self, Changed, SignalFile};
use quorate::boundary::postgres::{Endpoint, PostgresError};
use quorate::boundary::process::{self, ProcessId, ProcessState, Signalled};
use quorate::pg::auto_conf;
use quorate::pg::control_data::DbState;
use quorate::pg::history::{Divergence, divergence};
use quorate::pg::postmaster_pid::{PostmasterPid, PostmasterStatus};
use quorate::pg::role::PgRole;
use quorate::pg::timeline::{Timeline, WalPosition};
use quorate::pg::view::{Answer, Rejection, SyncState};
use quorate::pg::wal_file;

use server::{LONG, PROBE, Server, bindir, long, put, until};

#[test]
fn a_primary_its_standby_and_a_promotion() {
    let mut one = Server::initdb("");
    let postmaster = one.start_ready();
    let mut two = Server::copy_of(&one);
    let before = two.files().read(&two.pgdata().join("postgresql.auto.conf"), 9999).expect("there");
    let conninfo = auto_conf::get(&before, "primary_conninfo").expect("written by pg_basebackup")
        + " application_name=two";
    let after = auto_conf::set(&before, "primary_conninfo", &conninfo);
    two.files().replace(&two.pgdata().join("postgresql.auto.conf"), &after).expect("written");
    let standby_postmaster = two.start_ready();

    // Both views of the same stream.
    let row = until("the stream", || one.primary().standbys.into_iter().find(|s| s.state == "streaming"));
    assert_eq!((row.application_name.as_str(), &row.sync_state), ("two", &SyncState::Async));
    let view = until("the receiver", || Some(two.standby()).filter(|v| v.receiver.is_some()));
    let receiver = view.receiver.as_ref().expect("filtered");
    assert_eq!((receiver.status.as_str(), receiver.sender_port), ("streaming", Some(5432)));
    assert_eq!(receiver.sender_host.as_deref(), one.directory.path().to_str());
    assert_eq!(view.primary_conninfo.as_deref(), Some(conninfo.as_str()));
    assert_eq!(one.primary().timeline, Timeline::FIRST);

    // What the HTTP endpoint tells of both, and of the second one once it is promoted.
    one.sql("SELECT pg_create_physical_replication_slot('kept', true)");
    let told = |server: &Server| server.endpoint().statistics(PROBE).expect("readable");
    let primary = told(&one);
    assert_eq!((primary.role, primary.timeline, primary.lag_bytes()), (PgRole::Primary, Some(1), None));
    assert_eq!(primary.standbys.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["two"]);
    assert!(primary.written.is_some() && primary.slots[0].name == "kept" && !primary.slots[0].active);
    let caught_up = until("the replay", || Some(told(&two)).filter(|said| said.lag_bytes() == Some(0)));
    assert_eq!((caught_up.role, caught_up.timeline), (PgRole::Standby, Some(1)));
    assert_eq!(caught_up.lag_seconds(), Some(0.0));
    two.sql("SELECT pg_wal_replay_pause()");
    one.sql("SELECT pg_switch_wal()");
    let behind = until("a lag", || Some(told(&two)).filter(|said| said.lag_bytes() > Some(0)));
    assert!(behind.paused && behind.streams, "{behind:?}");
    two.sql("SELECT pg_wal_replay_resume()");

    // Writing: proven on the primary, refused on the standby, and no wait for a synchronous standby that never comes.
    let before = one.primary().lsn;
    assert!(one.endpoint().verify_writable(PROBE).expect("writable") >= before);
    one.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    one.sql("SELECT pg_reload_conf()");
    until("the reload", || (one.primary().synchronous_standby_names == "nobody").then_some(()));
    one.endpoint().verify_writable(PROBE).expect("writable without its standby");
    one.sql("ALTER SYSTEM RESET synchronous_standby_names");
    one.sql("SELECT pg_reload_conf()");
    let refused = two.endpoint().verify_writable(PROBE);
    assert!(matches!(refused, Err(PostgresError::Rejected(Rejection::Other { .. }))), "{refused:?}");

    one.endpoint().checkpoint(LONG).expect("superuser");
    let settings =
        one.endpoint().settings(&["port", "wal_segment_size", "no_such_setting"], PROBE).expect("readable");
    assert_eq!(
        settings.into_iter().collect::<Vec<_>>(),
        [("port".into(), "5432".into()), ("wal_segment_size".into(), "16MB".into())]
    );

    // Files and processes.
    data_directory::check(&one.files(), &one.pgdata()).expect("as initdb made it");
    assert_eq!(
        format!(
            "/usr/lib/postgresql/{}/bin",
            data_directory::read_version(&one.files(), &one.pgdata()).expect("known")
        ),
        bindir().to_str().expect("text")
    );
    let control = control_file::read(&one.files(), &one.pgdata(), long()).expect("readable");
    assert_eq!((control.state, control.data_checksums), (DbState::InProduction, true));
    assert_eq!(
        control_file::read(&two.files(), &two.pgdata(), long()).expect("readable").state,
        DbState::InArchiveRecovery
    );
    let file =
        PostmasterPid::parse(&one.files().read_text(&one.pgdata().join("postmaster.pid")).expect("there"))
            .expect("valid");
    assert_eq!((file.pid, file.status), (postmaster.pid, Some(PostmasterStatus::Ready)));
    let processes = one.processes();
    let children = processes.iter().filter(|p| p.ppid == postmaster.pid).count();
    assert!(children >= 4 && children + 1 == processes.len(), "{processes:?}");

    // Promotion.
    let end_of_old = one.primary().lsn;
    until("the replay", || (two.standby().position_lsn() >= Some(end_of_old)).then_some(()));
    assert_eq!(
        data_directory::create_signal(&two.files(), &two.pgdata(), SignalFile::Promote).expect("created"),
        Changed::Yes
    );
    assert_eq!(process::signal(standby_postmaster, Signal::SIGUSR1).expect("ours"), Signalled::Sent);
    let promoted = until("the promotion", || match two.endpoint().probe(PROBE) {
        Answer::Primary(view) => Some(view),
        Answer::Standby(_) => None,
        other => panic!("in the middle of a promotion: {other:?}"),
    });
    let second = Timeline::new(2).expect("not zero");
    assert_eq!(promoted.timeline, second);
    assert_eq!((told(&two).role, told(&two).timeline), (PgRole::Primary, Some(2)));
    two.endpoint().verify_writable(PROBE).expect("promoted");
    let names = data_directory::pg_wal_names(&two.files(), &two.pgdata()).expect("listed");
    let at =
        wal_file::highest_timeline_at(names.iter().map(String::as_str), promoted.lsn, control.segment_size);
    assert_eq!(at, Some(second));

    // The old primary goes on: it has diverged from now on.
    let history =
        data_directory::read_history(&two.files(), &two.pgdata(), second).expect("readable").expect("there");
    let fork = history.fork_of(Timeline::FIRST).expect("left");
    assert_eq!(
        divergence(WalPosition { timeline: Timeline::FIRST, lsn: fork }, &history),
        Divergence::InLine
    );
    one.sql("CREATE TABLE public.lost (i int)");
    let own = WalPosition { timeline: Timeline::FIRST, lsn: one.primary().lsn };
    assert!(matches!(divergence(own, &history), Divergence::Diverged { bytes_past, .. } if bytes_past > 100));

    one.stop(Signal::SIGINT);
    assert_eq!(one.processes(), []);
    assert_eq!(
        control_file::read(&one.files(), &one.pgdata(), long()).expect("readable").state,
        DbState::ShutDown
    );
    assert_eq!(one.endpoint().probe(PROBE), Answer::Refused);
    // We leave politely.
    let log = one.files().read_text(&one.log()).expect("the server's log");
    assert!(!log.contains("could not receive") && !log.contains("unexpected EOF"), "{log}");
}

#[test]
fn a_stopped_postmaster_is_silent_even_with_a_full_backlog() {
    let mut server = Server::initdb("max_connections = 5\nsuperuser_reserved_connections = 0\n");
    let id = server.start_ready();
    process::signal(id, Signal::SIGSTOP).expect("ours");
    until("the stop", || (process::inspect(id.pid).ok()??.state == ProcessState::Stopped).then_some(()));
    let silent = || {
        let begin = Instant::now();
        let answer = server.endpoint().probe(Duration::from_millis(300));
        assert_eq!(answer, Answer::Silent { after: Duration::from_millis(300) });
        assert!((300..1500).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    };
    silent();
    // PostgreSQL listens with a backlog of twice max_connections.
    let path = server.directory.path().join(".s.PGSQL.5432");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(stream) = UnixStream::connect(&path) {
            if sender.send(stream).is_err() {
                break;
            }
        }
    });
    let mut held = Vec::new();
    while let Ok(stream) = receiver.recv_timeout(Duration::from_millis(500)) {
        held.push(stream);
    }
    assert!(held.len() >= 5, "the backlog held only {}", held.len());
    silent();
    drop((held, receiver));
    process::signal(id, Signal::SIGCONT).expect("ours");
    until("an answer", || server.endpoint().probe(PROBE).role());
}

#[test]
fn a_killed_server_leaves_a_socket_that_refuses() {
    let mut server = Server::initdb("");
    let id = server.start_ready();
    let all: Vec<ProcessId> = server.processes().iter().map(|p| p.id).collect();
    process::signal(id, Signal::SIGKILL).expect("ours");
    // The children notice and go; the postmaster is our zombie, which counts as gone.
    assert_eq!(process::wait_gone(&all, long()).expect("waits"), []);
    assert_eq!(process::alive(id).expect("looks"), None);
    assert!(server.directory.path().join(".s.PGSQL.5432").exists());
    assert_eq!(server.endpoint().probe(PROBE), Answer::Refused);
    assert_eq!(
        control_file::read(&server.files(), &server.pgdata(), long()).expect("readable").state,
        DbState::InProduction
    );
    let daemon = server.daemon.as_mut().expect("started");
    assert!(daemon.exited().expect("waits").is_some());
}

#[test]
fn a_detached_server_has_none_of_our_descriptors() {
    let mut server = Server::initdb("");
    let secret = std::fs::File::open("/etc/passwd").expect("there");
    // SAFETY: an open descriptor of ours; without the flag every child would inherit it.
    assert_eq!(unsafe { libc::fcntl(secret.as_raw_fd(), libc::F_SETFD, 0) }, 0);
    let id = server.start_ready();
    let open = |fd: &str| std::fs::read_link(format!("/proc/{}/fd/{fd}", id.pid)).expect("open");
    assert_eq!((open("0"), open("1"), open("2")), (PathBuf::from("/dev/null"), server.log(), server.log()));
    for fd in std::fs::read_dir(format!("/proc/{}/fd", id.pid)).expect("listed") {
        let target = std::fs::read_link(fd.expect("an entry").path()).unwrap_or_default();
        assert_ne!(target, Path::new("/etc/passwd"));
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", id.pid)).expect("there");
    let ids = format!("{0}\t{0}\t{0}\t{0}", server.user.uid);
    assert!(status.contains(&format!("Uid:\t{ids}")), "{status}");
    // SAFETY: getsid takes an integer.
    assert_eq!(unsafe { libc::getsid(id.pid) }, id.pid);
}

#[test]
fn who_may_ask() {
    let mut server = Server::initdb("");
    server.start_ready();
    server.sql("CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor; CREATE ROLE plain LOGIN; CREATE ROLE peered LOGIN; CREATE ROLE secret LOGIN PASSWORD 'it:is\\secret'");
    let hba = "local all monitor,plain trust\nlocal all secret scram-sha-256\nlocal all postgres,peered peer\nlocal replication all trust\n";
    server.files().replace(&server.pgdata().join("pg_hba.conf"), hba.as_bytes()).expect("written");
    server.sql("SELECT pg_reload_conf()");
    let as_role = |role: &str| Endpoint { dbuser: role.into(), ..server.endpoint() };
    until("the reload", || as_role("monitor").probe(PROBE).role());
    let mut standby = Server::copy_of(&server);
    standby.start_ready();
    let seen = until("the stream", || match as_role("monitor").probe(PROBE) {
        Answer::Primary(view) => view.standbys.into_iter().find(|row| row.state == "streaming"),
        other => panic!("{other:?}"),
    });
    assert_eq!((seen.application_name.as_str(), seen.sync_state), ("walreceiver", SyncState::Async));

    // Without pg_monitor the rows are there, their content is not: unknown, never good.
    let Answer::Primary(view) = as_role("plain").probe(PROBE) else { panic!("plain may log in") };
    assert_eq!(
        (view.standbys[0].state.as_str(), &view.standbys[0].sync_state),
        ("", &SyncState::Unknown(String::new()))
    );
    let on_standby = Endpoint { dbuser: "plain".into(), ..standby.endpoint() };
    let Answer::Standby(view) = on_standby.probe(PROBE) else { panic!("plain may log in") };
    assert_eq!((view.primary_conninfo, view.received.is_some()), (None, true));
    assert_eq!(view.receiver.expect("runs").status, "");
    let on_standby = Endpoint { dbuser: "monitor".into(), ..standby.endpoint() };
    let Answer::Standby(view) = on_standby.probe(PROBE) else { panic!("monitor may log in") };
    assert!(view.primary_conninfo.is_some_and(|text| text.contains("host=")) && view.receiver.is_some());

    // Peer: postgres is no other role.
    let answer = as_role("peered").probe(PROBE);
    assert!(
        matches!(&answer, Answer::Rejects(Rejection::Authentication(text)) if text.contains("Peer")),
        "{answer:?}"
    );

    // Passwords.
    let login = |answer: Answer| match answer {
        Answer::Rejects(Rejection::Authentication(text)) => text,
        other => panic!("{other:?}"),
    };
    let home = tempfile::tempdir().expect("a directory");
    let owner = (Some(server.user.uid), Some(server.user.gid));
    std::os::unix::fs::chown(home.path(), owner.0, owner.1).expect("we are root");
    let mut asks = as_role("secret");
    asks.user.home = home.path().to_owned();
    assert!(login(asks.probe(PROBE)).contains(".pgpass"));
    let write = |name: &str, text: &str, mode| {
        put(&home.path().join(name), text, &server.user, mode);
    };
    write(".pgpass", r"localhost:5432:*:secret:it\:is\\secret", 0o644);
    assert!(login(asks.probe(PROBE)).contains("0644"));
    // A password of root's is sent to no server of the user's: as a file, or through a link to one that only root can read.
    let roots = tempfile::NamedTempFile::new().expect("a file of root's");
    std::fs::write(roots.path(), r"localhost:5432:*:secret:it\:is\\secret").expect("written");
    let pgpass = home.path().join(".pgpass");
    std::fs::remove_file(&pgpass).expect("there");
    std::os::unix::fs::symlink(roots.path(), &pgpass).expect("a link");
    assert!(login(asks.probe(PROBE)).contains("is a link"));
    std::fs::remove_file(&pgpass).expect("there");
    std::fs::copy(roots.path(), &pgpass).expect("copied");
    for mode in [0o600, 0o604] {
        std::fs::set_permissions(&pgpass, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("ours");
        let refused = login(asks.probe(PROBE));
        assert!(refused.contains("Permission denied") || refused.contains("owner 0"), "{refused}");
    }
    std::fs::remove_file(&pgpass).expect("there");
    write(".pgpass", r"localhost:5432:*:secret:it\:is\\secret", 0o600);
    assert!(asks.probe(PROBE).role().is_some());
    write("other", "*:*:*:*:wrong", 0o600);
    asks.passfile = Some(home.path().join("other"));
    assert!(login(asks.probe(PROBE)).contains("password authentication failed"));
    asks.passfile = Some(home.path().join("none"));
    assert!(login(asks.probe(PROBE)).contains("none"));

    // A service.
    let directory = server.directory.path().display();
    write(
        ".pg_service.conf",
        &format!(
            "[main]\nhost={directory}\nuser=secret\ndbname=postgres\npassword=it:is\\secret\n[far]\nhost=db1\n"
        ),
        0o644,
    );
    let mut service =
        Endpoint { socket_dir: "/nonexistent".into(), service: Some("main".into()), ..server.endpoint() };
    service.user.home = home.path().to_owned();
    assert!(service.probe(PROBE).role().is_some());
    for (name, word) in [("far", "host=db1"), ("nope", "[nope]")] {
        service.service = Some(name.into());
        let answer = service.probe(PROBE);
        assert!(matches!(&answer, Answer::Unusable(text) if text.contains(word)), "{answer:?}");
    }

    let answer = Endpoint { dbname: "nope".into(), ..server.endpoint() }.probe(PROBE);
    assert!(
        matches!(&answer, Answer::Rejects(Rejection::Other { sqlstate, .. }) if sqlstate == "3D000"),
        "{answer:?}"
    );
    let answer =
        Endpoint { socket_dir: format!("/{}", "x".repeat(120)).into(), ..server.endpoint() }.probe(PROBE);
    assert!(matches!(&answer, Answer::Unusable(text) if text.contains("107")), "{answer:?}");
}

#[test]
fn a_full_server_and_a_slow_statement() {
    let mut server = Server::initdb(
        "max_connections = 5\nsuperuser_reserved_connections = 1\nmax_wal_senders = 0\nwal_level = minimal\n",
    );
    server.start_ready();
    let begin = Instant::now();
    let slow = server.endpoint().query("SELECT pg_sleep(30)", Duration::from_millis(300));
    assert_eq!(slow, Err(PostgresError::Silent { after: Duration::from_millis(300) }));
    assert!(begin.elapsed() < Duration::from_secs(5));

    // A probe takes a slot for a moment too, so that a session may find none: it tries again until the server was seen full.
    let full = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..5)
        .map(|_| {
            let (endpoint, full) = (server.endpoint(), Arc::clone(&full));
            std::thread::spawn(move || {
                loop {
                    let ended = endpoint.query("SELECT pg_sleep(60)", LONG);
                    let no_slot = ended == Err(PostgresError::Rejected(Rejection::TooManyConnections));
                    if !no_slot || full.load(Ordering::SeqCst) {
                        return ended;
                    }
                }
            })
        })
        .collect();
    let wanted = Answer::Rejects(Rejection::TooManyConnections);
    until("a full server", || (server.endpoint().probe(PROBE) == wanted).then_some(()));
    full.store(true, Ordering::SeqCst);
    server.stop(Signal::SIGINT);
    // A backend that is still reading its startup packet when the shutdown comes ends without a word to its client
    // (process_startup_packet_die, postmaster.c; from 17 on backend_startup.c).
    let closed = Rejection::Other { sqlstate: String::new(), message: "connection closed".to_owned() };
    let known = [Rejection::ShuttingDown, Rejection::TooManyConnections, closed];
    for thread in busy {
        let ended = thread.join().expect("no panic");
        assert!(matches!(&ended, Err(PostgresError::Rejected(r)) if known.contains(r)), "{ended:?}");
    }
}

#[test]
fn not_now() {
    // Waits for the archive for ever: starting up.
    let mut server = Server::initdb("restore_command = 'sleep 60'\n");
    server.append("standby.signal", "");
    server.start();
    until("a server that starts up", || {
        (server.endpoint().probe(PROBE) == Answer::Rejects(Rejection::StartingUp)).then_some(())
    });
    drop(server);

    let mut primary = Server::initdb("");
    primary.start_ready();
    let mut standby = Server::copy_of(&primary);
    standby.append("postgresql.conf", "hot_standby = off\n");
    standby.start();
    // Before PostgreSQL 14 it says that it is starting up.
    let wanted = [Rejection::HotStandbyDisabled, Rejection::StartingUp];
    until("a rejection", || match standby.endpoint().probe(PROBE) {
        Answer::Rejects(rejection) if wanted.contains(&rejection) => Some(()),
        Answer::Primary(_) | Answer::Standby(_) => panic!("hot_standby is off"),
        _ => None,
    });
    until("the status line", || {
        let text = standby.files().read_text(&standby.pgdata().join("postmaster.pid")).ok()?;
        (PostmasterPid::parse(&text).ok()?.status == Some(PostmasterStatus::Standby)).then_some(())
    });

    // A smart shutdown waits for our session; a new one is turned away.
    let endpoint = primary.endpoint();
    let session = std::thread::spawn(move || endpoint.query("SELECT pg_sleep(60)", LONG));
    let running = "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'";
    until("the session", || (!primary.endpoint().query(running, PROBE).ok()?.is_empty()).then_some(()));
    let id = primary.daemon.as_ref().expect("started").id();
    process::signal(id, Signal::SIGTERM).expect("ours");
    until("shutting down", || match primary.endpoint().probe(PROBE) {
        Answer::Rejects(Rejection::ShuttingDown) => Some(()),
        Answer::Primary(_) => None,
        other => panic!("{other:?}"),
    });
    primary.stop(Signal::SIGINT);
    assert!(session.join().expect("no panic").is_err());
}
