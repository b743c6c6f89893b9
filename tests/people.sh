#!/bin/bash
# The people part of `make test`: what people do by ordinary means, on a real cluster, and no acknowledged commit is lost by it
# (docs/durability.md). Each was seen to lose commits before the record of promotions.
# shellcheck disable=SC2317 # called by until_true
set -u
lab=${LAB:-target/debug/quorate-lab}
name=${NAME:-makepeople}
failed=0
[ -n "${LAB:-}" ] || make --no-print-directory build deb || exit 1

# shellcheck source-path=SCRIPTDIR source=cluster.bash
. "$(dirname "$0")/cluster.bash" people

up() {
    "$lab" up classic --name "$name" >/dev/null || { say 1 "a cluster comes up"; exit 1; }
    version=$(on srv1 ls /usr/lib/postgresql | tail -n 1)
    first=$(primary srv1)
    case $first in srv1 | srv2) ;; *) say 1 "there is a primary"; exit 1 ;; esac
    second=$(other "$first")
    sql "$first" 'create table k (i int)' >/dev/null
    until_true 40 is_candidate "$first" "$second"
    say $? "$second is a candidate"
}

trap '"$lab" down --name "$name" >/dev/null 2>&1' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
up

# A recovery target in the primary's files, and a switchover: the demoted one stays a standby.
sql "$first" "alter system set recovery_target_action = 'promote'" >/dev/null
sql "$first" "alter system set recovery_target = 'immediate'" >/dev/null
sql "$first" 'insert into k values (1)' >/dev/null
"$lab" fault --name "$name" switchover primary >/dev/null 2>&1
until_true 30 is_primary "$second" "$second"
say $? "$second becomes the primary"
# shellcheck disable=SC2317 # called by until_true
in_recovery() { [ "$(sql "$first" 'select pg_is_in_recovery()' 2>/dev/null)" = t ]; }
# Time to promote itself, which a target of recovery would have it do.
until_true 30 in_recovery && sleep 8 && until_true 5 in_recovery
say $? "a recovery target left in postgresql.auto.conf does not promote the demoted primary $first"
sql "$first" 'select 1' >/dev/null
timeout 150 "$lab" heal --name "$name" >/dev/null
on "$first" sh -c "sed -i '/^recovery_target/d' /var/lib/postgresql/*/main/postgresql.auto.conf"
until_true 40 is_candidate "$second" "$first"
say $? "$first is a candidate again"

# The primary's node on standby; the other one acknowledges a commit and loses its power; the first one comes back.
first=$second second=$(other "$second")
on "$first" pcs node standby "$first" --wait=60 >/dev/null 2>&1
until_true 30 is_primary "$second" "$second"
say $? "$first is on standby, $second the primary"
sql "$second" 'insert into k values (2)' >/dev/null
"$lab" fault --name "$name" power-off "$second" >/dev/null 2>&1
sleep 14
on "$first" pcs node unstandby "$first" >/dev/null 2>&1
# shellcheck disable=SC2317 # called by until_true
refused() { local value; value=$(score "$first" "$first"); [ -n "$value" ] && [ "$value" -lt 0 ]; }
until_true 60 refused && sleep 10 && [ -z "$(primary "$first")" ] && refused
say $? "$first, which knows that $second was promoted since, is not promoted"
timeout 150 "$lab" heal --name "$name" >/dev/null
until_true 60 is_primary "$second" "$second" && has "$second" '1 2'
say $? "with $second back its commit is there"
until_true 40 is_candidate "$second" "$first"
say $? "$first is a candidate again"

# A former primary is started by hand, and then its cluster services.
first=$second second=$(other "$second")
on "$first" pcs cluster stop >/dev/null 2>&1
until_true 40 is_primary "$second" "$second"
say $? "$first has left, $second is the primary"
sql "$second" 'insert into k values (3)' >/dev/null
on "$first" sh -c "rm -f /var/lib/postgresql/*/main/standby.signal"
on "$first" systemctl start "postgresql@$version-main" >/dev/null 2>&1
until_true 20 sql "$first" 'insert into k values (666)' >/dev/null 2>&1
say $? "$first was started by hand, as a primary"
on "$first" pcs cluster start >/dev/null 2>&1
# shellcheck disable=SC2317 # called by until_true
kept() { on "$first" quorate kept list | grep -q ' pgsqld '; }
until_true 90 kept && until_true 60 is_candidate "$second" "$first" && has "$first" '1 2 3'
say $? "$first is stopped; what was written there is kept, and it is a standby of $second's again"
[ "$(primary "$second")" = "$second" ] && has "$second" '1 2 3'
say $? "$second stays the primary and has every acknowledged commit"
"$lab" down --name "$name" >/dev/null

up

# Commits wait for the standby, and it is on record who has them.
voters() { on "$1" attrd_updater --name quorate-voters-pgsqld --query --all | sed -n "s/.*host=\"$1\" value=\"[0-9]*:[0-9]*:\(.*\)\"/\1/p"; }
on_record() { [ "$(voters "$first")" = "$1" ]; }
waits_for() { [ "$(sql "$first" 'show synchronous_standby_names')" = "$1" ]; }
commits() { timeout 10 "$lab" shell --name "$name" "$first" runuser -u postgres -- psql -X -q -d postgres -c "insert into k values ($1)"; }
on "$first" pcs resource update pgsqld sync=prefer >/dev/null
until_true 60 on_record "2:srv1,srv2" && waits_for "ANY 1 (\"$second\")" && commits 11
say $? "with sync=prefer commits wait for $second, and it is on record that both have them: $(voters "$first")"
on "$first" pcs node standby "$second" --wait=60 >/dev/null 2>&1
until_true 30 on_record "1:$first" && waits_for "" && commits 12
say $? "with $second on standby commits go on, and it is on record that $first alone has them: $(voters "$first")"
on "$first" pcs node unstandby "$second" >/dev/null 2>&1
until_true 60 on_record "2:srv1,srv2" && waits_for "ANY 1 (\"$second\")" && commits 13 && until_true 40 is_candidate "$first" "$second"
say $? "with $second back both have them again: $(voters "$first")"
on "$first" pcs resource update pgsqld sync=off >/dev/null
until_true 60 on_record "0:" && waits_for ""
say $? "sync=off takes it back"

# Everything is stopped, and one of the two comes back: it may lack commits, says so, and serves reads.
on "$first" pcs cluster stop --all >/dev/null 2>&1
on "$second" pcs cluster start >/dev/null 2>&1
# shellcheck disable=SC2317 # called by until_true
safe() { on "$second" crm_mon -1A | grep -q 'quorate-safe-mode-pgsqld.*start the missing instances, 1 of 2 run'; }
until_true 90 safe
say $? "$second, started alone, is in safe mode, and crm_mon -A says why"
# shellcheck disable=SC2317 # called by until_true
reads() { on "$second" crm_mon -1 | grep -q "standby-ip.*Started $second" && has "$second" '11 12 13'; }
until_true 40 reads && [ -z "$(primary "$second")" ]
say $? "it serves reads at the standby's address, and nobody is promoted"
status=$(on "$second" quorate status)
[ $? = 2 ] && [[ $status == *"SAFE MODE on $second"* ]]
say $? "quorate status says it, with exit code 2"
on "$first" pcs cluster start >/dev/null 2>&1
# shellcheck disable=SC2317 # called by until_true
over() { ! safe; }
until_true 90 is_primary "$second" "$first" && until_true 40 is_candidate "$first" "$second" && until_true 30 over && has "$first" '11 12 13'
say $? "with $first back it is the primary again, and safe mode is over"

# Pacemaker keeps the scores, and a daemon of it that dies takes this one's along.
on "$second" pkill -KILL -x pacemaker-attrd
lost() { [ -z "$(score "$first" "$second")" ]; }
until_true 10 lost && until_true 60 is_candidate "$first" "$second"
say $? "the score of $second, gone with its pacemaker-attrd, is sent again"

# A standby is promoted by hand.
sql "$second" 'select pg_promote()' >/dev/null
# shellcheck disable=SC2317 # called by until_true
kept() { on "$second" quorate kept list | grep -q ' pgsqld '; }
until_true 90 kept && on "$second" journalctl -t quorate-postgres | grep -q 'begun by no promotion of the cluster'
say $? "$second, promoted by hand, is stopped, the journal says why, and what it had is kept"
sql "$first" 'insert into k values (4)' >/dev/null
[ "$(primary "$first")" = "$first" ] && has "$first" '4 11 12 13'
say $? "$first stays the primary"
until_true 90 is_candidate "$first" "$second" && has "$second" '4 11 12 13'
say $? "$second is its standby again, by itself"
exit $failed
