//! PostgreSQL's settings.

use super::facts::{At, Facts, Place, Server, Unknown};
use super::{Finding, Outcome};
use crate::pg::conf::{boolean, megabytes, milliseconds};

fn each(facts: &Facts, check: impl Fn(&Server) -> Vec<Finding>) -> Outcome {
    Ok(facts.postgresql.as_ref()?.iter().flat_map(check).collect())
}

/// The setting, or PostgreSQL's own value of it.
fn setting(server: &Server, name: &str, own: &str) -> At<String> {
    server.get(name).unwrap_or_else(|| At { value: own.to_owned(), place: Place::of(&server.name) })
}

/// `psql` in a word, with what may be changed while the server runs.
fn set(name: &str, value: &str) -> String {
    format!(
        "ALTER SYSTEM SET {name} = '{value}'; SELECT pg_reload_conf();    on each node, or in its configuration file"
    )
}

pub(super) fn slot_limit(facts: &Facts) -> Outcome {
    const NAME: &str = "max_slot_wal_keep_size";
    each(facts, |server| {
        let at = setting(server, NAME, "-1");
        if megabytes(&at.value).is_some_and(|mb| mb >= 0) {
            return Vec::new();
        }
        vec![Finding::new(&at.place, format!("{NAME} is {}", at.value), set(NAME, "4GB"))]
    })
}

pub(super) fn rewindable(facts: &Facts) -> Outcome {
    each(facts, |server| {
        let hints = setting(server, "wal_log_hints", "off");
        let checksums = server.get("data_checksums").and_then(|c| boolean(&c.value));
        if boolean(&hints.value) == Some(true) || checksums == Some(true) {
            return Vec::new();
        }
        let what = match checksums {
            Some(_) => format!("wal_log_hints is {}, and the data has no checksums", hints.value),
            None => format!("wal_log_hints is {}; no file tells whether the data has checksums", hints.value),
        };
        let cure = "wal_log_hints = on in the configuration file on each node, then restart PostgreSQL: pcs resource restart RESOURCE";
        vec![Finding::new(&hints.place, what, cure)]
    })
}

pub(super) fn wal_timeouts(facts: &Facts) -> Outcome {
    each(facts, |server| {
        let off = |name: &str| {
            let at = setting(server, name, "60s");
            let bounded = milliseconds(&at.value).is_some_and(|ms| ms > 0);
            (!bounded).then(|| Finding::new(&at.place, format!("{name} is {}", at.value), set(name, "5s")))
        };
        ["wal_receiver_timeout", "wal_sender_timeout"].into_iter().filter_map(off).collect()
    })
}

pub(super) fn restart_after_crash(facts: &Facts) -> Outcome {
    const NAME: &str = "restart_after_crash";
    each(facts, |server| {
        let at = setting(server, NAME, "on");
        if boolean(&at.value) == Some(false) {
            return Vec::new();
        }
        vec![Finding::new(&at.place, format!("{NAME} is {}", at.value), set(NAME, "off"))]
    })
}

pub(super) fn lc_messages(facts: &Facts) -> Outcome {
    const NAME: &str = "lc_messages";
    let english = |value: &str| {
        let language = value.split(['.', '@']).next().unwrap_or_default();
        matches!(language, "C" | "POSIX" | "en") || language.starts_with("en_")
    };
    let mut found = Vec::new();
    for server in facts.postgresql.as_ref()? {
        match server.get(NAME).filter(|at| !at.value.is_empty()) {
            Some(at) if english(&at.value) => {}
            Some(at) => {
                found.push(Finding::new(&at.place, format!("{NAME} is {:?}", at.value), set(NAME, "C")))
            }
            // The server takes it from its environment then.
            None => {
                return Err(Unknown(format!(
                    "{} does not set {NAME}: initdb writes it to postgresql.conf",
                    server.name
                )));
            }
        }
    }
    Ok(found)
}
