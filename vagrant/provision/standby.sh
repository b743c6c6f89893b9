#!/bin/bash
# Replaces this node's data with a copy of the primary's, and leaves PostgreSQL stopped. After postgres.sh here and
# primary.sh there.
#
#   PRIMARY  the address of the node that primary.sh ran on
set -euo pipefail
: "${PRIMARY:?}"

version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
data=/var/lib/postgresql/$version/main
cd /
find "$data" -mindepth 1 -delete
runuser -u postgres -- "/usr/lib/postgresql/$version/bin/pg_basebackup" --pgdata "$data" --wal-method stream \
    --checkpoint fast --dbname "host=$PRIMARY user=replicator"
touch "$data/standby.signal"
chown postgres: "$data/standby.signal"
# The first start of a copy replays what the copying missed, and syncs every file to the disk: that is done now, not when
# the cluster waits for it.
pg_ctlcluster "$version" main start
pg_ctlcluster "$version" main stop --mode fast
