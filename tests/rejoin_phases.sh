#!/bin/bash
# The rejoin's phases on real PostgreSQL, without a cluster: the unit's program is killed in each of them, run again, and the instance
# streams in the end; half replaced data are never taken for whole ones. Pacemaker's programs are played, in a mount namespace.
# shellcheck disable=SC2317 # called by until_true
set -u
cd "$(dirname "$0")/.." || exit 1
if [ "${1:-}" != inside ]; then
    [ "$(id -u)" = 0 ] || { echo "tests/rejoin_phases.sh needs root" >&2; exit 1; }
    [ -n "${REJOIN:-}" ] || cargo build --quiet --locked --workspace --features packaging --bins || exit 1
    # To mount something over; gone again where they were not there.
    made=()
    for directory in /run/quorate /var/lib/quorate; do
        [ -d $directory ] || { mkdir $directory && made+=("$directory"); }
    done
    unshare --mount --pid --fork --kill-child --mount-proc "$0" inside
    code=$?
    [ ${#made[@]} = 0 ] || rmdir "${made[@]}"
    exit $code
fi

program=$PWD/${REJOIN:-target/debug/quorate-rejoin}
failed=0
say() { if [ "$1" = 0 ]; then echo "ok rejoin-phases: $2"; else echo "not ok rejoin-phases: $2"; failed=1; fi; }
until_true() { local end=$((SECONDS + $1)); shift; until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.1; done; }

work=$(mktemp -d "${QUORATE_TEST_DIR:-/tmp}/rejoin.XXXXXX") || exit 1
chmod 0755 "$work"
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
version=$(find /usr/lib/postgresql -maxdepth 1 -mindepth 1 -printf '%f\n' | sort -n | tail -n 1)
real=/usr/lib/postgresql/$version/bin
base=$work/pg
install -d -o postgres -g postgres -m 0700 "$base"
install -d -m 0755 "$work/bin" "$work/played"
mount -t tmpfs tmpfs /var/lib/quorate
mount -t tmpfs tmpfs /run/quorate
for tool in "$real"/*; do ln -s "$tool" "$work/bin/"; done

# srv2 is promoted, always, and the last one on record; what else Pacemaker is told is written down.
cat >"$work/played/crm_mon" <<'XML'
#!/bin/sh
cat <<'X'
<pacemaker-result api-version="2.25" request="crm_mon"><nodes>
<node name="srv1" id="1" online="true" standby="false" unclean="false" pending="false"/>
<node name="srv2" id="2" online="true" standby="false" unclean="false" pending="false"/></nodes>
<resources><clone id="c" multi_state="true" managed="true" failed="false">
<resource id="pgsqld" resource_agent="ocf:quorate:postgres" role="Promoted" active="true" failed="false" managed="true" blocked="false"><node name="srv2" id="2" cached="false"/></resource>
</clone></resources><status code="0" message="OK"/></pacemaker-result>
X
XML
for tool in crm_attribute crm_resource attrd_updater; do
    printf '#!/bin/sh\necho "%s $*" >>%s/told\n' "$tool" "$work" >"$work/played/$tool"
done
cat >>"$work/played/attrd_updater" <<'SH'
case "$*" in *--query*quorate-promotion-pgsqld*|*quorate-promotion-pgsqld*--query*)
    echo 'name="quorate-promotion-pgsqld" host="srv2" value="1:2:7:1:0/3000000:0000000a::srv2"' ;;
esac
SH
chmod 0755 "$work"/played/*
for tool in "$work"/played/*; do
    [ -e "/usr/sbin/${tool##*/}" ] || { echo "not ok rejoin-phases: /usr/sbin/${tool##*/} is missing"; exit 1; }
    mount --bind "$tool" "/usr/sbin/${tool##*/}"
done

as_postgres() { (cd / && runuser -u postgres -- "$@"); }
sql() { as_postgres psql -X -A -t -q -h "$base" -p "$1" -d postgres -c "$2"; }
start() { as_postgres "$real/pg_ctl" -D "$1" -o "-p $2" -l "$base/$2.log" -s -w start >/dev/null; }
stop() { as_postgres "$real/pg_ctl" -D "$1" -m "${2:-fast}" -s -w stop >/dev/null 2>&1; }
state=/var/lib/quorate/rejoin/pgsqld.json
phase() { sed -n 's/^  "phase": "\(.*\)",$/\1/p' "$state" 2>/dev/null; }
is_phase() { [ "$(phase)" = "$1" ]; }
streams() { [ "$(sql 5502 "select count(*) from pg_stat_replication where application_name = 'srv1'" 2>/dev/null)" = 1 ]; }

# The primary was on srv1 (port 5501); srv2 (5502) was promoted, and srv1 went on for three commits that srv2 does not have.
diverged() {
    stop "$base/a" immediate; stop "$base/b" immediate
    rm -rf "$base"/a* "$base"/b* "$state" /run/quorate/* "$work/told"
    as_postgres "$real/initdb" -D "$base/a" -k -A trust >/dev/null
    cat >>"$base/a/postgresql.conf" <<CONF
unix_socket_directories = '$base'
listen_addresses = '127.0.0.1'
max_wal_size = 64MB
wal_keep_size = 32MB
fsync = off
CONF
    start "$base/a" 5501
    sql 5501 "create role replicator login replication; create table k (i int);
        grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean), pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) to replicator"
    as_postgres "$real/pg_basebackup" -D "$base/b" -h "$base" -p 5501 -X stream -c fast -R
    start "$base/b" 5502
    sql 5501 'insert into k values (1)'
    until_true 10 [ "$(sql 5502 'select count(*) from k' 2>/dev/null)" = 1 ]
    as_postgres "$real/pg_ctl" -D "$base/b" -s -w promote
    for i in 11 12 13; do sql 5501 "insert into k values ($i)"; done
    sql 5502 'insert into k values (2)'
    stop "$base/a" immediate
}
ask() { # way, more JSON
    install -d -m 0700 "${state%/*}"
    cat >"$state" <<JSON
{
  "resource": "pgsqld", "node": "srv1",
  "environment": {"OCF_RESKEY_pgdata": "$base/a", "OCF_RESKEY_bindir": "$work/bin", "OCF_RESKEY_pghost": "$base", "OCF_RESKEY_pgport": "5501",
    "OCF_RESKEY_replication_conninfo": "user=replicator port=5502", "OCF_RESKEY_addresses": "srv2=127.0.0.1", ${2:-}
    "OCF_RESOURCE_INSTANCE": "pgsqld:0", "OCF_RESKEY_CRM_meta_on_node": "srv1"},
  "cause": "diverged", "why": "played", "way": "$1",
  "phase": "wanted",
  "half": false, "source": null, "failures": 0, "last_error": null, "kept": null, "old": null, "asked": 0, "ready": null, "progress": null
}
JSON
}
# Runs the unit to its end, and starts the instance when it may be, as the agent does.
finish() {
    "$program" pgsqld >>"$work/unit.log" 2>&1 &
    local unit=$!
    until_true 60 is_phase starting || { kill -KILL $unit; return 1; }
    start "$base/a" 5501 && until_true 20 streams && until_true 30 is_phase ended && wait $unit
}
whole() { # rows
    [ "$(sql 5501 'select string_agg(i::text, chr(32) order by i) from k')" = "$1" ] && [ ! -e "$base/a.quorate-old" ] && [ ! -e "$base/a.quorate-new" ] &&
        [ "$(sql 5501 'select pg_is_in_recovery()')" = t ] && [ ! -e "$base/a.quorate-rewinding" ]
}
kept() { cat "$base"/a.kept/*/summary.json 2>/dev/null; }
# A program that takes its time, before or after its work.
slow() { # program, before|after
    rm -f "$work/bin/$1"
    printf '#!/bin/sh\n[ %s = after ] || sleep 60\n%s/%s "$@" || exit\n[ %s = before ] || sleep 60\n' "$2" "$real" "$1" "$2" >"$work/bin/$1"
    chmod 0755 "$work/bin/$1"
}
quick() { ln -sf "$real/$1" "$work/bin/$1"; }
# The node loses its power: the unit and all that it started.
power_off() { # phase
    "$program" pgsqld >>"$work/unit.log" 2>&1 &
    local unit=$!
    until_true 40 is_phase "$1" || { echo "it was never in phase $1, but in $(phase)"; kill -KILL $unit; return 1; }
    sleep "${2:-0.3}"
    kill -KILL $unit; pkill -KILL -f "$work/bin/|$real/pg_rewind|$real/pg_basebackup" ; pkill -KILL -x sleep
    wait $unit 2>/dev/null
    is_phase "$1"
}

# --- to its end ------------------------------------------------------------------------------------------------------------

diverged; ask rewind; finish; say $? "pg_rewind: the former primary streams"
whole '1 2'; say $? "it has the primary's rows, and nothing is left beside it"
kept | grep -q '"number": 3' && grep -q COMMIT "$base"/a.kept/*/transactions.txt
say $? "its three commits were counted and kept"
[ "$(stat -c %a "$base/a.kept")" = 700 ] && [ "$(stat -c %U "$base/a.kept")" = postgres ]; say $? "what is kept is the owner's alone"
file=$(find "$base"/a.kept/*/pg_wal -name '0000*' ! -name '*.history' | sort | head -n 1)
"$real/pg_waldump" "$file" 2>/dev/null | grep -q 'desc: COMMIT'; say $? "pg_waldump reads what was kept"
grep -q 'quorate-rejoin-pgsqld' "$work/told"; say $? "crm_mon -A was told of the phases"

diverged; ask copy; finish; say $? "pg_basebackup: the former primary streams"
whole '1 2'; say $? "it has the primary's rows, and the old directory is gone once it streams"

diverged; printf '#!/bin/sh\necho "pg_rewind: error: target server needs to use either data checksums or wal_log_hints" >&2\nexit 1\n' >"$work/refuses"
chmod 0755 "$work/refuses"; ln -sf "$work/refuses" "$work/bin/pg_rewind"
ask rewind; finish && whole '1 2'; say $? "where pg_rewind refuses the data are copied"
quick pg_rewind

# The directory of the programs is found by PG_VERSION, which is elsewhere while pg_rewind works.
diverged; ask rewind; sed -i "s|\"OCF_RESKEY_bindir\": \"$work/bin\", ||" "$state"; finish && whole '1 2'
say $? "without the parameter bindir too"
[ "$(sed -n 's/^  "way": "\(.*\)",$/\1/p' "$state")" = rewind ]; say $? "without the parameter bindir it was rewound"

# --- killed in each phase -----------------------------------------------------------------------------------------------------

interrupted() { # phase, way, slow program, when
    diverged; ask "$2"; slow "$3" "$4"
    power_off "$1"; say $? "killed while $1"
    quick "$3"
    finish && whole '1 2' && kept | grep -q '"number": 3'; say $? "killed while $1: the next run brings it back, the commits are kept"
}
interrupted keeping rewind pg_waldump before
interrupted awaiting-checkpoint rewind pg_rewind before
# pg_rewind itself, not its trial: the trial is over in no time, the work takes long.
diverged; ask rewind
printf '#!/bin/sh\ncase " $* " in *" --dry-run "*) exec %s/pg_rewind "$@" ;; esac\n%s/pg_rewind "$@"; sleep 60\n' "$real" "$real" >"$work/halfway"
chmod 0755 "$work/halfway"; ln -sf "$work/halfway" "$work/bin/pg_rewind"
power_off rewinding 2; say $? "killed while rewinding"
quick pg_rewind
grep -q '"half": true' "$state"; say $? "killed while rewinding: the data are marked as half replaced"
finish && whole '1 2'; say $? "killed while rewinding: the next run copies"
[ "$(sed -n 's/^  "way": "\(.*\)",$/\1/p' "$state")" = copy ]; say $? "killed while rewinding: never rewound a second time"
interrupted copying copy pg_basebackup before
interrupted copying copy pg_basebackup after
interrupted verifying copy pg_verifybackup before

# Between the two renames, and after them: by what such a moment leaves.
for moment in none first both; do
    diverged; ask copy; slow pg_verifybackup before
    power_off verifying; quick pg_verifybackup
    sed -i 's/"phase": "verifying"/"phase": "swapping"/' "$state"
    [ $moment = none ] || mv "$base/a" "$base/a.quorate-old"
    [ $moment != both ] || mv "$base/a.quorate-new" "$base/a"
    finish && whole '1 2'; say $? "killed while swapping ($moment of the two renames done): it is finished"
done
sed -i 's/"phase": "ended"/"phase": "configuring"/' "$state"; stop "$base/a"; rm -f "$base/a/standby.signal"
finish && whole '1 2'; say $? "killed while configuring: standby.signal and the settings are written again"

# --- what it refuses ----------------------------------------------------------------------------------------------------------

diverged; ask rewind '"OCF_RESKEY_rejoin_max_loss": "10",'
"$program" pgsqld >>"$work/unit.log" 2>&1
is_phase manual && grep -q 'rejoin_max_loss=10' "$state" && [ ! -e "$base/a.kept" ] && [ ! -e "$base/a.quorate-new" ]
say $? "more WAL than rejoin_max_loss: nothing is touched, and it says so"
diverged; ask rewind; start "$base/a" 5501
timeout 5 "$program" pgsqld >>"$work/unit.log" 2>&1
[ "$(sql 5501 'select count(*) from k')" = 4 ] && is_phase wanted; say $? "beside a server that runs nothing is done"
stop "$base/a" immediate
diverged; stop "$base/b"; rm -rf "$base/b"; as_postgres "$real/initdb" -D "$base/b" -A trust >/dev/null
printf "unix_socket_directories = '%s'\nlisten_addresses = '127.0.0.1'\n" "$base" >>"$base/b/postgresql.conf"; start "$base/b" 5502
sql 5502 'create role replicator login replication'
ask copy; "$program" pgsqld >>"$work/unit.log" 2>&1
is_phase manual && grep -q 'another database cluster' "$state" && start "$base/a" 5501 && [ "$(sql 5501 'select count(*) from k')" = 4 ]
say $? "data of another database cluster are not replaced"
stop "$base/a" immediate; stop "$base/b" immediate
[ $failed = 0 ] || tail -n 40 "$work/unit.log"
exit $failed
