#!/bin/bash
# The rejoin part of `make test`, on a real cluster: whatever made a former primary diverge, it is a streaming standby again by
# itself, and what only it had is kept and counted (docs/rejoin.md). Before: refused, rebuilt by hand.
# shellcheck disable=SC2317 # called by until_true
set -u
lab=${LAB:-target/debug/quorate-lab}
name=${NAME:-makerejoin}
failed=0
[ -n "${LAB:-}" ] || make --no-print-directory build deb || exit 1

# shellcheck source-path=SCRIPTDIR source=cluster.bash
. "$(dirname "$0")/cluster.bash" rejoin
streams() { [ "$(sql "$1" "select count(*) from pg_stat_replication where application_name = '$2'" 2>/dev/null)" = 1 ]; }
phase() { on "$1" sed -n 's/^  "phase": "\(.*\)",$/\1/p' /var/lib/quorate/rejoin/pgsqld.json 2>/dev/null; }
is_phase() { [ "$(phase "$1")" = "$2" ]; }
kept() { on "$1" quorate kept list | awk 'NR > 1'; }

trap '"$lab" down --name "$name" >/dev/null 2>&1' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$lab" up classic --name "$name" >/dev/null || { say 1 "a cluster comes up"; exit 1; }
version=$(on srv1 ls /usr/lib/postgresql | tail -n 1)
first=$(primary srv1)
case $first in srv1 | srv2) ;; *) say 1 "there is a primary"; exit 1 ;; esac
second=$(other "$first")
sql "$first" 'create table k (i int)' >/dev/null
until_true 60 is_candidate "$first" "$second"
say $? "$second is a candidate"
rows=''

# The former primary writes a row that the new one does not have, at rest: `first` is the one that diverged, `second` the primary.
diverge() { # row
    on "$first" pcs cluster stop >/dev/null 2>&1
    until_true 60 is_primary "$second" "$second" || { say 1 "$second is promoted"; return; }
    on "$first" sh -c "rm -f /var/lib/postgresql/*/main/standby.signal"
    on "$first" systemctl start "postgresql@$version-main" >/dev/null 2>&1
    until_true 30 sql "$first" "insert into k values ($1)" >/dev/null 2>&1
    on "$first" systemctl stop "postgresql@$version-main" >/dev/null 2>&1
    sql "$second" "insert into k values ($(($1 + 1)))" >/dev/null
    rows="$rows${rows:+ }$(($1 + 1))"
}
back() { until_true "$1" is_candidate "$second" "$first" && streams "$second" "$first" && has "$first" "$rows" && has "$second" "$rows"; }
turn() { local was=$first; first=$second second=$was; }

# A cable is pulled.
"$lab" fault --name "$name" unlink primary >/dev/null 2>&1
sql "$first" 'insert into k values (10)' >/dev/null 2>&1
until_true 60 is_primary "$second" "$second"
say $? "the cable of $first is pulled: $second is the primary"
sql "$second" 'insert into k values (11)' >/dev/null; rows=11
began=$SECONDS
timeout 150 "$lab" heal --name "$name" >/dev/null
back 120
say $? "$first is a streaming standby by itself, $((SECONDS - began)) s after the cable was in again"
kept "$first" | grep -q ' pgsqld ' && on "$first" quorate kept show "$(kept "$first" | awk '{ print $1; exit }')" | grep -Eq ' commits? that '
say $? "its row was kept: $(kept "$first" | tr -s ' ')"
until_true 20 is_phase "$first" ended && ! on "$second" crm_mon -1A | grep -q quorate-rejoin-pgsqld
say $? "the rejoin has ended, and crm_mon shows nothing of it any more"

# Stopped in the middle of a copy: by its power, by the cluster's stop.
slow() { on "$first" sh -c "cd /usr/lib/postgresql/$version/bin && mv pg_$1 pg_$1.real && printf '#!/bin/sh\ncase \" \$* \" in *\" --dry-run \"*) ;; *) sleep $2 ;; esac\nexec /usr/lib/postgresql/$version/bin/pg_$1.real \"\$@\"\n' >pg_$1 && chmod 755 pg_$1"; }
quick() { on "$first" sh -c "cd /usr/lib/postgresql/$version/bin && mv pg_$1.real pg_$1"; }
turn; diverge 20
slow rewind 600
on "$first" pcs cluster start >/dev/null 2>&1
until_true 60 is_phase "$first" rewinding
say $? "$first is being rewound"
until_true 60 reason "$second" "rejoin: rewinding from $second"
say $? "a start that has waited long enough says so: $(on "$second" crm_mon -1 | sed -n 's/.*(\(rejoin: [^)]*\)).*/\1/p' | head -n 1)"
status=$(on "$second" quorate status); [[ $status == *"$first is no standby yet, rejoin: rewinding from $second"* ]]
say $? "quorate status says so too"
"$lab" fault --name "$name" power-off "$first" >/dev/null 2>&1
# The other one has it fenced first: who joins before is fenced then.
sleep 25
timeout 150 "$lab" heal --name "$name" >/dev/null
back 150
say $? "its power is cut in the middle of pg_rewind: it is copied, and streams"
on "$first" grep -q '"way": "copy"' /var/lib/quorate/rejoin/pgsqld.json
say $? "half rewound data were not rewound again"
quick rewind

turn; diverge 30
slow basebackup 12
on "$first" pcs resource update pgsqld on_diverged=copy >/dev/null 2>&1 || on "$second" pcs resource update pgsqld on_diverged=copy >/dev/null
on "$first" pcs cluster start >/dev/null 2>&1
until_true 60 is_phase "$first" copying
say $? "$first is being copied, with on_diverged=copy"
timeout 60 "$lab" shell --name "$name" "$first" pcs cluster stop >/dev/null 2>&1
say $? "the cluster is stopped on it meanwhile"
until_true 60 is_phase "$first" starting
say $? "the copy goes on without the cluster"
on "$first" pcs cluster start >/dev/null 2>&1
back 90
say $? "started again, it streams"
quick basebackup

# An operator decides.
turn; diverge 40
on "$second" pcs resource update pgsqld on_diverged=stop >/dev/null
on "$first" pcs cluster start >/dev/null 2>&1
until_true 60 reason "$second" "pgsqld start on $first returned" && reason "$second" 'data diverged'
say $? "with on_diverged=stop it is refused"
on "$second" pcs resource update pgsqld on_diverged=rewind rejoin_max_loss=1 >/dev/null
on "$second" pcs resource cleanup pgsqld >/dev/null 2>&1
until_true 60 reason "$second" "rejoin: manual: quorate rejoin $first"
say $? "with more WAL than rejoin_max_loss it says what to type"
timeout 120 "$lab" shell --name "$name" "$second" quorate rejoin "$first" --accept-loss --yes >/tmp/rejoin.$$ 2>&1
code=$?; [ $code = 0 ] || cat /tmp/rejoin.$$
rm -f /tmp/rejoin.$$
[ $code = 0 ] && back 60
say $? "quorate rejoin $first --accept-loss, typed on $second, brings it back"
on "$second" pcs resource update pgsqld rejoin_max_loss= >/dev/null
timeout 120 "$lab" shell --name "$name" "$second" quorate rejoin "$first" --full --yes >/dev/null 2>&1 && back 60
say $? "quorate rejoin $first --full copies a standby that runs"
! timeout 60 "$lab" shell --name "$name" "$first" quorate rejoin "$second" --yes >/dev/null 2>&1 && is_primary "$first" "$second"
say $? "quorate rejoin of the primary is refused"

# Away for longer than the WAL is kept.
on "$second" pcs node standby "$first" --wait=60 >/dev/null 2>&1
sql "$second" "alter system set wal_keep_size = 0" >/dev/null; sql "$second" "alter system set max_wal_size = '32MB'" >/dev/null; sql "$second" 'select pg_reload_conf()' >/dev/null
for _ in 1 2 3 4 5 6; do sql "$second" "select pg_logical_emit_message(true, 'x', repeat('x', 1000000)); select pg_switch_wal(); checkpoint" >/dev/null; done
on "$second" pcs node unstandby "$first" >/dev/null 2>&1
began=$SECONDS
back 180
say $? "a standby whose WAL is gone is copied by itself, and streams $((SECONDS - began)) s after its return"
on "$first" grep -q '"cause": "starved"' /var/lib/quorate/rejoin/pgsqld.json
say $? "that was the cause"

# The same with slots: the primary has kept it.
asked() { on "$first" sed -n 's/^  "asked": \(.*\),$/\1/p' /var/lib/quorate/rejoin/pgsqld.json; }
by_slot() { [ "$(sql "$second" "select active from pg_replication_slots where slot_name = 'quorate_$first'" 2>/dev/null)" = t ]; }
before=$(asked)
sql "$second" 'alter role quorate replication' >/dev/null
on "$second" pcs resource update pgsqld replication_slots=yes >/dev/null
until_true 120 by_slot
say $? "$first streams by the slot that the primary has made for it"
on "$second" pcs node standby "$first" --wait=60 >/dev/null 2>&1
for _ in 1 2 3 4 5 6; do sql "$second" "select pg_logical_emit_message(true, 'x', repeat('x', 1000000)); select pg_switch_wal(); checkpoint" >/dev/null; done
on "$second" pcs node unstandby "$first" >/dev/null 2>&1
back 60 && by_slot && [ "$(asked)" = "$before" ]
say $? "away for as long, it streams again without a copy"
on "$first" sh -c "ls /var/lib/postgresql/$version/main/pg_replslot" | grep -qx "quorate_$second"
say $? "it keeps one for $second itself: the next primary has the WAL, too"

# Both nodes lose their power, and the primary does not come back: nobody may be promoted, until an operator decides.
sql "$second" 'insert into k values (90)' >/dev/null; rows="$rows 90"
back 30
for node in "$first" "$second"; do "$lab" fault --name "$name" reset "$node" >/dev/null 2>&1; done
until_true 60 on "$first" pcs cluster start >/dev/null 2>&1
recovers() { on "$first" quorate recover >/tmp/recover.$$ 2>&1; [ $? = 2 ] && grep -q 'start the missing instances, 1 of 2 run' /tmp/recover.$$; }
until_true 90 recovers
say $? "after an outage of both nobody is promoted without the primary, and quorate recover says why, with 2"
grep -q "^without a loss: start $second;" /tmp/recover.$$ && grep -q "^  cure  quorate recover --promote $first$" /tmp/recover.$$ &&
    grep -Eq "^$first +online +Unpromoted .* last promotion " /tmp/recover.$$
say $? "it says whose start ends it, who has which data, and what to type"
rm -f /tmp/recover.$$
! on "$first" quorate recover --promote "$second" --yes >/dev/null 2>&1
say $? "who does not run is not promoted"
timeout 200 "$lab" shell --name "$name" "$first" quorate recover --promote "$first" --yes >/dev/null 2>&1 && is_primary "$first" "$first" && has "$first" "$rows"
say $? "quorate recover --promote $first promotes it"
on "$second" pcs cluster start >/dev/null 2>&1
turn
back 120
say $? "the other one is its standby, and no row is lost"

exit $failed
