//! What a server says of itself once a second: for the HTTP endpoint and its metrics. Nothing is decided by it that changes anything.

use serde::{Deserialize, Serialize};

use super::lsn::Lsn;
use super::role::PgRole;

/// One row of one column, JSON, on PostgreSQL 13 to 18, for a role with pg_monitor. The state of recovery is asked once (OFFSET 0), so
/// that a promotion in the middle of the statement mixes nothing. Who may give names (standbys, slots) gives few and short ones.
pub const QUERY: &str = "\
SELECT pg_catalog.json_build_object(\
'role', CASE WHEN r THEN 'standby' ELSE 'primary' END, \
'timeline', CASE WHEN r THEN (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver) \
ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::pg_catalog.int8 END, \
'written', CASE WHEN NOT r THEN pg_catalog.pg_current_wal_lsn() END, \
'received', CASE WHEN r THEN pg_catalog.pg_last_wal_receive_lsn() END, \
'replayed', CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn() END, \
'upstream_end', CASE WHEN r THEN (SELECT latest_end_lsn FROM pg_catalog.pg_stat_wal_receiver) END, \
'streams', r AND EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver WHERE status = 'streaming'), \
'paused', CASE WHEN r THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END, \
'replay_age_s', CASE WHEN r THEN pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) \
- pg_catalog.date_part('epoch', pg_catalog.pg_last_xact_replay_timestamp()) END, \
'waiting', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE wait_event = 'SyncRep'), \
'standbys', COALESCE((SELECT pg_catalog.json_agg(s) FROM (SELECT pg_catalog.left(application_name, 64) AS name, \
pg_catalog.max(sync_state) AS sync, pg_catalog.bool_or(state = 'streaming') AS streams, \
pg_catalog.max(pg_catalog.pg_wal_lsn_diff(CASE WHEN NOT r THEN pg_catalog.pg_current_wal_lsn() ELSE sent_lsn END, replay_lsn)) AS lag_bytes \
FROM pg_catalog.pg_stat_replication WHERE state <> 'backup' GROUP BY 1 ORDER BY 1 LIMIT 32) AS s), '[]'::pg_catalog.json), \
'slots', COALESCE((SELECT pg_catalog.json_agg(s) FROM (SELECT slot_name AS name, active, pg_catalog.pg_wal_lsn_diff(\
CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, restart_lsn) AS retained_bytes \
FROM pg_catalog.pg_replication_slots ORDER BY 1 LIMIT 64) AS s), '[]'::pg_catalog.json)) \
FROM (SELECT pg_catalog.pg_is_in_recovery() AS r OFFSET 0) AS recovery";

/// Of an error that may quote the answer.
const LONGEST: usize = 200;

/// What it said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    pub role: PgRole,
    /// That a primary writes on; on a standby that of the WAL that it receives.
    pub timeline: Option<u32>,
    /// On a primary.
    pub written: Option<Lsn>,
    /// On a standby, as the three below: what it has on its disk by streaming.
    pub received: Option<Lsn>,
    pub replayed: Option<Lsn>,
    /// Where the server's WAL ended from which it streams, by that server's last message.
    pub upstream_end: Option<Lsn>,
    /// Whether it streams.
    pub streams: bool,
    /// Whether its replay is paused.
    pub paused: bool,
    /// Age of the last transaction that it replayed; `None`: none since its start.
    pub replay_age_s: Option<f64>,
    /// Commits that wait for a synchronous standby.
    pub waiting: u32,
    pub standbys: Vec<Downstream>,
    pub slots: Vec<Slot>,
}

/// Who streams from it, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Downstream {
    pub name: String,
    /// `async`, `potential`, `sync`, `quorum`.
    pub sync: Option<String>,
    pub streams: Option<bool>,
    pub lag_bytes: Option<f64>,
}

/// A replication slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    pub name: String,
    pub active: bool,
    /// WAL that is kept for it.
    pub retained_bytes: Option<f64>,
}

impl Statistics {
    /// Reads the column that [`QUERY`] gives.
    ///
    /// # Errors
    /// It has another shape: which.
    pub fn read(row: &[Option<String>]) -> Result<Self, String> {
        let text = row.first().and_then(Option::as_deref).ok_or("no answer")?;
        serde_json::from_str(text).map_err(|e| {
            let why: String = e.to_string().chars().take(LONGEST).collect();
            format!("the server's answer has another shape: {why}")
        })
    }

    /// Where its WAL ends: what it wrote, or what it has and what it heard of.
    #[must_use]
    pub fn end(&self) -> Option<Lsn> {
        match self.role {
            PgRole::Primary => self.written,
            PgRole::Standby => self.received.max(self.upstream_end).max(self.replayed),
        }
    }

    /// WAL of the upstream's that it has not replayed; `None` on a primary, and while it does not stream: then nobody tells it.
    #[must_use]
    pub fn lag_bytes(&self) -> Option<u64> {
        let streams = self.role == PgRole::Standby && self.streams;
        streams.then_some(self.end()?.saturating_bytes_since(self.replayed?))
    }

    /// The age of what it shows: none where it has replayed all, else that of the last transaction that it replayed.
    #[must_use]
    pub fn lag_seconds(&self) -> Option<f64> {
        match self.lag_bytes()? {
            0 => Some(0.0),
            _ => self.replay_age_s.map(|age| age.max(0.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standby() -> Statistics {
        let text = r#"{"role": "standby", "timeline": 3, "written": null, "received": "0/3000000", "replayed": "0/3000000",
            "upstream_end": "0/3000000", "streams": true, "paused": false, "replay_age_s": 40.5, "waiting": 0,
            "standbys": [{"name": "srv3", "sync": "async", "streams": true, "lag_bytes": 16}],
            "slots": [{"name": "s", "active": false, "retained_bytes": 0}]}"#;
        Statistics::read(&[Some(text.into())]).expect("PostgreSQL's own shape")
    }

    #[test]
    fn lag_is_known_only_while_it_streams() {
        let caught_up = standby();
        assert_eq!((caught_up.lag_bytes(), caught_up.lag_seconds()), (Some(0), Some(0.0)), "an idle primary");
        let behind = Statistics { upstream_end: Some(Lsn(0x300_1000)), ..standby() };
        assert_eq!((behind.lag_bytes(), behind.lag_seconds()), (Some(0x1000), Some(40.5)));
        let cut = Statistics { streams: false, ..standby() };
        assert_eq!((cut.lag_bytes(), cut.lag_seconds()), (None, None));
        let primary = Statistics { role: PgRole::Primary, written: Some(Lsn(9)), ..standby() };
        assert_eq!((primary.lag_bytes(), primary.end()), (None, Some(Lsn(9))));
        let never = Statistics { replayed: None, ..standby() };
        assert_eq!(never.lag_bytes(), None);
    }

    #[test]
    fn another_shape_is_no_answer() {
        for row in [vec![], vec![None], vec![Some("{}".to_owned())], vec![Some("[".to_owned())]] {
            assert!(Statistics::read(&row).is_err(), "{row:?}");
        }
    }
}
