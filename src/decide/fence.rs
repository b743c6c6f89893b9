//! Is a node that is to be fenced known to be gone already, and may it be told to end?

use super::clock::{BootTime, Millis};
use crate::cluster::corosync::tools::{Member, Votes};
use crate::cluster::self_fencing::{How, SelfFenceRecord};

/// How long a self-fencing notice counts after its node has left. Pacemaker asks for the fencing when it sees the node leave, at
/// once or when another DC is elected: 0.1 to 2.4 s in the lab, and seconds more where an action is still awaited. Whoever asks later
/// than this waits for the watchdog, and a machine can hardly have booted and been promoted by then.
pub const FRESH_MS: Millis = 10_000;
/// The kernel has so long to reset the machine after it was told to (sysrq b does nothing else), and the notice's own time is
/// counted from when it came, which is later than when it was sent.
const RESET_MS: Millis = 50;
/// To switch a machine off the kernel ends its devices first.
const OFF_MS: Millis = 1000;

/// What the record of the target's notice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// It could not be read.
    Unknown,
    /// There is none.
    None,
    /// The record under the target's name names another node.
    Another,
    /// It left before it announced its self-fencing, or after now.
    Impossible,
    /// It has said it and is still a member: its reset is to come.
    Staying,
    /// Other resources than PostgreSQL may run there, or that is not known: only the reset ends them, and nobody sees it.
    Foreign,
    /// It is to be off, and resets itself: it comes back.
    Reboots,
    /// It has left, but too long ago.
    Old,
    /// It has left, and its reset may not have begun.
    Running,
    /// It has left, and its reset has begun.
    Left,
}

/// What votequorum says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VotequorumAnswer {
    /// Nobody has asked it yet.
    NotAsked,
    /// No answer, or none that makes sense.
    Silent,
    Said(Quorum, Device, Membership),
}

/// Whether this node's partition has quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quorum {
    Held,
    Lost,
}

/// The quorum device's vote on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Device {
    /// This node is not in its own list.
    Unknown,
    /// There is no quorum device.
    None,
    /// Its client polls, and casts the vote.
    Votes,
    /// Its client polls, and withholds the vote.
    Withholds,
    /// Its client is not there, or hangs.
    Dead,
}

/// Whether votequorum lists the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Membership {
    /// It is this very node.
    Own,
    Member,
    /// It is none, and the membership is not that of the record: it may have been back in between.
    Unfollowed,
    Gone,
}

/// Whether the target was told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    NotSent,
    Sent,
    /// None is to be given, or there was nobody to pass it on.
    Failed,
}

/// Whether what may still change is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Time {
    Left,
    Over,
}

/// The decision, with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// votequorum is to be asked.
    Ask,
    /// The target is to be told to end.
    Tell,
    /// Look again: it may still change.
    Wait(&'static str),
    /// The target runs no PostgreSQL, and starts none before it has rebooted.
    Confirmed(&'static str),
    /// Nothing is known, so nothing is claimed: the next level has to fence it.
    Refused(&'static str),
}

/// One row for every combination of facts; a test enumerates it.
///
/// A self-fencing notice is sent when no process of an instance is left, and none will be started before a reboot. It confirms the
/// end of its node only together with all of these:
/// - No other resource may run there: those end with the reset alone, which can fail. What is left then until the watchdog bites
///   is a node without PostgreSQL, that starts none; an address on it answers nobody.
/// - The node has left since, and its reset has begun by what the notice says. While it is a member it can be asked to reset itself.
/// - votequorum, asked directly, does not list it and says that this side has quorum. Pacemaker's own view is second-hand.
/// - The membership is the one that this node's `quorated` has followed since the node left: what is a member again, or has been
///   one meanwhile, has booted, and its notice is no longer true.
/// - The quorum device, where there is one, stands behind that: votes that are counted without it may be counted on both sides
///   of a cut that it is there to decide.
///
/// Where there is no notice and the target is a member, messages reach it: its `quorated` is asked to fence it, and its notice
/// waited for. Pacemaker has it fenced either way; so it ends in seconds, and its PostgreSQL is shut down before.
/// Of a target that is gone nothing will come: the next level begins at once.
pub const fn decide(notice: Notice, answer: VotequorumAnswer, request: Request, time: Time) -> Verdict {
    use Verdict::{Ask, Confirmed, Refused, Tell, Wait};
    match (notice, answer, time) {
        (Notice::Unknown, _, _) => Refused("the record of its notice can't be read"),
        (Notice::Another, _, _) => Refused("the record of its notice names another node"),
        (Notice::Impossible, _, _) => Refused("the times in the record of its notice contradict each other"),
        (Notice::Foreign, _, _) => {
            Refused("other resources than PostgreSQL may run on it, and only its reset ends them")
        }
        (Notice::Reboots, _, _) => Refused("it is to be off, but resets itself and comes back"),
        (Notice::Old, _, _) => Refused("its notice is too old, it may have been back since"),
        (Notice::Running, _, Time::Left) => Wait("its reset may not have begun"),
        (Notice::Running, _, Time::Over) => Refused("its reset may not have begun"),
        (Notice::Staying, _, Time::Left) => {
            Wait("it announced its self-fencing and has not left the membership")
        }
        (Notice::Staying, _, Time::Over) => {
            Refused("it announced its self-fencing and has not left the membership")
        }
        (Notice::None | Notice::Left, VotequorumAnswer::NotAsked, _) => Ask,
        (Notice::None, VotequorumAnswer::Said(Quorum::Held, _, Membership::Member), _) => {
            match (request, time) {
                (Request::NotSent, _) => Tell,
                (Request::Sent, Time::Left) => {
                    Wait("it was asked to fence itself, and sent no self-fencing notice")
                }
                (Request::Sent, Time::Over) => {
                    Refused("it was asked to fence itself, and sent no self-fencing notice")
                }
                (Request::Failed, _) => {
                    Refused("it sent no self-fencing notice, and can't be asked to fence itself")
                }
            }
        }
        (Notice::None, _, _) => Refused("it sent no self-fencing notice"),
        (Notice::Left, VotequorumAnswer::Silent, Time::Left) => Wait("votequorum does not answer"),
        (Notice::Left, VotequorumAnswer::Silent, Time::Over) => Refused("votequorum does not answer"),
        (Notice::Left, VotequorumAnswer::Said(Quorum::Lost, _, _), _) => Refused("this side has no quorum"),
        (Notice::Left, VotequorumAnswer::Said(_, _, Membership::Own), _) => Refused("it is this node itself"),
        (Notice::Left, VotequorumAnswer::Said(Quorum::Held, Device::Unknown, _), _) => {
            Refused("votequorum does not list this node itself")
        }
        (Notice::Left, VotequorumAnswer::Said(Quorum::Held, Device::Withholds, _), _) => {
            Refused("the quorum device withholds its vote from this node")
        }
        (Notice::Left, VotequorumAnswer::Said(Quorum::Held, Device::Dead, _), _) => {
            Refused("the quorum device's client does not answer on this node")
        }
        (
            Notice::Left,
            VotequorumAnswer::Said(Quorum::Held, Device::None | Device::Votes, Membership::Member),
            Time::Left,
        ) => Wait("votequorum lists it as a member"),
        (
            Notice::Left,
            VotequorumAnswer::Said(Quorum::Held, Device::None | Device::Votes, Membership::Member),
            Time::Over,
        ) => Refused("votequorum lists it as a member"),
        (
            Notice::Left,
            VotequorumAnswer::Said(Quorum::Held, Device::None | Device::Votes, Membership::Unfollowed),
            Time::Left,
        ) => Wait("the membership has changed since it left, it may have been back"),
        (
            Notice::Left,
            VotequorumAnswer::Said(Quorum::Held, Device::None | Device::Votes, Membership::Unfollowed),
            Time::Over,
        ) => Refused("the membership has changed since it left, it may have been back"),
        (
            Notice::Left,
            VotequorumAnswer::Said(Quorum::Held, Device::None | Device::Votes, Membership::Gone),
            _,
        ) => Confirmed("it announced its self-fencing and has left the membership, and this side has quorum"),
    }
}

/// What `status` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is a member.
    On,
    /// Its end is confirmed.
    Off,
    /// Neither can be told.
    Unknown(&'static str),
}

/// The state of a node, from the same facts as [`decide`]; nothing is waited for.
pub const fn status(notice: Notice, answer: VotequorumAnswer) -> Status {
    if let VotequorumAnswer::Said(_, _, Membership::Member | Membership::Own) = answer {
        return Status::On;
    }
    match (decide(notice, answer, Request::Failed, Time::Over), answer) {
        (Verdict::Confirmed(_), _) => Status::Off,
        (_, VotequorumAnswer::NotAsked | VotequorumAnswer::Silent) => {
            Status::Unknown("votequorum does not answer")
        }
        (Verdict::Refused(why) | Verdict::Wait(why), _) => Status::Unknown(why),
        (Verdict::Ask | Verdict::Tell, _) => Status::Unknown("votequorum was not asked"),
    }
}

/// What a record says of the target's notice, to one who wants it fenced so.
pub fn notice(record: Option<&SelfFenceRecord>, target: &str, how: How, now: BootTime) -> Notice {
    let Some(SelfFenceRecord { notice, received, left, .. }) = record else { return Notice::None };
    if notice.node != target {
        return Notice::Another;
    }
    if left.is_some_and(|left| left.at < *received || left.at > now) {
        return Notice::Impossible;
    }
    if notice.foreign.as_ref().is_none_or(|resources| !resources.is_empty()) {
        return Notice::Foreign;
    }
    if how == How::Off && notice.how == How::Reboot {
        return Notice::Reboots;
    }
    let Some(left) = left else { return Notice::Staying };
    let last = match notice.how {
        How::Reboot => RESET_MS,
        How::Off => OFF_MS,
    };
    if now < *received + notice.within + last {
        Notice::Running
    } else if now - left.at > FRESH_MS {
        Notice::Old
    } else {
        Notice::Left
    }
}

/// What votequorum's answer means for the target, whose record is this one.
pub fn answer(votes: &Votes, target: &str, record: Option<&SelfFenceRecord>) -> VotequorumAnswer {
    let id = record.map(|r| r.node_id);
    let followed = record.and_then(|r| r.left).map(|left| left.ring);
    // Where a row is missing, or was not understood, the target's may be that one.
    if votes.nodes.map(|n| n as usize) != Some(votes.members.len()) {
        return VotequorumAnswer::Silent;
    }
    let own = votes.members.iter().find(|m| votes.node_id == Some(m.id));
    let device = match own.map(|m| m.device) {
        None => Device::Unknown,
        Some(None) => Device::None,
        Some(Some(device)) if !device.alive => Device::Dead,
        Some(Some(device)) if !device.votes => Device::Withholds,
        Some(Some(_)) => Device::Votes,
    };
    let quorum = if votes.quorate == Some(true) { Quorum::Held } else { Quorum::Lost };
    let is_target = |m: &Member| m.name == target || Some(m.id) == id;
    let membership = match votes.members.iter().find(|m| is_target(m)) {
        Some(member) if Some(member.id) == votes.node_id => Membership::Own,
        Some(_) => Membership::Member,
        None if record.is_some() && followed != votes.ring => Membership::Unfollowed,
        None => Membership::Gone,
    };
    VotequorumAnswer::Said(quorum, device, membership)
}

#[cfg(test)]
mod tests;
