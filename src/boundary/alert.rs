//! How a message leaves this node, and what was told already. All of it as `hacluster`, without any other right.

use std::collections::BTreeMap;
use std::fs::{Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;

use super::clock::{Deadline, wall_seconds};
use super::command::{Command, Environment};
use super::host::{HostError, HostResult, Level};
use super::log::Log;
use super::pacemaker::{self, Patience};
use super::{printable, storage};
use crate::cluster::calendar::utc;
use crate::decide::alert::{Message, Options, Severity, Target, Told};

/// The program's name in the log.
pub const TAG: &str = "quorate-alert";

const SENDMAIL: &str = "/usr/sbin/sendmail";
/// TLS is the distribution's, with its certificates and its updates: no cryptography of ours goes to foreign servers.
const CURL: &str = "/usr/bin/curl";
/// `hacluster`'s own, made at boot by systemd-tmpfiles.
const LOCKS: &str = "/run/quorate-alert";
/// Who holds the lock asks Pacemaker's programs, and sends nothing.
const LOCK_WAIT: Duration = Duration::from_secs(4);
const LOCK_AGAIN: Duration = Duration::from_millis(50);
/// Characters of a subject line.
const SUBJECT: usize = 160;
/// Longer is no sentence.
const LONGEST_TEXT: usize = 1000;

/// Says that this process is the one that was started apart.
const APART: &str = "QUORATE_ALERT_APART";

/// Whether this process was started by [`start_apart`].
#[must_use]
pub fn is_apart(environment: &BTreeMap<String, String>) -> bool {
    environment.contains_key(APART)
}

/// Starts this program once more, in a session of its own, with the same environment, and does not wait for it. While one of its alerts
/// runs pacemaker-execd does not end, and a Pacemaker that takes seconds to end is taken for one that hangs: sbd resets the node.
///
/// # Errors
/// It can't be started.
pub fn start_apart() -> HostResult<()> {
    let program = std::env::current_exe().map_err(HostError::from)?;
    let nowhere = OpenOptions::new().write(true).open("/dev/null").map_err(HostError::from)?;
    Command::new(program).env(APART, "1").spawn_detached(nowhere).map(drop).map_err(HostError::from)
}

/// This node's name, as Pacemaker has it.
///
/// # Errors
/// The kernel does not tell it.
pub fn here() -> HostResult<String> {
    let name = nix::unistd::gethostname().map_err(|e| HostError::from(e).about("this machine's name"))?;
    Ok(name.to_string_lossy().into_owned())
}

/// One process at a time decides for a recipient on this node. Without it (the directory is missing, somebody keeps it) one event may be
/// told twice: better than not at all.
///
/// # Errors
/// It can't be had.
pub fn lock(name: &str, deadline: Deadline) -> HostResult<impl Drop + use<>> {
    let path = Path::new(LOCKS).join(format!("{name}.lock"));
    let about = |error: std::io::Error| {
        HostError::from(error)
            .about(format!("{} (systemd-tmpfiles --create quorate.conf makes its directory)", path.display()))
    };
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let mut file = file.map_err(about)?;
    let until = deadline.at_most(LOCK_WAIT);
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => return Ok(held),
            Err((_, errno)) if errno != nix::errno::Errno::EWOULDBLOCK || until.passed() => {
                return Err(HostError::from(errno).about(path.display()));
            }
            Err((file, _)) => file,
        };
        until.sleep(LOCK_AGAIN);
    }
}

/// What was told last, by whichever node; and what this one says of it.
///
/// # Errors
/// pacemaker-attrd does not answer.
pub fn told(attribute: &str, here: &str, patience: Patience) -> HostResult<(Told, Told)> {
    let values = pacemaker::query(attribute, patience)?;
    let now = wall_seconds();
    let own = values.iter().filter(|value| value.node == here).map(|value| value.value.as_str());
    let own = Told::read(own, now);
    Ok((Told::read(values.iter().map(|value| value.value.as_str()), now), own))
}

/// Tells the members what was told.
///
/// # Errors
/// As [`told`].
pub fn claim(attribute: &str, told: &Told, patience: Patience) -> HostResult<()> {
    pacemaker::publish(attribute, &told.to_string(), patience)
}

/// Sends a message.
///
/// # Errors
/// It did not go out before the deadline; the text names no secret.
pub fn send(options: &Options, message: &Message, here: &str, deadline: Deadline) -> HostResult<()> {
    let message = shown(message);
    match &options.target {
        Target::Syslog => {
            let level = match message.severity {
                Severity::Info => Level::Info,
                Severity::Warning => Level::Warning,
                Severity::Critical => Level::Critical,
            };
            Log::of(TAG).line(level, &message.text);
            Ok(())
        }
        Target::Mail(address) => mail(address, options.mail_from.as_deref(), &message, here, deadline),
        Target::Command(path) => run(path, &message, deadline),
        Target::Webhook(url) => post(url, options, &message, here, deadline),
    }
}

/// As it may be shown: values come from attributes and configurations that others wrote.
fn shown(message: &Message) -> Message {
    let line = |text: &String| printable::line(text);
    let text: String = printable::line(&message.text).chars().take(LONGEST_TEXT).collect();
    Message {
        text,
        node: message.node.as_ref().map(line),
        resource: message.resource.as_ref().map(line),
        from: message.from.as_ref().map(line),
        ..message.clone()
    }
}

fn mail(
    address: &str,
    from: Option<&str>,
    message: &Message,
    here: &str,
    deadline: Deadline,
) -> HostResult<()> {
    let command = Command::new(SENDMAIL).environment(Environment::Clean).args(["-i", address]);
    command.stdin(letter(address, from, message, here)).run(deadline).map(drop).map_err(HostError::from)
}

/// Headers of ASCII in one line each, and the body.
fn letter(address: &str, from: Option<&str>, message: &Message, here: &str) -> String {
    let ascii = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let subject: String = message.text.chars().map(ascii).take(SUBJECT).collect();
    let from = from.map_or(String::new(), |from| format!("From: {from}\n"));
    let here: String = here.chars().map(ascii).collect();
    let severity = message.severity.name();
    format!(
        "{from}To: {address}\nSubject: [{severity}] {subject}\nAuto-Submitted: auto-generated\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\
         {}\n\n-- \nquorate on {here}, {}\n",
        message.text,
        utc(wall_seconds())
    )
}

fn run(path: &str, message: &Message, deadline: Deadline) -> HostResult<()> {
    is_roots(Path::new(path))?;
    let mut command = Command::new(path)
        .environment(Environment::Clean)
        .directory("/")
        .arg(message.event.name())
        .env("QUORATE_EVENT", message.event.name())
        .env("QUORATE_SEVERITY", message.severity.name())
        .env("QUORATE_TEXT", &message.text);
    let timeline = message.timeline.map(|timeline| timeline.to_string());
    let given = [
        ("QUORATE_NODE", message.node.as_deref()),
        ("QUORATE_RESOURCE", message.resource.as_deref()),
        ("QUORATE_ROLE", message.role),
        ("QUORATE_FROM", message.from.as_deref()),
        ("QUORATE_TIMELINE", timeline.as_deref()),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            command = command.env(name, value);
        }
    }
    command.run(deadline).map(drop).map_err(HostError::from)
}

/// Whether nobody but root can put anything in a program's place: it, and each directory above it, are root's alone.
fn is_roots(path: &Path) -> HostResult<()> {
    let refuse =
        |path: &Path, why: &str| Err(HostError::forbidden(format!("{} is not run: {why}", path.display())));
    let real = path.canonicalize().map_err(|error| HostError::from(error).about(path.display()))?;
    if real != path {
        return refuse(path, &format!("it leads to {}: name that itself", real.display()));
    }
    for part in path.ancestors() {
        let found = part.symlink_metadata().map_err(|error| HostError::from(error).about(part.display()))?;
        if is_open(&found) || found.uid() != 0 {
            let which = if part == path { "it".to_owned() } else { part.display().to_string() };
            return refuse(path, &format!("{which} is not root's alone: chown root, chmod go-w"));
        }
        if part == path && !found.is_file() {
            return refuse(path, "it is no file");
        }
    }
    Ok(())
}

/// Whether others than its owner may change it.
fn is_open(found: &Metadata) -> bool {
    found.permissions().mode() & 0o022 != 0
}

/// What is posted.
#[derive(Debug, Serialize)]
struct Posted<'a> {
    #[serde(flatten)]
    message: &'a Message,
    /// Who tells it.
    host: &'a str,
    time: String,
}

fn post(url: &str, options: &Options, message: &Message, here: &str, deadline: Deadline) -> HostResult<()> {
    let posted = Posted { message, host: here, time: utc(wall_seconds()) };
    let body = serde_json::to_string(&posted).map_err(|error| HostError::failed(error.to_string()))?;
    let token = options.token_file.as_deref().map(token).transpose()?;
    // On standard input: a command line is for all to see, and an address may be a secret.
    let command = Command::new(CURL).environment(Environment::Clean).args(["--disable", "--config", "-"]);
    let command = command.stdin(curl_config(url, token.as_deref(), &body, deadline.remaining()));
    command.run(deadline).map(drop).map_err(|error| HostError::from(error).about("the webhook"))
}

/// What curl is told. It follows no redirection, and speaks no other protocol than the address's.
fn curl_config(url: &str, token: Option<&str>, body: &str, limit: Duration) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let scheme = url.split(':').next().unwrap_or_default();
    let seconds = limit.as_secs_f32().max(0.5);
    let token =
        token.map_or(String::new(), |t| format!("header = \"Authorization: Bearer {}\"\n", quoted(t)));
    format!(
        "url = \"{}\"\n{token}header = \"Content-Type: application/json\"\ndata-binary = \"{}\"\n\
         user-agent = \"quorate-alert\"\nproto = \"={scheme}\"\nmax-redirs = 0\nmax-time = {seconds:.1}\n\
         output = \"/dev/null\"\ngloboff\nfail\nsilent\nshow-error\n",
        quoted(url),
        quoted(body)
    )
}

fn token(path: &str) -> HostResult<String> {
    let path = Path::new(path);
    let about =
        |error: std::io::Error| HostError::from(error).about(format!("token_file {}", path.display()));
    let found = path.metadata().map_err(about)?;
    if found.permissions().mode() & 0o027 != 0 || found.uid() != 0 {
        return Err(HostError::forbidden(format!(
            "token_file {} is not root's, or others may read or write it: chown root:haclient, chmod 640",
            path.display()
        )));
    }
    let text = storage::read_text(path)?;
    let word = text.lines().next().unwrap_or_default().trim();
    if word.is_empty() || !word.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(HostError::unusable(format!(
            "token_file {} has no token in its first line",
            path.display()
        )));
    }
    Ok(word.to_owned())
}

#[cfg(test)]
mod tests;
