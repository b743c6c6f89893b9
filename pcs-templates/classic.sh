#!/bin/bash
# Layout "classic": two database nodes and a witness, one PostgreSQL with a primary and a standby, a float IP to each.
# When a node is lost, the other one has the primary and both float IPs.
#
# Set the variables, then run it as root on one node of a cluster that runs (pcs cluster setup, quorum device and sbd
# done, see vagrant/provision/cluster.sh). For pcs 0.11 and 0.12; the latter warns of forms that 0.11 needs.
#
#   ./classic.sh          changes the cluster, all at once
#   ./classic.sh FILE     only writes the configuration to FILE, to look at or to start a new cluster from
set -euo pipefail

PRIMARY_IP=${PRIMARY_IP:-10.77.0.100}          # float IP of the primary
STANDBY_IP=${STANDBY_IP:-10.77.0.101}          # float IP of the standby
NETMASK=${NETMASK:-24}                         # length of their network's prefix
PG_VERSION=${PG_VERSION:-15}
BINDIR=${BINDIR:-/usr/lib/postgresql/$PG_VERSION/bin}
PGDATA=${PGDATA:-/var/lib/postgresql/$PG_VERSION/main}
CONFIG_DIR=${CONFIG_DIR:-/etc/postgresql/$PG_VERSION/main}
AGENT=${AGENT:-quorate}                        # quorate (ours) or paf (ocf:heartbeat:pgsqlms, for comparison)
STONITH_WATCHDOG_TIMEOUT=${STONITH_WATCHDOG_TIMEOUT:-10} # s; at least sync_timeout + SBD_WATCHDOG_TIMEOUT + margin
NO_QUORUM_POLICY=${NO_QUORUM_POLICY:-stop}     # what a partition without quorum does with its resources
MONITOR_PROMOTED=${MONITOR_PROMOTED:-15s}      # these two have to differ
MONITOR_UNPROMOTED=${MONITOR_UNPROMOTED:-16s}
MONITOR_TIMEOUT=${MONITOR_TIMEOUT:-10s}
DC_DEADTIME=${DC_DEADTIME:-2s}                 # how long the first node waits for others before it decides alone

cib=${1:-$(mktemp)}
if [ $# -eq 0 ]; then
    trap 'rm -f "$cib" "$cib.before"' EXIT
    pcs cluster cib "$cib"
    cp "$cib" "$cib.before"
elif [ ! -s "$cib" ]; then
    cibadmin --empty >"$cib"
fi

# --- the cluster ---------------------------------------------------------------------------------------------
# Fencing by the watchdog: the side with quorum waits until the other one must have reset itself.
pcs -f "$cib" property set --force \
    stonith-enabled=true \
    stonith-watchdog-timeout="$STONITH_WATCHDOG_TIMEOUT" \
    no-quorum-policy="$NO_QUORUM_POLICY" \
    concurrent-fencing=true \
    dc-deadtime="$DC_DEADTIME"
# Nothing moves back by itself: each move of the primary is an outage.
pcs -f "$cib" resource defaults update resource-stickiness=10 migration-threshold=5

# --- PostgreSQL ----------------------------------------------------------------------------------------------
operations=(
    op start timeout=60s
    op stop timeout=60s
    op promote timeout=30s
    op demote timeout=120s
    op monitor interval="$MONITOR_PROMOTED" timeout="$MONITOR_TIMEOUT" role=Promoted
    op monitor interval="$MONITOR_UNPROMOTED" timeout="$MONITOR_TIMEOUT" role=Unpromoted
    op notify timeout=60s
)
case "$AGENT" in
quorate)
    pcs -f "$cib" resource create pgsqld ocf:quorate:postgres \
        bindir="$BINDIR" pgdata="$PGDATA" config_file="$CONFIG_DIR/postgresql.conf" \
        "${operations[@]}" \
        promotable notify=true
    ;;
paf)
    pcs -f "$cib" resource create pgsqld ocf:heartbeat:pgsqlms \
        bindir="$BINDIR" pgdata="$CONFIG_DIR" datadir="$PGDATA" \
        "${operations[@]}" \
        promotable notify=true
    ;;
*)
    echo "AGENT is \"$AGENT\": use quorate or paf" >&2
    exit 2
    ;;
esac

# --- the primary's float IP: there where the primary is, and only after its promotion ------------------------
pcs -f "$cib" resource create primary-ip ocf:heartbeat:IPaddr2 ip="$PRIMARY_IP" cidr_netmask="$NETMASK" \
    op monitor interval=10s timeout=20s
pcs -f "$cib" constraint colocation add primary-ip with Promoted pgsqld-clone score=INFINITY
pcs -f "$cib" constraint order promote pgsqld-clone then start primary-ip symmetrical=false kind=Mandatory
pcs -f "$cib" constraint order demote pgsqld-clone then stop primary-ip symmetrical=false kind=Optional

# --- the standby's float IP: with a standby where there is one, else with the primary ------------------------
pcs -f "$cib" resource create standby-ip ocf:heartbeat:IPaddr2 ip="$STANDBY_IP" cidr_netmask="$NETMASK" \
    op monitor interval=10s timeout=20s
pcs -f "$cib" constraint colocation add standby-ip with pgsqld-clone score=INFINITY
pcs -f "$cib" constraint colocation add standby-ip with Promoted pgsqld-clone score=-100
pcs -f "$cib" constraint order start pgsqld-clone then start standby-ip symmetrical=false kind=Mandatory
# Not to a standby that its agent holds unfit: it may show old data.
pcs -f "$cib" constraint location standby-ip rule score=-INFINITY master-pgsqld lt 0

if [ $# -eq 0 ]; then
    pcs cluster cib-push "$cib" diff-against="$cib.before"
fi
