//! Whether a standby that streams from the primary has what that has, and nothing else.

use crate::pg::lsn::Lsn;
use crate::pg::view::StandbyView;

/// Two looks at a stream.
#[derive(Debug, Clone, Copy)]
pub struct Looks<'a> {
    pub first: &'a StandbyView,
    pub later: &'a StandbyView,
    /// The primary's host.
    pub primary: &'a str,
    /// How far the primary said that it was: an idle one sends nothing for half of `wal_sender_timeout`.
    pub announced: Option<Lsn>,
    /// The WAL receiver that had received all, when not all was replayed yet, at an earlier call.
    pub received_by: Option<i32>,
}

/// What they show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// At the later look it had, and had replayed, all that the primary had written at the first one.
    Done,
    /// It has received all, by this WAL receiver, and has not replayed it yet. Where a record does not follow on its own it never will, and
    /// PostgreSQL ends the receiver and asks for that WAL again; where a session or a setting holds replay up, the receiver goes on.
    Replays(Option<i32>),
    /// It has not received all yet, or is not connected to the primary.
    Behind,
    /// It is further than the primary is known to be: the primary has not said anything since, or this is a fork.
    Ahead,
    /// It was further than the primary wrote to it afterwards, on one connection: a walsender sends what is flushed, so what it has
    /// beyond is its own.
    Forked { own: Lsn, primary: Lsn },
}

/// Compares them.
#[must_use]
pub fn catch_up(looks: &Looks<'_>) -> CatchUp {
    let sender = looks.later.receiver.as_ref().and_then(|receiver| receiver.sender_host.as_deref());
    if sender.is_some_and(|sender| sender != looks.primary) {
        return CatchUp::Behind;
    }
    let end = |view: &StandbyView| view.receiver.as_ref().and_then(|receiver| receiver.latest_end);
    let pid = |view: &StandbyView| view.receiver.as_ref().and_then(|receiver| receiver.pid);
    let (before, now) = (end(looks.first), end(looks.later));
    if let (Some(own), Some(primary)) = (looks.first.position_lsn(), now)
        && own > primary
        && Some(own) > looks.announced
    {
        // What the receiver shows may be of the connection before.
        let has_said = pid(looks.first).is_some() && pid(looks.first) == pid(looks.later) && now > before;
        return if has_said { CatchUp::Forked { own, primary } } else { CatchUp::Ahead };
    }
    let Some(wanted) = before.or(looks.announced) else { return CatchUp::Behind };
    if looks.later.position_lsn() < Some(wanted) {
        return CatchUp::Behind;
    }
    let receiver = pid(looks.later);
    let goes_on = receiver.is_some() && receiver == pid(looks.first) && receiver == looks.received_by;
    if looks.later.is_paused || looks.later.replayed >= Some(wanted) || goes_on {
        CatchUp::Done
    } else {
        CatchUp::Replays(receiver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::view::Receiver;

    fn view(received: u64, replayed: u64, end: u64, pid: i32) -> StandbyView {
        StandbyView {
            received: Lsn::valid(received),
            replayed: Lsn::valid(replayed),
            receiver: Some(Receiver {
                pid: Some(pid),
                status: "streaming".into(),
                sender_host: None,
                sender_port: None,
                timeline: None,
                latest_end: Lsn::valid(end),
            }),
            streams_to: Vec::new(),
            primary_conninfo: None,
            is_paused: false,
        }
    }

    fn seen(first: [u64; 3], later: [u64; 3], announced: u64, received_by: i32) -> CatchUp {
        let [first, later] = [first, later].map(|[received, replayed, end]| view(received, replayed, end, 7));
        let (announced, received_by) = (Lsn::valid(announced), (received_by > 0).then_some(received_by));
        catch_up(&Looks { first: &first, later: &later, primary: "srv1", announced, received_by })
    }

    #[test]
    fn what_the_primary_had_is_received_and_replayed() {
        assert_eq!(seen([50, 50, 100], [100, 100, 120], 0, 0), CatchUp::Done);
        assert_eq!(seen([50, 50, 100], [99, 99, 120], 0, 0), CatchUp::Behind);
        assert_eq!(seen([50, 50, 0], [99, 99, 0], 0, 0), CatchUp::Behind, "the primary has said nothing");
        assert_eq!(seen([50, 50, 0], [99, 99, 0], 60, 0), CatchUp::Done, "but has told it");
        assert_eq!(seen([100, 50, 100], [130, 60, 130], 0, 0), CatchUp::Replays(Some(7)));
        assert_eq!(
            seen([300, 90, 300], [330, 99, 330], 0, 6),
            CatchUp::Replays(Some(7)),
            "it asks again and again"
        );
        assert_eq!(seen([300, 90, 300], [330, 99, 330], 0, 7), CatchUp::Done, "a session holds replay up");
    }

    #[test]
    fn one_that_is_ahead_of_its_primary_has_wal_of_its_own() {
        let forked = CatchUp::Forked { own: Lsn(200), primary: Lsn(120) };
        assert_eq!(seen([100, 200, 100], [120, 200, 120], 0, 0), forked);
        assert_eq!(seen([200, 200, 0], [200, 200, 120], 0, 0), forked);
        assert_eq!(
            seen([100, 200, 100], [100, 200, 100], 0, 0),
            CatchUp::Ahead,
            "the primary has said nothing since"
        );
        assert_eq!(seen([100, 200, 100], [100, 200, 100], 200, 0), CatchUp::Done, "it has told it");
        let (first, later) = (view(100, 200, 100, 7), view(120, 200, 120, 8));
        let other =
            Looks { first: &first, later: &later, primary: "srv1", announced: None, received_by: None };
        assert_eq!(catch_up(&other), CatchUp::Ahead, "another connection");
    }

    #[test]
    fn who_streams_from_somebody_else_has_not_caught_up_with_the_primary() {
        let mut later = view(120, 120, 120, 7);
        let looks = Looks {
            first: &later.clone(),
            later: &later.clone(),
            primary: "srv1",
            announced: None,
            received_by: None,
        };
        assert_ne!(catch_up(&looks), CatchUp::Behind);
        for (sender, behind) in [("srv1", false), ("srv3", true)] {
            later.receiver.as_mut().expect("it has one").sender_host = Some(sender.into());
            assert_eq!(catch_up(&Looks { later: &later, ..looks }) == CatchUp::Behind, behind, "{sender}");
        }
    }

    #[test]
    fn a_paused_one_replays_nothing() {
        let mut later = view(100, 20, 120, 7);
        later.is_paused = true;
        let looks = Looks {
            first: &view(100, 20, 100, 7),
            later: &later,
            primary: "srv1",
            announced: None,
            received_by: None,
        };
        assert_eq!(catch_up(&looks), CatchUp::Done);
    }
}
