//! Is a node that is to be fenced known to be gone already, and may it be told to end?

use crate::cluster::corosync::tools::{Member, Votes};
use crate::cluster::self_fencing::{How, Millis, SelfFenceRecord};

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
pub fn notice(record: Option<&SelfFenceRecord>, target: &str, how: How, now: Millis) -> Notice {
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
    if now < received.saturating_add(notice.within).saturating_add(last) {
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
mod tests {
    use super::*;
    use crate::cluster::corosync::{Ring, tools};
    use crate::cluster::self_fencing::{Left, SelfFencingNotice};

    const NOTICES: [Notice; 10] = [
        Notice::Unknown,
        Notice::None,
        Notice::Another,
        Notice::Impossible,
        Notice::Staying,
        Notice::Foreign,
        Notice::Reboots,
        Notice::Old,
        Notice::Running,
        Notice::Left,
    ];

    fn words() -> Vec<VotequorumAnswer> {
        let mut all = vec![VotequorumAnswer::NotAsked, VotequorumAnswer::Silent];
        for quorum in [Quorum::Held, Quorum::Lost] {
            for device in [Device::Unknown, Device::None, Device::Votes, Device::Withholds, Device::Dead] {
                for membership in
                    [Membership::Own, Membership::Member, Membership::Unfollowed, Membership::Gone]
                {
                    all.push(VotequorumAnswer::Said(quorum, device, membership));
                }
            }
        }
        all
    }

    /// Every combination, with what is decided.
    fn cases() -> impl Iterator<Item = (Notice, VotequorumAnswer, Request, Time, Verdict)> {
        NOTICES.into_iter().flat_map(|notice| {
            words().into_iter().flat_map(move |answer| {
                [Request::NotSent, Request::Sent, Request::Failed].into_iter().flat_map(move |request| {
                    [Time::Left, Time::Over]
                        .map(|time| (notice, answer, request, time, decide(notice, answer, request, time)))
                })
            })
        })
    }

    #[test]
    fn only_positive_evidence_confirms() {
        for (notice, answer, request, time, verdict) in cases() {
            let evidence = notice == Notice::Left
                && matches!(
                    answer,
                    VotequorumAnswer::Said(Quorum::Held, Device::None | Device::Votes, Membership::Gone)
                );
            let case = format!("{notice:?} {answer:?} {request:?} {time:?}: {verdict:?}");
            assert_eq!(matches!(verdict, Verdict::Confirmed(_)), evidence, "{case}");
            // It ends: nothing is waited for where the time is spent, nor asked for twice.
            assert!(!(time == Time::Over && matches!(verdict, Verdict::Wait(_))), "{case}");
            assert_eq!(
                verdict == Verdict::Ask,
                matches!(notice, Notice::None | Notice::Left) && answer == VotequorumAnswer::NotAsked,
                "{case}"
            );
        }
    }

    #[test]
    fn only_another_member_is_told_to_end_once_and_with_quorum() {
        for (notice, answer, request, time, verdict) in cases() {
            let member = matches!(answer, VotequorumAnswer::Said(Quorum::Held, _, Membership::Member));
            let case = format!("{notice:?} {answer:?} {request:?} {time:?}: {verdict:?}");
            assert_eq!(
                verdict == Verdict::Tell,
                notice == Notice::None && member && request == Request::NotSent,
                "{case}"
            );
        }
    }

    #[test]
    fn nothing_is_waited_for_from_a_node_that_is_gone_without_a_word() {
        for (notice, answer, request, time, verdict) in cases() {
            if let Verdict::Wait(_) = verdict {
                let told = request == Request::Sent
                    && matches!(answer, VotequorumAnswer::Said(Quorum::Held, _, Membership::Member));
                assert!(
                    matches!(notice, Notice::Staying | Notice::Running | Notice::Left)
                        || notice == Notice::None && told,
                    "{notice:?} {answer:?} {request:?} {time:?}"
                );
            }
        }
    }

    #[test]
    fn status_of_every_combination() {
        for notice in NOTICES {
            for answer in words() {
                let wanted = match (decide(notice, answer, Request::Failed, Time::Over), answer) {
                    (_, VotequorumAnswer::Said(_, _, Membership::Member | Membership::Own)) => 0,
                    (Verdict::Confirmed(_), _) => 2,
                    _ => 1,
                };
                let found = match status(notice, answer) {
                    Status::On => 0,
                    Status::Unknown(_) => 1,
                    Status::Off => 2,
                };
                assert_eq!(found, wanted, "{notice:?} {answer:?}");
            }
        }
    }

    const RING: Ring = Ring { seq: 44, node_id: 2 };

    fn record(received: Millis, left: Option<Millis>) -> SelfFenceRecord {
        let notice = SelfFencingNotice {
            node: "srv1".into(),
            boot: "b".into(),
            reason: "r".into(),
            how: How::Reboot,
            within: 400,
            foreign: Some(Vec::new()),
        };
        SelfFenceRecord { notice, node_id: 1, received, left: left.map(|at| Left { at, ring: RING }) }
    }

    #[test]
    fn the_times_of_a_notice() {
        let now = 100_000;
        let of = |received, left| notice(Some(&record(received, left)), "srv1", How::Reboot, now);
        assert_eq!(of(99_000, None), Notice::Staying);
        assert_eq!(of(99_000, Some(now)), Notice::Left);
        assert_eq!(of(now - 450, Some(now)), Notice::Left);
        assert_eq!(of(now - 449, Some(now)), Notice::Running);
        assert_eq!(of(now - 449, Some(now - 400)), Notice::Running);
        assert_eq!(of(20_000, Some(now - FRESH_MS)), Notice::Left);
        assert_eq!(of(20_000, Some(now - FRESH_MS - 1)), Notice::Old);
        assert_eq!(of(20_000, Some(now + 1)), Notice::Impossible);
        assert_eq!(of(20_000, Some(19_999)), Notice::Impossible);
        assert_eq!(notice(Some(&record(1, Some(now))), "srv2", How::Reboot, now), Notice::Another);
        assert_eq!(notice(None, "srv1", How::Reboot, now), Notice::None);
    }

    #[test]
    fn what_a_notice_is_good_for() {
        let now = 100_000;
        let of = |change: &dyn Fn(&mut SelfFencingNotice), how, left| {
            let mut record = record(99_000, left);
            change(&mut record.notice);
            notice(Some(&record), "srv1", how, now)
        };
        let left = Some(99_500);
        assert_eq!(of(&|_| {}, How::Off, left), Notice::Reboots, "it comes back");
        assert_eq!(of(&|n| n.how = How::Off, How::Off, left), Notice::Running, "its devices end first");
        assert_eq!(of(&|n| (n.how, n.within) = (How::Off, 0), How::Off, left), Notice::Left);
        assert_eq!(
            of(&|n| (n.how, n.within) = (How::Off, 0), How::Reboot, left),
            Notice::Left,
            "that is more"
        );
        for left in [None, left] {
            assert_eq!(of(&|n| n.foreign = None, How::Reboot, left), Notice::Foreign, "not known");
            assert_eq!(of(&|n| n.foreign = Some(vec!["web".into()]), How::Reboot, left), Notice::Foreign);
        }
    }

    const SAID: &str = "Nodes: 2\nNode ID: 2\nRing ID: 2.2c\nQuorate: Yes\nMembership information\n Nodeid Votes Qdevice Name\n 2 1 A,V,NMW srv2 (local)\n 3 1 NA,NV,NMW srv3\n 0 1 Qdevice\n";

    #[test]
    fn what_votequorum_says() {
        let left = record(1, Some(1));
        let word_of = |text: &str| answer(&tools::votes(text).expect("its output"), "srv1", Some(&left));
        let said = |quorum, device, membership| VotequorumAnswer::Said(quorum, device, membership);
        assert_eq!(word_of(SAID), said(Quorum::Held, Device::Votes, Membership::Gone));
        assert_eq!(word_of(&SAID.replace("Yes", "No")), said(Quorum::Lost, Device::Votes, Membership::Gone));
        let changes = [
            ("A,V,NMW srv2", "A,NV,NMW srv2", Device::Withholds),
            ("A,V,NMW srv2", "NA,V,NMW srv2", Device::Dead),
            ("A,V,NMW srv2", "NR srv2", Device::Dead),
            ("A,V,NMW srv2", "srv2", Device::None),
            ("Node ID: 2", "Node ID: 4", Device::Unknown),
            ("Node ID: 2\n", "", Device::Unknown),
        ];
        for (from, to, device) in changes {
            assert_eq!(
                word_of(&SAID.replace(from, to)),
                said(Quorum::Held, device, Membership::Gone),
                "{to}"
            );
        }
        for cut in [SAID.replace("Nodes: 2", "Nodes: 3"), SAID.replace("Nodes: 2\n", "")] {
            assert_eq!(word_of(&cut), VotequorumAnswer::Silent, "{cut}");
        }
        // It may have been back in a membership that this record has not followed.
        for ring in ["2.30", "1.2c", "?"] {
            let text = SAID.replace("2.2c", ring);
            assert_eq!(word_of(&text), said(Quorum::Held, Device::Votes, Membership::Unfollowed), "{ring}");
        }
        // By its name, and where that is not what corosync calls it by its id.
        for row in [" 7 1 srv1\n", " 1 1 elsewhere\n"] {
            let text = SAID.replace(" 0 1 Qdevice\n", row).replace("Nodes: 2", "Nodes: 3");
            assert_eq!(word_of(&text), said(Quorum::Held, Device::Votes, Membership::Member), "{row}");
        }
        let own = answer(&tools::votes(SAID).expect("its output"), "srv2", None);
        assert_eq!(own, said(Quorum::Held, Device::Votes, Membership::Own));
    }
}
