//! The one question that a probe asks, and the reading of its answer.

use serde::Deserialize;

use super::lsn::Lsn;
use super::timeline::Timeline;
use super::view::{Answer, ConnectedStandby, Connection, PrimaryView, Receiver, StandbyView, SyncState};

/// One statement for a primary and for a standby, on PostgreSQL 13 to 18, for a role with pg_monitor.
///
/// Some of the functions raise an error in recovery: each stands in a CASE. The state of recovery is asked once (OFFSET 0 keeps the
/// planner from copying the volatile call), so that a promotion in the middle of the statement can't mix the two halves; the standby's
/// functions do not raise on a primary. Without pg_read_all_settings, primary_conninfo would be an error: it is null then.
pub const QUERY: &str = "\
SELECT r, \
CASE WHEN NOT r THEN pg_catalog.pg_current_wal_lsn() END, \
CASE WHEN NOT r THEN pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END, \
CASE WHEN NOT r THEN pg_catalog.current_setting('synchronous_standby_names') END, \
(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(application_name, state, sync_state, sent_lsn, flush_lsn, client_addr, \
pg_catalog.float8mi(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()), pg_catalog.date_part('epoch', backend_start)), \
pg_catalog.date_part('epoch', reply_time))) \
FROM pg_catalog.pg_stat_replication), \
CASE WHEN r THEN pg_catalog.pg_last_wal_receive_lsn() END, \
CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn() END, \
CASE WHEN r THEN (SELECT pg_catalog.json_build_array(status, sender_host, sender_port, received_tli, latest_end_lsn, pid) \
FROM pg_catalog.pg_stat_wal_receiver) END, \
CASE WHEN r AND pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE') THEN pg_catalog.current_setting('primary_conninfo') END, \
CASE WHEN r THEN pg_catalog.pg_is_wal_replay_paused() END \
FROM (SELECT pg_catalog.pg_is_in_recovery() AS r OFFSET 0) AS recovery";

/// An answer of another shape than [`QUERY`] has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer has {column} = {value:?}, which is not what PostgreSQL 13 to 18 give")]
pub struct ProbeError {
    /// Column of [`QUERY`].
    pub column: &'static str,
    /// What came.
    pub value: Option<String>,
}

type StandbyRow = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<Lsn>,
    Option<Lsn>,
    Option<String>,
    Option<f64>,
    Option<f64>,
);
type ReceiverRow = (Option<String>, Option<String>, Option<i32>, Option<u32>, Option<Lsn>, Option<i32>);

/// Reads the row that [`QUERY`] gives, its columns as text: [`Answer::Primary`] or [`Answer::Standby`].
///
/// # Errors
/// The first column that can't be.
pub fn read(row: &[Option<String>]) -> Result<Answer, ProbeError> {
    let text = |index: usize| row.get(index).and_then(Option::as_deref);
    let fail = |column, index: usize| ProbeError { column, value: text(index).map(str::to_owned) };
    let lsn = |column, index| match text(index) {
        None => Ok(None),
        // PostgreSQL's invalid position is 0/0.
        Some(lsn) => lsn.parse::<Lsn>().map(|lsn| Lsn::valid(lsn.0)).map_err(|_| fail(column, index)),
    };
    let senders = || {
        let rows = json::<Vec<StandbyRow>>(text(4)).map_err(|()| fail("pg_stat_replication", 4))?;
        Ok(rows.unwrap_or_default())
    };
    match text(0) {
        Some("f") => {
            let hex = text(2).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            Ok(Answer::Primary(PrimaryView {
                lsn: lsn("pg_current_wal_lsn", 1)?.ok_or_else(|| fail("pg_current_wal_lsn", 1))?,
                timeline: hex.and_then(Timeline::new).ok_or_else(|| fail("pg_walfile_name", 2))?,
                synchronous_standby_names: text(3)
                    .ok_or_else(|| fail("synchronous_standby_names", 3))?
                    .to_owned(),
                standbys: senders()?.into_iter().map(connected).collect(),
            }))
        }
        Some("t") => Ok(Answer::Standby(StandbyView {
            received: lsn("pg_last_wal_receive_lsn", 5)?,
            replayed: lsn("pg_last_wal_replay_lsn", 6)?,
            receiver: json::<ReceiverRow>(text(7))
                .map_err(|()| fail("pg_stat_wal_receiver", 7))?
                .map(receiver),
            streams_to: senders()?.into_iter().filter_map(|(name, ..)| name).collect(),
            primary_conninfo: text(8).map(str::to_owned),
            is_paused: text(9) == Some("t"),
        })),
        _ => Err(fail("pg_is_in_recovery", 0)),
    }
}

fn json<'a, T: Deserialize<'a>>(text: Option<&'a str>) -> Result<Option<T>, ()> {
    text.map(serde_json::from_str).transpose().map_err(|_| ())
}

fn connected((name, state, sync_state, sent, flush, client, age, replied): StandbyRow) -> ConnectedStandby {
    let millis = |seconds: f64| (seconds.max(0.0) * 1000.0) as u64;
    ConnectedStandby {
        connection: Connection { client, age: age.map(millis), replied: replied.map(millis) },
        application_name: name.unwrap_or_default(),
        state: state.unwrap_or_default(),
        sync_state: SyncState::from(sync_state.unwrap_or_default().as_str()),
        sent: sent.filter(|lsn| lsn.0 != 0),
        flush: flush.filter(|lsn| lsn.0 != 0),
    }
}

fn receiver((status, host, port, timeline, latest_end, pid): ReceiverRow) -> Receiver {
    Receiver {
        pid,
        status: status.unwrap_or_default(),
        sender_host: host,
        sender_port: port.and_then(|port| u16::try_from(port).ok()),
        timeline: timeline.and_then(Timeline::new),
        latest_end: latest_end.filter(|lsn| lsn.0 != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// psql's unaligned output of one row; empty fields are nulls unless written ''.
    fn row(line: &str) -> Vec<Option<String>> {
        let field = |text: &str| match text {
            "" => None,
            "''" => Some(String::new()),
            other => Some(other.to_owned()),
        };
        line.split('|').map(field).collect()
    }

    #[test]
    fn a_primary_with_a_standby() {
        let line = r#"f|0/3081348|00000001|''|[["walreceiver", "streaming", "async", "0/3081348", "0/3081348", "10.0.0.2", 12.5, 1764403200.25]]||||"#;
        let Ok(Answer::Primary(view)) = read(&row(line)) else { panic!("not a primary") };
        assert_eq!((view.lsn, view.timeline), (Lsn(0x308_1348), Timeline::FIRST));
        assert_eq!(view.standbys.len(), 1);
        assert_eq!(view.standbys[0].application_name, "walreceiver");
        assert_eq!(view.standbys[0].sync_state, SyncState::Async);
        assert_eq!(view.standbys[0].flush, Some(Lsn(0x308_1348)));
        let connection = &view.standbys[0].connection;
        assert_eq!(connection.client.as_deref(), Some("10.0.0.2"));
        assert_eq!((connection.age, connection.replied), (Some(12_500), Some(1_764_403_200_250)));
    }

    #[test]
    fn a_primary_alone_and_what_a_role_without_rights_sees() {
        let Ok(Answer::Primary(view)) = read(&row("f|0/3081348|0000001A|ANY 1 (a, b)|||||")) else {
            panic!("alone")
        };
        assert_eq!((view.standbys.len(), view.timeline.get()), (0, 26));
        let hidden = row("f|0/3081348|00000001|''|[[null, null, null, null, null, null, null, null]]||||");
        let Ok(Answer::Primary(view)) = read(&hidden) else { panic!("hidden") };
        assert_eq!(view.standbys[0].sync_state, SyncState::Unknown(String::new()));
    }

    #[test]
    fn a_standby_with_and_without_its_receiver() {
        let line = r#"t|||||0/3081348|0/3081350|["streaming", "/run/pg", 5601, 1, "0/3081348", 4711]|user=postgres host='/run/pg'|t"#;
        let Ok(Answer::Standby(view)) = read(&row(line)) else { panic!("not a standby") };
        let receiver = view.receiver.as_ref().expect("runs");
        assert_eq!((receiver.status.as_str(), receiver.sender_port), ("streaming", Some(5601)));
        assert_eq!(receiver.pid, Some(4711));
        assert_eq!(receiver.timeline, Some(Timeline::FIRST));
        assert_eq!(view.position_lsn(), Some(Lsn(0x308_1350)));
        assert_eq!(view.primary_conninfo.as_deref(), Some("user=postgres host='/run/pg'"));
        assert!(view.is_paused);
        let Ok(Answer::Standby(view)) = read(&row("t||||||0/3081350|||f")) else { panic!("not a standby") };
        assert!(!view.is_paused);
        assert_eq!((view.receiver, view.received, view.primary_conninfo), (None, None, None));
    }

    #[test]
    fn anything_else_is_an_error_that_names_the_column() {
        for (line, column) in [
            ("", "pg_is_in_recovery"),
            ("x||||||||", "pg_is_in_recovery"),
            ("f||||||||", "pg_current_wal_lsn"),
            ("f|0/0|00000001|''|||||", "pg_current_wal_lsn"),
            ("f|0/1|0|''|||||", "pg_walfile_name"),
            ("f|0/1|1||||||", "synchronous_standby_names"),
            ("f|0/1|1|''|{}||||", "pg_stat_replication"),
            ("t|||||x|||", "pg_last_wal_receive_lsn"),
            ("t|||||||[1]|", "pg_stat_wal_receiver"),
        ] {
            assert_eq!(read(&row(line)).map_err(|e| e.column), Err(column), "{line}");
        }
    }
}
