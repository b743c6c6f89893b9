//! Synchronous replication that the agent manages: whom the primary's commits wait for, and in which order that and the record of it
//! change.
//!
//! A weaker record stands before a weaker setting is in force, and a stronger setting is in force, and has been caught up with, before
//! the stronger record stands. Whatever is cut off in between, the record is true ([`super::voters`]).

use std::collections::BTreeSet;

pub use peers::{Peer, Place, Presence, may_weaken, peers, shortage, streams};
pub use waiting::{Confirming, Uptake, Waiting};

use super::clock::{BootTime, Millis};
use super::voters::{Names, Statement, Voters};
use crate::ocf::{Policy, Preference, Sync};
use crate::pg::lsn::Lsn;
use crate::pg::view::{ConnectedStandby, PrimaryView, SyncState};

mod peers;
mod waiting;

/// Too few that stream are waited for so long, where others run that may begin to: after a promotion, or when a connection broke.
pub const GRACE: Millis = 10_000;

/// The record is looked for so often where nothing else is to be done: each pacemaker-attrd that had it may have died since.
pub const RECORD_AGAIN: Millis = 30_000;

/// Whether the setting and the record are to be looked at. `leaving`: instances that are about to stop.
#[must_use]
pub fn is_due(
    policy: &Policy,
    waiting: &Waiting,
    view: &PrimaryView,
    leaving: &[String],
    now: BootTime,
) -> bool {
    let is_as_left = waiting.settled.as_ref().is_some_and(|(setting, streaming)| {
        *setting == view.synchronous_standby_names && *streaming == streams(view)
    });
    let looked = waiting.looked.unwrap_or_default();
    match policy.sync {
        Sync::Off => waiting.managed,
        Sync::Unreadable => false,
        Sync::Prefer | Sync::Strict => {
            !is_as_left || now.since(looked) >= RECORD_AGAIN || !leaving.is_empty()
        }
    }
}

/// Whether too few stream to go on without a change, and one that runs and is waited for may make up for it. With `strict` nothing is to
/// be changed for it.
#[must_use]
pub fn is_short(policy: &Policy, peers: &[Peer], current: &Names) -> bool {
    let streaming = peers.iter().filter(|p| p.presence == Presence::Streams).count();
    policy.sync == Sync::Prefer
        && streaming < policy.count
        && peers.iter().any(|p| p.presence == Presence::Runs && current.nodes.contains(&p.node))
}

/// Whom the primary's commits should wait for. Who runs and was waited for stays: it votes, and a walreceiver that connects anew is no
/// reason to change anything.
#[must_use]
pub fn target(policy: &Policy, peers: &[Peer], current: &Names) -> Names {
    let streams = |p: &&Peer| p.presence == Presence::Streams;
    let far = |p: &&Peer| p.place == Place::OtherSite;
    let far_ones = peers.iter().filter(streams).filter(far).count();
    let only_far = policy.preference == Preference::OtherSite && far_ones >= policy.count;
    let names =
        |those: &mut dyn Iterator<Item = &Peer>| those.map(|p| p.node.clone()).collect::<BTreeSet<_>>();
    let ready = names(&mut peers.iter().filter(streams).filter(|p| !only_far || far(p)));
    let stays = |p: &&Peer| p.presence == Presence::Runs && current.nodes.contains(&p.node);
    if ready.len() >= policy.count {
        let staying = names(&mut peers.iter().filter(stays).filter(|p| !only_far || far(p)));
        return Names { count: policy.count, nodes: &ready | &staying };
    }
    match policy.sync {
        Sync::Off | Sync::Prefer => Names { count: ready.len(), nodes: ready },
        Sync::Strict | Sync::Unreadable => {
            let known = names(&mut peers.iter());
            let nodes = &ready | &(&current.nodes & &known);
            Names { count: policy.count, nodes: if nodes.len() < policy.count { known } else { nodes } }
        }
    }
}

/// What the primary knows.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub node: &'a str,
    pub policy: Policy,
    pub peers: &'a [Peer],
    /// Of its own promotion.
    pub generation: u64,
    pub now: BootTime,
    pub record: Option<&'a Voters>,
    /// `synchronous_standby_names`, as the server shows it.
    pub setting: &'a str,
    pub standbys: &'a [ConnectedStandby],
    /// How far it has written.
    pub lsn: Lsn,
    /// Since when [`is_short`] holds; `None`: it does not.
    pub short_for: Option<Millis>,
    pub confirming: Option<&'a Confirming>,
    /// Whose walsenders have read the setting ([`Uptake`]).
    pub heard: &'a BTreeSet<String>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is to be changed.
    Settled,
    /// Put this on record: in a partition with quorum only, and make sure that it stands there.
    Weaken(Voters),
    /// Put this on record. Whoever does not hear of it knows less, and nothing wrong.
    Strengthen(Voters),
    /// Write the setting, and have it read. What is being confirmed is forgotten before: of an earlier time in which the same setting was
    /// in force it says nothing.
    Configure(Names),
    /// It is in force: look again when the standbys are at this position.
    Confirm(Confirming),
    /// Nobody asks for it any more: the operator's setting counts again.
    Release,
    /// Look again.
    Wait,
    /// Look again in the next call: nobody streams who could confirm anything, and not each monitor is to wait in vain.
    Later,
}

/// The next step.
#[must_use]
pub fn step(facts: &Facts<'_>) -> Step {
    match step_at_once(facts) {
        Step::Wait if facts.standbys.is_empty() => Step::Later,
        // As it is for the moment only.
        Step::Settled if facts.short_for.is_some() => Step::Wait,
        step => step,
    }
}

fn step_at_once(facts: &Facts<'_>) -> Step {
    // One of an older generation is as true: whoever was promoted since has all that it speaks of.
    let recorded = facts.record.and_then(|v| v.statement.as_ref());
    let after = |statement| Voters::after(facts.record, facts.generation, statement, facts.now);
    if facts.policy.sync == Sync::Off {
        return match facts.record {
            Some(Voters { statement: Some(_), .. }) => Step::Weaken(after(None)),
            None | Some(Voters { statement: None, .. }) => Step::Release,
        };
    }
    let in_force = Names::parse(facts.setting);
    let current = in_force.clone().unwrap_or_default();
    let target = match facts.short_for {
        Some(time) if time < GRACE => current.clone(),
        Some(_) | None => target(&facts.policy, facts.peers, &current),
    };
    let now = in_force.as_ref().map_or_else(|| Statement::alone(facts.node), |n| n.statement(facts.node));
    let then = target.statement(facts.node);
    // While some walsenders have read the new one: each counts to the number that it has read itself, and counts whoever's walsender has
    // read its name by either (syncrep.c, `SyncRepGetCandidateStandbys`).
    // One that has not read the present number may have one of before, too.
    let has_read =
        |s: &ConnectedStandby| s.sync_state != SyncState::Quorum || facts.heard.contains(&s.application_name);
    let lowest = if facts.standbys.iter().all(has_read) { current.count } else { current.count.min(1) };
    let is_mixed = current.count > 0 && target.count > 0 && current != target;
    let mixed = is_mixed.then(|| {
        // One that is not listed any more counts until its walsender has read that.
        let counts = facts.standbys.iter().filter(|s| s.sync_state == SyncState::Quorum);
        let counting: BTreeSet<String> = counts.map(|s| s.application_name.clone()).collect();
        let nodes = &(&current.nodes | &target.nodes) | &counting;
        Names { count: lowest.min(target.count), nodes }.statement(facts.node)
    });
    // Nothing on record promises nothing, and can't become weaker.
    if let Some(recorded) = recorded
        && !(now.implies(recorded)
            && then.implies(recorded)
            && mixed.as_ref().is_none_or(|m| m.implies(recorded)))
    {
        let weaker = recorded.or(&now).or(&then);
        return Step::Weaken(after(Some(mixed.map_or(weaker.clone(), |mixed| weaker.or(&mixed)))));
    }
    if in_force.as_ref() != Some(&target) {
        // Of nobody known no commit can wait.
        if target.count > 0 && target.nodes.is_empty() {
            return Step::Wait;
        }
        return Step::Configure(target);
    }
    if recorded == Some(&then) {
        return Step::Settled;
    }
    // Who waits for nobody has everything itself.
    if target.count == 0 {
        return Step::Strengthen(after(Some(then)));
    }
    if !is_taken_up(&target, facts.standbys, facts.heard) {
        return Step::Wait;
    }
    match facts.confirming {
        Some(confirming) if confirming.setting == facts.setting => {
            let has_all = |s: &&ConnectedStandby| {
                target.nodes.contains(&s.application_name) && s.flush >= Some(confirming.until)
            };
            let level: BTreeSet<&str> =
                facts.standbys.iter().filter(has_all).map(|s| s.application_name.as_str()).collect();
            if level.len() >= target.count { Step::Strengthen(after(Some(then))) } else { Step::Wait }
        }
        Some(_) | None => Step::Confirm(Confirming { setting: facts.setting.to_owned(), until: facts.lsn }),
    }
}

/// Whether each walsender has read the setting. Each does so in its own time, and by what it knows it releases commits
/// (PostgreSQL, replication/syncrep.c, `SyncRepInitConfig`).
///
/// Where it waits for more than one, the walsender of a standby that was listed before may still wait for fewer.
fn is_taken_up(names: &Names, standbys: &[ConnectedStandby], heard: &BTreeSet<String>) -> bool {
    standbys.iter().all(|s| match s.sync_state {
        SyncState::Quorum => {
            names.nodes.contains(&s.application_name)
                && (names.count == 1 || heard.contains(&s.application_name))
        }
        SyncState::Async => !names.nodes.contains(&s.application_name),
        SyncState::Sync | SyncState::Potential | SyncState::Unknown(_) => false,
    })
}

/// What a candidate that is about to be promoted sets and puts on record: the others that answered are waited for from the first
/// commit on. The commits of the primary before it are where that one's record says, and all of them are here.
#[must_use]
pub fn at_promotion(
    policy: &Policy,
    node: &str,
    answered: &[Peer],
    record: Option<&Voters>,
    generation: u64,
    now: BootTime,
) -> (Option<Names>, Option<Voters>) {
    // What is on record holds as long as nobody acknowledges anything: whoever has been promoted takes it back.
    if policy.sync == Sync::Off {
        return (None, None);
    }
    // Where too few answered and strict is wanted, commits wait for those that were waited for before.
    let known = record.and_then(|v| v.statement.as_ref()).into_iter().flat_map(|s| &s.nodes);
    let silent = known.filter(|n| *n != node && !answered.iter().any(|p| p.node == **n)).map(|n| Peer {
        node: n.clone(),
        place: Place::SameSite,
        presence: Presence::Absent,
    });
    let peers: Vec<Peer> = answered.iter().cloned().chain(silent).collect();
    let names = target(policy, &peers, &Names::default());
    if names.count > 0 && names.nodes.is_empty() {
        return (None, None);
    }
    let voters = record.and_then(|last| {
        let statement = last.statement.as_ref()?.or(&names.statement(node));
        Some(Voters::after(Some(last), generation, Some(statement), now))
    });
    (Some(names), voters)
}

#[cfg(test)]
mod tests;
