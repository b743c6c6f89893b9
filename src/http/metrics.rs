//! `/metrics`: one table of names, from which the text and the documents come.

use prometheus::{Encoder, GaugeVec, Opts, Registry, TextEncoder};

use crate::cluster::clock::BootTime;
use crate::cluster::health::{Health, InstanceHealth, Postmaster};
use crate::decide::health::{Check, Facts, Node, Said, decide};
use crate::pg::instance::Phase;
use crate::pg::role::PgRole;

/// The text format of Prometheus.
pub const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric, a gauge.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub help: &'static str,
    pub labels: &'static [&'static str],
}

const R: &[&str] = &["resource"];

macro_rules! metrics {
    ($($constant:ident $name:literal $labels:expr, $help:literal;)*) => {
        $(const $constant: &str = $name;)*
        /// All of them, in the order of the documents.
        pub const METRICS: &[Metric] = &[$(Metric { name: $name, help: $help, labels: $labels }),*];
    };
}

metrics! {
    BUILD "quorate_build_info" &["version"], "Always 1; the version of quorate-http.";
    FACTS_AGE "quorate_facts_age_seconds" &[], "Age of what quorated tells; missing where it has told nothing since the boot.";
    QUORUM "quorate_quorum" &[], "Whether this node's partition has the quorum; missing where corosync does not tell.";
    VOTES "quorate_votes" &["of"], "Votes: total (present), needed, own, device.";
    MEMBERS "quorate_members" &[], "Nodes of corosync's membership.";
    ENDING "quorate_node_ending" &[], "Whether this node is being reset.";
    FENCING "quorate_fencing_timeout_seconds" &[], "After so long the others take a lost node for reset (stonith-watchdog-timeout).";
    WRITE "quorate_trial_write_seconds" &["path"], "How long the last small write to this directory took.";
    PENDING "quorate_trial_write_pending" &["path"], "Whether a small write to it has not returned.";
    UP "quorate_up" R, "Whether its postmaster runs and it answered lately.";
    AGE "quorate_answer_age_seconds" R, "Age of the server's last answer, or of the question that got none.";
    PRIMARY "quorate_primary" R, "What /primary says: 1 is 200.";
    REPLICA "quorate_replica" R, "What /replica says: 1 is 200.";
    PROMOTED "quorate_promoted" R, "Whether Pacemaker promoted it here.";
    RECOVERY "quorate_in_recovery" R, "Whether the server is in recovery.";
    STOPPING "quorate_stopping" R, "Whether Pacemaker stops or demotes it.";
    PAUSED "quorate_paused" R, "Whether Pacemaker leaves it alone: paused, maintenance, unmanaged.";
    SAFE_MODE "quorate_safe_mode" R, "Whether it is in safe mode: nobody is promoted.";
    TIMELINE "quorate_timeline" R, "The timeline it writes on, or receives.";
    END "quorate_wal_end_bytes" R, "Where its WAL ends; on a standby the furthest that it heard of.";
    REPLAYED "quorate_wal_replayed_bytes" R, "Where the replay of a standby is.";
    LAG_BYTES "quorate_lag_bytes" R, "WAL that a standby has not replayed; missing where it does not stream.";
    LAG_SECONDS "quorate_lag_seconds" R, "Age of what a standby shows; 0 where it has replayed all.";
    STREAMS "quorate_streams" R, "Whether a standby streams.";
    REPLAY_PAUSED "quorate_replay_paused" R, "Whether the replay of a standby is paused.";
    WAITING "quorate_waiting_commits" R, "Commits that wait for a synchronous standby.";
    STANDBY_LAG "quorate_standby_lag_bytes" &["resource", "standby"], "WAL of this server that a connected standby has not replayed.";
    STANDBY_SYNC "quorate_standby_sync" &["resource", "standby", "state"], "Always 1; async, potential, sync or quorum.";
    SLOT "quorate_slot_retained_bytes" &["resource", "slot"], "WAL that is kept for a replication slot.";
    SLOT_ACTIVE "quorate_slot_active" &["resource", "slot"], "Whether the slot is in use.";
    GENERATION "quorate_generation" R, "On a primary: the number of its promotion.";
    PROMOTIONS "quorate_promotions" &["resource", "kind"], "Promotions in the history of this node: first-promotion, switchover, failover, recovery-in-place, promotion.";
}

/// The text. `checker` gives the metrics of `quorated` itself, which follow while it runs.
pub fn text(health: Option<&Health>, now: BootTime, checker: &dyn Fn() -> String) -> String {
    let mut values = Values(METRICS.iter().map(|metric| (metric, Vec::new())).collect());
    values.set(BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
    let node = Node::of(health, now);
    if let Some(health) = health.filter(|h| now.checked_since(h.looked).is_some()) {
        values.set(FACTS_AGE, &[], seconds(now.since(health.looked)));
        if node != Node::Unknown {
            of_node(&mut values, health, node);
            for instance in &health.instances {
                of_instance(&mut values, instance, node, now);
            }
        }
    }
    // A name or a label that the crate does not take is a fault of this table, which the test finds.
    let mut text = values.encode().unwrap_or_default();
    if node != Node::Unknown {
        text.push_str(&checker());
    }
    text
}

/// A value and its labels.
type Labelled = (Vec<String>, f64);

/// Values by metric.
struct Values(Vec<(&'static Metric, Vec<Labelled>)>);

impl Values {
    fn set(&mut self, name: &str, labels: &[&str], value: f64) {
        if let Some((_, values)) = self.0.iter_mut().find(|(metric, _)| metric.name == name) {
            values.push((labels.iter().map(|l| (*l).to_owned()).collect(), value));
        }
    }

    fn some(&mut self, name: &str, labels: &[&str], value: Option<f64>) {
        if let Some(value) = value {
            self.set(name, labels, value);
        }
    }

    fn encode(self) -> Result<String, prometheus::Error> {
        let registry = Registry::new();
        for (metric, values) in self.0 {
            let gauge = GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels)?;
            for (labels, value) in values {
                let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                gauge.get_metric_with_label_values(&labels)?.set(value);
            }
            registry.register(Box::new(gauge))?;
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn of_node(values: &mut Values, health: &Health, node: Node) {
    let quorum = match node {
        Node::Unknown | Node::QuorumUnknown => None,
        Node::Ending | Node::NoQuorum | Node::Quorate => health.quorum.map(|q| flag(q.quorate)),
    };
    values.some(QUORUM, &[], quorum);
    if let Some(votes) = health.quorum.and_then(|q| q.votes) {
        for (of, count) in ["total", "needed", "own", "device"].into_iter().zip(votes) {
            values.set(VOTES, &[of], f64::from(count));
        }
    }
    values.set(MEMBERS, &[], number(health.members as u64));
    values.set(ENDING, &[], flag(health.ending.is_some()));
    values.set(FENCING, &[], seconds(health.others_go_on_ms));
    for write in &health.writes {
        values.some(WRITE, &[&write.path], write.took_ms.map(seconds));
        values.set(PENDING, &[&write.path], flag(write.pending));
    }
}

fn of_instance(values: &mut Values, instance: &InstanceHealth, node: Node, now: BootTime) {
    let resource = instance.resource.as_str();
    let r = &[resource];
    let may = |check| flag(decide(check, &Facts::of(check, node, instance, now)).is_ok());
    let answers = Said::of(instance, None, now) != Said::Nothing;
    values.set(UP, r, flag(answers && instance.postmaster == Postmaster::Runs));
    values.some(AGE, r, instance.answer.as_ref().map(|answer| seconds(now.since(answer.at))));
    values.set(PRIMARY, r, may(Check::Primary));
    values.set(REPLICA, r, may(Check::Replica(None)));
    values.set(PROMOTED, r, flag(instance.role == PgRole::Primary));
    values.set(STOPPING, r, flag(instance.phase == Phase::Stopping));
    values.set(PAUSED, r, flag(instance.unmanaged.is_some()));
    values.set(SAFE_MODE, r, flag(instance.safe_mode.is_some()));
    values.some(GENERATION, r, instance.generation.map(number));
    for (kind, count) in &instance.promotions {
        values.set(PROMOTIONS, &[resource, kind], number(*count));
    }
    let Some(Ok(said)) = instance.answer.as_ref().filter(|_| answers).map(|a| a.said.as_ref()) else {
        return;
    };
    values.set(RECOVERY, r, flag(said.role == PgRole::Standby));
    values.some(TIMELINE, r, said.timeline.map(f64::from));
    values.some(END, r, said.end().map(|lsn| number(lsn.0)));
    values.some(REPLAYED, r, said.replayed.filter(|_| said.role == PgRole::Standby).map(|lsn| number(lsn.0)));
    values.some(LAG_BYTES, r, said.lag_bytes().map(number));
    values.some(LAG_SECONDS, r, said.lag_seconds());
    values.set(WAITING, r, f64::from(said.waiting));
    if said.role == PgRole::Standby {
        values.set(STREAMS, r, flag(said.streams));
        values.set(REPLAY_PAUSED, r, flag(said.paused));
    }
    for standby in &said.standbys {
        values.some(STANDBY_LAG, &[resource, &standby.name], standby.lag_bytes);
        if let Some(state) = &standby.sync {
            values.set(STANDBY_SYNC, &[resource, &standby.name, state], 1.0);
        }
    }
    for slot in &said.slots {
        values.some(SLOT, &[resource, &slot.name], slot.retained_bytes);
        values.set(SLOT_ACTIVE, &[resource, &slot.name], flag(slot.active));
    }
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn seconds(ms: u64) -> f64 {
    number(ms) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a double: exact up to 2^53, 9 PB of WAL")]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
