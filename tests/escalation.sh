#!/bin/bash
# From an SQL role to root, link by link, on a real PostgreSQL whose schema public is open (as on 13 and 14, and after pg_upgrade).
# Prints for each link whether it is STOPPED or OPEN; exit 0 where all are stopped.
#
#   tests/escalation.sh           this tree's agent
#   tests/escalation.sh AGENT     another build's: AGENT is its quorate-agent
set -u
cd "$(dirname "$0")/.." || exit 1
[ "$(id -u)" = 0 ] || { echo "tests/escalation.sh needs root, as the agent does" >&2; exit 1; }
agent=${1:-}
[ -n "$agent" ] || { cargo build --quiet --locked --workspace --features packaging --bin quorate-agent || exit 1; agent=target/debug/quorate-agent; }
agent=$(readlink -f "$agent")
bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
dir=$(mktemp -d /tmp/q.XXXXXX) || exit 1
chmod 0711 "$dir"
install -d -o postgres -g postgres -m 0700 "$dir/pg"
install -d -m 0755 "$dir/run"
data=$dir/pg/data
open=0

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups --reset-env -- "$@"; }
sql() { as_postgres "$bin/psql" -X -qAt -h "$dir/pg" -d postgres -U "$1" -c "$2" 2>&1; }
clean_up() {
    as_postgres "$bin/pg_ctl" -s -D "$data" -m immediate stop >/dev/null 2>&1
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# call ACTION [NAME=VALUE…]: the agent as Pacemaker calls it.
call() {
    local action=$1
    shift
    env -i PATH="$PATH" HA_RSCTMP="$dir/run" OCF_RESOURCE_INSTANCE=pgsqld OCF_RESKEY_pgdata="$data" OCF_RESKEY_pghost="$dir/pg" \
        OCF_RESKEY_CRM_meta_on_node=srv1 OCF_RESKEY_CRM_meta_timeout=20000 OCF_RESKEY_CRM_meta_notify=true \
        OCF_RESKEY_log_file="$dir/pg/log" "$@" "$agent" "$action" >"$dir/out" 2>&1
}

# link NAME OPEN? WHAT
link() {
    if [ "$2" = yes ]; then
        echo "OPEN     $1: $3"
        open=1
    else
        echo "STOPPED  $1: $3"
    fi
}

{
    as_postgres "$bin/initdb" --no-sync -A trust -D "$data" >"$dir/out" &&
        as_postgres sh -c "printf '%s\n' \"listen_addresses = ''\" 'fsync = off' \"unix_socket_directories = '$dir/pg'\" >>'$data/postgresql.conf'" &&
        as_postgres "$bin/pg_ctl" -s -w -D "$data" -l "$dir/pg/log" start
} || { cat "$dir/out"; exit 1; }

sql postgres "GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE ROLE mallory LOGIN; CREATE ROLE quorate LOGIN IN ROLE pg_monitor" >/dev/null
sql mallory "CREATE FUNCTION public.gift() RETURNS boolean VOLATILE LANGUAGE plpgsql AS
    'BEGIN ALTER ROLE mallory SUPERUSER; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END';
    CREATE FUNCTION public.pg_has_role(text, text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN public.gift(); END'" >/dev/null
super() { sql postgres "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = 'mallory'"; }

call monitor OCF_RESKEY_dbuser=postgres
answer=no; [ "$(super)" = t ] && answer=yes
link "1. SQL role -> superuser" $answer "mallory's public.pg_has_role(text, text) waits for a superuser's monitor; mallory is superuser: $(super)"

sql postgres "ALTER ROLE mallory NOSUPERUSER" >/dev/null
sql quorate "SET search_path = public; SELECT pg_has_role('pg_read_all_settings', 'USAGE')" >/dev/null
answer=no; [ "$(super)" = t ] && answer=yes
link "1. the same, without our search path" $answer "the role quorate runs the trojan, and has nothing to give; mallory is superuser: $(super)"

[ "$open" = 0 ] || sql postgres "ALTER ROLE mallory SUPERUSER" >/dev/null
got=$(sql mallory "CREATE TEMP TABLE o (t text); COPY o FROM PROGRAM 'id -un'; SELECT t FROM o")
answer=no; [ "$got" = postgres ] && answer=yes
link "2. superuser -> user postgres" $answer "COPY FROM PROGRAM 'id -un': $(echo "$got" | head -n 1)"

# From here on whoever has link 2 would be postgres; it is played whether or not that link holds.
(umask 077; echo "# root's secret" >"$dir/secret")
as_postgres sh -c "cp '$data/postgresql.auto.conf' '$dir/pg/old'; ln -sf '$dir/secret' '$data/postgresql.auto.conf'; touch '$data/standby.signal'"
as_postgres "$bin/pg_ctl" -s -w -D "$data" -m immediate stop >/dev/null 2>&1
for operation in promote start; do
    call notify OCF_RESKEY_CRM_meta_notify_type=post OCF_RESKEY_CRM_meta_notify_operation=$operation \
        OCF_RESKEY_CRM_meta_notify_promote_uname=srv2 OCF_RESKEY_CRM_meta_notify_promoted_uname=srv2 \
        OCF_RESKEY_CRM_meta_notify_unpromoted_uname=srv1 OCF_RESKEY_CRM_meta_notify_active_uname="srv1 srv2" \
        OCF_RESKEY_CRM_meta_notify_start_uname=" " OCF_RESKEY_CRM_meta_notify_stop_uname=" " OCF_RESKEY_CRM_meta_notify_demote_uname=" "
done
answer=no; as_postgres grep -q "root's secret" "$data/postgresql.auto.conf" 2>/dev/null && answer=yes
link "3. user postgres -> root's files (read)" $answer "a link from postgresql.auto.conf to a file of root's, mode 0600, and a notify; postgres reads it: $answer"

install -d -m 0755 "$dir/tmpfiles.d"
as_postgres sh -c "rm -f '$data/postgresql.auto.conf'; mv '$data' '$data.real'; ln -s '$dir/tmpfiles.d' '$data'"
before=$(find "$dir/tmpfiles.d" | sort)
call start
call notify OCF_RESKEY_CRM_meta_notify_type=post OCF_RESKEY_CRM_meta_notify_operation=promote \
    OCF_RESKEY_CRM_meta_notify_promote_uname=srv2 OCF_RESKEY_CRM_meta_notify_unpromoted_uname=srv1 OCF_RESKEY_CRM_meta_notify_active_uname="srv1 srv2"
after=$(find "$dir/tmpfiles.d" | sort)
answer=no; [ "$before" = "$after" ] || answer=yes
link "4. user postgres -> root (write)" $answer "PGDATA is a link to a directory of root's that systemd-tmpfiles would read; the agent wrote there: $(echo "${after#"$before"}" | tr '\n' ' ')"
as_postgres sh -c "rm '$data'; mv '$data.real' '$data'"

# Root types a step of the layouts in a terminal; what it runs as postgres is taken over there.
cat >"$dir/step" <<'STEP'
postgres_home=/
STEP
sed -n '/^as_postgres() {/,/^}/p' pcs-templates/parts/postgres.sh.j2 >>"$dir/step"
echo "as_postgres sh -c ': </dev/tty'" >>"$dir/step"
chmod 0755 "$dir/step"
answer=no; script -qec "bash '$dir/step'" /dev/null >/dev/null 2>&1 && answer=yes
link "5. user postgres -> root's terminal" $answer "a step's program of postgres opens the terminal of the root who typed it: $answer"

# corosync is away, and somebody listens on its abstract sockets: its tool would open and write what he names, as root.
if [ -z "$(ss -xlH 2>/dev/null | awk '$5 ~ /^@(cmap|cfg|votequorum)/')" ] && [ -x /usr/sbin/corosync-quorumtool ]; then
    cargo build --quiet --locked --workspace --features packaging --bin quorate || exit 1
    setpriv --reuid=nobody --regid=nogroup --clear-groups perl - >"$dir/met" 2>&1 <<'LISTEN' &
use strict; use Socket; $| = 1;
my ($bits, @servers) = ("");
for my $name ("cmap", "cfg", "votequorum") {
    socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die $!;
    bind($s, pack("S a108", AF_UNIX, "\0$name")) or die $!;
    listen($s, 8) or die $!;
    vec($bits, fileno($s), 1) = 1;
    push @servers, $s;
}
print "listens\n";
while (1) {
    my $ready = $bits;
    select($ready, undef, undef, undef);
    for my $s (grep { vec($ready, fileno($_), 1) } @servers) {
        accept(my $c, $s) or next;
        print "asked\n" if sysread($c, my $text, 1);
        close $c;
    }
}
LISTEN
    listener=$!
    for _ in $(seq 50); do grep -q listens "$dir/met" && break; sleep 0.1; done
    timeout 30 target/debug/quorate status >"$dir/out" 2>&1
    answer=no; grep -q asked "$dir/met" && answer=yes
    grep -q listens "$dir/met" || answer=yes
    link "6. any local user -> root" $answer "uid nobody on corosync's sockets, corosync away; quorate status spoke to him: $answer"
    kill "$listener" 2>/dev/null
    wait "$listener" 2>/dev/null
fi
exit $open
