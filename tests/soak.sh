#!/bin/bash
# Two hours under load, with a stall of the array under all nodes every ten minutes and an orderly operation between: quorated kills
# and resets nobody. By hand, in a cluster of its own; not part of `make test`.
#
#   MINUTES=120 EVERY=10 tests/soak.sh
#
# The load: pgbench on the primary's address, and on each node 60 of 90 seconds of a processor hog, a memory hog and synced writes.
set -u
lab=${LAB:-target/debug/quorate-lab}
name=${NAME:-soak}
minutes=${MINUTES:-120} every=${EVERY:-10}
report=${REPORT:-report/soak}
nodes=(srv1 srv2)
failed=0
load=

say() { if [ "$1" = 0 ]; then echo "ok soak: $2"; else echo "not ok soak: $2"; failed=1; fi; }
on() { local node=$1; shift; timeout 90 "$lab" shell --name "$name" "$node" "$@"; }
boots() { for node in "${nodes[@]}"; do on "$node" cat /proc/sys/kernel/random/boot_id /proc/1/stat | awk '{ printf "%s ", NF == 1 ? $1 : $22 }'; done; }
primary() { on srv1 crm_mon --one-shot --output-as=xml --include=none,resources |
    awk '/<resource / { promoted = /role="(Promoted|Master)"/ } promoted && /<node / { sub(/.*name="/, ""); sub(/".*/, ""); print; exit }'; }
# quorated's own words since the beginning that a healthy node must not hear.
harm() { for node in "${nodes[@]}"; do on "$node" journalctl --quiet --output=short-iso -t quorated --since "@$begin" |
    grep -E 'quorated\[[0-9]+\]: (kill: |fence: |reset: |reset \()' | sed "s/^/$node: /"; done; }
settled() { timeout 150 "$lab" heal --name "$name" >/dev/null; }

# shellcheck disable=SC2016 # the node's own
hogs='exec >/dev/null 2>&1; while :; do
    (timeout 60 sh -c "while :; do :; done" & timeout 60 perl -e "\$x = q(x) x (300 << 20); sleep 60" &
     timeout 60 sh -c "while :; do dd if=/dev/zero of=/var/tmp/soak bs=1M count=150 conv=fsync; rm -f /var/tmp/soak; sleep 1; done" & wait); sleep 30; done'

operation() { # number
    local first second
    first=$(primary)
    second=$([ "$first" = srv1 ] && echo srv2 || echo srv1)
    case $(($1 % 6)) in
    0) on "$first" pcs node standby "$second" --wait=60 && on "$first" pcs node unstandby "$second" --wait=60 ;;
    1) on "$second" systemctl restart quorated ;;
    2) on "$first" pcs property set maintenance-mode=true && sleep 5 && on "$second" systemctl restart pacemaker && sleep 15 &&
        on "$first" pcs property set maintenance-mode=false ;;
    3) timeout 90 "$lab" fault --name "$name" switchover primary ;;
    4) on "$second" pcs cluster stop && on "$second" pcs cluster start --wait=60 ;;
    5) on "$second" systemctl restart corosync-qdevice ;;
    esac
}

clean_up() {
    # shellcheck disable=SC2086 # a list of process ids
    [ -z "$load" ] || kill $load 2>/dev/null
    "$lab" down --name "$name" >/dev/null 2>&1
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$report"
"$lab" up classic --name "$name" >/dev/null || { say 1 "a cluster comes up"; exit 1; }
begin=$(date +%s)
before=$(boots)
for node in "${nodes[@]}"; do
    "$lab" shell --name "$name" "$node" sh -c "$hogs" </dev/null >/dev/null 2>&1 &
    load="$load $!"
    # shellcheck disable=SC2016 # the node's own
    "$lab" shell --name "$name" "$node" runuser -u postgres -- sh -c 'cd /; while :; do
        psql -Atqc "select not pg_is_in_recovery()" 2>/dev/null | grep -q t || { sleep 2; continue; }
        psql -Atqc "select 1 from pgbench_branches limit 1" >/dev/null 2>&1 || pgbench -iq -s 5
        pgbench -n -c 8 -R 200 -T 60; done' </dev/null >"$report/pgbench-$node.log" 2>&1 &
    load="$load $!"
done
round=0
while [ $(($(date +%s) - begin)) -lt $((minutes * 60)) ]; do
    next=$((begin + round * every * 60))
    while [ "$(date +%s)" -lt $next ]; do sleep 5; done
    fault=$([ $((round % 2)) = 0 ] && echo state-stall || echo data-stall)
    timeout 400 "$lab" test classic --name "$name" --keep --plain --faults "$fault" --report "$report/$round" >"$report/$round.log" 2>&1
    say $? "round $round, $(date +%T): $fault: $(grep -Eo 'lost_acked": [0-9]+|two_primaries_ms": [0-9]+|interruption_ms": [0-9]+' "$report/$round/results.json" | head -n 3 | paste -sd, | tr -d '"'); load $(cut -d ' ' -f 1 /proc/loadavg)"
    sleep $((every * 20))
    settled
    operation $round >"$report/$round-operation.log" 2>&1
    say $? "round $round: orderly operation $((round % 6))"
    [ "$(boots)" = "$before" ]
    say $? "round $round: no node was reset"
    round=$((round + 1))
done
found=$(harm)
[ -z "$found" ]
say $? "no kill, no reset, no fence in $(($(date +%s) - begin)) s and $round stalls${found:+: $found}"
echo "transactions: $(awk '/transactions actually processed/ { n += $NF } END { print n + 0 }' "$report"/pgbench-*.log)"
exit $failed
