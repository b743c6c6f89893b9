#!/bin/bash
# What one monitor costs beside ocf:heartbeat:pgsqlms, on the same node of a lab cluster, in turn.
#
#   quorate-lab up classic && tests/monitor-cost.sh [CLUSTER] [RUNS]
#
# Wall and CPU time of whole processes with their children, by bash's `time` inside the node (getrusage, so what PostgreSQL's backend
# and Pacemaker's daemons spend for an answer is in neither figure); processes by the pids that the node hands out meanwhile, the
# fewest of five calls: the agent's own, its children, and the backend of each connection.
set -eu
cluster=${1:-classic} runs=${2:-25}
lab=$(dirname "$0")/../target/debug/quorate-lab

inside() { # NODE ROLE, the script on standard input
    "$lab" shell --name "$cluster" "$1" -- env ROLE="$2" RUNS="$runs" bash -s
}

measure=$(cat <<'NODE'
set -u
version=$(ls /usr/lib/postgresql | tail -1)
export OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 HA_RSCTMP=/run/resource-agents
export OCF_RESOURCE_PROVIDER=x OCF_RESOURCE_TYPE=x __OCF_ACTION=monitor
export OCF_RESKEY_crm_feature_set=3.16.1 OCF_RESKEY_bindir=/usr/lib/postgresql/$version/bin
export OCF_RESKEY_CRM_meta_timeout=10000 OCF_RESKEY_CRM_meta_interval=15000 OCF_RESKEY_CRM_meta_notify=true
export OCF_RESKEY_CRM_meta_clone_max=2 OCF_RESKEY_CRM_meta_on_node=$(hostname) OCF_RESKEY_CRM_meta_role=$ROLE
export OCF_RESKEY_CRM_meta_master_max=1 OCF_RESKEY_CRM_meta_promoted_max=1 OCF_RESKEY_CRM_meta_name=monitor
ours() {
    OCF_RESOURCE_INSTANCE=pgsqld OCF_RESKEY_pgdata=/var/lib/postgresql/$version/main \
        OCF_RESKEY_config_file=/etc/postgresql/$version/main/postgresql.conf \
        /usr/lib/ocf/resource.d/quorate/postgres monitor >/dev/null 2>&1
}
paf() {
    OCF_RESOURCE_INSTANCE=pgsqld OCF_RESKEY_pgdata=/etc/postgresql/$version/main OCF_RESKEY_pghost=/var/run/postgresql \
        OCF_RESKEY_datadir=/var/lib/postgresql/$version/main \
        /usr/lib/ocf/resource.d/heartbeat/pgsqlms monitor >/dev/null 2>&1
}
case $ROLE in Promoted) want=8 ;; *) want=0 ;; esac
for agent in ours paf; do
    for _ in 1 2; do $agent; done # scores are written, pages are warm
    $agent
    rc=$?
    [ $rc = $want ] || echo "$agent answers $rc here, not $want" >&2
done
for agent in ours paf; do
    fewest=9999
    for _ in 1 2 3 4 5; do
        before=$(</proc/sys/kernel/ns_last_pid)
        $agent
        after=$(</proc/sys/kernel/ns_last_pid)
        [ $((after - before)) -ge $fewest ] || fewest=$((after - before))
    done
    echo "pids $agent $fewest"
done
TIMEFORMAT='%R %U %S'
for ((i = 0; i < RUNS; i++)); do
    for agent in ours paf; do
        { time $agent; } 2>&1 | sed "s/^/$agent /"
    done
done
NODE
)

report() { # lines "agent wall user system"
    awk '
        $1 == "pids" { pids[$2] = $3; next }
        { wall[$1, ++n[$1]] = $2 * 1000; cpu[$1, n[$1]] = ($3 + $4) * 1000 }
        function median(a, who,   i, j, t, v, m) {
            m = n[who]
            for (i = 1; i <= m; i++) v[i] = a[who, i]
            for (i = 2; i <= m; i++) { t = v[i]; for (j = i - 1; j > 0 && v[j] > t; j--) v[j + 1] = v[j]; v[j + 1] = t }
            return v[int((m + 1) / 2)]
        }
        END {
            for (who in n) { w[who] = median(wall, who); c[who] = median(cpu, who) }
            printf "  quorate  %6.1f ms wall  %6.1f ms CPU  %3d processes  (medians of %d)\n", w["ours"], c["ours"], pids["ours"], n["ours"]
            printf "  pgsqlms  %6.1f ms wall  %6.1f ms CPU  %3d processes\n", w["paf"], c["paf"], pids["paf"]
            printf "  ratio    1/%.1f wall      1/%.1f CPU\n", w["paf"] / w["ours"], c["paf"] / c["ours"]
        }'
}

primary=$("$lab" shell --name "$cluster" srv1 -- crm_mon -1 | sed -n 's/.*Promoted: \[ \(srv[0-9]*\) \].*/\1/p')
case $primary in srv1) standby=srv2 ;; srv2) standby=srv1 ;; *) echo "no primary in $cluster" >&2; exit 1 ;; esac
for pair in "$primary Promoted" "$standby Unpromoted"; do
    # shellcheck disable=SC2086 # two words
    set -- $pair
    echo "$2 ($1):"
    echo "$measure" | inside "$1" "$2" | report
done
