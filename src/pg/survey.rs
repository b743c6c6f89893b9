//! What an instance tells all members of itself: an operator's command on any node sees it without a login.

use std::fmt;
use std::str::FromStr;

use super::lsn::Lsn;
use super::role::PgRole;
use super::timeline::Timeline;

/// Name of the private node attribute.
#[must_use]
pub fn attribute(resource: &str) -> String {
    format!("quorate-state-{resource}")
}

/// One look of an instance at itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// When, seconds since 1970.
    pub at: u64,
    pub role: PgRole,
    /// On a standby that of the WAL that it receives; `None`: it receives none.
    pub timeline: Option<Timeline>,
    /// Where a primary writes; where a standby's WAL ends.
    pub end: Option<Lsn>,
    /// On a standby.
    pub replayed: Option<Lsn>,
    pub is_paused: bool,
    /// How many standbys commits wait for and get answers from; `None`: they wait for none.
    pub synchronous: Option<u32>,
    pub load: Load,
}

/// More than could be counted in time, or by this role.
pub const UNCOUNTED: u32 = u32::MAX;

/// What would suffer from a switchover, or hold it up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Prepared transactions (`pg_prepared_xacts`).
    pub prepared: u32,
    /// Age of the oldest transaction of a client, in seconds; 0: there is none.
    pub oldest_s: u64,
    /// Commits that wait for a synchronous standby.
    pub waiting: u32,
    /// Base backups that stream from here.
    pub backups: u32,
    /// Segments that wait for the archiver, [`UNCOUNTED`] where they could not be counted; `None`: it does not archive.
    pub to_archive: Option<u32>,
    /// The archiver's last attempt failed.
    pub archiver_fails: bool,
}

/// One row for [`Load`], on PostgreSQL 13 to 18, for a role with pg_monitor.
pub const QUERY: &str = "\
SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xacts), \
(SELECT pg_catalog.max(pg_catalog.date_part('epoch', pg_catalog.age(pg_catalog.clock_timestamp(), xact_start)))::pg_catalog.int8 \
FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()), \
(SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE wait_event = 'SyncRep'), \
(SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication WHERE state = 'backup'), \
pg_catalog.current_setting('archive_mode') <> 'off', \
(SELECT last_failed_time > COALESCE(last_archived_time, '-infinity') FROM pg_catalog.pg_stat_archiver)";

/// What waits for the archiver. Asked apart: with many files it takes long, and then the rest is still to be told.
pub const TO_ARCHIVE: &str =
    "SELECT pg_catalog.count(*) FROM pg_catalog.pg_ls_archive_statusdir() WHERE name LIKE '%.ready'";

impl Load {
    /// Reads the row that [`QUERY`] gives, its columns as text, and whether the server archives; `None`: it has another shape.
    #[must_use]
    pub fn read(row: &[Option<String>]) -> Option<(Load, bool)> {
        let text = |index: usize| row.get(index).map(Option::as_deref);
        let load = Load {
            prepared: text(0)??.parse().ok()?,
            oldest_s: text(1)?.map_or(Some(0), |s| s.parse::<i64>().ok().map(|s| s.max(0) as u64))?,
            waiting: text(2)??.parse().ok()?,
            backups: text(3)??.parse().ok()?,
            to_archive: None,
            archiver_fails: text(5)? == Some("t"),
        };
        Some((load, text(4)? == Some("t")))
    }
}

/// `VERSION AT ROLE TIMELINE END REPLAYED PAUSED SYNCHRONOUS PREPARED OLDEST WAITING BACKUPS TO-ARCHIVE FAILS`, the attribute's value; `-`: none.
impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn or_dash<T: fmt::Display>(value: Option<T>) -> String {
            value.map_or_else(|| "-".to_owned(), |value| value.to_string())
        }
        let role = match self.role {
            PgRole::Primary => "primary",
            PgRole::Standby => "standby",
        };
        let Load { prepared, oldest_s, waiting, backups, to_archive, archiver_fails } = self.load;
        write!(f, "1 {} {role} {} ", self.at, or_dash(self.timeline))?;
        write!(f, "{} {} {} ", or_dash(self.end), or_dash(self.replayed), u8::from(self.is_paused))?;
        write!(f, "{} ", or_dash(self.synchronous))?;
        write!(f, "{prepared} {oldest_s} {waiting} {backups} ")?;
        write!(f, "{} {}", or_dash(to_archive), u8::from(archiver_fails))
    }
}

impl FromStr for Survey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        fn or_none<T: FromStr>(word: &str) -> Result<Option<T>, ()> {
            if word == "-" { Ok(None) } else { word.parse().map(Some).map_err(|_| ()) }
        }
        fn flag(word: &str) -> Result<bool, ()> {
            match word {
                "0" => Ok(false),
                "1" => Ok(true),
                _ => Err(()),
            }
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let ["1", at, role, timeline, end, replayed, paused, synchronous, load @ ..] = words.as_slice()
        else {
            return Err(());
        };
        let [prepared, oldest, waiting, backups, ready, fails] = load else { return Err(()) };
        Ok(Survey {
            at: at.parse().map_err(|_| ())?,
            role: match *role {
                "primary" => PgRole::Primary,
                "standby" => PgRole::Standby,
                _ => return Err(()),
            },
            timeline: or_none(timeline)?,
            end: or_none(end)?,
            replayed: or_none(replayed)?,
            is_paused: flag(paused)?,
            synchronous: or_none(synchronous)?,
            load: Load {
                prepared: prepared.parse().map_err(|_| ())?,
                oldest_s: oldest.parse().map_err(|_| ())?,
                waiting: waiting.parse().map_err(|_| ())?,
                backups: backups.parse().map_err(|_| ())?,
                to_archive: or_none(ready)?,
                archiver_fails: flag(fails)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let standby = Survey {
            at: 1_764_000_000,
            role: PgRole::Standby,
            timeline: None,
            end: Some(Lsn(0x300_0060)),
            replayed: Some(Lsn(0x300_0028)),
            is_paused: true,
            synchronous: None,
            load: Load { to_archive: Some(3), archiver_fails: true, oldest_s: 7, ..Load::default() },
        };
        assert_eq!(standby.to_string().parse(), Ok(standby.clone()));
        let primary =
            Survey { role: PgRole::Primary, timeline: Timeline::new(4), synchronous: Some(1), ..standby };
        assert_eq!(primary.to_string().parse(), Ok(primary));
        for bad in ["", "1", "2 1 primary - - - 0 - 0 0 0 0 - 0", "1 1 primary - - - 2 - 0 0 0 0 - 0"] {
            assert_eq!(bad.parse::<Survey>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn the_servers_row() {
        let row = |line: &str| -> Vec<Option<String>> {
            line.split('|').map(|f| Some(f.to_owned()).filter(|f| !f.is_empty())).collect()
        };
        let (load, archives) = Load::read(&row("2|61|1|0|t|t")).expect("a row");
        assert_eq!((load.prepared, load.oldest_s, load.waiting, load.backups), (2, 61, 1, 0));
        assert_eq!((load.to_archive, load.archiver_fails, archives), (None, true, true));
        assert_eq!(Load::read(&row("0||0|0|f|")), Some((Load::default(), false)));
        assert_eq!(Load::read(&row("||0|0||")), None);
        assert_eq!(Load::read(&[]), None);
    }
}
