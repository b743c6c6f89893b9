//! From a path to a status.

use super::metrics;
use crate::boundary::http::{Question, Reply, TEXT};
use crate::cluster::clock::BootTime;
use crate::cluster::health::{Health, InstanceHealth};
use crate::decide::health::{Check, Facts, Limit, Node, decide, limit};

/// More of a stranger's text is not given back.
const SHOWN: usize = 64;

/// What can be asked for.
const PATHS: &str =
    "/primary, /replica, /read-only, /health or /metrics, or /RESOURCE before one of the first four";

/// What a question is about.
struct Wanted<'a> {
    name: &'a str,
    resource: Option<&'a str>,
    limit: Option<Limit>,
}

/// Answers. `checker` gives the metrics of `quorated` itself.
#[must_use]
pub fn answer(
    health: Option<&Health>,
    question: &Question,
    now: BootTime,
    checker: &dyn Fn() -> String,
) -> Reply {
    let wanted = match read(question) {
        Ok(wanted) => wanted,
        Err(reply) => return reply,
    };
    let check = match (wanted.name, wanted.limit) {
        ("metrics", None) if wanted.resource.is_none() => {
            return Reply {
                status: 200,
                content_type: metrics::TYPE,
                body: metrics::text(health, now, checker),
            };
        }
        ("primary" | "read-write", None) => Check::Primary,
        ("health", None) => Check::Health,
        ("replica", limit) => Check::Replica(limit),
        ("read-only", limit) => Check::ReadOnly(limit),
        ("primary" | "read-write" | "health" | "metrics", Some(_)) => {
            return reply(400, "lag= is for /replica and /read-only");
        }
        _ => return reply(404, &format!("no such path; ask for {PATHS}")),
    };
    let node = Node::of(health, now);
    let instances = match (health, node) {
        (_, Node::Unknown) | (None, _) => {
            return reply(503, &crate::decide::health::No::NodeUnknown.to_string());
        }
        (Some(health), _) => &health.instances,
    };
    let chosen: Vec<&InstanceHealth> = match wanted.resource {
        Some(resource) => instances.iter().filter(|i| i.resource == resource).collect(),
        None => instances.iter().collect(),
    };
    match (chosen.as_slice(), check, wanted.resource) {
        ([], _, Some(resource)) => {
            let resource: String = resource.chars().take(SHOWN).collect();
            reply(
                404,
                &format!("no instance of a resource {resource:?} runs here; here {}", names(instances)),
            )
        }
        ([], _, None) => reply(503, "no instance runs here"),
        ([instance], _, _) => judge(check, node, &[instance], now),
        // The whole node.
        (several, Check::Health, _) => judge(check, node, several, now),
        _ => reply(404, &format!("say which, as in /RESOURCE/primary: here {}", names(instances))),
    }
}

/// All of them have to be.
fn judge(check: Check, node: Node, instances: &[&InstanceHealth], now: BootTime) -> Reply {
    let mut status = 200;
    let said = instances.iter().map(|instance| {
        let word = match decide(check, &Facts::of(check, node, instance, now)) {
            Ok(yes) => yes.to_string(),
            Err(no) => {
                status = 503;
                no.to_string()
            }
        };
        format!("{}: {word}", instance.resource)
    });
    let said: Vec<String> = said.collect();
    reply(status, &said.join("\n"))
}

fn names(instances: &[InstanceHealth]) -> String {
    let names: Vec<&str> = instances.iter().map(|i| i.resource.as_str()).collect();
    if names.is_empty() { "none does".to_owned() } else { format!("run {}", names.join(", ")) }
}

fn read(question: &Question) -> Result<Wanted<'_>, Reply> {
    let segments: Vec<&str> = question.path.strip_prefix('/').unwrap_or(&question.path).split('/').collect();
    let (mut resource, name) = match segments.as_slice() {
        [name] => (None, *name),
        [resource, name] => (Some(*resource), *name),
        _ => return Err(reply(404, &format!("no such path; ask for {PATHS}"))),
    };
    let mut most = None;
    for pair in question.query.iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("resource", value)) if resource.is_none() => resource = Some(value),
            Some(("lag", value)) if most.is_none() => {
                most = Some(limit(value).map_err(|why| reply(400, &why))?);
            }
            _ => {
                let shown: String = pair.chars().take(SHOWN).collect();
                return Err(reply(400, &format!("{shown:?}: only lag= and resource= are known, once each")));
            }
        }
    }
    Ok(Wanted { name, resource, limit: most })
}

fn reply(status: u16, line: &str) -> Reply {
    Reply { status, content_type: TEXT, body: format!("{line}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::health::{Answer, Postmaster, QuorumFact};
    use crate::pg::instance::Phase;
    use crate::pg::role::PgRole;
    use crate::pg::statistics::Statistics;

    const NOW: BootTime = BootTime::at(50_000);

    fn instance(resource: &str, role: PgRole) -> InstanceHealth {
        let text = r#"{"role": "primary", "streams": true, "received": "0/3000000", "replayed": "0/3000000",
            "paused": false, "waiting": 0, "standbys": [], "slots": []}"#;
        let said = Statistics { role, ..Statistics::read(&[Some(text.into())]).expect("a statistic") };
        InstanceHealth {
            resource: resource.into(),
            role,
            phase: Phase::Running,
            postmaster: Postmaster::Runs,
            unmanaged: None,
            answer: Some(Answer { at: NOW, said: Ok(said) }),
            safe_mode: None,
            generation: None,
            promotions: std::collections::BTreeMap::new(),
        }
    }

    fn health(instances: Vec<InstanceHealth>) -> Health {
        let quorum = QuorumFact { at: NOW, quorate: true, votes: None };
        Health { looked: NOW, quorum: Some(quorum), instances, ..Health::default() }
    }

    fn ask(health: Option<&Health>, target: &str) -> (u16, String) {
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q.to_owned())));
        let reply = answer(health, &Question { path: path.into(), query }, NOW, &String::new);
        (reply.status, reply.body)
    }

    #[test]
    fn one_instance() {
        let primary = health(vec![instance("pgsqld", PgRole::Primary)]);
        let standby = health(vec![instance("pgsqld", PgRole::Standby)]);
        for (target, on_primary, on_standby) in [
            ("/primary", 200, 503),
            ("/read-write", 200, 503),
            ("/replica", 503, 200),
            ("/replica?lag=16MB", 503, 200),
            ("/replica?lag=10s&resource=pgsqld", 503, 200),
            ("/read-only?lag=1", 200, 200),
            ("/health", 200, 200),
            ("/pgsqld/primary", 200, 503),
            ("/primary?resource=pgsqld", 200, 503),
            ("/metrics", 200, 200),
            ("/other/primary", 404, 404),
            ("/primary?resource=", 404, 404),
            ("/", 404, 404),
            ("", 404, 404),
            ("/primary/", 404, 404),
            ("//primary", 404, 404),
            ("/a/b/primary", 404, 404),
            ("/pgsqld/metrics", 404, 404),
            ("/leader", 404, 404),
            ("/primary?lag=1s", 400, 400),
            ("/replica?lag=soon", 400, 400),
            ("/replica?lag=1s&lag=2s", 400, 400),
            ("/replica?lagg=1s", 400, 400),
            ("/pgsqld/primary?resource=pgsqld", 400, 400),
        ] {
            assert_eq!(ask(Some(&primary), target).0, on_primary, "{target} of a primary");
            assert_eq!(ask(Some(&standby), target).0, on_standby, "{target} of a standby");
        }
        assert_eq!(ask(Some(&standby), "/primary").1, "pgsqld: a standby\n");
    }

    #[test]
    fn several_instances_want_a_name() {
        let two = health(vec![instance("pg-a", PgRole::Primary), instance("pg-b", PgRole::Standby)]);
        assert_eq!(
            ask(Some(&two), "/primary"),
            (404, "say which, as in /RESOURCE/primary: here run pg-a, pg-b\n".into())
        );
        assert_eq!(ask(Some(&two), "/pg-a/primary").0, 200);
        assert_eq!(ask(Some(&two), "/pg-b/primary").0, 503);
        assert_eq!(ask(Some(&two), "/health"), (200, "pg-a: primary\npg-b: standby\n".into()));
        let gone = InstanceHealth { postmaster: Postmaster::Gone, ..instance("pg-b", PgRole::Standby) };
        let half = health(vec![instance("pg-a", PgRole::Primary), gone]);
        assert_eq!(ask(Some(&half), "/health").0, 503);
    }

    #[test]
    fn nothing_known_is_503_everywhere() {
        let old = Health { looked: BootTime::at(1), ..health(vec![instance("pgsqld", PgRole::Primary)]) };
        for target in ["/primary", "/replica", "/read-only", "/health", "/pgsqld/primary"] {
            assert_eq!(ask(None, target).0, 503, "{target}");
            assert_eq!(ask(Some(&old), target).0, 503, "{target}");
            assert_ne!(ask(Some(&health(Vec::new())), target).0, 200, "{target}");
        }
    }

    #[test]
    fn a_stranger_s_text_comes_back_short_and_quoted() {
        let one = health(vec![instance("pgsqld", PgRole::Primary)]);
        let long = format!("/{}/primary", "\u{1b}".repeat(500));
        let (status, body) = ask(Some(&one), &long);
        assert!(status == 404 && body.len() < 600 && !body.contains('\u{1b}'), "{body}");
    }
}
