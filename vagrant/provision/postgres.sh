#!/bin/bash
# Configures PostgreSQL on a database node, the same on each of them, so that any may become the primary.
# Expects Debian's cluster "main", made by the package.
#
#   NETWORK              the nodes' and the clients' network, e.g. 10.77.0.0/24
#   REPLICATION_PASSWORD the password of the role "replicator"
set -euo pipefail
: "${NETWORK:?}" "${REPLICATION_PASSWORD:?}"

version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
etc=/etc/postgresql/$version/main

systemctl disable --now postgresql >/dev/null 2>&1 || true

cat >>"$etc/postgresql.conf" <<CONF

# --- for a cluster under Pacemaker ---
listen_addresses = '*'
wal_level = replica
hot_standby = on
max_wal_senders = 10
# A standby that was away for a while finds the WAL that it missed ...
wal_keep_size = '512MB'
# ... and a former primary can be rewound.
wal_log_hints = on
# The cluster decides what happens after a crash, not the postmaster.
restart_after_crash = off
wal_receiver_timeout = '10s'
wal_sender_timeout = '10s'
log_checkpoints = off
CONF

cat >"$etc/pg_hba.conf" <<CONF
# type    database     user        address      method
local     all          all                      peer
host      replication  replicator  $NETWORK     scram-sha-256
# pg_rewind and pg_basebackup read as this role too.
host      all          all         $NETWORK     scram-sha-256
CONF

pgpass=~postgres/.pgpass
echo "*:*:*:replicator:$REPLICATION_PASSWORD" >"$pgpass"
chown postgres: "$pgpass" "$etc/pg_hba.conf"
chmod 600 "$pgpass"
