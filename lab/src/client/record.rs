//! What the truth checker gets of a client: its whole history, and what the last primary has.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::endpoints::ClientError;
use super::registers;
use super::worker::in_namespace;
use super::{Client, LISTS, Pause, READ_BACK_TIMEOUT, connect, insider};
use crate::record::history::{Attempt, Outcome};
use crate::truth::{Action, Final, Op, Shown, primaries};

impl Client {
    /// Everything that the client did until now, each part in the order of time.
    #[must_use]
    pub fn operations(&self) -> Vec<Op> {
        let mut ops: Vec<Op> = Vec::new();
        let append = |client: &str, list: &str, attempt: Attempt| Op {
            client: client.to_owned(),
            connection: attempt.connection,
            action: Action::Append { list: list.to_owned(), id: attempt.id },
            asked: attempt.asked,
            ended: attempt.ended,
            outcome: attempt.outcome,
            served: attempt.served,
        };
        ops.extend(self.heart.snapshot().into_iter().map(|a| append("heart", "heart", a)));
        let session = self.session.iter().flat_map(|log| log.snapshot());
        ops.extend(session.map(|a| append("session", "session", a)));
        let mut nodes: BTreeMap<i64, &str> = BTreeMap::new();
        for (node, log) in &self.direct {
            let attempts = log.snapshot();
            let served = attempts.iter().filter_map(|a| a.served.as_ref());
            nodes.extend(served.map(|s| (s.run, node.as_str())));
            let name = format!("direct {node}");
            ops.extend(attempts.into_iter().map(|a| append(&name, &name, a)));
        }
        for (node, log) in &self.insiders {
            let name = insider::called(node);
            ops.extend(log.snapshot().into_iter().map(|a| append(&name, &name, a)));
        }
        let beat = self.beat.snapshot().into_iter().map(|reading| {
            let (newest, outcome) = match reading.newest {
                Ok(id) => (BTreeMap::from([("heart".to_owned(), Some(id))]), Outcome::Acked),
                Err(why) => (BTreeMap::new(), Outcome::Refused(why)),
            };
            Op {
                client: "beat".to_owned(),
                connection: reading.connection,
                action: Action::Read(Shown { newest, registers: BTreeMap::new() }),
                asked: reading.asked,
                ended: reading.at,
                outcome,
                served: None,
            }
        });
        ops.extend(beat);
        ops.extend(self.others.iter().flat_map(|log| log.snapshot()));
        // A client's own operations follow each other, whichever log they are in.
        ops.sort_by(|a, b| (&a.client, a.asked).cmp(&(&b.client, b.asked)));
        for served in ops.iter_mut().filter_map(|op| op.served.as_mut()) {
            served.node = nodes.get(&served.run).map(|&node| node.to_owned());
        }
        ops.iter_mut().for_each(|op| self.after_the_pause(op));
        ops
    }

    /// What was acknowledged after a pause of its server counts from the end of the pause: the server did nothing meanwhile. So does
    /// a write that was under way when the pause began, and may have been done before: its answer is what counts.
    fn after_the_pause(&self, op: &mut Op) {
        let node = op.served.as_ref().and_then(|served| served.node.as_deref());
        let append = matches!(op.action, Action::Append { .. });
        for pause in self.pauses.iter().filter(|p| append && node == Some(p.node.as_str())) {
            if op.asked < pause.to && op.ended >= pause.to {
                op.asked = pause.to;
            }
        }
    }

    /// These pauses of nodes are known from now on.
    pub fn stood_still(&mut self, pauses: Vec<Pause>) {
        self.pauses = pauses;
    }

    /// The time within `from..=until` in which two nodes took writes.
    #[must_use]
    pub fn two_primaries(&self, from: Duration, until: Duration) -> Duration {
        let mut ops = self.operations();
        ops.retain(|op| op.ended >= from && op.asked <= until);
        primaries::two_primaries(&ops)
    }

    /// Reads everything back from `address`. [`Client::stop`] comes before: what is still under way can't be judged.
    ///
    /// # Errors
    /// When the server can't be read within its time.
    pub fn read_back(&self, address: IpAddr) -> Result<Final, ClientError> {
        let endpoints = Arc::clone(&self.endpoints);
        let tables = LISTS.map(|list| (list, self.table(list)));
        let registers = self.table("registers");
        let asked = self.clock.now();
        let read = in_namespace(&self.endpoints, "read-back", async move {
            let open = connect::open(&endpoints, address).await?;
            let mut end = Final { asked, ..Final::default() };
            for (list, table) in tables {
                let sql = format!("SELECT id FROM {table}");
                let rows = connect::query(&open, &sql, READ_BACK_TIMEOUT).await?;
                let ids: Result<Vec<_>, String> = rows.iter().map(|row| connect::number(row, 0)).collect();
                end.lists.insert(list.to_owned(), ids?.into_iter().flatten().collect());
            }
            let sql = format!("SELECT k, v FROM {registers}");
            end.registers = registers::values(&connect::query(&open, &sql, READ_BACK_TIMEOUT).await?)?;
            Ok(end)
        })?;
        read.map_err(|reason| ClientError::Server { doing: "read the writes back", address, reason })
    }
}
