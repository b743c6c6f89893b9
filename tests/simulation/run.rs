//! One run: virtual time goes from event to event; an event is a host call of an action, an act of the plan,
//! or a tick of the models.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};

use quorate::agent::Agent;
use quorate::ocf::{Action, Environment, OcfCode, Run, Settings};

use crate::baton::{Job, Line, Outcome, Pool, Said, Worker};
use crate::environment::Kind;
use crate::host::SimHost;
use crate::plan::Plan;
use crate::server::Role;
use crate::world::{Breach, Millis, Spawn, World};

/// The models move this often.
const TICK: Millis = 20;
/// Before the first act: the first start of a new cluster.
pub const QUIET: Millis = 40_000;
/// From the last act until everything is mended, and from there to the end.
const AFTER: Millis = 60_000;
/// After the nodes are back what failed is cleaned up.
const CLEANUP: Millis = 30_000;

/// What a run gave.
pub struct Outcomes {
    pub breaches: Vec<(Breach, String)>,
    pub transcript: Vec<String>,
    pub acknowledged: usize,
    pub written_off: usize,
    /// Whether somebody took writes in the end.
    pub serves: bool,
}

struct Running {
    worker: Worker,
    node: usize,
    action: Action,
    expected: Kind,
    wake: Millis,
    order: u64,
}

/// Runs plans, one after the other.
pub struct Runner {
    pool: Pool,
    pub steps: u64,
    pub states: HashSet<u64>,
}

impl Runner {
    pub fn new() -> Runner {
        Runner { pool: Pool::new(), steps: 0, states: HashSet::new() }
    }

    /// Runs a plan to its end, or to the first loss.
    pub fn run(&mut self, plan: &Plan) -> Outcomes {
        let world = Arc::new(Mutex::new(World::new(plan.config.clone(), plan.seed)));
        let mut running: Vec<Running> = Vec::new();
        let mut order = 0;
        let mut acts = plan.acts.iter();
        let mut next = acts.next();
        let mut act_at = lock(&world).now + QUIET + next.map_or(0, |(gap, _)| *gap);
        let mut tick_at = lock(&world).now;
        let mut end = if next.is_none() { Some(act_at) } else { None };
        let mut mended = 0;
        loop {
            let first = first(&lock(&world), &running);
            let now = first.map_or(tick_at, |(_, wake)| wake.min(tick_at)).min(act_at.max(lock(&world).now));
            lock(&world).now = now;
            let mends = [AFTER, AFTER + CLEANUP, 2 * AFTER + CLEANUP];
            if end.is_some_and(|end| now >= end + mends[mended]) {
                match mended {
                    0 => lock(&world).mend(),
                    1 => lock(&world).clean_up(),
                    _ => break,
                }
                mended += 1;
            }
            if let (Some((_, act)), true) = (next, act_at <= now) {
                lock(&world).act(*act);
                next = acts.next();
                match next {
                    Some((gap, _)) => act_at = now + gap,
                    None => (act_at, end) = (Millis::MAX, Some(now)),
                }
            } else if let Some((at, _)) = first.filter(|(_, wake)| *wake <= now) {
                self.steps += 1;
                let said = self.pool.go_on(&running[at].worker);
                self.heard(&world, &mut running, at, said, &mut order);
            } else {
                tick_at = now + TICK;
                self.tick(&world, &running);
            }
            self.obey(&world, &mut running, &mut order);
            if lock(&world).breaches.iter().any(|(b, _)| *b != Breach::Fork) {
                break;
            }
        }
        for r in running {
            self.pool.end(r.worker);
        }
        let mut w = lock(&world);
        w.flush_acks();
        Outcomes {
            breaches: std::mem::take(&mut w.breaches),
            transcript: std::mem::take(&mut w.transcript),
            acknowledged: w.acks.len(),
            written_off: w.acks.iter().filter(|a| a.written_off).count(),
            serves: (0..w.count()).any(|n| w.serves(n)),
        }
    }

    fn tick(&mut self, world: &Arc<Mutex<World>>, running: &[Running]) {
        let mut w = lock(world);
        w.tick_members();
        for at in 0..w.controllers.len() {
            w.tick_controller(at);
        }
        for n in (0..w.count()).filter(|n| !w.is_frozen(*n)).collect::<Vec<_>>() {
            w.tick_server(n);
        }
        w.check();
        // What takes longer than its timeout is killed, as pacemaker-execd does.
        let now = w.now;
        for r in running {
            if !w.is_frozen(r.node) && w.nodes[r.node].busy.as_ref().is_some_and(|b| b.until <= now) {
                let text = format!("{} took longer than its timeout", r.action.name());
                w.say_of(r.node, &text);
                w.cut_off.push(r.node);
            }
        }
        self.states.insert(fingerprint(&w));
    }

    /// Ends and begins actions as the models want it.
    fn obey(&mut self, world: &Arc<Mutex<World>>, running: &mut Vec<Running>, order: &mut u64) {
        loop {
            let (cut_off, spawn) = {
                let mut w = lock(world);
                (std::mem::take(&mut w.cut_off), w.spawn.pop_front())
            };
            for node in cut_off {
                let Some(at) = running.iter().position(|r| r.node == node) else { continue };
                let r = running.swap_remove(at);
                self.pool.end(r.worker);
                let mut w = lock(world);
                w.nodes[node].busy = None;
                if w.nodes[node].joined {
                    let text = format!("{} was killed", r.action.name());
                    w.say_of(node, &text);
                    w.finish(node, r.action, OcfCode::ErrGeneric, r.expected);
                }
            }
            let Some(spawn) = spawn else { return };
            if !lock(world).nodes[spawn.node].joined {
                lock(world).nodes[spawn.node].busy = None;
                continue;
            }
            let (node, action, expected) = (spawn.node, spawn.action, kind(&spawn));
            let (worker, said) = self.pool.begin(job(Arc::clone(world), spawn));
            running.push(Running { worker, node, action, expected, wake: 0, order: *order });
            self.heard(world, running, running.len() - 1, said, order);
        }
    }

    fn heard(
        &mut self,
        world: &Arc<Mutex<World>>,
        running: &mut Vec<Running>,
        at: usize,
        said: Said,
        order: &mut u64,
    ) {
        let mut w = lock(world);
        *order += 1;
        let outcome = match said {
            Said::Wait(wait) => {
                (running[at].wake, running[at].order) = (w.now + wait, *order);
                return;
            }
            Said::Done(outcome) => outcome,
            Said::Ended => (OcfCode::ErrGeneric, "ended".into()),
            Said::Panicked(text) => {
                w.breach(Breach::Panic, text.clone());
                (OcfCode::ErrGeneric, text)
            }
        };
        let r = running.swap_remove(at);
        self.pool.release(r.worker);
        w.nodes[r.node].busy = None;
        let (code, reason) = outcome;
        let quiet = matches!(r.action, Action::Monitor | Action::Notify)
            && matches!(code, OcfCode::Success | OcfCode::RunningPromoted)
            && r.expected != Kind::Probe;
        if !quiet {
            let word = if r.expected == Kind::Probe { "probe" } else { r.action.name() };
            let text = format!("{word} -> {}: {reason}", code.status());
            w.say_of(r.node, &text);
        }
        w.finish(r.node, r.action, code, r.expected);
    }
}

/// The action that goes on next, and when: not before its machine does.
fn first(w: &World, running: &[Running]) -> Option<(usize, Millis)> {
    let goes_on = |r: &Running| w.nodes[r.node].frozen.map_or(r.wake, |(_, until)| r.wake.max(until));
    let first = running.iter().enumerate().min_by_key(|(_, r)| (goes_on(r), r.order));
    first.map(|(at, r)| (at, goes_on(r)))
}

fn lock(world: &Arc<Mutex<World>>) -> MutexGuard<'_, World> {
    world.lock().expect("nobody panics with the baton in its hand")
}

fn kind(spawn: &Spawn) -> Kind {
    let meta = |name: &str| spawn.environment.get(&format!("OCF_RESKEY_CRM_meta_{name}")).map(String::as_str);
    match (spawn.action, meta("role")) {
        (Action::Monitor, Some("Promoted")) => Kind::MonitorPromoted,
        (Action::Monitor, Some(_)) => Kind::MonitorUnpromoted,
        (Action::Monitor, None) => Kind::Probe,
        (_, _) => Kind::Other,
    }
}

/// The product's own code, as `agent::main` calls it.
fn job(world: Arc<Mutex<World>>, spawn: Spawn) -> Job {
    Box::new(move |line: Line| {
        act(SimHost { world, node: spawn.node, line }, spawn.action, &spawn.environment)
    })
}

fn act(mut host: SimHost, action: Action, environment: &Environment) -> Outcome {
    let settings = match Settings::tolerant(environment) {
        Ok((settings, _)) => settings,
        Err(error) => return (error.code(), error.to_string()),
    };
    let report = Agent::new(&mut host, environment, Run::from(environment), settings).perform(action);
    (report.code, report.reason)
}

/// What of a state matters: two runs that are in the same one behave alike from there.
fn fingerprint(w: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    for c in &w.controllers {
        (c.members, c.failed, c.banned, c.unclean, c.queue.len()).hash(&mut hasher);
        c.known.iter().for_each(|k| (*k as u8).hash(&mut hasher));
    }
    for n in 0..w.count() {
        let node = &w.nodes[n];
        (node.up, node.joined, node.ip, node.view, w.score(n, n)).hash(&mut hasher);
        node.busy.as_ref().map(|b| b.action).map(Action::name).hash(&mut hasher);
        (node.data.timeline, node.data.standby_signal, node.data.histories.len()).hash(&mut hasher);
        (node.memory.knowledge as u8, node.memory.last_role as u8).hash(&mut hasher);
        if let Some(server) = &node.server {
            let role = match server.role {
                Role::Starting => 0_u8,
                Role::Standby => 1,
                Role::Primary => 2,
            };
            let upstream = server.receiver.as_ref().map(|r| (r.from, r.waiting));
            (role, upstream, server.stopping_since.is_some(), server.promote_at.is_some()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The last line of a transcript.
pub fn last_line(outcomes: &Outcomes) -> String {
    let breaches: Vec<String> = outcomes.breaches.iter().map(|(b, _)| format!("{b:?}")).collect();
    format!(
        "{} commits acknowledged, {} written off by right; {}; {}",
        outcomes.acknowledged,
        outcomes.written_off,
        if breaches.is_empty() { "no breach".into() } else { format!("breach: {}", breaches.join(", ")) },
        if outcomes.serves { "somebody takes writes" } else { "nobody takes writes" }
    )
}
