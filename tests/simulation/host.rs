//! The agent's [`Host`] on a simulated node: each call is a step at which every other node may come first,
//! and at which the action may be ended.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use quorate::boundary::host::{Host, HostError, HostResult, Level, Rejoining, Slotted};
use quorate::cluster::crm_mon::Status;
use quorate::decide::clock::BootTime;
use quorate::decide::disk::{ROOM, Trial};
use quorate::decide::election::{Ballot, Fitness, ballot_text, parse_ballot};
use quorate::decide::facts::{Facts, Process, RunState, Signal};
use quorate::decide::memory::{Keepers, Memory, PacemakerRun};
use quorate::decide::promotion_score::Score;
use quorate::decide::promotions::Promotion;
use quorate::decide::reported::Reported;
use quorate::decide::start::LaunchSetting;
use quorate::decide::stop::{NodeReset, Shutdown, Stage, StopFacts};
use quorate::decide::voters::{Names, NodeVoters, Voters};
use quorate::pg::history::Histories;
use quorate::pg::lsn::Lsn;
use quorate::pg::role::PgRole;
use quorate::pg::timeline::{Timeline, WalPosition};

use crate::answer::answer;
use crate::baton::Line;
use crate::server::{Role, Targets};
use crate::wal::{Sync, What, name};
use crate::world::World;

/// The resource's name.
pub const RESOURCE: &str = "pgsqld";

/// The node attribute of a ballot, as boundary/node.rs names it.
pub const BALLOT: &str = "quorate-position-pgsqld";
pub const REPORTED: &str = "quorate-wal-pgsqld";

/// The node attribute of the last promotion, and the property of the same name.
const PROMOTION: &str = "quorate-promotion-pgsqld";
/// The node attribute of who has the acknowledged commits.
const VOTERS: &str = "quorate-voters-pgsqld";
/// The node attribute of a primary's end of WAL.
const END: &str = "quorate-primary-end-pgsqld";
/// Where a timeline that is only to look taken leaves its ancestor.
const RESERVED: u64 = 1;

/// The node attribute of a promotion score.
pub const SCORE: &str = "master-pgsqld";

/// One action's host.
pub struct SimHost {
    pub world: Arc<Mutex<World>>,
    pub node: usize,
    pub line: Line,
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(0)
}

impl SimHost {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nobody panics with the baton in its hand")
    }

    /// A call that takes between these milliseconds. Its effect is at its end.
    fn call<T>(&mut self, low: u64, high: u64, effect: impl FnOnce(&mut World, usize) -> T) -> T {
        let wait = self.world().rng.between(low, high);
        self.line.wait(wait);
        effect(&mut self.world(), self.node)
    }

    /// One of Pacemaker's programs.
    fn program<T>(&mut self, effect: impl FnOnce(&mut World, usize) -> T) -> HostResult<T> {
        self.call(4, 60, |w, n| {
            if w.nodes[n].joined { Ok(effect(w, n)) } else { Err(HostError::missing("no cluster runs here")) }
        })
    }
}

/// What diverged stays away in the simulation: its operators copy it by hand.
impl Rejoining for SimHost {}
impl Slotted for SimHost {}

impl quorate::boundary::host::Telling for SimHost {}

impl Host for SimHost {
    fn begin(&mut self, _deadline: BootTime) {}

    fn now(&self) -> BootTime {
        BootTime::at(self.world().now)
    }

    fn sleep(&mut self, wait: Duration) {
        self.line.wait(millis(wait).max(1));
    }

    fn look(&mut self, _patience: Duration) -> Facts {
        self.call(2, 15, |w, n| {
            let answer = answer(w, n);
            let node = &w.nodes[n];
            Facts {
                process: process(node.server.is_some()),
                answer,
                control: node.data.control(),
                signal: if node.data.standby_signal { Signal::Present } else { Signal::Missing },
            }
        })
    }

    fn stop_facts(&mut self) -> StopFacts {
        self.call(1, 5, |w, n| StopFacts {
            node_reset: NodeReset::NotHeldBack,
            process: process(w.nodes[n].server.is_some()),
            stopped_children: 0,
            shutdown: Shutdown::UnderWay,
        })
    }

    fn wait_gone(&mut self, wait: Duration) {
        self.line.wait(millis(wait).clamp(1, 60));
    }

    fn send(&mut self, stage: Stage) -> HostResult<()> {
        self.call(1, 3, |w, n| {
            let now = w.now;
            let node = &mut w.nodes[n];
            match stage {
                Stage::Nothing => {}
                Stage::Fast => {
                    if let Some(server) = &mut node.server {
                        server.stopping_since.get_or_insert(now);
                    }
                }
                Stage::Immediate | Stage::Killed => node.server = None,
            }
            Ok(())
        })
    }

    fn try_writes(&mut self, _patience: Duration) -> Vec<(String, Trial)> {
        self.call(2, 12, |_, _| vec![("/nowhere".into(), Trial::Written { free: ROOM })])
    }

    fn run_state(&mut self, _pid: i32) -> Option<RunState> {
        self.call(1, 2, |_, _| Some(RunState::Running))
    }

    fn resetting(&mut self) -> Option<String> {
        None
    }

    fn check_installation(&mut self) -> HostResult<()> {
        self.call(1, 3, |_, _| Ok(()))
    }

    fn keep_standby_signal(&mut self) -> HostResult<()> {
        self.call(1, 5, |w, n| {
            w.nodes[n].data.standby_signal = true;
            Ok(())
        })
    }

    fn prepare_standby(&mut self, primary_conninfo: Option<&str>) -> HostResult<()> {
        self.call(1, 5, |w, n| {
            let data = &mut w.nodes[n].data;
            if let Some(conninfo) = primary_conninfo {
                data.conninfo = Some(conninfo.into());
            }
            let own = data.timeline;
            data.histories
                .retain(|tli, ancestors| *tli <= own || ancestors.iter().all(|(_, at)| *at > RESERVED));
            data.standby_signal = true;
            Ok(())
        })
    }

    fn is_base_backup(&mut self) -> bool {
        false
    }

    fn launch(&mut self, settings: &[LaunchSetting]) -> HostResult<()> {
        let has_no_target =
            settings.iter().any(|s| s.name == "recovery_target_action" && s.value != "promote");
        self.call(2, 10, |w, n| {
            w.launch(n, if has_no_target { Targets::Overridden } else { Targets::OfTheFiles });
            Ok(())
        })
    }

    fn log_tail(&mut self) -> String {
        "FATAL: simulated".into()
    }

    fn repoint(&mut self, primary_conninfo: &str) -> HostResult<()> {
        self.call(2, 10, |w, n| {
            w.nodes[n].data.conninfo = Some(primary_conninfo.into());
            let at = w.now + w.rng.between(5, 400);
            if let Some(server) = &mut w.nodes[n].server {
                server.reload_at = Some(at);
            }
            Ok(())
        })
    }

    fn reserve_timelines(&mut self, timelines: &[Timeline]) -> HostResult<()> {
        self.call(1, 3, |w, n| {
            let data = &mut w.nodes[n].data;
            for timeline in timelines {
                data.histories.entry(timeline.get()).or_insert(vec![(data.timeline, RESERVED)]);
            }
            Ok(())
        })
    }

    fn set_synchronous(&mut self, names: Option<&str>) -> HostResult<()> {
        let names = names.and_then(Names::parse).unwrap_or_default();
        let sync = match names.count {
            0 => Sync::Off,
            count => Sync::Any(count, names.nodes.iter().map(|node| index(node)).collect()),
        };
        self.call(2, 10, |w, n| {
            w.nodes[n].data.sync = sync;
            let at = w.now + w.rng.between(5, 400);
            if let Some(server) = &mut w.nodes[n].server {
                server.reload_at = Some(at);
            }
            Ok(())
        })
    }

    fn tell_to_promote(&mut self) -> HostResult<()> {
        self.call(1, 4, |w, n| {
            let at = w.now + w.rng.between(20, 300);
            if let Some(server) = &mut w.nodes[n].server {
                server.promote_at.get_or_insert(at);
            }
            Ok(())
        })
    }

    fn prove_writable(&mut self, _patience: Duration) -> HostResult<()> {
        self.call(2, 10, |w, n| match &w.nodes[n].server {
            Some(server) if server.takes_writes() => Ok(()),
            _ => Err(HostError::failed("cannot execute in a read-only transaction")),
        })
    }

    fn checkpoint(&mut self, _patience: Duration) -> HostResult<()> {
        self.call(20, 200, |w, n| {
            let uid = w.uid();
            let node = &mut w.nodes[n];
            if node.server.as_ref().is_some_and(|s| s.role == Role::Primary) {
                let end = node.data.write(uid, What::Checkpoint);
                node.data.checkpoint = (node.data.timeline, end - What::Checkpoint.length());
            }
            Ok(())
        })
    }

    fn histories(&mut self) -> HostResult<Histories> {
        self.call(1, 3, |w, n| Ok(Histories { read: w.nodes[n].data.histories(), broken: Vec::new() }))
    }

    fn segment_timeline(&mut self, lsn: Lsn) -> Option<Timeline> {
        self.call(1, 3, |w, n| w.nodes[n].data.segment_timeline(lsn.0))
    }

    fn wal_end(&mut self) -> HostResult<WalPosition> {
        self.call(200, 400, |w, n| {
            let data = &w.nodes[n].data;
            let timeline = data.segment_timeline(data.end()).ok_or_else(|| HostError::missing("no WAL"))?;
            Ok(WalPosition { timeline, lsn: Lsn(data.end()) })
        })
    }

    fn has_quorum(&mut self) -> HostResult<bool> {
        Ok(self.call(4, 20, |w, n| w.quorate(w.nodes[n].view)))
    }

    fn cluster(&mut self) -> HostResult<Status> {
        self.program(|w, n| w.status(n))
    }

    fn set_score(&mut self, node: &str, score: Score) -> HostResult<()> {
        let owner = index(node);
        self.program(|w, n| w.write_score(n, owner, Some(score.value())))
    }

    fn delete_score(&mut self, node: &str) -> HostResult<()> {
        let owner = index(node);
        self.program(|w, n| w.write_score(n, owner, None))
    }

    fn resend_score(&mut self, node: &str, score: Score) -> HostResult<()> {
        self.set_score(node, score)
    }

    fn scores(&mut self) -> HostResult<Vec<(String, Score)>> {
        self.program(|w, n| (0..w.count()).filter_map(|o| Some((name(o), w.score(n, o)?.into()))).collect())
    }

    fn vote(&mut self, ballot: Option<(WalPosition, Fitness)>) -> HostResult<()> {
        let text = ballot.map(|(position, fitness)| ballot_text(position, fitness));
        self.program(|w, n| w.set_attribute(n, n, BALLOT, text.as_deref()))
    }

    fn report(&mut self, reported: Reported) -> HostResult<()> {
        self.program(|w, n| w.set_attribute(n, n, REPORTED, Some(&reported.to_string())))
    }

    fn ballots(&mut self) -> HostResult<Vec<Ballot>> {
        self.program(|w, n| {
            let all = w.nodes[n].attributes.iter().filter(|((_, name), _)| name == BALLOT);
            all.filter_map(|((owner, _), text)| {
                let (position, fitness) = parse_ballot(text)?;
                Some(Ballot { node: name(*owner), position, fitness })
            })
            .collect()
        })
    }

    fn promotions(&mut self) -> HostResult<Vec<Promotion>> {
        let promotions: Vec<String> = self.program(|w, n| {
            let node = &w.nodes[n];
            let attributes = node.attributes.iter().filter(|((_, name), _)| name == PROMOTION);
            attributes.map(|(_, text)| text.clone()).chain(node.cib.promotion.clone()).collect()
        })?;
        promotions.iter().map(|text| text.parse::<Promotion>().map_err(HostError::from)).collect()
    }

    fn publish_promotion(&mut self, nodes: &[String], promotion: &Promotion) -> HostResult<()> {
        let text = promotion.to_string();
        for node in nodes {
            let owner = index(node);
            self.program(|w, n| w.set_attribute(n, owner, PROMOTION, Some(&text)))?;
        }
        Ok(())
    }

    fn voters(&mut self) -> HostResult<Vec<NodeVoters>> {
        let texts: Vec<(usize, String)> = self.program(|w, n| {
            let all = w.nodes[n].attributes.iter().filter(|((_, name), _)| name == VOTERS);
            all.map(|((owner, _), text)| (*owner, text.clone())).collect()
        })?;
        let read = |(owner, text): &(usize, String)| {
            let voters = text.parse::<Voters>().map_err(HostError::from)?;
            Ok(NodeVoters { node: name(*owner), voters })
        };
        texts.iter().map(read).collect()
    }

    fn publish_voters(&mut self, nodes: &[String], voters: &Voters) -> HostResult<()> {
        let text = voters.to_string();
        for node in nodes {
            let owner = index(node);
            // The group's messages come back to nobody while one of the members can't be reached.
            let delivered = self.program(|w, n| {
                let whole = w.component(n) == w.nodes[n].view;
                if whole {
                    w.set_attribute(n, owner, VOTERS, Some(&text));
                }
                whole
            })?;
            if !delivered {
                return Err(HostError::timed_out("the record did not come back from pacemaker-attrd"));
            }
        }
        Ok(())
    }

    fn keep_promotion(&mut self, promotion: &Promotion) -> HostResult<()> {
        let text = promotion.to_string();
        self.program(|w, n| w.change_cib(n, |cib| cib.promotion = Some(text.clone())))
    }

    fn set_safe_mode(&mut self, _reason: Option<&str>) -> HostResult<()> {
        self.program(|_, _| ())
    }

    fn end_approval(&mut self, node: &str) -> HostResult<()> {
        let whose = index(node);
        self.program(|w, n| w.change_cib(n, |cib| cib.loss_accepted &= !(1 << whose)))
    }

    fn branch_mark(&mut self) -> HostResult<Option<Promotion>> {
        self.call(1, 2, |w, n| Ok(w.nodes[n].data.mark.as_deref().and_then(|text| text.parse().ok())))
    }

    fn mark_branch(&mut self, promotion: &Promotion) -> HostResult<()> {
        let text = promotion.to_string();
        self.call(1, 3, |w, n| {
            w.nodes[n].data.mark = Some(text);
            Ok(())
        })
    }

    fn announce(&mut self, node: &str, end: Option<WalPosition>) -> HostResult<()> {
        let (owner, text) = (index(node), end.map(|end| format!("{}:{}", end.timeline, end.lsn)));
        self.program(|w, n| w.set_attribute(n, owner, END, text.as_deref()))
    }

    fn announced(&mut self, node: &str) -> HostResult<Option<WalPosition>> {
        let owner = index(node);
        self.program(|w, n| {
            let text = w.nodes[n].attributes.get(&(owner, END.to_owned()))?;
            let (timeline, lsn) = text.split_once(':')?;
            Some(WalPosition { timeline: timeline.parse().ok()?, lsn: lsn.parse().ok()? })
        })
    }

    fn recall(&mut self) -> Memory {
        self.call(1, 2, |w, n| {
            let node = &w.nodes[n];
            let run = PacemakerRun { pid: 1, start_time: node.run };
            let keepers = Keepers {
                controller: Some(run),
                attributes: Some(PacemakerRun { pid: 2, start_time: node.attrd }),
            };
            node.memory.clone().in_run(Some(run)).kept_by(Some(keepers), BootTime::at(w.now))
        })
    }

    fn remember(&mut self, memory: &Memory) -> HostResult<()> {
        self.call(1, 3, |w, n| {
            w.nodes[n].memory = memory.clone();
            Ok(())
        })
    }

    fn record(&mut self, role: PgRole) -> HostResult<()> {
        self.call(1, 2, |w, n| {
            let node = &mut w.nodes[n];
            node.recorded = node.server.as_ref().map(|server| (server.pid, role));
            Ok(())
        })
    }

    fn recorded(&mut self) -> Option<PgRole> {
        self.call(1, 2, |w, n| {
            let node = &w.nodes[n];
            let (pid, role) = node.recorded?;
            node.server.as_ref().is_some_and(|server| server.pid == pid).then_some(role)
        })
    }

    fn record_stopping(&mut self) -> HostResult<()> {
        self.call(1, 2, |_, _| Ok(()))
    }

    fn forget(&mut self) -> HostResult<()> {
        self.call(1, 2, |w, n| {
            w.nodes[n].recorded = None;
            Ok(())
        })
    }

    fn log(&mut self, _level: Level, line: &str) {
        let node = self.node;
        self.world().say_of(node, &format!("  {line}"));
    }
}

/// The node of a name; one that is none of ours is nobody's.
fn index(node: &str) -> usize {
    node.strip_prefix("srv").and_then(|n| n.parse::<usize>().ok()).map_or(usize::MAX, |n| n - 1)
}

const fn process(runs: bool) -> Process {
    if runs { Process::Alive(RunState::Running) } else { Process::Absent }
}
