//! The kinds of faults that the [table](super::table) is made of, and what one of them may have that is not usual.

use std::time::Duration;

use super::fault::{Breaks, CountsFrom, Disturbs, Fault, Forks, How, Insiders, Needs, Pause, Reset};
use super::several;
use super::signals::{Processes, Signal};
use super::trace::{Seen, Trace};
use crate::cluster::handle::Cluster;
use crate::host::error::Result;
use crate::machines::protocol::Impairment;
use crate::truth::Loss;

/// The shortest look at a fault's consequences: a bystander's fault shows nothing sooner.
pub const AT_LEAST: Duration = Duration::from_secs(10);
/// PAF needs 271 s for frozen postgres processes.
const RESTORED: Duration = Duration::from_secs(420);

impl Fault {
    /// A fault of a database node: writes may pause, nothing may be lost.
    pub(super) const fn new(name: &'static str, description: &'static str, how: How) -> Self {
        Self {
            name,
            description,
            evidence: "",
            cost: "",
            measured: "",
            usual_target: "primary",
            breaks: Breaks::Database,
            needs: Needs::DatabaseNodes,
            disturbs: Disturbs::OwnNodes,
            loss: Loss::Forbidden,
            forks: Forks::Never,
            pause: Pause::Possible,
            reset: Reset::Possible,
            counts_from: CountsFrom::Injection,
            insiders: Insiders::None,
            takes: 1,
            happens_within: Duration::from_secs(10),
            reacts_within: AT_LEAST,
            restored_within: RESTORED,
            lasts: Duration::ZERO,
            how,
        }
    }

    pub(super) const fn own(
        name: &'static str,
        description: &'static str,
        inject: fn(&Cluster, &str) -> Result<Trace>,
        happened: fn(&Cluster, &str, &Trace) -> Seen,
    ) -> Self {
        Self::new(name, description, How::Functions { inject, happened })
    }

    /// SIGSTOP; how long it takes until somebody notices the hang is what is measured.
    pub(super) const fn stop(
        name: &'static str,
        description: &'static str,
        whom: Processes,
        noticed_after: u64,
    ) -> Self {
        let mut fault = Self::new(name, description, How::Signal(whom, Signal::Stop));
        fault.reacts_within = Duration::from_secs(noticed_after);
        fault.evidence = "its processes are in state T, or gone; or the node was reset";
        // A hung node is cut off in the end, and the standby takes over.
        fault.loss = Loss::Possible;
        fault
    }

    /// SIGKILL.
    pub(super) const fn kill(name: &'static str, description: &'static str, whom: Processes) -> Self {
        let mut fault = Self::new(name, description, How::Signal(whom, Signal::Kill));
        fault.evidence = "the processes are gone, or the node was reset";
        fault.reacts_within = Duration::from_secs(20);
        fault.loss = Loss::Possible;
        fault
    }

    /// SIGSTOP, and so much later the node is cut off: whoever does not learn of it in time goes on.
    pub(super) const fn stop_then_unlink(
        name: &'static str,
        description: &'static str,
        whom: Processes,
        after: Duration,
    ) -> Self {
        let mut fault = Self::new(name, description, How::StopThenUnlink(whom, after));
        fault.evidence = "its processes are in state T, or gone, when the cable goes, and the cable is out";
        fault.insiders = Insiders::Sessions;
        fault.loss = Loss::Possible;
        // As long as only something hangs all is well.
        fault.counts_from = CountsFrom::LastGoodWrite;
        fault.happens_within = Duration::from_secs(15);
        fault.restored_within = Duration::from_secs(180);
        fault
    }

    /// Packets get lost: knet, TCP and the clients have to live with it, or the node is cut off.
    pub(super) const fn impair(
        name: &'static str,
        description: &'static str,
        leaving: u8,
        arriving: u8,
    ) -> Self {
        let mut fault = Self::new(name, description, How::Impair(Impairment { leaving, arriving }));
        fault.breaks = Breaks::Machine;
        fault.insiders = Insiders::Sessions;
        fault.loss = Loss::Possible;
        fault.evidence = "the cables' counters of lost packets rise";
        fault.reacts_within = Duration::from_secs(25);
        fault.restored_within = Duration::from_secs(120);
        fault
    }

    /// A machine that is paused for so many seconds, and goes on with what it was about to do.
    pub(super) const fn pause(name: &'static str, description: &'static str, seconds: u64) -> Self {
        let mut fault = Self::new(name, description, How::Pause(Duration::from_secs(seconds)));
        fault.lasts = Duration::from_secs(seconds);
        fault.evidence = "the freezer says that all its processes stand still";
        fault.breaks = Breaks::Machine;
        fault.insiders = Insiders::Sessions;
        fault.loss = Loss::Possible;
        fault.reacts_within = Duration::from_secs(seconds + 25);
        fault.restored_within = Duration::from_secs(seconds + 120);
        fault
    }

    /// The same where sbd hangs already: it sees the gap too, and would have the node reset for it.
    pub(super) const fn pause_without_sbd(
        name: &'static str,
        description: &'static str,
        seconds: u64,
    ) -> Self {
        let mut fault = Self::pause(name, description, seconds);
        fault.how = How::PauseWithoutSbd(Duration::from_secs(seconds));
        fault
    }

    /// Two machines lose their power, one 5 s after the other.
    pub(super) const fn two(
        name: &'static str,
        description: &'static str,
        inject: fn(&Cluster, &str) -> Result<Trace>,
    ) -> Self {
        let mut fault = Self::own(name, description, inject, several::all_are_off);
        fault.evidence = "both machines are off";
        fault.loss = Loss::Possible;
        fault.takes = 2;
        fault.happens_within = Duration::from_secs(15);
        // Longer than a failover: what would be wrong has had its time to happen.
        fault.restored_within = Duration::from_secs(45);
        fault
    }

    /// An act of an operator: whatever the replication, what was acknowledged must not be lost by it.
    pub(super) const fn of_people(mut self) -> Self {
        self.loss = Loss::Forbidden;
        self.counts_from = CountsFrom::LastGoodWrite;
        self
    }

    /// It writes on a server that is none of the cluster's.
    pub(super) const fn forks(mut self) -> Self {
        self.forks = Forks::ByHand;
        self
    }

    /// Of two nodes none that has everything is left.
    pub(super) const fn takes_all_of_two(mut self) -> Self {
        self.takes = 2;
        self
    }

    /// Who has everything is away: to refuse is right.
    pub(super) const fn takes_all(mut self) -> Self {
        self.takes = usize::MAX;
        self
    }

    pub(super) const fn costs(mut self, should: &'static str, measured: &'static str) -> Self {
        (self.cost, self.measured) = (should, measured);
        self
    }

    pub(super) const fn seen_by(mut self, evidence: &'static str) -> Self {
        self.evidence = evidence;
        self
    }

    pub(super) const fn breaks(mut self, breaks: Breaks) -> Self {
        self.breaks = breaks;
        self
    }

    pub(super) const fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    pub(super) const fn disturbs(mut self, disturbs: Disturbs) -> Self {
        self.disturbs = disturbs;
        self
    }

    pub(super) const fn loses(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    pub(super) const fn happens_within(mut self, seconds: u64) -> Self {
        self.happens_within = Duration::from_secs(seconds);
        self
    }

    pub(super) const fn reacts_within(mut self, seconds: u64) -> Self {
        self.reacts_within = Duration::from_secs(seconds);
        self
    }

    pub(super) const fn restored_within(mut self, seconds: u64) -> Self {
        self.restored_within = Duration::from_secs(seconds);
        self
    }

    pub(super) const fn usually_on(mut self, target: &'static str) -> Self {
        self.usual_target = target;
        self
    }

    pub(super) const fn insiders(mut self, insiders: Insiders) -> Self {
        self.insiders = insiders;
        self
    }

    pub(super) const fn unnoticed(mut self) -> Self {
        self.pause = Pause::Forbidden;
        self
    }

    pub(super) const fn resets_nobody(mut self) -> Self {
        self.reset = Reset::Forbidden;
        self
    }

    pub(super) const fn counts_from(mut self, from: CountsFrom) -> Self {
        self.counts_from = from;
        self
    }
}
