#!/bin/bash
# Makes the nodes known to each other by name, and reachable for pcs. Runs on every node, the witness too.
#
#   NODES               "name=address …" of all nodes, the witness too
#   HACLUSTER_PASSWORD  the password by which pcs on one node speaks to pcsd on another
set -euo pipefail
: "${NODES:?}" "${HACLUSTER_PASSWORD:?}"

{
    echo "127.0.0.1 localhost"
    for node in $NODES; do
        echo "${node#*=} ${node%%=*}"
    done
} >/etc/hosts

echo "hacluster:$HACLUSTER_PASSWORD" | chpasswd
systemctl start pcsd
