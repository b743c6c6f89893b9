#!/bin/bash
# Stops the PostgreSQL that primary.sh left running, so that the cluster can take over. With PAF as the agent it also
# writes what that agent doesn't write itself. Runs on every database node, after standby.sh everywhere.
#
#   AGENT       quorate or paf
#   NODE        this node's name
#   PRIMARY_IP  the primary's float IP: PAF's standbys replicate through it
set -euo pipefail
: "${AGENT:?}" "${NODE:?}" "${PRIMARY_IP:?}"

version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
data=/var/lib/postgresql/$version/main
if [ -e "$data/postmaster.pid" ]; then
    pg_ctlcluster "$version" main stop --mode fast
fi
if [ "$AGENT" = paf ]; then
    {
        echo "primary_conninfo = 'host=$PRIMARY_IP user=replicator application_name=$NODE'"
        echo "recovery_target_timeline = 'latest'"
    } >>"$data/postgresql.auto.conf"
    {
        # PAF's pg_ctl leaves the server with the agent's own output.
        echo "logging_collector = on"
        echo "log_directory = '/var/log/postgresql'"
    } >>"/etc/postgresql/$version/main/postgresql.conf"
fi
