//! The one table of parameters. It feeds the parser ([`super::settings`]), the meta-data
//! ([`super::metadata`]) and the reference in `docs/parameters.md` ([`super::reference`]).

/// How a value is read; the meta-data's `content type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    String,
    Integer,
    /// One of a few words. To OCF a string: the older validators know no `select`.
    Select(&'static [&'static str]),
}

impl Kind {
    /// OCF's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String | Kind::Select(_) => "string",
            Kind::Integer => "integer",
        }
    }
}

/// Whether an operator has to set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
}

/// Whether two resources may have the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    Unique,
    Shared,
}

/// Whether a change takes effect without a restart of PostgreSQL (`reload-agent`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Reloadable,
    Restart,
}

/// One parameter, `OCF_RESKEY_<name>` in the environment.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    pub name: &'static str,
    pub kind: Kind,
    pub presence: Presence,
    pub uniqueness: Uniqueness,
    pub change: Change,
    /// The default as the meta-data prints it; empty where it is derived (the long text tells how).
    pub default: &'static str,
    pub short: &'static str,
    pub long: &'static str,
}

const fn optional(
    name: &'static str,
    default: &'static str,
    short: &'static str,
    long: &'static str,
) -> Param {
    Param {
        name,
        kind: Kind::String,
        presence: Presence::Optional,
        uniqueness: Uniqueness::Shared,
        change: Change::Restart,
        default,
        short,
        long,
    }
}

/// All parameters, in the order of the documents.
pub const PARAMS: &[Param] = &[
    Param {
        presence: Presence::Required,
        uniqueness: Uniqueness::Unique,
        ..optional(
            "pgdata",
            "",
            "Data directory",
            "PostgreSQL's data directory (PGDATA). It belongs to system_user and to one resource only.",
        )
    },
    optional(
        "bindir",
        "",
        "Directory of PostgreSQL's programs",
        "Where postgres lives. Default: by PG_VERSION in pgdata, the first that exists of /usr/lib/postgresql/N/bin \
         (Debian), /usr/pgsql-N/bin (PGDG on Red Hat) and /usr/bin.",
    ),
    optional(
        "config_file",
        "",
        "Configuration file",
        "postgresql.conf, where it is not in pgdata. Default: pgdata/postgresql.conf. On Debian: \
         /etc/postgresql/N/main/postgresql.conf.",
    ),
    optional(
        "system_user",
        "postgres",
        "Owner of the instance",
        "The system user who owns pgdata and runs PostgreSQL.",
    ),
    optional(
        "pghost",
        "/var/run/postgresql",
        "Socket directory",
        "Directory of PostgreSQL's Unix socket (unix_socket_directories). The agent never connects over the network.",
    ),
    Param { kind: Kind::Integer, ..optional("pgport", "5432", "Port", "PostgreSQL's port, 1 to 65535.") },
    optional(
        "start_opts",
        "",
        "Options for postgres",
        "Further options for the command line of postgres, quoted as in a shell.",
    ),
    Param {
        kind: Kind::Integer,
        change: Change::Reloadable,
        ..optional(
            "maxlag",
            "0",
            "Greatest lag of a candidate, in bytes",
            "A standby that is further behind the primary than this many bytes of WAL is not promoted, neither by its \
             score nor in the election. 0: no limit.",
        )
    },
    Param {
        change: Change::Reloadable,
        ..optional(
            "dbuser",
            "",
            "Role for monitoring",
            "The PostgreSQL role that the agent connects as. It needs LOGIN and pg_monitor, no superuser. Default: the \
             name in system_user. A password comes from .pgpass in system_user's home directory.",
        )
    },
    Param {
        change: Change::Reloadable,
        ..optional(
            "dbname",
            "postgres",
            "Database for monitoring",
            "The database that the agent connects to.",
        )
    },
    Param {
        change: Change::Reloadable,
        ..optional(
            "dbservice",
            "",
            "Connection service",
            "A section of pg_service.conf (system_user's ~/.pg_service.conf, then PostgreSQL's own) whose user, dbname \
             and passfile are used where dbuser and dbname are not set.",
        )
    },
    Param {
        change: Change::Reloadable,
        ..optional(
            "replication_conninfo",
            "",
            "How a standby connects",
            "Keywords of primary_conninfo without host and application_name: the agent adds the promoted node's \
             address and this node's name. Default: user=replicator port=<pgport>.",
        )
    },
    Param {
        change: Change::Reloadable,
        ..optional(
            "addresses",
            "",
            "Addresses for replication",
            "Where replication does not go to the node's name: pairs node=address, separated by blanks, such as \
             srv1=10.0.0.1 srv2=10.0.0.2. Default: the node's name is the host.",
        )
    },
    Param {
        kind: Kind::Select(&["restart", "failover"]),
        change: Change::Reloadable,
        ..optional(
            "on_crash",
            "restart",
            "What follows a crash of the primary's PostgreSQL",
            "restart: PostgreSQL is started and promoted again on its node; nothing that was committed is lost, and \
             the outage is as long as its crash recovery. failover: where a synchronous standby holds every \
             acknowledged commit, that one is promoted instead; Pacemaker starts the crashed instance, as a standby, \
             before it promotes, so this moves the primary away from a node that crashed, it does not shorten the \
             outage. Elsewhere as restart.",
        )
    },
    Param {
        kind: Kind::Select(&["off", "prefer", "strict"]),
        change: Change::Reloadable,
        ..optional(
            "sync",
            "off",
            "Synchronous replication",
            "off: synchronous_standby_names is yours. prefer and strict: the primary's agent sets it to ANY sync_count of \
             the standbys that stream and run here, keeps on record which ones have every acknowledged commit, and only \
             who heard from enough of them is promoted. prefer: with fewer standbys than sync_count commits wait for \
             those, without one for nobody, which is put on record first; then no other instance is promoted without \
             your approval. strict: commits wait until there are enough. A transaction with synchronous_commit below on is \
             outside of this promise.",
        )
    },
    Param {
        kind: Kind::Integer,
        change: Change::Reloadable,
        ..optional(
            "sync_count",
            "1",
            "Standbys that each commit waits for",
            "How many standbys have a commit on their disks before it is acknowledged, 1 to 99. With sync=off it means \
             nothing.",
        )
    },
    Param {
        kind: Kind::Select(&["any", "other-site"]),
        change: Change::Reloadable,
        ..optional(
            "sync_prefer",
            "any",
            "Which standbys commits wait for",
            "any: each standby of the cluster. other-site: those on nodes whose attribute site is another one than the \
             primary's node has (pcs node attribute NODE site=NAME), while there are sync_count of them; else any.",
        )
    },
    Param {
        kind: Kind::Select(&["rewind", "copy", "stop"]),
        change: Change::Reloadable,
        ..optional(
            "on_diverged",
            "rewind",
            "What becomes of data that can't follow the primary",
            "A former primary that holds WAL which the new one does not have can't follow it. rewind: that WAL is kept beside \
             pgdata (pgdata.kept) and counted, then pg_rewind replaces what differs; where that is impossible the data are \
             copied. copy: pg_basebackup into a new directory, always. stop: the instance is not started, and you decide \
             (quorate rejoin NODE). The unit quorate-rejoin@RESOURCE does it, on the node itself. Data of another database \
             cluster (system identifier) are never replaced.",
        )
    },
    Param {
        kind: Kind::Integer,
        change: Change::Reloadable,
        ..optional(
            "rejoin_max_loss",
            "0",
            "Most that is replaced without you, in bytes of WAL",
            "With more WAL than this past the point where the primary's line left it, on_diverged waits for your quorate \
             rejoin NODE --accept-loss. 0: no limit, since it is kept.",
        )
    },
    Param {
        kind: Kind::Integer,
        change: Change::Reloadable,
        ..optional(
            "rejoin_max_rate",
            "0",
            "Most that a copy takes, in kB a second",
            "Where a rejoin copies the data, pg_basebackup's --max-rate, 32 to 1048576: the primary and its network serve \
             clients beside it. 0: no limit. It does not slow down the WAL that is written meanwhile.",
        )
    },
    Param {
        kind: Kind::Select(&["no", "yes"]),
        change: Change::Reloadable,
        ..optional(
            "replication_slots",
            "no",
            "Whether each instance keeps replication slots for the others",
            "With yes each instance has a physical slot quorate_NODE for every other node of the cluster: a standby that was away \
             finds its WAL on whoever is the primary by then, up to max_slot_wal_keep_size, without which none is made. The \
             standbys' slots are advanced as far as their members have come. dbuser needs REPLICATION for it.",
        )
    },
    optional(
        "log_file",
        "",
        "Where PostgreSQL's standard error goes",
        "Messages from before the logging collector runs, or all messages without one. Default: \
         /var/log/postgresql/quorate-<resource>.log.",
    ),
];

/// The table's row for a name.
pub fn param(name: &str) -> Option<&'static Param> {
    PARAMS.iter().find(|p| p.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_plain() {
        let names: BTreeSet<_> = PARAMS.iter().map(|p| p.name).collect();
        assert_eq!(names.len(), PARAMS.len());
        assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn a_select_has_its_default_among_the_choices() {
        for p in PARAMS {
            if let Kind::Select(choices) = p.kind {
                assert!(choices.contains(&p.default), "{}", p.name);
            }
        }
    }
}
