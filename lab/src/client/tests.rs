//! The client against plain PostgreSQL instances of this host, without a cluster.

use super::*;
use crate::host::run::{self, check as command};
use crate::record::history::Outcome;
use crate::record::measure::{Outage, outage};
use crate::truth::{Action, Finding, check};
use quorate::pg::timeline::Timeline;
use std::path::Path;
use std::path::PathBuf;

const SHORT: Duration = Duration::from_secs(30);
const PACE: Pace = Pace { heart: HEART_PERIOD, tables: SHORT };

/// One throw-away instance, run as postgres; stopped and removed when dropped.
struct Server {
    dir: tempfile::TempDir,
    bin: PathBuf,
    address: IpAddr,
}

impl Server {
    fn start(bin: &Path, address: &str, port: u16) -> Self {
        let dir = tempfile::Builder::new().prefix("quorate-client").tempdir().expect("a directory");
        let path = dir.path().to_string_lossy().into_owned();
        command(&["chown", "postgres", &path], SHORT).expect("chown");
        let server = Self { dir, bin: bin.to_owned(), address: address.parse().expect("an address") };
        server.tool("initdb", &["-A", "trust", "-U", "postgres", "--no-sync"]);
        server.control(
            "start",
            &["-o", &format!("-c listen_addresses={address} -c port={port} -c fsync=off -k {path}")],
        );
        server
    }

    fn data(&self) -> String {
        self.dir.path().join("data").to_string_lossy().into_owned()
    }

    fn tool(&self, name: &str, arguments: &[&str]) {
        let tool = self.bin.join(name).to_string_lossy().into_owned();
        let data = self.data();
        let mut argv =
            vec!["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", &tool, "-D", &data];
        argv.extend(arguments);
        command(&argv, SHORT).expect("PostgreSQL's tools work here");
    }

    fn control(&self, verb: &str, arguments: &[&str]) {
        let log = self.dir.path().join("log").to_string_lossy().into_owned();
        let mut all = vec!["-w", "-l", &log];
        all.extend(arguments);
        all.push(verb);
        self.tool("pg_ctl", &all);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let tool = self.bin.join("pg_ctl").to_string_lossy().into_owned();
        let argv = [
            "setpriv",
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            &tool,
            "-D",
            &self.data(),
            "-m",
            "immediate",
            "stop",
        ];
        let _ = run::run(&argv, None, SHORT);
    }
}

fn newest_bin() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed")
        .flatten()
        .map(|e| e.path())
        .collect();
    versions.sort();
    versions.pop().expect("PostgreSQL is installed").join("bin")
}

fn endpoints(port: u16) -> Endpoints {
    let address = |text: &str| text.parse().expect("an address");
    Endpoints {
        netns: None,
        primary: address("127.0.0.2"),
        standby: Some(address("127.0.0.2")),
        nodes: vec![("srv1".to_owned(), address("127.0.0.2")), ("srv-2".to_owned(), address("127.0.0.3"))],
        inside: None,
        port,
        user: "postgres".to_owned(),
        password: None,
        dbname: "postgres".to_owned(),
    }
}

fn settle() {
    wait::pause(Duration::from_millis(1500), OnInterrupt::GoOn).expect("is not interrupted");
}

#[test]
fn a_restart_is_an_outage_without_loss_and_ends_the_old_session() {
    let bin = newest_bin();
    let server = Server::start(&bin, "127.0.0.2", 15432);
    let mut client = Client::start(endpoints(15432), "", Clock::start(), PACE).expect("starts");
    client.open_session().expect("a session");
    settle();
    assert_eq!(client.writable_nodes(), ["srv1"], "srv-2 does not run");
    let fault = client.now();
    server.control("restart", &["-m", "immediate"]);
    settle();
    let until = client.now();
    let history = client.heart().snapshot();
    let Outage::Restored(after) = outage(&history, fault, until) else {
        panic!("no outage was seen: {:?}", &history[history.len() - 5..])
    };
    assert!(after < until - fault, "{after:?}");
    client.stop();
    let end = client.read_back(server.address).expect("reads back");
    let ops = client.operations();
    let truth = check(&ops, &end);
    assert!(truth.acked > 20, "{truth:?}");
    assert!(truth.findings.iter().all(|f| matches!(f, Finding::Recovered { .. })), "{truth:?}");
    let of = |name: &str, what: fn(&Action) -> bool| {
        ops.iter().filter(|op| op.client == name && op.outcome == Outcome::Acked && what(&op.action)).count()
    };
    let (is_write, is_read) = (
        |a: &Action| matches!(a, Action::Write { .. }),
        |a: &Action| matches!(a, Action::Read(shown) if shown.registers.len() == 8 && shown.newest.len() == 2),
    );
    assert!(of("registers", is_write) >= 3 && of("reader", is_read) >= 5, "{ops:?}");
    assert!(of("session", is_write) >= 5 && of("session", is_read) >= 5, "{ops:?}");
    let served = ops.iter().find_map(|op| op.served.as_ref()).expect("an answer says whose it is");
    assert_eq!(served.node.as_deref(), Some("srv1"));
    assert!(served.lsn.is_some() && served.timeline == Some(Timeline::FIRST), "{served:?}");
    let session = client.session().expect("there is one").snapshot();
    assert!(session.iter().any(Attempt::is_acked));
    let last = session.last().expect("it tried").ended;
    assert!(last + Duration::from_secs(1) < until, "it ends with its connection: {last:?} of {until:?}");
    assert!(client.beat().last().expect("it read").newest.is_ok());
    assert_eq!(client.two_primaries(Duration::ZERO, until), Duration::ZERO);
}

#[test]
fn a_lost_row_and_two_primaries_are_seen() {
    let bin = newest_bin();
    let server = Server::start(&bin, "127.0.0.2", 15433);
    let mut client = Client::start(endpoints(15433), "", Clock::start(), PACE).expect("starts");
    settle();
    let second = Server::start(&bin, "127.0.0.3", 15433);
    let table = client.node_table("direct", "srv-2");
    let for_second = Arc::new(endpoints(15433));
    let address = second.address;
    in_namespace(&client.endpoints, "setup", async move {
        let open = connect::open(&for_second, address).await?;
        connect::run_batch(
            &open,
            &format!("CREATE TABLE {table} (id bigint, at timestamptz, source text)"),
            SHORT,
        )
        .await
    })
    .expect("a thread")
    .expect("a table");
    settle();
    let until = client.now();
    assert_eq!(client.writable_nodes(), ["srv-2", "srv1"]);
    assert!(client.two_primaries(Duration::ZERO, until) > Duration::from_millis(500));
    let for_first = Arc::new(endpoints(15433));
    let address = server.address;
    in_namespace(&client.endpoints, "loss", async move {
        let open = connect::open(&for_first, address).await?;
        connect::run_batch(&open, "DELETE FROM heart WHERE id = 7", SHORT).await
    })
    .expect("a thread")
    .expect("deletes");
    client.stop();
    let end = client.read_back(server.address).expect("reads");
    let truth = check(&client.operations(), &end);
    assert_eq!(truth.lost(), 1, "{truth:?}");
    let two = |f: &Finding| matches!(f, Finding::TwoPrimaries { ms } if *ms > 500);
    assert!(truth.findings.iter().any(two), "{truth:?}");
}

#[test]
fn an_insider_writes_until_its_server_ends() {
    let bin = newest_bin();
    let server = Server::start(&bin, "127.0.0.2", 15434);
    // This test's own namespace stands for the node's.
    let inside = Inside(Arc::new(|node| (node == "srv1").then(|| PathBuf::from("/proc/thread-self/ns/net"))));
    let endpoints = Endpoints { inside: Some(inside), ..endpoints(15434) };
    let mut client = Client::start(endpoints, "", Clock::start(), PACE).expect("starts");
    assert!(client.insiders_are_good() && !client.is_split(), "there is none yet");
    client.open_inside("srv1", Duration::ZERO).expect("a session");
    settle();
    assert!(client.insiders_are_good() && !client.is_split(), "all write on one server");
    server.control("restart", &["-m", "immediate"]);
    settle();
    assert!(!client.insiders_are_good(), "it does not open another session");
    client.stop();
    let ops = client.operations();
    let of_insider: Vec<_> = ops.iter().filter(|op| op.client == "inside srv1").collect();
    let acked: Vec<_> = of_insider.iter().filter(|op| op.outcome == Outcome::Acked).collect();
    assert!(acked.len() >= 5 && acked.iter().all(|op| op.connection == 1), "{of_insider:?}");
    let node = acked[0].served.as_ref().and_then(|served| served.node.as_deref());
    assert_eq!(node, Some("srv1"), "the direct probe has met that server");
    assert!(of_insider.last().is_some_and(|op| op.outcome != Outcome::Acked), "{of_insider:?}");
}

#[test]
fn an_insider_needs_a_way_inside() {
    let bin = newest_bin();
    let _server = Server::start(&bin, "127.0.0.2", 15435);
    let mut client = Client::start(endpoints(15435), "", Clock::start(), PACE).expect("starts");
    let refused = client.open_inside("srv1", Duration::ZERO).expect_err("nothing is inside").to_string();
    assert!(refused.contains("srv1"), "{refused}");
}

#[test]
fn a_namespace_that_is_gone_is_an_error() {
    let mut gone = endpoints(1);
    gone.netns = Some("/nonexistent/netns".into());
    assert!(matches!(
        Client::start(gone, "", Clock::start(), Pace { tables: Duration::ZERO, ..PACE }),
        Err(ClientError::Namespace { .. })
    ));
    let mut hosts = endpoints(1);
    hosts.netns = Some("/proc/self/ns/net".into());
    assert!(matches!(
        Client::start(hosts, "", Clock::start(), Pace { tables: Duration::ZERO, ..PACE }),
        Err(ClientError::Namespace { .. })
    ));
}
