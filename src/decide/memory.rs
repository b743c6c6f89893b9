//! What the agent remembers between two calls. It lives in a file under `HA_RSCTMP`, which a reboot empties.

use serde::{Deserialize, Serialize};

use crate::pg::lsn::Lsn;
use crate::pg::timeline::Timeline;

use super::clock::BootTime;
use super::cluster::{ClusterFacts, Manager};
use super::disk::Disk;
use super::monitor::LastMonitor;
use super::promotion_score::Score;
use super::promotions::{Branch, Id, Promotion};
use super::reported::Reported;
use super::slots::Tended;
use super::synchronous::Waiting;
use super::telling::Told;

/// Remembered from call to call. Losing it is safe: everything begins unproven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Which run of Pacemaker this belongs to: transient attributes, and with them our score, are gone with it.
    pub run: Option<PacemakerRun>,
    pub knowledge: Knowledge,
    /// The score that we wrote last, and when.
    pub score: Option<Score>,
    pub score_written: Option<BootTime>,
    /// The daemons that keep it.
    pub keepers: Option<Keepers>,
    /// Since when the CIB may have lost it: one of them began anew.
    pub score_doubted: Option<BootTime>,
    /// The host that we stream from, once the cluster confirmed that it is the primary.
    pub upstream: Option<String>,
    /// Since when we do not stream although a primary is there.
    pub detached: Option<BootTime>,
    /// The WAL receiver that had received all of the primary's WAL when not all was replayed yet.
    pub received_by: Option<i32>,
    /// Where it stands without a stream, and since when.
    pub stood: Option<(Lsn, BootTime)>,
    /// When the data were made ready that this is of (`Task::ready`).
    pub rejoined: Option<u64>,
    /// Why it waits for WAL in vain: the next start has its data copied.
    pub starved: Option<String>,
    /// The last promotion on record when this instance, which knew everything, was asked to be promoted.
    pub asked: Option<Id>,
    /// The furthest position of a primary that we ever heard of.
    pub primary_end: Option<Lsn>,
    /// The timeline of the last WAL that we received.
    pub timeline: Option<Timeline>,
    /// On a primary: its promotion's number in the CIB's record; `None`: it may not stand there yet.
    pub kept: Option<u64>,
    /// It was promoted by the operator's approval, which is to be taken back.
    pub approved: bool,
    /// On a primary: when it looked for approvals that nobody needed.
    pub approvals_looked: Option<BootTime>,
    /// Its position in the WAL as the cluster was told it last, and when.
    pub reported: Option<(Reported, BootTime)>,
    /// Its replication slots for the others.
    pub slots: Tended,
    /// The promotion that was written to PGDATA.
    pub on: Option<Id>,
    /// When this instance was promoted.
    pub promoted: Option<BootTime>,
    /// On a primary: who else had every acknowledged commit when we last looked.
    pub coverage: CommitCoverage,
    /// Whether the instance was a primary when it last ran, as the control file told at start.
    pub last_role: LastRole,
    /// Whether the last monitor ended by a hiccup of the server.
    pub last_monitor: LastMonitor,
    /// What the last trial write showed of the disk.
    pub disk: Disk,
    /// Why the last trial write could not be made, so that it is logged once.
    pub untried: Option<String>,
    /// Of the others' scores.
    pub score_checks: ScoreChecks,
    /// Of the standbys that commits wait for.
    pub synchronous: Waiting,
    /// Why this instance is in safe mode, as it was published.
    pub safe_mode: Option<String>,
    /// Since when it is, whether published or not; and since when there is a primary again.
    pub safe_mode_since: Option<BootTime>,
    pub safe_mode_over: Option<BootTime>,
    /// When its promotion was refused.
    pub refused: Option<BootTime>,
    /// What was told of this instance last.
    pub told: Option<Told>,
    /// Whom it succeeded as the primary; the promotion whose cause the history has.
    pub succession: Option<Succession>,
    pub noted: Option<Id>,
    /// When the members' history is looked at again, and the rejoin that it has.
    pub history_due: Option<BootTime>,
    pub history_rejoined: Option<u64>,
    /// The complaint that was logged last, so that it is logged once.
    pub complaint: Option<String>,
}

/// What Pacemaker planned for the primary before, with a promotion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// Its promotion, as on record.
    pub before: Option<String>,
    pub demoted: bool,
    pub stopped: bool,
    /// The promotion itself, once it has begun.
    pub own: Option<String>,
}

/// One life of `pacemaker-execd`, which starts every action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacemakerRun {
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`, clock ticks since boot.
    pub start_time: u64,
}

/// The daemons that keep a score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keepers {
    /// pacemaker-controld; `None`: it does not run.
    pub controller: Option<PacemakerRun>,
    /// pacemaker-attrd.
    pub attributes: Option<PacemakerRun>,
}

/// What the primary remembers of its looks at the others' scores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScoreChecks {
    /// The last one, and how far the primary had written then.
    pub last: Option<(BootTime, Lsn)>,
    /// How many in a row found the order wrong.
    pub wrong: u8,
    /// When it was corrected last.
    pub corrected: Option<BootTime>,
}

/// Whether this instance can know that it has every acknowledged commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Knowledge {
    /// Since Pacemaker runs here it neither was the primary nor streamed from it: another node may have gone on.
    #[default]
    Unproven,
    /// It was the primary, or streamed from the primary, in this run of Pacemaker.
    Current,
}

/// Whether somebody besides the primary has every acknowledged commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommitCoverage {
    #[default]
    Alone,
    /// A synchronous standby was attached: no commit is acknowledged without it.
    Synchronous,
}

/// What the control file said before the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LastRole {
    #[default]
    Standby,
    Primary,
}

/// Whose the last promotion on record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastPromotion {
    /// This node's, or there is none.
    OwnOrNone,
    /// Another node's, and it was on record already when Pacemaker last asked for this one's promotion, with everything known here.
    SinceAsked,
    /// Another node's.
    Anothers,
}

impl LastPromotion {
    /// `asked`: the last one when this instance was asked to be promoted.
    #[must_use]
    pub fn of(last: Option<&Promotion>, node: &str, asked: Option<Id>, last_role: LastRole) -> LastPromotion {
        match (last, last_role) {
            (Some(last), LastRole::Standby) if asked == Some(last.id) => LastPromotion::SinceAsked,
            // Its own, which was put on record and said to have failed.
            (Some(last), LastRole::Standby)
                if last.node == node && asked.is_some() && last.line.first() == asked.as_ref() =>
            {
                LastPromotion::SinceAsked
            }
            (Some(last), _) if last.node != node => LastPromotion::Anothers,
            (Some(_) | None, _) => LastPromotion::OwnOrNone,
        }
    }
}

/// Whether somebody else is the primary by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherPrimary {
    Nobody,
    Another,
    /// The cluster could not be asked.
    Unknown,
}

impl OtherPrimary {
    /// By what the cluster said; `None`: nothing.
    pub const fn of(cluster: Option<&ClusterFacts>, manager: Manager) -> OtherPrimary {
        match (cluster, manager) {
            (Some(ClusterFacts { primary: Some(_), .. }), _) => OtherPrimary::Another,
            (Some(ClusterFacts { primary: None, .. }), _) | (None, Manager::Nobody) => OtherPrimary::Nobody,
            (None, Manager::Pacemaker) => OtherPrimary::Unknown,
        }
    }
}

impl Memory {
    /// What of this is still true in the run of Pacemaker that called us. `None`: not called by Pacemaker.
    pub fn in_run(self, run: Option<PacemakerRun>) -> Memory {
        match run {
            Some(now) if self.run != Some(now) => Memory {
                run: Some(now),
                last_role: self.last_role,
                timeline: self.timeline,
                rejoined: self.rejoined,
                ..Memory::default()
            },
            _ => self,
        }
    }

    /// The server is started anew. A standby that was down does not know what it missed; a primary does, unless somebody
    /// else was promoted meanwhile.
    pub fn restarted(&mut self, other: OtherPrimary, branch: &Branch, last: LastPromotion) {
        self.last_monitor = LastMonitor::Answered;
        let is_last = !matches!(branch, Branch::Other(_));
        match (self.last_role, other, last) {
            // A copy of what another one wrote since fits as well, and knows what that one had when it was made.
            (LastRole::Primary, OtherPrimary::Nobody, LastPromotion::OwnOrNone) if is_last => {}
            // Pacemaker asked for it after the last primary's end, and nobody was promoted since.
            (LastRole::Standby, OtherPrimary::Nobody, LastPromotion::SinceAsked)
                if matches!(branch, Branch::Last | Branch::NotBegun) => {}
            (LastRole::Primary | LastRole::Standby, ..) => {
                self.knowledge = Knowledge::Unproven;
            }
        }
    }

    /// The server was started or stopped, or roles changed: what we saw of its stream is old.
    pub fn forget_stream(&mut self) {
        (self.upstream, self.detached, self.received_by) = (None, None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::promotions::Mismatch;

    #[test]
    fn a_cluster_that_says_nothing_is_no_all_clear() {
        assert_eq!(OtherPrimary::of(None, Manager::Pacemaker), OtherPrimary::Unknown);
        assert_eq!(OtherPrimary::of(None, Manager::Nobody), OtherPrimary::Nobody);
    }

    #[test]
    fn a_restart_leaves_only_an_unchallenged_primary_current() {
        for (last_role, challenged, knowledge) in [
            (LastRole::Standby, OtherPrimary::Nobody, Knowledge::Unproven),
            (LastRole::Standby, OtherPrimary::Another, Knowledge::Unproven),
            (LastRole::Primary, OtherPrimary::Another, Knowledge::Unproven),
            (LastRole::Primary, OtherPrimary::Unknown, Knowledge::Unproven),
            (LastRole::Primary, OtherPrimary::Nobody, Knowledge::Current),
        ] {
            let mut memory = Memory { knowledge: Knowledge::Current, last_role, ..Memory::default() };
            memory.restarted(challenged, &Branch::Last, LastPromotion::OwnOrNone);
            assert_eq!(memory.knowledge, knowledge, "{last_role:?} {challenged:?}");
            let older = Branch::Other(Mismatch::Unusable("another one reigned meanwhile".into()));
            let mut memory = Memory { knowledge: Knowledge::Current, last_role, ..Memory::default() };
            memory.restarted(challenged, &older, LastPromotion::OwnOrNone);
            assert_eq!(memory.knowledge, Knowledge::Unproven, "{last_role:?} {challenged:?}");
        }
    }

    #[test]
    fn what_a_copy_of_another_ones_promotion_lacks_is_not_known() {
        for (last, last_role, knowledge) in [
            (LastPromotion::Anothers, LastRole::Primary, Knowledge::Unproven),
            (LastPromotion::SinceAsked, LastRole::Primary, Knowledge::Unproven),
            (LastPromotion::SinceAsked, LastRole::Standby, Knowledge::Current),
            (LastPromotion::Anothers, LastRole::Standby, Knowledge::Unproven),
        ] {
            let mut memory = Memory { knowledge: Knowledge::Current, last_role, ..Memory::default() };
            memory.restarted(OtherPrimary::Nobody, &Branch::Last, last);
            assert_eq!(memory.knowledge, knowledge, "{last:?} {last_role:?}");
        }
        let mut memory = Memory { knowledge: Knowledge::Current, ..Memory::default() };
        memory.restarted(OtherPrimary::Unknown, &Branch::Last, LastPromotion::SinceAsked);
        assert_eq!(memory.knowledge, Knowledge::Unproven);
    }

    #[test]
    fn whose_the_last_promotion_is() {
        let promotion = |text: &str| text.parse::<Promotion>().expect("a promotion");
        let others = promotion("4:3:7:-:-:0000000a::srv2");
        let own = promotion("5:4:7:3:0/100:0000000b:0000000a:srv1");
        let of = |last: Option<&Promotion>, asked: Option<&Promotion>, role| {
            LastPromotion::of(last, "srv1", asked.map(|asked| asked.id), role)
        };
        assert_eq!(of(None, None, LastRole::Standby), LastPromotion::OwnOrNone);
        assert_eq!(of(Some(&others), None, LastRole::Primary), LastPromotion::Anothers);
        assert_eq!(of(Some(&others), Some(&others), LastRole::Standby), LastPromotion::SinceAsked);
        assert_eq!(of(Some(&others), Some(&others), LastRole::Primary), LastPromotion::Anothers);
        // Put on record by this node, which was told that it had failed.
        assert_eq!(of(Some(&own), Some(&others), LastRole::Standby), LastPromotion::SinceAsked);
        assert_eq!(of(Some(&own), None, LastRole::Standby), LastPromotion::OwnOrNone);
        assert_eq!(of(Some(&own), None, LastRole::Primary), LastPromotion::OwnOrNone);
    }

    #[test]
    fn another_run_of_pacemaker_makes_everything_unproven() {
        let run = |pid| PacemakerRun { pid, start_time: 7 };
        let memory = Memory {
            run: Some(run(1)),
            knowledge: Knowledge::Current,
            score: Some(Score::Standby),
            last_role: LastRole::Primary,
            ..Memory::default()
        };
        assert_eq!(memory.clone().in_run(Some(run(1))), memory);
        assert_eq!(memory.clone().in_run(None), memory);
        let later = memory.in_run(Some(run(2)));
        assert_eq!(
            (later.knowledge, later.score, later.last_role),
            (Knowledge::Unproven, None, LastRole::Primary)
        );
    }
}
