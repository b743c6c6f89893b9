//! postgresql.conf, and what its values mean: for reports about a server that need not run.

use super::auto_conf::assignment;
use super::conninfo::masked;

/// A setting, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// In lower case.
    pub name: String,
    pub value: String,
    /// The file; empty for a default.
    pub file: String,
    /// Counted from 1; `None` where it is no file's.
    pub line: Option<usize>,
}

/// A line that PostgreSQL would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no setting; write name = 'value', or # before a comment")]
pub struct ConfError(pub String);

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Setting(Setting),
    /// `include 'file'`, and whether the file may be missing.
    Include {
        path: String,
        optional: bool,
    },
    /// `include_dir 'directory'`.
    IncludeDir {
        path: String,
    },
}

/// Reads the text of a file called `file`.
///
/// # Errors
/// The first line that is no setting, and its number.
pub fn parse(file: &str, text: &str) -> Result<Vec<Line>, (usize, ConfError)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let Some((name, value)) = assignment(line) else {
            return Err((index + 1, ConfError(masked(content).into_owned())));
        };
        let name = name.to_ascii_lowercase();
        found.push(match name.as_str() {
            "include" => Line::Include { path: value, optional: false },
            "include_if_exists" => Line::Include { path: value, optional: true },
            "include_dir" => Line::IncludeDir { path: value },
            _ => Line::Setting(Setting { name, value, file: file.to_owned(), line: Some(index + 1) }),
        });
    }
    Ok(found)
}

/// The statement that asks a server for [`Setting`]s: name, value with its unit as a plain number, file, line. A role without
/// pg_read_all_settings gets no file. `is_superuser` is of the role that asks, and in no file.
/// What our own connection has set is not the server's: it reads only.
pub const QUERY: &str = "\
SELECT name, pg_catalog.current_setting(name), sourcefile, sourceline FROM pg_catalog.pg_settings \
WHERE name IN (\
'archive_command', 'archive_library', 'archive_mode', 'data_checksums', 'data_directory', \
'data_sync_retry', 'default_transaction_read_only', 'fsync', 'full_page_writes', 'hot_standby', \
'ignore_checksum_failure', 'ignore_invalid_pages', 'lc_messages', 'listen_addresses', \
'log_min_messages', 'max_connections', 'max_locks_per_transaction', 'max_prepared_transactions', \
'max_replication_slots', 'max_slot_wal_keep_size', 'max_standby_archive_delay', \
'max_standby_streaming_delay', 'max_wal_senders', 'max_worker_processes', 'port', \
'primary_slot_name', 'promote_trigger_file', 'recovery_end_command', 'recovery_min_apply_delay', \
'recovery_target', 'recovery_target_lsn', 'recovery_target_name', 'recovery_target_time', 'recovery_target_timeline', \
'recovery_target_xid', 'restart_after_crash', 'synchronous_commit', 'synchronous_standby_names', \
'unix_socket_directories', 'wal_keep_size', 'wal_level', 'wal_log_hints', \
'wal_receiver_status_interval', 'wal_receiver_timeout', 'wal_sender_timeout', 'zero_damaged_pages') \
AND source OPERATOR(pg_catalog.<>) 'client' \
UNION ALL SELECT 'is_superuser', pg_catalog.current_setting('is_superuser'), NULL, NULL";

/// Reads the rows of [`QUERY`].
#[must_use]
pub fn read(rows: &[Vec<Option<String>>]) -> Vec<Setting> {
    rows.iter()
        .filter_map(|row| {
            let text = |i: usize| row.get(i).and_then(Clone::clone);
            Some(Setting {
                name: text(0)?,
                value: text(1)?,
                file: text(2).unwrap_or_default(),
                line: text(3).and_then(|l| l.parse().ok()),
            })
        })
        .collect()
}

/// A time with PostgreSQL's units, in milliseconds; without a unit it is milliseconds.
#[must_use]
pub fn milliseconds(value: &str) -> Option<u64> {
    let (number, unit) = split(value)?;
    let factor = match unit {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    u64::try_from(number).ok()?.checked_mul(factor)
}

/// A size with PostgreSQL's units, in MB; without a unit it is MB. -1 is "without a limit".
#[must_use]
pub fn megabytes(value: &str) -> Option<i64> {
    let (number, unit) = split(value)?;
    match unit {
        "B" => Some(number / (1 << 20)),
        "kB" => Some(number / 1024),
        "" | "MB" => Some(number),
        "GB" => number.checked_mul(1024),
        "TB" => number.checked_mul(1 << 20),
        _ => None,
    }
}

fn split(value: &str) -> Option<(i64, &str)> {
    let value = value.trim();
    let digits = value.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    Some((number.parse().ok()?, unit.trim()))
}

/// PostgreSQL takes any unambiguous beginning of these words.
#[must_use]
pub fn boolean(value: &str) -> Option<bool> {
    let value = value.trim().to_ascii_lowercase();
    let begins = |word: &str, least: usize| value.len() >= least && word.starts_with(value.as_str());
    match value.as_str() {
        "1" => Some(true),
        "0" => Some(false),
        _ if begins("true", 1) || begins("yes", 1) || begins("on", 2) => Some(true),
        _ if begins("false", 1) || begins("no", 1) || begins("off", 2) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_their_lines() {
        let text = "# c\nWAL_log_hints = on # x\n\nmax_slot_wal_keep_size '4GB'\ninclude_dir = 'conf.d'\ninclude_if_exists 'x'\n";
        let lines = parse("p", text).expect("good");
        let Line::Setting(first) = &lines[0] else { panic!("{lines:?}") };
        assert_eq!((first.name.as_str(), first.value.as_str(), first.line), ("wal_log_hints", "on", Some(2)));
        assert_eq!(lines[2], Line::IncludeDir { path: "conf.d".into() });
        assert_eq!(lines[3], Line::Include { path: "x".into(), optional: true });
        assert_eq!(parse("p", "a = 1\n= 2\n").map_err(|(line, _)| line), Err(2));
        assert_eq!(parse("p", "a = 'x\n").map_err(|(line, _)| line), Err(1));
    }

    #[test]
    fn a_refused_line_shows_no_password() {
        let (line, error) = parse("p", "primary_conninfo = 'host=h password=s3cret\n").expect_err("no end");
        assert_eq!(line, 1);
        assert!(
            error.to_string().contains("primary_conninfo") && !error.to_string().contains("s3cret"),
            "{error}"
        );
    }

    #[test]
    fn units() {
        assert_eq!(
            (milliseconds("5000ms"), milliseconds("60s"), milliseconds("1min"), milliseconds("0")),
            (Some(5000), Some(60_000), Some(60_000), Some(0))
        );
        assert_eq!(
            (megabytes("-1"), megabytes("4GB"), megabytes("512 MB"), megabytes("x")),
            (Some(-1), Some(4096), Some(512), None)
        );
        assert_eq!(
            (boolean("ON"), boolean("of"), boolean("o"), boolean("t"), boolean("maybe")),
            (Some(true), Some(false), None, Some(true), None)
        );
    }
}
