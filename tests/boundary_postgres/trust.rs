//! Neither the server nor who may create objects in its databases is trusted.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use quorate::boundary::identity::SystemUser;
use quorate::boundary::postgres::{Endpoint, PostgresError};
use quorate::pg::view::{Answer, Rejection};

use crate::server::{LONG, PROBE, Server, put, until};

/// What a role with CREATE on public would put before PostgreSQL's own: an unknown literal is text first, so that this one is the better match of
/// `pg_has_role('…', '…')`. Immutable, it is called by the planner, in recovery or not; the volatile function below it may write.
const TROJAN: &str = "\
CREATE FUNCTION public.gift() RETURNS boolean VOLATILE LANGUAGE plpgsql AS \
$$ BEGIN ALTER ROLE mallory SUPERUSER; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$; \
CREATE FUNCTION public.pg_has_role(text, text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS \
$$ BEGIN RETURN public.gift(); END $$; \
CREATE FUNCTION public.pg_logical_emit_message(boolean, text, text) RETURNS pg_lsn VOLATILE LANGUAGE plpgsql AS \
$$ BEGIN PERFORM public.gift(); RETURN '0/1'; END $$; \
CREATE FUNCTION public.current_setting(text, boolean) RETURNS text IMMUTABLE LANGUAGE plpgsql AS \
$$ BEGIN PERFORM public.gift(); RETURN 'x'; END $$";

fn server_with_the_right_to_create() -> Server {
    let mut server = Server::initdb("");
    let hba = "local all mallory,quorate trust\nlocal all postgres peer\n";
    server.files().replace(&server.pgdata().join("pg_hba.conf"), hba.as_bytes()).expect("written");
    server.start_ready();
    // As it is on 13 and 14, and after pg_upgrade from them.
    server.sql("GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE ROLE mallory LOGIN");
    server
}

fn is_superuser(server: &Server, role: &str) -> bool {
    let sql = format!("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = '{role}'");
    server.endpoint().read(&sql, PROBE).expect("valid") == [[Some("t".to_owned())]]
}

#[test]
fn a_role_that_may_create_gets_nothing_of_ours_to_run() {
    let server = server_with_the_right_to_create();
    let mallory = Endpoint { dbuser: "mallory".into(), ..server.endpoint() };
    mallory.query(TROJAN, LONG).expect("public is open");
    // The trojan works: a superuser's session with the usual path runs it.
    let open = "SET search_path = public; SELECT pg_has_role('pg_read_all_settings', 'USAGE')";
    server.endpoint().query(open, LONG).expect("valid");
    assert!(is_superuser(&server, "mallory"), "the trojan is a dud");
    server.sql("ALTER ROLE mallory NOSUPERUSER");
    // Whoever owns a database or a role sets its path; ours is later.
    server.sql("ALTER DATABASE postgres SET search_path = public, pg_catalog; ALTER ROLE postgres SET search_path = public, pg_catalog");

    let endpoint = server.endpoint();
    assert!(endpoint.probe(PROBE).role().is_some());
    endpoint.verify_writable(PROBE).expect("writable");
    assert_ne!(
        endpoint.settings(&["port"], PROBE).expect("readable").get("port").map(String::as_str),
        Some("x")
    );
    endpoint.read(quorate::pg::conf::QUERY, PROBE).expect("readable");
    endpoint.checkpoint(LONG).expect("superuser");
    assert!(!is_superuser(&server, "mallory"));

    // The names alone would do, were the path lost.
    for sql in [quorate::pg::probe::QUERY, quorate::pg::conf::QUERY] {
        endpoint.query(&format!("SET search_path = public; {sql}"), PROBE).expect("valid");
        assert!(!is_superuser(&server, "mallory"), "{sql}");
    }
}

#[test]
fn what_a_session_of_ours_has_set() {
    let server = server_with_the_right_to_create();
    // A library that is not there would end every session; the owner of a database may set this one.
    server.sql("ALTER DATABASE postgres SET local_preload_libraries = 'nonesuch'; GRANT mallory TO postgres");
    server.sql("ALTER ROLE postgres SET role = 'mallory'; ALTER ROLE postgres SET search_path = public");
    let sql = "SELECT pg_catalog.current_setting(n) FROM pg_catalog.unnest(ARRAY['search_path', 'role', \
               'local_preload_libraries', 'default_transaction_read_only', 'statement_timeout']) AS n";
    let flat = |rows: Vec<Vec<Option<String>>>| rows.into_iter().flatten().flatten().collect::<Vec<_>>();
    let read = flat(server.endpoint().read(sql, PROBE).expect("a session"));
    assert_eq!(read, ["pg_catalog,pg_temp", "none", "", "on", "10s"]);
    let write = flat(server.endpoint().query(sql, PROBE).expect("a session"));
    assert_eq!(write[3], "off");
    let refused = server.endpoint().read("CREATE ROLE nobody_knows", PROBE);
    assert!(
        matches!(&refused, Err(PostgresError::Rejected(Rejection::Other { sqlstate, .. })) if sqlstate == "25006"),
        "{refused:?}"
    );
}

/// Everything that the agent asks of a server works without a superuser: docs/security.md has the statements.
#[test]
fn a_role_without_superuser_is_enough() {
    let server = server_with_the_right_to_create();
    server.sql("CREATE ROLE quorate LOGIN; GRANT pg_monitor TO quorate");
    let major = server.endpoint().settings(&["server_version_num"], PROBE).expect("readable");
    let checkpoint = match major["server_version_num"].parse::<u32>().expect("a number") / 10_000 {
        15.. => "GRANT pg_checkpoint TO quorate",
        _ => "GRANT EXECUTE ON FUNCTION pg_catalog.pg_start_backup(text, boolean, boolean) TO quorate",
    };
    let quorate = Endpoint { dbuser: "quorate".into(), ..server.endpoint() };
    let refused = quorate.checkpoint(LONG);
    assert!(
        matches!(&refused, Err(PostgresError::Rejected(Rejection::Other { sqlstate, .. })) if sqlstate == "42501"),
        "{refused:?}"
    );
    server.sql(checkpoint);
    quorate.checkpoint(LONG).expect("granted");
    quorate.verify_writable(PROBE).expect("anybody may");
    assert!(quorate.probe(PROBE).role().is_some());
    let settings = quorate::pg::conf::read(&quorate.read(quorate::pg::conf::QUERY, PROBE).expect("readable"));
    let has = |name: &str| settings.iter().any(|s| s.name == name);
    // Our own connection is read-only, and the server is not.
    assert!(has("fsync") && has("max_wal_senders") && !has("default_transaction_read_only"), "{settings:?}");
}

/// A server of the test's own; what came from the client is returned when it closes.
fn listen(
    user: &SystemUser,
    serve: impl FnOnce(UnixStream) -> usize + Send + 'static,
) -> (tempfile::TempDir, std::thread::JoinHandle<usize>) {
    let directory = tempfile::Builder::new().prefix("q").tempdir_in("/tmp").expect("a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).expect("ours");
    let socket = directory.path().join(".s.PGSQL.5432");
    let listener = user.act_as(|| UnixListener::bind(&socket)).expect("bound");
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).expect("ours");
    let thread = std::thread::spawn(move || serve(listener.accept().expect("a client").0));
    (directory, thread)
}

/// Type and body of a message of the server's.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&u32::try_from(body.len() + 4).expect("short").to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Takes the startup packet.
fn startup(stream: &mut UnixStream) -> usize {
    let mut length = [0; 4];
    if stream.read_exact(&mut length).is_err() {
        return 0;
    }
    let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut rest).expect("a startup packet");
    rest.len() + 4
}

#[test]
fn another_users_server_is_sent_nothing() {
    let nobody = SystemUser::lookup("nobody").expect("known");
    let (directory, thread) = listen(&nobody, |mut stream| {
        stream.set_read_timeout(Some(PROBE)).expect("a timeout");
        let mut received = startup(&mut stream);
        if received > 0 {
            // The password, please, as it is.
            stream.write_all(&message(b'R', &3_u32.to_be_bytes())).expect("sent");
            received += stream.read(&mut [0; 100]).unwrap_or(0);
        }
        received
    });
    let home = tempfile::tempdir().expect("a directory");
    let mut endpoint = Endpoint::local(directory.path(), 5432, &crate::server::postgres());
    put(&home.path().join("pass"), "*:*:*:*:secret\n", &endpoint.user, 0o600);
    endpoint.passfile = Some(home.path().join("pass"));
    let answer = endpoint.probe(Duration::from_secs(2));
    assert_eq!(thread.join().expect("no panic"), 0, "bytes went to a stranger: {answer:?}");
    let Answer::Unusable(why) = &answer else { panic!("{answer:?}") };
    assert!(
        why.contains(&format!("uid {}", nobody.uid)) && why.contains("postgres") && why.contains("pghost"),
        "{why}"
    );
    drop(directory);
}

/// The most memory that this process has had.
fn peak_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

const OK: &[u8] = &[0; 4];

fn logged_in() -> Vec<u8> {
    [message(b'R', OK), message(b'Z', b"I")].concat()
}

#[test]
fn a_server_that_never_ends_fills_no_memory() {
    let notice = message(b'N', &[b"SERROR\0C00000\0M".as_slice(), &[b'x'; 200], &[0, 0]].concat());
    let row = message(b'D', &[0, 0]);
    let mut parameters = Vec::new();
    for i in 0..500 {
        parameters.extend(message(b'S', format!("p{i:07}\0{}\0", "v".repeat(100)).as_bytes()));
    }
    let huge = [b"T".as_slice(), &0x7fff_ffff_u32.to_be_bytes()].concat();
    let error = [b"E".as_slice(), &0x7fff_ffff_u32.to_be_bytes(), b"SERROR\0C00000\0M"].concat();
    let filler = vec![b'x'; 64 * 1024];
    let (none, login) = (Vec::new(), message(b'R', OK));
    let cases = [
        ("notices at the login", login.clone(), none.clone(), notice.clone()),
        ("parameters at the login", login.clone(), none.clone(), parameters),
        ("one long error at the login", error, none.clone(), filler.clone()),
        ("rows without columns", logged_in(), message(b'T', &[0, 0]), row.repeat(1000)),
        ("notices instead of rows", logged_in(), none, notice.repeat(50)),
        ("one long message", logged_in(), huge, filler),
    ];
    let postgres = crate::server::postgres();
    for (what, login, first, again) in cases {
        let before = peak_kib();
        let (directory, thread) = listen(&postgres, move |mut stream| {
            startup(&mut stream);
            let mut sent = stream.write(&login).unwrap_or(0);
            if login == logged_in() {
                // The question.
                let _ = stream.read(&mut [0; 100]);
            }
            sent += stream.write(&first).unwrap_or(0);
            while let Ok(n) = stream.write(&again) {
                sent += n;
            }
            sent
        });
        let begin = Instant::now();
        let result =
            Endpoint::local(directory.path(), 5432, &postgres).query("SELECT 1", Duration::from_secs(5));
        let sent = thread.join().expect("no panic");
        let grown = peak_kib() - before;
        eprintln!(
            "{what}: {sent} bytes sent, {grown} KiB more, {:.1?}: {}",
            begin.elapsed(),
            result.as_ref().err().map_or_else(String::new, ToString::to_string)
        );
        let Err(PostgresError::Rejected(Rejection::Other { message, .. })) = &result else {
            panic!("{what}: {result:?}")
        };
        assert!(message.contains("1048576 bytes") && message.contains(".s.PGSQL.5432"), "{what}: {message}");
        assert!(grown < 64 * 1024, "{what}: {grown} KiB");
        assert!(begin.elapsed() < Duration::from_secs(4), "{what}: {:?}", begin.elapsed());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the server of the test takes its time")]
fn a_server_that_drips_is_silent_at_the_deadline() {
    let postgres = crate::server::postgres();
    let (directory, thread) = listen(&postgres, |mut stream| {
        startup(&mut stream);
        let mut sent = 0;
        for byte in message(b'N', &[b'x'; 5000]) {
            match stream.write(&[byte]) {
                Ok(n) => sent += n,
                Err(_) => break,
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        sent
    });
    let wanted = Duration::from_millis(400);
    let begin = Instant::now();
    let result = Endpoint::local(directory.path(), 5432, &postgres).query("SELECT 1", wanted);
    assert_eq!(result, Err(PostgresError::Silent { after: wanted }));
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert!(thread.join().expect("no panic") < 5000);
}

#[test]
fn a_reasonable_answer_is_below_the_limit() {
    let mut server = Server::initdb("");
    server.start_ready();
    let rows = server
        .endpoint()
        .read("SELECT pg_catalog.repeat('x', 1000) FROM pg_catalog.generate_series(1, 900)", PROBE);
    assert_eq!(rows.expect("below 1 MiB").len(), 900);
    until("an answer", || server.endpoint().probe(PROBE).role());
}
