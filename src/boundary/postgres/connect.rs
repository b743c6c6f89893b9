//! One connection: the socket, the settings, the password, one query, the meaning of its errors.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket};
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use super::super::clock::Deadline;
use super::super::identity::SystemUser;
use super::super::owned_files::OwnedFiles;
use super::{Endpoint, PostgresError, Rows, limited};
use crate::pg::rejection::classify;
use crate::pg::view::Rejection;
use crate::pg::{passfile, service};

/// Between two tries of a connect that met a full backlog: the kernel gives no notice of room in it.
const BACKLOG_RETRY: Duration = Duration::from_millis(20);
/// Bytes that a server may send in one session, from the first of its startup. A probe's answer has some hundred bytes, and a hundred more
/// for each standby. What is read takes up to twenty times as much memory.
const ANSWER: usize = 1024 * 1024;
/// For the goodbye; the answer is in hand already.
const GOODBYE: Duration = Duration::from_millis(100);

/// What the endpoint comes to, with its service applied.
struct Target {
    socket_dir: PathBuf,
    port: u16,
    user: String,
    database: String,
    password: Option<String>,
    passfile: Option<PathBuf>,
}

/// Whether the statements of a session may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing below the statement may write either: no function, no rule.
    ReadOnly,
    ReadWrite,
}

/// See [`Endpoint::query`].
pub(super) fn query(
    endpoint: &Endpoint,
    sql: &str,
    mode: Mode,
    deadline: Deadline,
    timeout: Duration,
) -> Result<Rows, PostgresError> {
    let target = resolve(endpoint)?;
    let address = address(&target)?;
    let unusable = |what: &str, error: io::Error| PostgresError::Unusable(format!("{what}: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unusable("can't build an event loop", error))?;
    let attempt = |password: Option<String>| {
        runtime.block_on(async {
            let options = options(mode, timeout);
            let asked = ask(endpoint, &target, &address, password, sql, &options, timeout);
            match tokio::time::timeout(deadline.remaining(), asked).await {
                Ok(result) => result,
                Err(_) => Err(Failure::Known(PostgresError::Silent { after: timeout })),
            }
        })
    };
    // An explicit password file is read at once; the default one only when it is needed, see `Endpoint::passfile`.
    let (password, note) = match (&target.password, &target.passfile) {
        (Some(password), _) => (Some(password.clone()), None),
        (None, Some(file)) => password_from(file, &target, &endpoint.user),
        (None, None) => (None, None),
    };
    let default_file =
        (target.password.is_none() && target.passfile.is_none()).then(|| endpoint.user.home.join(".pgpass"));
    match (attempt(password), default_file) {
        (Ok(rows), _) => Ok(rows),
        (Err(Failure::Known(error)), _) => Err(error),
        (Err(Failure::PasswordWanted), None) => Err(no_password(&target, note)),
        (Err(Failure::PasswordWanted), Some(file)) => {
            let (password, note) = password_from(&file, &target, &endpoint.user);
            if password.is_none() {
                return Err(no_password(&target, note));
            }
            attempt(password).map_err(|failure| match failure {
                Failure::Known(error) => error,
                Failure::PasswordWanted => no_password(&target, note),
            })
        }
    }
}

enum Failure {
    Known(PostgresError),
    PasswordWanted,
}

/// Applies the service file.
fn resolve(endpoint: &Endpoint) -> Result<Target, PostgresError> {
    let mut target = Target {
        socket_dir: endpoint.socket_dir.clone(),
        port: endpoint.port,
        user: endpoint.dbuser.clone(),
        database: endpoint.dbname.clone(),
        password: None,
        passfile: endpoint.passfile.clone(),
    };
    let Some(name) = &endpoint.service else { return Ok(target) };
    let file = endpoint.service_file.clone().unwrap_or_else(|| endpoint.user.home.join(".pg_service.conf"));
    let unusable = |reason: String| PostgresError::Unusable(reason);
    let files = OwnedFiles::of(&endpoint.user);
    let text = files.read_trusted(&file).map_err(|error| unusable(error.to_string()))?;
    let pairs = service::lookup(&text, name)
        .map_err(|error| unusable(format!("{}: {error}", file.display())))?
        .ok_or_else(|| unusable(format!("{} has no section [{name}]; add it", file.display())))?;
    for (key, value) in pairs {
        match key.as_str() {
            "host" if value.starts_with(['/', '@']) => target.socket_dir = PathBuf::from(value),
            "host" => {
                let reason = format!(
                    "service \"{name}\" has host={value}; quorate asks the local server: name its socket directory"
                );
                return Err(unusable(reason));
            }
            "port" => {
                target.port = value
                    .parse()
                    .map_err(|_| unusable(format!("service \"{name}\" has port={value}, not a port")))?;
            }
            "user" => target.user = value,
            "dbname" => target.database = value,
            "password" => target.password = Some(value),
            "passfile" => target.passfile = Some(PathBuf::from(value)),
            // sslmode, keepalives and the like mean nothing on a Unix socket.
            _ => {}
        }
    }
    Ok(target)
}

/// The password, or why the file gives none. libpq ignores a file that others could read or write, too; a file that is root's
/// would go to a server that is the user's.
fn password_from(file: &Path, target: &Target, user: &SystemUser) -> (Option<String>, Option<String>) {
    let text = match OwnedFiles::of(user).read_secret(file) {
        Ok(text) => text,
        Err(error) => return (None, Some(format!("the password file: {error}"))),
    };
    let host = target.socket_dir.to_string_lossy();
    let wanted =
        passfile::Wanted { host: &host, port: target.port, database: &target.database, user: &target.user };
    match passfile::lookup(&text, wanted) {
        Some(password) => (Some(password), None),
        None => (None, Some(format!("the password file {} has no line for it", file.display()))),
    }
}

fn no_password(target: &Target, note: Option<String>) -> PostgresError {
    let note = note.map_or_else(String::new, |note| format!("; {note}"));
    let message = format!(
        "the server wants a password for role \"{}\"{note}; allow peer authentication in pg_hba.conf, or add the line {}:{}:{}:{}:PASSWORD",
        target.user,
        target.socket_dir.display(),
        target.port,
        target.database,
        target.user
    );
    PostgresError::Rejected(Rejection::Authentication(message))
}

fn address(target: &Target) -> Result<UnixAddr, PostgresError> {
    let path = target.socket_dir.join(format!(".s.PGSQL.{}", target.port));
    let bytes = path.as_os_str().as_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => UnixAddr::new_abstract(name),
        None => UnixAddr::new(OsStr::from_bytes(bytes)),
    };
    address.map_err(|error| {
        let reason = format!(
            "the socket path {} can't be used ({error}): it has {} bytes, 107 are allowed; choose a shorter unix_socket_directories",
            path.display(),
            bytes.len()
        );
        PostgresError::Unusable(reason)
    })
}

/// Connects as the endpoint's user. The kernel takes the peer's identity from the effective ids at connect(2), so that only this one call
/// is made under them.
///
/// Non-blocking: a blocking connect to a full backlog (a stopped postmaster, after some hundred tries) would never return.
async fn open(endpoint: &Endpoint, address: &UnixAddr) -> Result<StdUnixStream, PostgresError> {
    loop {
        let made = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        );
        let fd: OwnedFd =
            made.map_err(|errno| PostgresError::Unusable(format!("can't make a socket: {errno}")))?;
        match endpoint.user.act_as(|| connect(fd.as_raw_fd(), address)) {
            Ok(()) => {
                same_user(&fd, endpoint, address)?;
                return Ok(StdUnixStream::from(fd));
            }
            Err(Errno::EAGAIN | Errno::EINTR) => tokio::time::sleep(BACKLOG_RETRY).await,
            Err(Errno::ENOENT | Errno::ECONNREFUSED) => return Err(PostgresError::Refused),
            Err(errno) => {
                let reason = format!(
                    "can't connect to {address} as {}: {}; check pghost",
                    endpoint.user.name,
                    errno.desc()
                );
                return Err(PostgresError::Unusable(reason));
            }
        }
    }
}

/// Refuses a server that another user runs: whoever may write to the socket's directory can listen there, and would be sent the password
/// and believed. The kernel keeps who called listen(2), so that nothing needs to be sent to know it.
fn same_user(socket: &OwnedFd, endpoint: &Endpoint, address: &UnixAddr) -> Result<(), PostgresError> {
    let server = getsockopt(socket, PeerCredentials).map_err(|errno| {
        PostgresError::Unusable(format!("can't tell who listens on {address}: {}", errno.desc()))
    })?;
    let user = &endpoint.user;
    if server.uid() == user.uid || server.uid() == 0 {
        return Ok(());
    }
    Err(PostgresError::Unusable(format!(
        "uid {} listens on {address}, not {} (uid {}): nothing was sent; end that process and remove its socket, or correct pghost",
        server.uid(),
        user.name,
        user.uid
    )))
}

/// The settings of a session. In the startup packet they win over ALTER ROLE and ALTER DATABASE … SET, which the owner of a database may
/// use, and they are there before the first statement.
fn options(mode: Mode, timeout: Duration) -> String {
    let read_only = match mode {
        Mode::ReadOnly => "on",
        Mode::ReadWrite => "off",
    };
    let milliseconds = timeout.as_millis().max(1);
    [
        // Whoever may create objects in `public` could put a function of his own before PostgreSQL's, for us to run.
        "search_path=pg_catalog,pg_temp".to_owned(),
        format!("default_transaction_read_only={read_only}"),
        "role=none".to_owned(),
        "local_preload_libraries=".to_owned(),
        format!("statement_timeout={milliseconds}"),
        format!("idle_in_transaction_session_timeout={milliseconds}"),
        // Nobody reads a notice; compiling a statement that runs once costs more than the statement.
        "client_min_messages=error".to_owned(),
        "jit=off".to_owned(),
    ]
    .map(|setting| format!("-c {setting}"))
    .join(" ")
}

async fn ask(
    endpoint: &Endpoint,
    target: &Target,
    address: &UnixAddr,
    password: Option<String>,
    sql: &str,
    options: &str,
    timeout: Duration,
) -> Result<Rows, Failure> {
    let stream = open(endpoint, address).await.map_err(Failure::Known)?;
    let stream = tokio::net::UnixStream::from_std(stream)
        .map_err(|error| Failure::Known(PostgresError::Unusable(format!("can't watch a socket: {error}"))))?;
    let (stream, limit) = limited::limited(stream, ANSWER);
    let failed = |error: &tokio_postgres::Error| {
        if limit.is_reached() { Failure::Known(endless(address)) } else { failure(error, timeout) }
    };
    let mut config = Config::new();
    config.user(&target.user).dbname(&target.database).application_name("quorate").options(options);
    if let Some(password) = password {
        config.password(password);
    }
    let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(|error| failed(&error))?;
    let connection = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.map_err(|error| failed(&error))?;
    drop(client);
    // Says goodbye, so that the server does not log a lost connection.
    let _ = tokio::time::timeout(GOODBYE, connection).await;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

fn endless(address: &UnixAddr) -> PostgresError {
    let message =
        format!("the server on {address} sent more than {ANSWER} bytes for one answer; it was not read on");
    PostgresError::Rejected(Rejection::Other { sqlstate: String::new(), message })
}

fn failure(error: &tokio_postgres::Error, timeout: Duration) -> Failure {
    // query_canceled: statement_timeout, which is our own deadline seen by the server.
    const CANCELLED: &str = "57014";
    let cause = std::error::Error::source(error).map(ToString::to_string);
    if let Some(db) = error.as_db_error() {
        if db.code().code() == CANCELLED {
            return Failure::Known(PostgresError::Silent { after: timeout });
        }
        return Failure::Known(PostgresError::Rejected(classify(
            db.code().code(),
            db.message(),
            db.detail(),
        )));
    }
    // tokio-postgres has no kind for this one; a test against a server holds the words.
    if cause.as_deref() == Some("password missing") {
        return Failure::PasswordWanted;
    }
    let message = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    Failure::Known(PostgresError::Rejected(Rejection::Other { sqlstate: String::new(), message }))
}
