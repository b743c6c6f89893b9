//! Connections of the client, each step bounded.

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

use super::endpoints::Endpoints;
use crate::record::history::{Outcome, Served};
use quorate::pg::timeline::Timeline;

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

/// For one statement. Long enough that a slow commit isn't taken for an outage, short enough that the
/// end of an outage is seen within a second even on a dead connection.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a write returns, in the same statement: who took it, and where in the write-ahead log.
pub(super) const SERVED: &str = "(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, \
    left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), pg_current_wal_insert_lsn()";

/// Reads what [`SERVED`] returned; `None` for an answer without it.
pub(super) fn served(rows: &[Row]) -> Option<Served> {
    let row = rows.first()?;
    let text = |column: usize| row.get(column)?.as_deref();
    Some(Served {
        run: text(0)?.parse().ok()?,
        node: None,
        timeline: text(1).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(Timeline::new),
        lsn: text(2).and_then(|lsn| lsn.parse().ok()),
    })
}

/// A row of an answer, as text.
pub(super) type Row = Vec<Option<String>>;

/// What came back for one statement.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// The session can go on.
    pub(super) is_alive: bool,
    /// Empty unless it was acknowledged: a row that comes before its commit says nothing.
    pub(super) rows: Vec<Row>,
}

/// Runs one statement.
pub(super) async fn ask(open: &Open, sql: &str, bound: Duration) -> Answer {
    let (outcome, is_alive) = match timeout(bound, open.client.simple_query(sql)).await {
        Ok(Ok(messages)) => {
            return Answer { outcome: Outcome::Acked, is_alive: true, rows: rows(&messages) };
        }
        Ok(Err(e)) => match e.as_db_error().map(tokio_postgres::error::DbError::parsed_severity) {
            // The transaction was rolled back and the session lives.
            Some(Some(Severity::Error)) => (Outcome::Refused(words(&e)), true),
            // FATAL and PANIC can come after the commit record was written (a fast shutdown in the middle of
            // the commit); a lost connection can too.
            _ => (Outcome::Uncertain(words(&e)), false),
        },
        Err(_) => (Outcome::Uncertain("no answer in time".to_owned()), false),
    };
    Answer { outcome, is_alive, rows: Vec::new() }
}

fn rows(messages: &[SimpleQueryMessage]) -> Vec<Row> {
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        }
        _ => None,
    };
    messages.iter().filter_map(row).collect()
}

/// Runs statements that must succeed.
pub(super) async fn run_batch(open: &Open, sql: &str, bound: Duration) -> Result<(), String> {
    match timeout(bound, open.client.batch_execute(sql)).await {
        Ok(done) => done.map_err(|e| words(&e)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// Runs a query that must succeed, and gives its rows.
pub(super) async fn query(open: &Open, sql: &str, bound: Duration) -> Result<Vec<Row>, String> {
    match ask(open, sql, bound).await {
        Answer { outcome: Outcome::Acked, rows, .. } => Ok(rows),
        Answer { outcome: Outcome::Refused(why) | Outcome::Uncertain(why), .. } => Err(why),
    }
}

/// A column that has to hold a number; `None` for NULL.
pub(super) fn number(row: &Row, column: usize) -> Result<Option<i64>, String> {
    let text = row.get(column).ok_or_else(|| format!("an answer without column {column}: {row:?}"))?;
    text.as_ref().map(|t| t.parse().map_err(|_| format!("{t:?} is not a number"))).transpose()
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
