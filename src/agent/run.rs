//! From the command line to the exit code.

use std::io::Write;

use super::report::Change;
use super::{Agent, Report};
use crate::boundary::host::{Host, Level};
use crate::boundary::log::Log;
use crate::boundary::node::Node;
use crate::boundary::{history, printable};
use crate::ocf::{Action, Environment, OcfCode, Run, Settings, SettingsError, metadata};

/// Runs the agent. Standard output carries the meta-data and nothing else; the reason of an error goes to standard error
/// as `ocf-exit-reason:`, from where Pacemaker takes it into `crm_mon`.
pub fn run(arguments: &[String], env: &Environment) -> OcfCode {
    let action = match arguments {
        [word] => Action::parse(word),
        [word, resource, node] if word == history::NOTE => return note_history(resource, node),
        _ => None,
    };
    let Some(action) = action else {
        let known: Vec<&str> = Action::ALL.iter().map(|a| a.name()).collect();
        reason(&format!("unknown action {:?}; one of {}", arguments.join(" "), known.join(", ")));
        return OcfCode::ErrUnimplemented;
    };
    if action == Action::MetaData {
        return print_metadata(metadata::Dialect::of(env));
    }
    let run = Run::from(env);
    let mut log = Log::new(&run.resource, action.name());
    let (settings, problems) = match settings(action, env) {
        Ok(read) => read,
        Err(error) => return without_settings(action, &run, &error, &mut log),
    };
    for problem in problems {
        log.line(Level::Warning, &format!("{problem}; meanwhile {}", problem.meanwhile()));
    }
    let mut node = Node::new(settings.clone(), run.clone(), log);
    let report = Agent::new(&mut node, env, run, settings).perform(action);
    tell(&mut node, action, &report);
    report.code
}

/// What the agent starts of itself ([`history::note_apart`]).
fn note_history(resource: &str, node: &str) -> OcfCode {
    match history::note_by_itself(resource, node) {
        Ok(()) => OcfCode::Success,
        Err(error) => {
            eprintln!("{}", printable::line(&error.to_string()));
            OcfCode::ErrGeneric
        }
    }
}

type Read = (Settings, Vec<SettingsError>);

fn settings(action: Action, env: &Environment) -> Result<Read, SettingsError> {
    match action {
        Action::Start | Action::ValidateAll => Settings::strict(env).map(|settings| (settings, Vec::new())),
        // A value that can't be used is no reason to end what runs: Pacemaker stops the instance on every node for such an answer.
        Action::Stop
        | Action::Promote
        | Action::Demote
        | Action::Monitor
        | Action::Notify
        | Action::ReloadAgent
        | Action::MetaData => Settings::tolerant(env),
    }
}

/// Without a usable pgdata no instance can have been started, so that nothing runs and nothing is to be stopped.
fn without_settings(action: Action, run: &Run, error: &SettingsError, log: &mut Log) -> OcfCode {
    let text = error.to_string();
    match action {
        Action::Notify => OcfCode::Success,
        Action::Stop => {
            log.line(Level::Warning, &format!("{text}; nothing can have been started without it"));
            OcfCode::Success
        }
        Action::Monitor if run.is_probe() => {
            reason(&text);
            OcfCode::NotRunning
        }
        _ => {
            reason(&text);
            log.line(Level::Error, &text);
            if action == Action::Start { error.code_of_start() } else { error.code() }
        }
    }
}

fn print_metadata(dialect: metadata::Dialect) -> OcfCode {
    let printed = metadata::document(dialect).and_then(|xml| {
        let mut out = std::io::stdout().lock();
        out.write_all(xml.as_bytes())?;
        out.flush()
    });
    match printed {
        Ok(()) => OcfCode::Success,
        Err(error) => {
            reason(&format!("the meta-data can't be written to standard output: {error}"));
            OcfCode::ErrGeneric
        }
    }
}

fn tell(node: &mut Node, action: Action, report: &Report) {
    if report.code.is_error() {
        reason(&report.reason);
    }
    let level = if report.code.is_error() { Level::Error } else { Level::Info };
    match (report.change, action) {
        // A failed monitor has logged what it found.
        (Change::Identity, Action::Monitor) => {}
        (Change::Identity, _) if !report.code.is_error() => {}
        (Change::Identity | Change::Changed, _) => {
            node.log(level, &format!("{} ({})", report.reason, report.code.status()));
        }
    }
}

fn reason(text: &str) {
    // A closed standard error is no reason to panic, as eprintln! would.
    let _ = writeln!(std::io::stderr(), "ocf-exit-reason:{}", printable::line(text));
}
