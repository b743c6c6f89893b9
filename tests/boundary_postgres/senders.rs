//! What PostgreSQL shows of a standby that connects anew while its connection before is not known to be dead.

use std::net::TcpListener;
use std::os::unix::fs::chown;

use nix::sys::signal::Signal;
use quorate::boundary::command::Detached;
use quorate::boundary::process;
use quorate::decide::synchronous::streams;

use crate::server::{Server, until};

fn receivewal(primary: &Server, port: u16, directory: &str) -> Detached {
    let files = primary.files();
    let log = files.append(&primary.directory.path().join(format!("{directory}.log"))).expect("a log");
    let into = primary.directory.path().join(directory);
    std::fs::create_dir(&into).expect("a directory");
    chown(&into, Some(primary.user.uid), Some(primary.user.gid)).expect("root");
    let conninfo = format!("host=127.0.0.1 port={port} user=postgres application_name=srv2");
    let tool = primary.tool("pg_receivewal").args(["--synchronous", "--status-interval=1", "-D"]);
    tool.arg(into).args(["-d", &conninfo]).spawn_detached(log).expect("starts")
}

#[test]
fn a_dead_connection_is_told_from_another_server_of_that_name() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let mut one = Server::initdb(&format!("listen_addresses = '127.0.0.1'\nport = {port}\n"));
    let hba = "local all all peer\nhost replication postgres 127.0.0.1/32 trust\n";
    one.files().replace(&one.pgdata().join("pg_hba.conf"), hba.as_bytes()).expect("written");
    one.port = port;
    one.start_ready();
    let count = |wanted| {
        until("the connections", || {
            let view = one.primary();
            let replied = view.standbys.iter().all(|s| s.connection.replied.is_some());
            (view.standbys.len() == wanted && replied).then_some(view)
        })
    };
    let old = receivewal(&one, port, "old");
    count(1);
    until("the stream", || (streams(&one.primary()).len() == 1).then_some(()));
    // As one whose node lost its power: nothing comes by it, and nothing ends it.
    process::signal(old.id(), Signal::SIGSTOP).expect("ours");
    let new = receivewal(&one, port, "new");
    count(2);
    let two = until("the newer one's replies", || Some(one.primary()).filter(|v| streams(v).len() == 1));
    assert_eq!(two.standbys.len(), 2, "PostgreSQL shows both as streaming");
    assert!(two.standbys.iter().all(|s| s.state == "streaming"), "{:?}", two.standbys);
    process::signal(old.id(), Signal::SIGCONT).expect("ours");
    until("the older one's replies", || streams(&one.primary()).is_empty().then_some(()));
    for receiver in [old, new] {
        process::signal(receiver.id(), Signal::SIGKILL).expect("ours");
    }
}
