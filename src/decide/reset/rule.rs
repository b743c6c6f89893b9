//! What calls for a reset, what is known of the others, and what follows from both.

use crate::decide::clock::Millis;

/// The others are given so long to answer.
///
/// A message and its answers take two rotations of the token, milliseconds between data centres, and each `quorated` answers
/// from a thread that waits for nothing else. It has the usual priority, so that a flood of messages starves nobody; one that does not
/// get the processor in a second is not well. While a membership forms nothing is delivered: then nobody well answers
/// in time, and it is asked again. One second is what the hang matrix may lose, and a tenth of the time after which the others
/// count a lost node as reset.
pub const ASK_MS: Millis = 1000;
/// An intent counts for so long after its delivery. Its sender acts within [`ASK_MS`] or never, and its end takes about 4 s
/// (shutdown 1.5, SIGKILL 1, notice 0.8, evidence); four times that, for a machine that is short of everything. A sender that
/// crashed between intent and reset holds nobody up for longer.
pub const INTENT_MS: Millis = 15_000;
/// Nobody well: asked again after this time.
pub const AGAIN_MS: Millis = 2000;
/// Another one that reset itself is waited for so long, until it is back: a machine boots, starts its cluster and catches up in
/// that time, or a person looks at it.
pub const RETURN_MS: Millis = 300_000;
/// A reset that is held back is said again so often.
pub const REMIND_MS: Millis = 300_000;

/// What calls for the reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// Pacemaker has this node fenced, and another member carries it out.
    Fenced,
    /// The quorum is lost, and Pacemaker does not end the node as no-quorum-policy says.
    QuorumLost,
    /// corosync hangs.
    Corosync,
    /// sbd hangs.
    Sbd,
    /// The disk of a primary hangs.
    PrimaryDisk,
    /// A daemon of Pacemaker's that SIGKILL does not help, or must not hit.
    Daemon,
    /// The disk of Pacemaker's or corosync's state hangs.
    StateDirectory,
}

/// What is known of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Without this node's vote they have no quorum, or that is not known.
    NoQuorum,
    /// The intent of another one was delivered first.
    AnotherFirst,
    /// Another one has reset itself, and is not back.
    AnotherAway,
    NotAsked,
    /// Asked, and the deadline is not over.
    Asked,
    /// One is well, or several together run what this node runs.
    Well,
    /// None is, or none answered in time.
    NoneWell,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Reset,
    /// The others are asked.
    Ask,
    /// For their answers.
    Wait,
    /// The node goes on, says why, and looks again.
    Hold,
}

impl Ground {
    /// All of them, in the order in which one goes before the other.
    pub const ALL: [Self; 7] = [
        Self::Fenced,
        Self::QuorumLost,
        Self::Corosync,
        Self::Sbd,
        Self::PrimaryDisk,
        Self::Daemon,
        Self::StateDirectory,
    ];

    /// For the table.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Fenced => "fenced by Pacemaker",
            Self::QuorumLost => "quorum lost, Pacemaker does nothing",
            Self::Corosync => "corosync",
            Self::Sbd => "sbd",
            Self::PrimaryDisk => "a primary's disk",
            Self::Daemon => "a Pacemaker daemon",
            Self::StateDirectory => "the state's disk",
        }
    }

    /// Why nobody is asked; `None`: the others are.
    #[must_use]
    pub const fn goes_alone(self) -> Option<&'static str> {
        match self {
            Self::Fenced => Some("Pacemaker decided it with the quorum, and waits for it"),
            Self::QuorumLost => Some("the others may go on: nothing may be written here"),
            Self::Corosync => Some(
                "nobody can be asked over it; the others lose this node, and its primaries must not write on",
            ),
            Self::Sbd => Some("the watchdog ends the node within seconds anyway; now it can be announced"),
            Self::PrimaryDisk | Self::Daemon | Self::StateDirectory => None,
        }
    }
}

impl Others {
    /// All that may be known.
    pub const ALL: [Self; 7] = [
        Self::NoQuorum,
        Self::AnotherFirst,
        Self::AnotherAway,
        Self::NotAsked,
        Self::Asked,
        Self::Well,
        Self::NoneWell,
    ];

    /// For the table.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoQuorum => "no quorum without this node, or unknown",
            Self::AnotherFirst => "another one's intent came first",
            Self::AnotherAway => "another one is away after its reset",
            Self::NotAsked => "not asked yet",
            Self::Asked => "asked, less than 1 s ago",
            Self::Well => "one of them is well",
            Self::NoneWell => "none is well, or none answers",
        }
    }
}

/// What follows from both, with its reason.
#[must_use]
pub const fn decide(ground: Ground, others: Others) -> (Verdict, &'static str) {
    if let Some(why) = ground.goes_alone() {
        return (Verdict::Reset, why);
    }
    match others {
        Others::NoQuorum => (Verdict::Hold, "it would end the service everywhere"),
        Others::AnotherFirst => (Verdict::Hold, "never two at once: again when it is gone"),
        Others::AnotherAway => (Verdict::Hold, "never two at once: again after 5 min at most"),
        Others::NotAsked => (Verdict::Ask, "a reset needs someone well to go on"),
        Others::Asked => (Verdict::Wait, "the answers take milliseconds"),
        Others::Well => (Verdict::Reset, "someone well goes on"),
        Others::NoneWell => (Verdict::Hold, "nobody would go on; asked again every 2 s"),
    }
}

/// The votes as this node's corosync counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoteCount {
    /// Present, with the quorum device's.
    pub total: u32,
    pub needed: u32,
    /// Of this node.
    pub own: u32,
    /// Of the quorum device, as it casts them now.
    pub device: u32,
}

impl VoteCount {
    /// Whether those that are left have the quorum when this node goes.
    #[must_use]
    pub const fn suffice_without_us(self) -> bool {
        self.total.saturating_sub(self.own) >= self.needed
    }

    /// Whether one more loss, of a node like this one or of the quorum device, ends the service.
    #[must_use]
    pub const fn one_more_loss_is_fatal(self) -> bool {
        let most = if self.own > self.device { self.own } else { self.device };
        self.total >= self.needed && self.total.saturating_sub(most) < self.needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_asking_go_those_that_would_be_ended_anyway_and_nobody_else() {
        for others in Others::ALL {
            for ground in [Ground::Fenced, Ground::QuorumLost, Ground::Corosync, Ground::Sbd] {
                assert_eq!(decide(ground, others).0, Verdict::Reset, "{ground:?} {others:?}");
            }
            for ground in [Ground::PrimaryDisk, Ground::Daemon, Ground::StateDirectory] {
                let resets = decide(ground, others).0 == Verdict::Reset;
                assert_eq!(resets, others == Others::Well, "{ground:?} {others:?}");
            }
        }
    }

    #[test]
    fn the_votes_that_are_left() {
        let count = |total, needed, own, device| VoteCount { total, needed, own, device };
        // Two nodes and a witness; then without the witness, and without the other node.
        assert!(count(3, 2, 1, 1).suffice_without_us());
        assert!(!count(2, 2, 1, 0).suffice_without_us());
        assert!(!count(2, 2, 1, 1).suffice_without_us());
        assert!(!count(3, 2, 1, 1).one_more_loss_is_fatal());
        assert!(count(2, 2, 1, 1).one_more_loss_is_fatal());
        // two_node: one is enough.
        assert!(!count(2, 1, 1, 0).one_more_loss_is_fatal());
        // lms: the device has as many votes as there are nodes, less one.
        assert!(count(5, 3, 1, 2).suffice_without_us());
        assert!(!count(5, 3, 1, 2).one_more_loss_is_fatal());
        assert!(count(4, 3, 1, 2).one_more_loss_is_fatal());
        // What has no quorum has nothing to lose.
        assert!(!count(1, 2, 1, 0).one_more_loss_is_fatal());
    }
}
