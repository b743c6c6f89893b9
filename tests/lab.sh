#!/bin/bash
# The lab part of `make test`: a whole cluster, which pcs stops and starts from one node as on real ones, and each of the faults
# that are short, once, on its primary.
# The long tables (five runs of every fault) are `quorate-lab test --runs 5`'s, by hand.
set -euo pipefail
lab=target/debug/quorate-lab
name=${NAME:-maketest}
faults=postgres-kill,postgres-stop,power-off,switchover
report=${REPORT:-report/test}
make --no-print-directory build deb
rm -f "$report/results.json"
trap '"$lab" down --name "$name" >/dev/null 2>&1 || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$lab" up classic --name "$name"

on() { # node, command line
    "$lab" shell --name "$name" "$1" timeout 150 bash -c "$2" </dev/null
}
sql() { # node, statement
    on "$1" "cd /; runuser -u postgres -- /usr/lib/postgresql/*/bin/psql -XAtq -d postgres -c '$2'"
}
bad() {
    echo "not ok lab: $*"
    exit 1
}
sql srv1 'create table kept (i int)'
sql srv1 'insert into kept values (1)'
on srv2 'pcs status' | grep -q 'pcsd: active/enabled' || bad "pcs status on srv2 does not show pcsd active and enabled"
on srv2 'pcs cluster stop --all' || bad "pcs cluster stop --all on srv2: exit code $?"
for node in srv1 srv2; do
    ! on $node 'systemctl is-active --quiet pacemaker || systemctl is-active --quiet corosync' || bad "$node runs after pcs cluster stop --all"
    ! on $node 'pgrep -x postgres' || bad "PostgreSQL runs on $node after pcs cluster stop --all"
done
if on srv2 'pcs status' >/dev/null 2>&1; then bad "pcs status says nothing of a cluster that is stopped"; fi
on srv2 'pcs cluster start --all --wait=120 --request-timeout=120' || bad "pcs cluster start --all on srv2: exit code $?"
for _ in $(seq 60); do
    primary=$(on srv2 'pcs status' | sed -nE 's/.*Promoted: \[ ([^ ]+) \].*/\1/p') || true
    [ -z "$primary" ] || break
    sleep 1
done
[ -n "$primary" ] || bad "no primary within 60 s of pcs cluster start --all"
[ "$(sql "$primary" 'select i from kept')" = 1 ] || bad "pcs cluster stop --all and start --all lost an acknowledged write"
sql "$primary" 'insert into kept values (2)'
echo "ok lab: pcs cluster stop --all, start --all and status from one node; the acknowledged write is there, $primary takes another"

code=0
"$lab" test classic --name "$name" \
    --faults "$faults" --target primary --runs 1 --report "$report" || code=$?
# One line for each run, as the other parts have them.
awk -F '"' '
    /"fault":/ { fault = $4 }
    /"outage_ms":/ { outage = $3; gsub(/[: ,]/, "", outage) }
    /"lost_acked":/ { lost = $3; gsub(/[: ,]/, "", lost) }
    /"two_primaries_ms":/ { two = $3; gsub(/[: ,]/, "", two) }
    # classic is asynchronous: a power cut may take what was not sent yet, and the report tells how much.
    /"failed":/ { bad = ($3 !~ /null/ || (lost != 0 && fault != "power-off") || two != 0)
        print (bad ? "not ok" : "ok") " lab: " fault " (outage " outage " ms, " lost " acknowledged writes lost, two primaries for " two " ms)"; if (bad) failed = 1 }
    END { exit failed }' "$report/results.json" || code=1
exit $code
