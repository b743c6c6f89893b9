//! The fence agent `fence_quorate`: reads what it is asked, gathers what is known of the node, tells what the decision is.
//!
//! It never assumes that a node is gone. What it knows is what `quorated` kept of the node's own last word, and what votequorum
//! says now; [`crate::decide::fence`] says what that is worth.

mod confirm;
pub mod metadata;
pub mod options;

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::boundary::clock::Deadline;
use crate::boundary::host::Level;
use crate::boundary::log::Log;
use crate::boundary::{corosync, input, printable, self_fence_records, self_fence_requests};
use crate::cluster::self_fencing::How;
use crate::decide::fence::{self, Status, Verdict};
use confirm::{Patience, Seen, confirm};
use options::{Action, Options, OptionsError};

/// The program's name, in its messages and in the log.
pub const NAME: &str = "fence_quorate";

/// How long votequorum may take where no time is left, or none was given. It answers within 20 ms, on a loaded machine within a second.
const ANSWER: Duration = Duration::from_millis(500);
/// For a monitor, which delays nothing: while corosync forms its membership, its tool waits for the quorum device.
const MONITOR: Duration = Duration::from_secs(10);
/// Pacemaker writes its lines at once and closes the pipe; a person who types none is told how.
const LINES: Duration = Duration::from_secs(10);
/// More than all options that Pacemaker knows.
const LINES_LIMIT: usize = 64 << 10;

/// How the agent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Done. For `status`: the node is on.
    Done,
    /// Failed, or it could not be verified.
    Failed,
    /// For `status` alone: the node is off.
    Off,
}

impl Code {
    /// The exit code.
    pub const fn status(self) -> u8 {
        match self {
            Code::Done => 0,
            Code::Failed => 1,
            Code::Off => 2,
        }
    }
}

/// Where what it asks is found.
#[derive(Debug, Clone)]
pub struct Places {
    pub quorumtool: PathBuf,
    pub configuration: PathBuf,
    pub self_fence_records: PathBuf,
    pub self_fence_requests: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Places {
            quorumtool: corosync::QUORUMTOOL.into(),
            configuration: corosync::CONFIGURATION.into(),
            self_fence_records: self_fence_records::DIRECTORY.into(),
            self_fence_requests: self_fence_requests::SOCKET.into(),
        }
    }
}

/// What came of an action.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    pub code: Code,
    /// For standard output.
    pub output: String,
    /// Why; for standard error where it failed, and for the log. Empty: there is nothing to tell.
    pub reason: String,
}

impl Report {
    fn failed(reason: impl ToString) -> Report {
        Report { code: Code::Failed, output: String::new(), reason: reason.to_string() }
    }
}

/// Reads the options, from standard input where there are no arguments, acts and tells. Gives the exit code.
pub fn main(arguments: &[OsString]) -> u8 {
    let options = if arguments.is_empty() { from_input() } else { Options::from_arguments(arguments) };
    let (action, target, report) = match options {
        Ok(options) => {
            let target = options.target().unwrap_or("-").to_owned();
            (options.action.name(), target, perform(&options, &Places::default()))
        }
        Err(OptionsError::Shown(text)) => {
            let report = Report { code: Code::Done, output: text, reason: String::new() };
            ("help", "-".to_owned(), report)
        }
        Err(OptionsError::Wrong(text)) => ("options", "-".to_owned(), Report::failed(text)),
    };
    tell(action, &target, report).status()
}

fn from_input() -> Result<Options, OptionsError> {
    let bytes =
        input::read(std::io::stdin().as_fd(), LINES_LIMIT, Deadline::after(LINES)).map_err(|why| {
            OptionsError::Wrong(format!("{why}; give lines key=value, or options such as --action (--help)"))
        })?;
    Options::from_lines(&String::from_utf8_lossy(&bytes))
}

fn tell(action: &str, target: &str, report: Report) -> Code {
    let mut code = report.code;
    // A caller that does not read what it asked for has not got it.
    let mut out = std::io::stdout().lock();
    if !report.output.is_empty()
        && out.write_all(report.output.as_bytes()).and_then(|()| out.flush()).is_err()
    {
        code = Code::Failed;
    }
    let reason = printable::line(&report.reason.split_whitespace().collect::<Vec<_>>().join(" "));
    if !reason.is_empty() {
        if code == Code::Failed {
            // A closed standard error is no reason to panic, as eprintln! would.
            let _ = writeln!(std::io::stderr(), "{NAME}: {}: {reason}", printable::line(target));
        }
        Log::tagged(NAME, target, action).line(Level::Info, &format!("{reason} ({})", code.status()));
    }
    code
}

/// Does what is asked. Whatever goes wrong is a failure with its reason.
pub fn perform(options: &Options, places: &Places) -> Report {
    let done = |output: String| Report { code: Code::Done, output, reason: String::new() };
    match options.action {
        Action::Off | Action::Reboot | Action::Status | Action::On => match options.target() {
            Some(target) => on_node(options, target, places),
            None => {
                let action = options.action.name();
                Report::failed(format!("{action} of which node? Give plug=NODE, or --plug NODE"))
            }
        },
        Action::Monitor => match corosync::votes(&places.quorumtool, Deadline::after(MONITOR)) {
            Ok(_) => done(String::new()),
            Err(why) => Report::failed(format!("votequorum can't be asked: {why}")),
        },
        Action::List => match corosync::names(&places.configuration) {
            Ok(names) => done(names.iter().map(|name| format!("{name},\n")).collect()),
            Err(why) => Report::failed(format!("the nodes are not known: {why}")),
        },
        Action::Metadata => match metadata::document() {
            Ok(xml) => done(xml),
            Err(why) => Report::failed(format!("no meta-data: {why}")),
        },
        Action::ValidateAll => match corosync::names(&places.configuration) {
            Err(why) => Report::failed(format!("corosync is not configured: {why}")),
            Ok(_) if !places.quorumtool.is_file() => Report::failed(format!(
                "{} is not there; install corosync on this node",
                places.quorumtool.display()
            )),
            Ok(_) => done(String::new()),
        },
    }
}

fn on_node(options: &Options, target: &str, places: &Places) -> Report {
    let told = |code, reason| Report { code, output: String::new(), reason };
    match options.action {
        Action::On => {
            told(Code::Done, "nothing to do: a node that has reset itself comes back by itself".to_owned())
        }
        Action::Status => {
            let answer = Deadline::after(Duration::from_secs(options.wait).max(ANSWER));
            let seen = Seen::look(target, How::Reboot, places).ask(target, places, answer);
            match fence::status(seen.notice, seen.answer) {
                Status::On => told(Code::Done, "it is a member".to_owned()),
                Status::Off => {
                    told(Code::Off, format!("it is gone: {}", seen.explain("its end is confirmed")))
                }
                Status::Unknown(why) => Report::failed(format!("not known: {}", seen.explain(why))),
            }
        }
        _ => {
            let patience = Patience {
                self_fence_timeout: Duration::from_secs(options.self_fence_timeout),
                leaving: Duration::from_secs(options.wait),
            };
            let how = if options.action == Action::Off { How::Off } else { How::Reboot };
            let (seen, verdict) = confirm(target, how, &patience, places);
            match verdict {
                Verdict::Confirmed(why) => told(Code::Done, format!("confirmed: {}", seen.explain(why))),
                Verdict::Refused(why) | Verdict::Wait(why) => {
                    Report::failed(format!("not confirmed: {}", seen.explain(why)))
                }
                Verdict::Ask | Verdict::Tell => Report::failed("not confirmed: votequorum was not asked"),
            }
        }
    }
}
