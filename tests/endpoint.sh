#!/bin/bash
# By hand, 4 minutes, no part of `make test`: HAProxy routes a client's writes by /primary (docs/endpoint.md) through a switchover, the
# power-off of the primary and a split of the data centres. No acknowledged write is lost, none is taken by a wrong node, and the time in
# which the proxy had a wrong node for the right one is measured: from the records of the servers and of the proxy.
#
#   PROMTOOL=…/promtool HAPROXY=…/haproxy tests/endpoint.sh    programs that are not installed
# shellcheck disable=SC2317 # called by until_true
set -u
lab=${LAB:-target/debug/quorate-lab}
name=${NAME:-makeendpoint}
haproxy=${HAPROXY:-$(PATH=$PATH:/usr/sbin command -v haproxy || true)}
promtool=${PROMTOOL:-$(command -v promtool || true)}
failed=0

# shellcheck source-path=SCRIPTDIR source=cluster.bash
. "$(dirname "$0")/cluster.bash" endpoint

if [ -n "$promtool" ]; then
    "$promtool" check rules dist/prometheus/quorate.rules.yml >/dev/null; say $? "promtool check rules"
    "$promtool" test rules tests/prometheus/quorate.test.yml >/dev/null; say $? "promtool test rules: a failover, two primaries, what hangs"
else
    echo "skip endpoint: promtool (Debian's prometheus) is not installed: rules and metrics are not checked by it"
fi
[ -n "$haproxy" ] || { echo "skip endpoint: haproxy is not installed (apt install haproxy)"; exit $failed; }
[ -n "${LAB:-}" ] || make --no-print-directory build deb || exit 1

work=$(mktemp -d "${QUORATE_TEST_DIR:-/tmp}/endpoint.XXXXXX") || exit 1
chmod 0755 "$work"
started=()
clean_up() {
    [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null
    "$lab" down --name "$name" >/dev/null 2>&1
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$lab" up classic --name "$name" >/dev/null || { say 1 "a cluster comes up"; exit 1; }
first=$(primary srv1)
case $first in srv1 | srv2) ;; *) say 1 "there is a primary"; exit 1 ;; esac
second=$(other "$first")
until_true 60 is_candidate "$first" "$second"
say $? "$second is a candidate"
declare -A address
for node in srv1 srv2; do
    address[$node]=$(on $node getent ahostsv4 $node | awk 'NR == 1 { print $1 }')
done

# --- what it says, where nothing is wrong --------------------------------------------------------------------------------------

# No node needs curl.
get() { on "$1" timeout 4 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8008 && printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3 && cat <&3' bash "$2"; }
asked() { get "$1" "$2" 2>/dev/null | awk 'NR == 1 { print $2 }'; }
says() { [ "$(asked "$1" "$2")" = "$3" ]; }
until_true 10 says "$first" /primary 200
for check in "$first /primary 200" "$second /primary 503" "$first /replica 503" "$second /replica?lag=1MB 200" "$second /replica?lag=10s 200" \
    "$first /health 200" "$second /health 200" "$first /pgsqld/primary 200" "$first /pgsqlx/primary 404" "$first /nothing 404"; do
    # shellcheck disable=SC2086 # three words
    says $check
    say $? "$(sed "s/$first/the primary/; s/$second/the standby/" <<<"$check")"
done
sql "$first" "select pg_create_physical_replication_slot('kept', true)" >/dev/null
has_all_metrics() { get "$first" /metrics >"$work/all"; grep -q '^quorate_slot' "$work/all" && grep -q '^quorate_promotions' "$work/all"; }
until_true 30 has_all_metrics
for node in srv1 srv2; do get $node /metrics | sed '1,/^\r$/d' >"$work/metrics.$node"; done
if [ -n "$promtool" ]; then
    for node in srv1 srv2; do "$promtool" check metrics <"$work/metrics.$node"; say $? "promtool check metrics of $node"; done
fi
missing=$(awk '/<!-- generated: metrics/ { on = 1 } /<!-- end/ { on = 0 } on && /^\| `/ { print $2 }' docs/endpoint.md | tr -d '`' |
    while read -r metric; do grep -hqE "^${metric}[{ ]" "$work"/metrics.* || echo "$metric"; done | paste -sd ' ')
[ -z "$missing" ]; say $? "each metric of the documents is there on one of the two${missing:+, but $missing}"
# The rights that it has: a user of systemd's making, in no group, without a capability.
rights() {
    on "$first" sh -c 'pid=$(systemctl show --property=MainPID --value quorate-http); grep -E "^(Uid|Gid|Groups|CapBnd|NoNewPrivs):" /proc/$pid/status' |
        awk '/^Uid/ { uid = $2 } /^Gid/ { gid = $2 } /^Groups/ { groups = NF - 1 + (NF == 2 && $2 == gid ? -1 : 0) } /^CapBnd/ { cap = $2 } /^NoNew/ { new = $2 }
            END { exit !(uid >= 61184 && uid <= 65519 && groups == 0 && cap == "0000000000000000" && new == 1) }'
}
rights; say $? "its process has a user of its own, no group and no capability"

# An upgrade of the package restarts quorated, and closes no session of a proxy.
always() { # node, path, seconds
    local end=$((SECONDS + $3))
    while [ $SECONDS -lt $end ]; do says "$1" "$2" 200 || return 1; done
}
on "$first" systemctl restart quorated & always "$first" /primary 5
say $? "a restart of quorated changes no answer"
wait

# Connections that say nothing, more than it has room for, do not keep a proxy from its answer.
on "$first" systemd-run --quiet --unit=slow bash -c 'for ((i = 0; i < 200; i++)); do exec {fd}<>/dev/tcp/127.0.0.1/8008 && printf "GET /primary HTTP/1.1\r\nX:" >&$fd; done; sleep 20'
sleep 1
slow=0
for _ in 1 2 3 4 5 6 7 8 9 10; do says "$first" /primary 200 || slow=$((slow + 1)); done
[ $slow = 0 ]; say $? "it answers beside 200 connections that never end their request ($slow of 10 failed)"
on "$first" systemctl stop slow 2>/dev/null

# --- the proxy -----------------------------------------------------------------------------------------------------------------

for node in srv1 srv2; do
    on $node sh -c "mkdir -p /etc/systemd/system/quorate-http.socket.d && printf '[Socket]\nListenStream=${address[$node]}:8008\n' >/etc/systemd/system/quorate-http.socket.d/address.conf &&
        systemctl daemon-reload && systemctl stop quorate-http.service && systemctl restart quorate-http.socket"
done
until_true 10 says "$first" /primary 200
say $? "a drop-in of the socket adds an address"
sql "$first" "create role app login password 'app'" >/dev/null
sql "$first" 'create table k (i int, node text)' >/dev/null
sql "$first" 'grant insert on k to app' >/dev/null

# In the lab's network, beside the witness: where the centres lose each other it sees both.
supervisor=$(pgrep -f "^[^ ]*quorate-lab supervise \{\"name\":\"$name\"" | head -n 1)
[ -n "$supervisor" ] || { say 1 "the lab's network is found"; exit 1; }
psql=$(find /usr/lib/postgresql -path '*/bin/psql' | sort -V | tail -n 1)
sed "s/10\.0\.0\.11/${address[srv1]}/; s/10\.0\.0\.12/${address[srv2]}/" dist/haproxy/haproxy.cfg >"$work/haproxy.cfg"
stamped() { local line; while IFS= read -r line; do echo "$(date +%s%3N) $line"; done; }
: >"$work/haproxy.log"
# No function here: it would be ended in its place.
nsenter -t "$supervisor" -n "$haproxy" -db -f "$work/haproxy.cfg" > >(stamped >>"$work/haproxy.log") 2>&1 &
started+=($!)
routes() { # server
    awk -v s="writes/$1" 'index($0, s " is UP") { up = 1 } index($0, s " is DOWN") { up = 0 } BEGIN { up = 1 } END { exit !up }' "$work/haproxy.log"
}
only() { routes "$1" && ! routes "$(other "$1")"; }
until_true 10 only "$first"
say $? "the proxy routes writes to the primary alone"

# A client: each write by a session of its own, and which server acknowledged it, and when.
writes() {
    local i said
    for ((i = 1; ; i++)); do
        said=$(PGPASSWORD=app PGCONNECT_TIMEOUT=2 timeout 3 nsenter -t "$supervisor" -n "$psql" -X -q -A -t -h 127.0.0.1 -p 5000 -U app -d postgres \
            -c "insert into k values ($i, '') returning host(inet_server_addr())" 2>&1) && echo "$(date +%s%3N) $i $said" >>"$work/acked" ||
            echo "$(date +%s%3N) $i ${said//$'\n'/ }" >>"$work/failed"
        sleep 0.02
    done
}
: >"$work/acked"; : >"$work/failed"
writes 2>/dev/null &
started+=($!)
writer=$!
acked_by() { # node, at least so many since the mark
    [ "$(awk -v since="$mark" -v a="${address[$1]}" '$1 > since && $3 == a' "$work/acked" | wc -l)" -ge "${2:-5}" ]
}

# What happened in between: from the last write that the former primary acknowledged, or the fault, to the proxy's word that it is down, and
# to the first write that the new one acknowledged. None of the former one's after that.
moves() { # what, seconds
    local what=$1 last down wrong back
    until_true "$2" acked_by "$second"
    say $? "$what: the proxy routes writes to $second"
    last=$(awk -v a="${address[$first]}" '$3 == a { t = $1 } END { print t + 0 }' "$work/acked")
    down=$(awk -v s="writes/$first is DOWN" -v since="$mark" '$1 >= since && index($0, s) { print $1; exit }' "$work/haproxy.log")
    back=$(awk -v a="${address[$second]}" -v since="$mark" '$1 >= since && $3 == a { print $1; exit }' "$work/acked")
    wrong=$(awk -v a="${address[$first]}" -v since="${back:-0}" '$1 > since && $3 == a' "$work/acked" | wc -l)
    local both
    both=$(awk -v since="$mark" '$1 >= since && match($0, /writes\/srv[12] is (UP|DOWN)/) { split(substr($0, RSTART, RLENGTH), w, /[\/ ]/)
        if (n == 2) t += $1 - from; up[w[2]] = (w[4] == "UP"); n = up["srv1"] + up["srv2"]; from = $1 } BEGIN { up[old] = 1 } END { print t + 0 }' old="$first" "$work/haproxy.log")
    [ "$wrong" = 0 ] && [ "$both" = 0 ]
    say $? "$what: $wrong writes acknowledged by the wrong node; the proxy had the former primary for the primary $((${down:-0} - (last > mark ? last : mark))) ms after its last write, both for $both ms; no write for $((${back:-0} - last)) ms"
    local was=$first; first=$second second=$was
}
settled() { until_true 90 is_candidate "$first" "$second" && until_true 20 says "$second" '/replica?lag=1MB' 200; }

mark=$(date +%s%3N)
on "$first" quorate switchover --yes >/dev/null 2>&1
say $? "quorate switchover"
moves switchover 30
settled; say $? "the former primary is a standby again, and says so"

mark=$(date +%s%3N)
"$lab" fault --name "$name" power-off "$first" >/dev/null 2>&1
moves "power-off" 60
"$lab" heal --name "$name" >/dev/null 2>&1
settled; say $? "the former primary comes back as a standby, and says so"

# The centre of the primary keeps the witness where it can; it is the primary's side or the other one that goes on.
mark=$(date +%s%3N)
"$lab" fault --name "$name" split primary >/dev/null 2>&1
sleep 12
if routes "$first" && is_primary "$first" "$first"; then
    acked_by "$first" 50
    say $? "split: the primary's side goes on, and writes with it"
    wrong=$(awk -v since="$mark" -v a="${address[$second]}" '$1 > since && $3 == a' "$work/acked" | wc -l)
    up=$(awk -v s="writes/$second is UP" -v since="$mark" '$1 >= since && index($0, s)' "$work/haproxy.log" | wc -l)
    [ "$wrong" = 0 ] && [ "$up" = 0 ]; say $? "split: $wrong writes acknowledged by the wrong node, which the proxy routed to $up times"
    says "$second" '/replica?lag=1GB' 503 || ! on "$second" true 2>/dev/null
    say $? "split: the side without quorum does not know its lag"
else
    moves split 60
fi
# Again while it is not back: a node that resets itself after a heal waits for the next one.
healed() { "$lab" heal --name "$name" >/dev/null 2>&1; until_true 15 is_candidate "$first" "$second"; }
until_true 90 healed && until_true 20 says "$second" '/replica?lag=1MB' 200
together=$?
[ $together = 0 ] || { on "$first" crm_mon --one-shot -f; on "$second" journalctl -t quorate-postgres -t quorated -n 30 --no-pager; } |& sed 's/^/# /'
say $together "the centres are together again"

kill "$writer"; wait "$writer" 2>/dev/null
written=$(sql "$first" 'select i from k order by i')
lost=$(comm -23 <(awk '{ print $2 }' "$work/acked" | sort) <(sort <<<"$written") | wc -l)
[ "$lost" = 0 ] && [ "$(wc -l <"$work/acked")" -gt 100 ]
say $? "$(wc -l <"$work/acked") writes acknowledged through the proxy, $lost acknowledged writes are lost"

# --- what is no primary, and what is not known -----------------------------------------------------------------------------------

# Promoted by hand it takes writes until the agent ends it; it never is the primary to a proxy.
never() { # node, path, seconds
    local end=$((SECONDS + $3))
    while [ $SECONDS -lt $end ]; do says "$1" "$2" 200 && return 1; sleep 0.2; done
}
sql "$second" 'select pg_promote(false)' >/dev/null
never "$second" /primary 6
say $? "a standby that was promoted by hand is no primary"
on "$first" systemctl kill --signal=STOP quorated
until_true 6 says "$first" /primary 503
say $? "with a quorated that hangs nothing is known: 503"
exit $failed
