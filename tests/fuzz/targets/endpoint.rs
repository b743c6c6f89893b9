//! What a stranger asks the HTTP endpoint, and what a server says that its metrics show.

use quorate::boundary::http::Question;
use quorate::cluster::clock::BootTime;
use quorate::cluster::health::{Answer, Health, InstanceHealth, Postmaster, QuorumFact};
use quorate::http::{answer, metrics};
use quorate::pg::instance::Phase;
use quorate::pg::role::PgRole;
use quorate::pg::statistics::Statistics;

use super::{FILE, Target, VALUE, seeds, short, strict, text};

const NOW: BootTime = BootTime::at(1000);

const SAID: &str = "{\"role\":\"standby\",\"timeline\":3,\"written\":null,\"received\":\"0/3000000\",\"replayed\":\"0/3000000\",\
\"upstream_end\":\"0/3000100\",\"streams\":true,\"paused\":false,\"replay_age_s\":1.5,\"waiting\":0,\"standbys\":[{\"name\":\"srv3\",\
\"sync\":\"async\",\"streams\":true,\"lag_bytes\":16}],\"slots\":[{\"name\":\"s\",\"active\":false,\"retained_bytes\":1e9}]}";

fn health(said: Statistics) -> Health {
    let instance = InstanceHealth {
        resource: "pgsqld".into(),
        role: PgRole::Standby,
        phase: Phase::Running,
        postmaster: Postmaster::Runs,
        unmanaged: None,
        answer: Some(Answer { at: NOW, said: Ok(said) }),
        safe_mode: None,
        generation: None,
        promotions: std::collections::BTreeMap::new(),
    };
    let quorum = QuorumFact { at: NOW, quorate: true, votes: None };
    Health { looked: NOW, quorum: Some(quorum), instances: vec![instance], ..Health::default() }
}

pub const TARGETS: &[Target] = &[
    Target {
        name: "http-question",
        modules: &["http::answer", "decide::health"],
        // hyper takes no longer head.
        limit: VALUE,
        words: &[
            "/primary",
            "/replica?lag=",
            "&resource=",
            "pgsqld",
            "16MB",
            "500ms",
            "/health",
            "/read-only",
        ],
        seeds: || seeds(&["/pgsqld/replica?lag=16MB", "/read-only?resource=pgsqld&lag=10s", "/metrics"]),
        run: |input| {
            let target = text(input);
            let (path, query) = match target.split_once('?') {
                Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
                None => (target, None),
            };
            let known = Statistics::read(&[Some(SAID.to_owned())]).expect("a statistic");
            let reply = answer::answer(Some(&health(known)), &Question { path, query }, NOW, &String::new);
            assert!([200, 400, 404, 503].contains(&reply.status), "{}", reply.status);
            if reply.content_type != metrics::TYPE {
                assert!(reply.body.len() < 1024, "{} bytes", reply.body.len());
                assert_eq!(reply.body.lines().count(), 1, "{}", reply.body);
            }
            reply.status == 200
        },
    },
    Target {
        name: "statistics",
        modules: &["pg::statistics", "http::metrics"],
        limit: FILE,
        words: &["\"role\":\"primary\"", "\"written\":\"FFFFFFFF/FFFFFFFF\"", "\"streams\":false", "null"],
        seeds: || seeds(&[SAID]),
        run: |input| match strict(input).map(|text| Statistics::read(&[Some(text.to_owned())])) {
            Some(Ok(said)) => {
                let (names, primary) = (said.standbys.len() + said.slots.len(), said.role == PgRole::Primary);
                assert!(!primary || said.lag_bytes().is_none());
                let shown = metrics::text(Some(&health(said)), NOW, &String::new);
                assert!(shown.lines().all(|line| line.starts_with('#') || line.contains(' ')), "{shown}");
                assert!(shown.lines().count() < 200 + 8 * names);
                true
            }
            Some(Err(e)) => short(&e),
            None => false,
        },
    },
];
