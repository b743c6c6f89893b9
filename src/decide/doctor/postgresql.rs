//! PostgreSQL's settings.

use super::facts::{At, Facts, Place, Server, Unknown};
use super::rule::{Finding, Outcome};
use crate::pg::conf::{boolean, megabytes, milliseconds};

pub(super) fn each(facts: &Facts, check: impl Fn(&Server) -> Vec<Finding>) -> Outcome {
    Ok(facts.postgresql.as_ref()?.iter().flat_map(check).collect())
}

/// The setting, or PostgreSQL's own value of it.
pub(super) fn setting(server: &Server, name: &str, own: &str) -> At<String> {
    server.get(name).unwrap_or_else(|| At { value: own.to_owned(), place: Place::of(&server.name) })
}

/// `psql` in a word, with what may be changed while the server runs.
pub(super) fn set(name: &str, value: &str) -> String {
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

/// A server that runs knows what the role is that asked; without one the resource tells as whom the agent will ask.
pub(super) fn agent_role(facts: &Facts) -> Outcome {
    const AGENT: &str = "ocf:quorate:postgres";
    let cure = |resource: &str| {
        format!("make the role as docs/layouts.md says, then: pcs resource update {resource} dbuser=quorate")
    };
    let told = facts.postgresql.as_ref().map_or(&[][..], Vec::as_slice);
    let told: Vec<(&Server, At<String>)> =
        told.iter().filter_map(|server| Some((server, server.get("is_superuser")?))).collect();
    if !told.is_empty() {
        let superuser = told.iter().filter(|(_, at)| boolean(&at.value) == Some(true));
        let finding = |(server, at): &(&Server, At<String>)| {
            let resource = server.name.split(' ').next().unwrap_or("RESOURCE");
            Finding::new(&at.place, "the agent asks as a superuser", cure(resource))
        };
        return Ok(superuser.map(finding).collect());
    }
    let cib = facts.cib.as_ref()?;
    let ours: Vec<_> = cib.content.primitives.iter().filter(|p| p.agent == AGENT).collect();
    // An excerpt: the data directory alone has no default.
    if !ours.is_empty() && ours.iter().all(|p| p.parameters.is_empty()) {
        return Err(Unknown(
            "the CIB shows no parameter of PostgreSQL's resource: it is an excerpt".to_owned(),
        ));
    }
    let found = ours.into_iter().filter_map(|p| {
        let set = |name: &str| p.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let user = set("system_user").unwrap_or("postgres");
        let what = match (set("dbuser"), set("dbservice")) {
            (Some(role), _) if role != user => return None,
            (None, Some(_)) => return None,
            (Some(role), _) => format!("dbuser is {role}, whose cluster it is: a superuser"),
            (None, None) => {
                format!("dbuser is not set: the agent asks as {user}, whose cluster it is: a superuser")
            }
        };
        Some(Finding::new(&Place::line(&cib.name, p.line), what, cure(&p.id)))
    });
    Ok(found.collect())
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
