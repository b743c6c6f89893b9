#!/bin/bash
# The switchover part of `make test`: the operator's commands that act (docs/commands.md), on a real cluster while clients write.
# shellcheck disable=SC2317 # called by until_true
set -u
lab=${LAB:-target/debug/quorate-lab}
name=${NAME:-makeswitchover}
failed=0
[ -n "${LAB:-}" ] || make --no-print-directory build deb || exit 1

# shellcheck source-path=SCRIPTDIR source=cluster.bash
. "$(dirname "$0")/cluster.bash" switchover
clone=pgsqld-clone
left() { on "$1" cibadmin --query --scope constraints | grep -c '<rsc_location id="cli-'; }
# What it printed is wanted where a check fails.
shown() { [ "$1" = 0 ] || printf '# %s\n' "${out//$'\n'/$'\n# '}"; return "$1"; }
turn() { local was=$first; first=$second second=$was; }
# A refusal: exit code 1, with these words, and the primary stays.
refuses() { # what it is called, node, words, arguments…
    local what=$1 node=$2 words=$3 out rc
    shift 3
    out=$(on "$node" quorate switchover --yes "$@" 2>&1); rc=$?
    [ "$rc" = 1 ] && [[ $out == *"$words"* ]] && is_primary "$first" "$first"
    say $? "refused: $what: $(grep -m 1 -F -- "$words" <<<"$out" | tr -s ' ')"
}

trap '"$lab" down --name "$name" >/dev/null 2>&1' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$lab" up classic --name "$name" >/dev/null || { say 1 "a cluster comes up"; exit 1; }
first=$(primary srv1)
case $first in srv1 | srv2) ;; *) say 1 "there is a primary"; exit 1 ;; esac
second=$(other "$first")
sql "$first" 'create table k (node text, i int)' >/dev/null
until_true 60 is_candidate "$first" "$second"
say $? "$second is a candidate"

# Who is told (docs/alerts.md): a program that notes it, one that hangs for ever, and a webhook that never answers.
for node in srv1 srv2; do
    on "$node" sh -c "mkdir -p /etc/quorate && cd /etc/quorate && cat >note <<'N' && cat >hang <<'H' && chmod 0755 note hang
#!/bin/sh
echo \"\$1 \${QUORATE_ROLE:--} \${QUORATE_NODE:--} \$QUORATE_TEXT\" >>/var/lib/pacemaker/told
N
#!/bin/sh
echo \$\$ >>/var/lib/pacemaker/hung; sleep 3600
H
systemd-run --quiet --unit=deaf python3 -c 'import socket, time; s = socket.socket(); s.bind((\"127.0.0.1\", 8099)); s.listen(9); time.sleep(3600)'"
done
for value in command:/etc/quorate/note command:/etc/quorate/hang http://127.0.0.1:8099/T0/secret command:/usr/bin/../bin/true; do
    on "$first" pcs alert recipient add quorate-alert value="$value" --force >/dev/null 2>&1 || say 1 "pcs alert recipient add value=$value"
done
told() { for node in srv1 srv2; do on "$node" cat /var/lib/pacemaker/told 2>/dev/null; done; }
# So many lines, in all, with these words.
is_told() { local all; all=$(told); [ "$(grep -cE -- "$2" <<<"$all")" = "$1" ]; }
number() { told | grep -cE -- "$1"; }
journal() { on "$1" journalctl --quiet --no-pager -t quorate-alert; }

# Clients on both nodes write what their server takes, and note what it acknowledged.
for node in srv1 srv2; do
    on "$node" sh -c "cat >/root/writer <<'W'
#!/bin/bash
: >/root/acked
for ((i = 1; ; i++)); do
    timeout 20 runuser -u postgres -- psql -X -q -d postgres -c \"insert into k values ('$node', \$i)\" >/dev/null 2>&1 && echo \$i >>/root/acked
    sleep 0.05
done
W
systemd-run --quiet --unit=writer bash /root/writer"
done
acked() { on "$1" cat /root/acked | sort -n; }
written() { sql "$first" "select i from k where node = '$1' order by i"; }
# Each row that was acknowledged is there; none acknowledged proves nothing.
keeps() {
    local lost
    [ "$(acked "$1" | wc -l)" -gt 0 ] || { echo "# no write of $1 was acknowledged"; return 1; }
    lost=$(comm -23 <(acked "$1" | sort) <(written "$1" | sort) | wc -l)
    [ "$lost" = 0 ] || echo "# $lost acknowledged writes of $1 are lost"
    [ "$lost" = 0 ]
}
# For the check of long transactions.
on "$first" systemd-run --quiet --unit=long runuser -u postgres -- psql -X -d postgres -c 'begin' -c 'select pg_sleep(600)'

verifies() { on "$1" quorate verify >/dev/null; }
until_true 40 verifies "$second"
say $? "quorate verify passes on $second, which asks no server but its own"
before=$(on "$first" cibadmin --query --scope configuration | cksum)
out=$(on "$second" quorate switchover --dry-run)
[ $? = 0 ] && [[ $out == *"crm_resource --move"*"remove the constraint"* ]] &&
    [ "$(on "$first" cibadmin --query --scope configuration | cksum)" = "$before" ] && is_primary "$first" "$first"
say $? "--dry-run prints the steps and changes nothing"

refuses "to itself" "$second" "$first is the primary already" --to "$first"
refuses "to a node that is not there" "$second" "the cluster has no node srv9" --to srv9
on "$second" runuser -u nobody -- quorate switchover --yes >/dev/null 2>&1
[ $? = 1 ] && is_primary "$first" "$first"
say $? "refused: to others than root"

sql "$second" 'select pg_wal_replay_pause()' >/dev/null
told_paused() { on "$first" quorate switchover --dry-run | grep -q 'replay is paused'; }
until_true 20 told_paused
say $? "the primary's node knows that replay is paused on $second"
refuses "replay is paused" "$second" "replay is paused on $second"
refuses "replay is paused, with --force" "$second" "replay is paused on $second" --force
sql "$second" 'select pg_wal_replay_resume()' >/dev/null

on "$first" crm_resource --ban --promoted --resource $clone --node "$second" >/dev/null 2>&1
refuses "a ban is left" "$second" "cli-ban-$clone-on-$second"
on "$first" crm_resource --clear --resource $clone >/dev/null 2>&1

lost="^redundancy - - pgsqld has no standby that could take over: $first is the primary"
again="^redundancy - - pgsqld has a standby that could take over, again: $second"
losts=$(number "$lost") agains=$(number "$again")
on "$first" pcs node standby "$second" --wait=60 >/dev/null 2>&1
refuses "the target is on standby" "$second" "on standby" --to "$second"
until_true 30 is_told $((losts + 1)) "$lost"
say $? "that the standby is away is told"
on "$first" pcs node unstandby "$second" --wait=60 >/dev/null 2>&1
until_true 40 is_told $((agains + 1)) "$again"
say $? "and that it is back"

on "$first" pcs property set maintenance-mode=true >/dev/null
refuses "maintenance" "$first" "maintenance-mode=true" --force
on "$first" pcs property set maintenance-mode=false >/dev/null
until_true 60 verifies "$second"
say $? "quorate verify passes again"

sql "$first" 'create table big as select generate_series(1, 300000) as i' >/dev/null
on "$first" systemd-run --quiet --unit=backup runuser -u postgres -- pg_basebackup -D /var/lib/postgresql/backup --max-rate=500k
backs_up() { [ "$(sql "$first" "select count(*) from pg_stat_replication where state = 'backup'")" -gt 0 ]; }
until_true 20 backs_up
refuses "a base backup runs" "$first" "the demotion breaks them off"
on "$first" systemctl stop backup.service >/dev/null 2>&1
# A walsender that waits for its rate does not notice that nobody reads.
ended() { sql "$first" "select pg_terminate_backend(pid) from pg_stat_replication where state = 'backup'" >/dev/null; ! backs_up; }
until_true 20 ended
# What was told before that is gone with the next word of its agent.
sleep 11
may() { on "$1" quorate switchover --dry-run >/dev/null; }
until_true 30 may "$second"
say $? "and goes on once it has ended"

says_long() { out=$(on "$second" quorate switchover --dry-run) && [[ $out == *"the oldest has run for"* ]]; }
until_true 90 says_long
say $? "a long transaction is said: $(grep -m 1 'the oldest has run' <<<"$out" | tr -s ' ')"

# From the standby's node, then from the primary's.
out=$(on "$second" quorate switchover --yes); rc=$?
[ $rc = 0 ] && is_primary "$first" "$second" && [ "$(left "$first")" = 0 ]
shown $?
say $? "typed on $second the role moves there: $(grep -m 1 '^no writes' <<<"$out" | tr -s ' ')"
turn
keeps srv1 && keeps srv2
say $? "nothing acknowledged is lost"
until_true 30 may "$first"
at=$(on "$first" date -u -d '+6 seconds' '+%F %T')
out=$(on "$first" quorate switchover --yes --to "$second" --at "$at"); rc=$?
[ $rc = 0 ] && [[ $out == *"waiting        until $at UTC"* ]] && [ "$(on "$first" date +%s)" -ge "$(date -u -d "$at" +%s)" ] && is_primary "$first" "$second" && [ "$(left "$first")" = 0 ] && [[ $out == *checkpoint* ]]
shown $?
say $? "typed on the primary, for later, it waits and writes a checkpoint first: $(grep -m 1 '^no writes' <<<"$out" | tr -s ' ')"
turn

until_true 15 is_told 2 "^primary primary srv. pgsqld: switchover, srv. is the primary now.*quorate switchover"
say $? "both switchovers are told, each once: $(told | grep -m 1 '^primary' | cut -c 1-100)"
[ "$(told | grep -c '^role standby srv. pgsqld is standby')" -ge 2 ]
say $? "and the hook hears of the role that was given up"

# Nobody reads what it prints: it goes on.
until_true 30 may "$first"
on "$first" sh -c 'quorate switchover --yes | head -c 1' >/dev/null
until_true 30 is_primary "$first" "$second" && gone() { [ "$(left "$first")" = 0 ]; } && until_true 30 gone
say $? "with its output cut off it moves the role and takes the constraint back"
turn
until_true 60 verifies "$first"

# Killed in the middle.
until_true 30 may "$first"
on "$first" sh -c 'quorate switchover --yes --timeout 10 >/dev/null & sleep 0.7; kill -KILL $!'
killed=$SECONDS
[ "$(left "$first")" = 1 ] && ! out=$(on "$first" quorate verify) && [[ $out == *"left behind: cli-prefer-$clone"*"pcs resource clear $clone"* ]]
say $? "killed by SIGKILL it leaves the constraint, and quorate verify names it with the cure"
until_true 30 is_primary "$first" "$second" || until_true 5 is_primary "$first" "$first"
is_primary "$first" "$second" && turn
refuses "that constraint still holds" "$first" "still holds: cli-prefer-$clone"
# In the middle of other things it ends by itself: below.

# The rest of the time: a pause.
out=$(on "$second" quorate pause --yes --reason "a test of the pause")
say $? "quorate pause: $(tail -n 1 <<<"$out")"
[[ $(on "$first" quorate status) == *"a test of the pause"* ]]
say $? "quorate status says why"
! out=$(on "$first" quorate verify) && [[ $out == *"FAIL  managed"* ]]
say $? "quorate verify fails"
! out=$(on "$first" quorate pause --yes 2>&1) && [[ $out == *"paused already"*"a test of the pause; quorate resume ends it"* ]]
say $? "a second pause is refused: $out"
# A server that hangs is nobody's business now, quorated's neither.
pid=$(on "$first" sh -c 'head -n 1 /var/lib/postgresql/*/main/postmaster.pid')
on "$first" kill -STOP "$pid"; sleep 8
on "$first" kill -CONT "$pid" && sql "$first" 'select 1' >/dev/null
say $? "PostgreSQL of $first stood still for 8 s and nobody acted"
# shellcheck disable=SC2016 # there
on "$first" sh -c 'kill -KILL $(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)'
sleep 8
! sql "$first" 'select 1' >/dev/null 2>&1
say $? "PostgreSQL of $first is killed and nobody acts"
until_true 15 is_told 1 "^pause - - pgsqld is paused, nothing of it fails over: a test of the pause"
say $? "the pause is told"
out=$(on "$second" quorate resume --yes)
say $? "quorate resume: $(tail -n 1 <<<"$out")"
serves() { local node; node=$(primary "$first"); [ -n "$node" ] && sql "$node" 'select 1' >/dev/null 2>&1; }
until_true 60 serves
say $? "then it is recovered: $(primary "$first") is the primary"
[ "$(primary "$first")" = "$first" ] || turn
! out=$(on "$second" quorate resume --yes 2>&1) && [[ $out == *"not paused"* ]]
say $? "resume without a pause is refused: $out"

while [ $((SECONDS - killed)) -lt 72 ]; do sleep 1; done
until_true 60 may "$second"
out=$(on "$second" quorate switchover --dry-run) && [[ $out == *"cli-prefer-$clone is over and has no effect"* ]]
shown $?
say $? "the constraint of the killed one is over by itself, and the next switchover may go"
out=$(on "$second" quorate switchover --yes); rc=$?
[ $rc = 0 ] && is_primary "$first" "$second" && [ "$(left "$first")" = 0 ]
shown $?
say $? "it goes, and nothing of the killed one is left"
turn
until_true 30 may "$second"

# Something that no check sees keeps the role from moving: given up and taken back.
on "$first" pcs resource create anchor ocf:heartbeat:Dummy --wait=30 >/dev/null 2>&1
on "$first" pcs constraint location anchor prefers "$first" >/dev/null
on "$first" pcs constraint colocation add Promoted $clone with anchor INFINITY >/dev/null
sleep 5
out=$(on "$second" quorate switchover --yes --timeout 10); rc=$?
[ $rc = 2 ] && [ "$(left "$first")" = 0 ] && is_primary "$first" "$first" && [[ $out == *"not within 10 s"*"$first is the primary"* ]]
shown $?
say $? "what does not come about is taken back, exit code 2: $(grep -m 1 '^NOT MOVED' <<<"$out" | tr -s ' ')"

# Every node has the history, also one that has lost its own.
has_history() { out=$(on "$1" quorate history) && [ "$(grep -c '^20' <<<"$out")" -ge 6 ] && [[ $out == *switchover*"recovery in place"*switchover* ]]; }
until_true 60 has_history "$second"
say $? "$second has all promotions: $(grep -c '^20' <<<"$out")"
on "$second" rm -r /var/lib/quorate/history
has_history "$second"
say $? "and has them from $first when its own are lost"
out=$(on "$second" quorate why)
[[ $out == *"an operator asked for it on"*"quorate switchover"* ]]
say $? "quorate why: $(sed -n 2p <<<"$out" | tr -s ' ')"

is_told 1 "^pause - - pgsqld is no longer paused" && [ "$(number "^primary primary srv. pgsqld: (recovered in place on|failover,) srv.")" -ge 1 ]
say $? "its end, and the server that was killed in it, too"
hung() { for node in srv1 srv2; do on "$node" cat /var/lib/pacemaker/hung; done; }
all=$(hung | wc -l); left=$(for node in srv1 srv2; do on "$node" pgrep -fc '^/bin/sh /etc/quorate/hang'; done | awk '{ n += $1 } END { print n + 0 }')
[ "$all" -gt 3 ] && [ "$left" -le 6 ]
say $? "the hook that hangs was run $all times, and is ended each time ($left are left)"
all=$(journal srv1; journal srv2)
[[ $all == *"command:/usr/bin/../bin/true"* || $all == *"/usr/bin/../bin/true is not run: it leads to /usr/bin/true"* ]] &&
    grep -q 'not sent: .*the webhook: ' <<<"$all" && ! grep -q secret <<<"$all" && grep -q 'pgsqld: switchover' <<<"$all"
say $? "the log has every message, the hook that is not run and why, the webhook that does not answer, and not its address"

for node in srv1 srv2; do on "$node" systemctl stop writer; done
keeps srv1 && keeps srv2
say $? "nothing of $(acked srv1 | wc -l) and $(acked srv2 | wc -l) acknowledged writes is lost"
exit $failed
