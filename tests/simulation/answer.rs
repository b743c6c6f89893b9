//! What a simulated server says of itself.

use quorate::pg::lsn::Lsn;
use quorate::pg::timeline::Timeline;
use quorate::pg::view::{
    Answer, ConnectedStandby, Connection, PrimaryView, Receiver, Rejection, StandbyView, SyncState,
};

use crate::server::Role;
use crate::wal::{Sync, name};
use crate::world::World;

/// The answer to a look at a node's server; `None`: there is none.
pub fn answer(w: &World, n: usize) -> Option<Answer> {
    let node = &w.nodes[n];
    let server = node.server.as_ref()?;
    if server.stopping_since.is_some() {
        return Some(Answer::Rejects(Rejection::ShuttingDown));
    }
    if server.role != Role::Starting && node.crowded_until > w.now {
        return Some(Answer::Rejects(Rejection::TooManyConnections));
    }
    Some(match server.role {
        Role::Starting => Answer::Rejects(Rejection::StartingUp),
        Role::Standby => Answer::Standby(StandbyView {
            received: server.received.map(Lsn),
            replayed: Some(Lsn(node.data.applied_to)),
            receiver: server.receiver.as_ref().map(|r| Receiver {
                pid: Some(r.pid),
                status: if r.waiting { "waiting" } else { "streaming" }.into(),
                sender_host: Some(r.host.clone()),
                sender_port: Some(5432),
                timeline: Timeline::new(r.timeline),
                latest_end: r.latest_end.map(Lsn),
            }),
            streams_to: w.streams_from(n).into_iter().map(|(s, _)| name(s)).collect(),
            primary_conninfo: server.conninfo.clone(),
            is_paused: false,
        }),
        Role::Primary => Answer::Primary(PrimaryView {
            lsn: Lsn(node.data.applied_to),
            timeline: Timeline::new(node.data.timeline)?,
            standbys: w.streams_from(n).into_iter().map(|(s, lsn)| connected(s, lsn, &server.sync)).collect(),
            synchronous_standby_names: server.sync.text(),
        }),
    })
}

fn connected(standby: usize, lsn: u64, sync: &Sync) -> ConnectedStandby {
    let sync_state = match sync {
        Sync::First(k, list) => match list.iter().position(|n| *n == standby) {
            Some(at) if at < *k => SyncState::Sync,
            Some(_) => SyncState::Potential,
            None => SyncState::Async,
        },
        Sync::Any(_, list) if list.contains(&standby) => SyncState::Quorum,
        Sync::Any(..) | Sync::Off => SyncState::Async,
    };
    ConnectedStandby {
        application_name: name(standby),
        state: "streaming".into(),
        sync_state,
        sent: Some(Lsn(lsn)),
        flush: Some(Lsn(lsn)),
        connection: Connection::default(),
    }
}
