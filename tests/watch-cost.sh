#!/bin/bash
# What quorated costs on a machine with many idle processes, where daemons that it watches are missing: in namespaces of its own, without
# a cluster, on this machine (root). Prints the CPU time of quorated in per cent of one core.
#
#   tests/watch-cost.sh [QUORATED] [PROCESSES] [SECONDS]
#
# Twice: without /etc/corosync/corosync.conf, and with one that has no quorum device, when all other daemons are missing.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" != --inside ]; then
    quorated=$(realpath "${1:-target/debug/quorated}")
    exec unshare --pid --fork --mount --propagation private --mount-proc "$0" --inside "$quorated" "${2:-1300}" "${3:-30}"
fi
quorated=$2 processes=$3 seconds=$4

mount -t tmpfs none /run
mkdir -p /run/etc/upper /run/etc/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work none /etc
rm -rf /etc/corosync /etc/quorate
mkdir -p /etc/corosync /etc/quorate
# Nothing is done about what it finds.
echo 'mode = "say"' >/etc/quorate/quorated.toml

for ((i = 0; i < processes; i++)); do sleep 3600 & done 2>/dev/null

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

measure() { # words
    "$quorated" >/run/quorated.log 2>&1 &
    local pid=$! before after
    # What is missing from the beginning is looked for often at first.
    sleep 15
    before=$(ticks $pid)
    sleep "$seconds"
    after=$(ticks $pid)
    awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v s="$seconds" -v what="$1" -v n="$processes" \
        'BEGIN { printf "%s, %d processes: %.2f %% of a core\n", what, n, ticks * 100 / hz / s }'
    kill $pid
    wait $pid || true
}

measure "no cluster"
cat >/etc/corosync/corosync.conf <<'CONF'
totem {
  version: 2
  cluster_name: cost
}
nodelist {
  node {
    name: a
    nodeid: 1
    ring0_addr: 127.0.0.1
  }
}
CONF
measure "a cluster that does not run, without a quorum device"
# The kernel ends all others with the first process of the namespace.
