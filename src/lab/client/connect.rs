//! Connections of the client, each step bounded.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::error::Severity;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::Endpoints;
use super::history::Outcome;

/// For the TCP handshake. Shorter than the kernel's first repetition of a SYN (1 s), because a new
/// attempt notices an address that has just come up sooner than waiting for that repetition does.
const TCP_TIMEOUT: Duration = Duration::from_millis(250);
/// For PostgreSQL's start-up packet, which forks a backend.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(1);

/// A session, whose socket closes when this is dropped: a server that does not answer keeps nothing.
pub(super) struct Open {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Opens a session.
pub(super) async fn open(endpoints: &Endpoints, address: IpAddr) -> Result<Open, String> {
    login(endpoints, new_socket(address)?, address).await
}

/// Opens a session from inside another network namespace: that of a node.
///
/// Only the socket is made there, so that this thread doesn't keep the namespace (and with it the cable) of
/// a node that has died. The socket goes with its session, which the end of the node's processes ends.
pub(super) async fn open_inside(
    endpoints: &Endpoints,
    address: IpAddr,
    namespace: &Path,
) -> Result<Open, String> {
    let enter = |file: &File| setns(file, CloneFlags::CLONE_NEWNET).map_err(|e| e.to_string());
    let own = File::open("/proc/thread-self/ns/net").map_err(|e| e.to_string())?;
    let there = File::open(namespace).map_err(|_| "the node is off".to_owned())?;
    enter(&there)?;
    drop(there);
    let socket = new_socket(address);
    enter(&own).expect("a thread may go back to where it came from");
    login(endpoints, socket?, address).await
}

fn new_socket(address: IpAddr) -> Result<TcpSocket, String> {
    match address {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(|e| e.to_string())
}

async fn login(endpoints: &Endpoints, socket: TcpSocket, address: IpAddr) -> Result<Open, String> {
    let socket = timeout(TCP_TIMEOUT, socket.connect((address, endpoints.port).into()))
        .await
        .map_err(|_| "no TCP connection in time".to_owned())?
        .map_err(|e| e.kind().to_string())?;
    socket.set_nodelay(true).map_err(|e| e.to_string())?;
    let mut config = Config::new();
    config.user(&endpoints.user).dbname(&endpoints.dbname).application_name("quorate-lab");
    if let Some(password) = &endpoints.password {
        config.password(password);
    }
    let (client, connection) = timeout(LOGIN_TIMEOUT, config.connect_raw(socket, NoTls))
        .await
        .map_err(|_| "no login in time".to_owned())?
        .map_err(|e| format!("no login: {}", words(&e)))?;
    // What ends the connection comes back through the client's next call.
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Open { client, driver })
}

/// Runs one statement that writes; the second value says whether the session can go on.
pub(super) async fn write(open: &Open, sql: &str, bound: Duration) -> (Outcome, bool) {
    match timeout(bound, open.client.batch_execute(sql)).await {
        Ok(Ok(())) => (Outcome::Acked, true),
        Ok(Err(e)) => match e.as_db_error().map(tokio_postgres::error::DbError::parsed_severity) {
            // The transaction was rolled back and the session lives.
            Some(Some(Severity::Error)) => (Outcome::Refused(words(&e)), true),
            // FATAL and PANIC can come after the commit record was written (a fast shutdown in the middle of
            // the commit); a lost connection can too.
            _ => (Outcome::Uncertain(words(&e)), false),
        },
        Err(_) => (Outcome::Uncertain("no answer in time".to_owned()), false),
    }
}

/// Runs statements that must succeed.
pub(super) async fn run_batch(open: &Open, sql: &str, bound: Duration) -> Result<(), String> {
    match timeout(bound, open.client.batch_execute(sql)).await {
        Ok(done) => done.map_err(|e| words(&e)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// The first column of each row, as numbers; NULL is left out.
pub(super) async fn query_ids(open: &Open, sql: &str, bound: Duration) -> Result<BTreeSet<i64>, String> {
    let messages = match timeout(bound, open.client.simple_query(sql)).await {
        Ok(answer) => answer.map_err(|e| words(&e))?,
        Err(_) => return Err("no answer in time".to_owned()),
    };
    let mut ids = BTreeSet::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            if let Some(text) = row.get(0) {
                ids.insert(text.parse().map_err(|_| format!("{text:?} is not an id"))?);
            }
        }
    }
    Ok(ids)
}

/// The server's own message where there is one: tokio-postgres' own text is only "db error".
fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{}: {}", db.severity(), db.message()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
