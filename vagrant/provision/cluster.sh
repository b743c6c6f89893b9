#!/bin/bash
# Makes the cluster: membership, quorum device, watchdog. Runs once, on one database node, after hosts.sh everywhere and
# witness.sh. The cluster isn't started.
#
#   CLUSTER                  the cluster's name
#   NODES                    "name=address …" of the database nodes
#   WITNESS                  "name=address" of the witness
#   HACLUSTER_PASSWORD       as in hosts.sh
#   TOKEN CONSENSUS          corosync's timeouts in ms (CONSENSUS empty: corosync's own, 1.2 times the token)
#   QDEVICE_TIMEOUT QDEVICE_SYNC_TIMEOUT   the quorum device's, in ms
#   WATCHDOG_TIMEOUT         sbd's, in s. It must exceed QDEVICE_SYNC_TIMEOUT, or sbd distrusts the quorum and never
#                            becomes ready
set -euo pipefail
: "${CLUSTER:?}" "${NODES:?}" "${WITNESS:?}" "${HACLUSTER_PASSWORD:?}" "${TOKEN:?}" "${QDEVICE_TIMEOUT:?}"
: "${QDEVICE_SYNC_TIMEOUT:?}" "${WATCHDOG_TIMEOUT:?}"

members=()
hosts=()
for node in $NODES; do
    members+=("${node%%=*}" "addr=${node#*=}")
    hosts+=("${node%%=*}")
done
totem=(token="$TOKEN")
if [ -n "${CONSENSUS:-}" ]; then
    totem+=(consensus="$CONSENSUS")
fi

pcs host auth "${members[@]}" "${WITNESS%%=*}" addr="${WITNESS#*=}" -u hacluster -p "$HACLUSTER_PASSWORD"
pcs cluster setup "$CLUSTER" "${members[@]}" totem "${totem[@]}"
# The quorum device before sbd: pcs would otherwise turn auto_tie_breaker on for sbd's sake.
pcs quorum device add timeout="$QDEVICE_TIMEOUT" sync_timeout="$QDEVICE_SYNC_TIMEOUT" \
    model net host="${WITNESS%%=*}" algorithm=ffsplit
# Without disks: the watchdog alone. sync() may hang on dead storage, so no flush before the reset.
pcs stonith sbd enable SBD_WATCHDOG_TIMEOUT="$WATCHDOG_TIMEOUT" SBD_TIMEOUT_ACTION=noflush,reboot \
    --no-watchdog-validation
