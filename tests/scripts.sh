#!/bin/bash
# The part "scripts" of `make test`: the rendered steps on bare machines of the lab, "classic". Every program that they start is traced:
# neither password is on a command line, nor in anybody's environment. Then the database's user has put links into each place that
# the steps write to: what is behind them stays as it is, and the step names the link, or replaces it.
#
#   tests/scripts.sh                  what this tree renders
#   tests/scripts.sh --rendered DIR   other scripts of "classic", such as an older version's
set -euo pipefail
cd "$(dirname "$0")/.."
lab=$PWD/target/debug/quorate-lab
name=${NAME:-scripts}
rendered=
[ "${1:-}" != --rendered ] || rendered=$(realpath "$2")
# The first words are looked for in what was traced; the rest is what a careless script would trip over.
# shellcheck disable=SC2016 # characters that a careless script would trip over
hacluster='hacl-7f3a: "q" '\''1' replication='repl-5c1e\:pass$word '\''x'
failed=0
ok() { echo "ok scripts: $*"; }
bad() { echo "not ok scripts: $*" && failed=1; }

cargo build --locked --workspace --features packaging --lib --bins
trap '"$lab" down --name "$name" >/dev/null 2>&1 || true; rm -rf "${work:-}"' EXIT
trap 'exit 130' INT TERM
work=$(mktemp -d /tmp/quorate-scripts.XXXXXX)
"$lab" up classic --bare --name "$name"
on() { # machine, command line
    local machine=$1
    shift
    "$lab" shell --name "$name" "$machine" bash -c "$*"
}
version=$(on srv1 'ls /usr/lib/postgresql' </dev/null | tr -d '\r')
if [ -z "$rendered" ]; then
    rendered=$work/site
    target/debug/quorate layout render classic --postgresql "$version" --out "$rendered" >/dev/null
else
    cp -r "$rendered" "$work/site" && rendered=$work/site
    sed -i "s/^version=[0-9]*$/version=$version/" "$rendered"/*.sh
fi

run() { # machine, step: as run-all.sh does it, traced. What goes on after the step is let go: PostgreSQL
    local code
    {
        # shellcheck disable=SC2016 # for the shell of the machine: its parent is the tracer
        echo 'trap '\''echo $? >/root/code; kill $PPID'\'' EXIT'
        printf 'HACLUSTER_PASSWORD=%q REPLICATION_PASSWORD=%q WITHOUT_WATCHDOG_CHECK=yes\n' "$hacluster" "$replication"
        cat "$rendered/$2"
    } | on "$1" "rm -f /root/code; strace -I2 -f -v -qq -s 20000 -e trace=execve,openat -o /root/trace-$2 bash -s" 2>&1 || true
    code=$(on "$1" 'cat /root/code' </dev/null | tr -d '\r')
    return "${code:-1}"
}
# pcs asks pcsd to do what concerns all nodes: its children are traced too.
# shellcheck disable=SC2016 # for the shell of the machine
daemons='for unit in pcsd pcsd-ruby; do
    pid=$(systemctl show --property=MainPID --value $unit)
    [ "$pid" = 0 ] || setsid strace -f -v -qq -s 20000 -e trace=execve -o /root/trace-$unit -p $pid >/dev/null 2>&1 </dev/null &
done'
step() { # step, machines
    local script=$1 machine
    shift
    for machine in "$@"; do
        if run "$machine" "$script" >"$work/out"; then
            ok "$script on $machine"
        else
            bad "$script on $machine" && tail -n 5 "$work/out" && exit 1
        fi
    done
}
step 1-machine.sh srv1 srv2 witness
for machine in srv1 srv2; do on $machine "$daemons" </dev/null; done
step 2-witness.sh witness
step 3-postgres.sh srv1 srv2
step 4-primary.sh srv1
step 5-standby.sh srv1 srv2
step 6-handover.sh srv1 srv2
step 7-cluster.sh srv1
seen=$(on srv1 "grep -ch 'execve(.*\(chpasswd\|/pcs\"\|psql\"\)' /root/trace-* | paste -sd+ | bc 2>/dev/null || grep -h 'execve(' /root/trace-* | grep -cE 'chpasswd|/pcs\"|psql\"'" </dev/null | tail -n 1 | tr -d '\r')
if [ "$seen" -ge 4 ]; then ok "the trace has chpasswd, pcs and psql ($seen lines)"; else bad "the trace is empty: $seen"; fi
for machine in srv1 srv2 witness; do
    for word in hacl-7f3a repl-5c1e; do
        if found=$(on $machine "grep -h 'execve(' /root/trace-* | grep -m 3 -F $word" </dev/null); then
            bad "a password ($word) is on a command line or in an environment on $machine: ${found:0:300}"
        else
            ok "no program on $machine was started with $word"
        fi
    done
done
# mktemp makes it, for its owner alone, and it gets its name when it is whole.
if wide=$(on srv1 "grep -h 'openat(.*/[.]pgpass\", .*O_CREAT' /root/trace-3*" </dev/null); then
    bad ".pgpass is made for others to read: ${wide:0:200}"
elif on srv1 "grep -h 'openat(.*/[.]pgpass[.].*O_EXCL' /root/trace-3* | grep -q ', 0600)'" </dev/null; then
    ok ".pgpass is 0600 from its first byte"
else
    bad "the trace does not show how .pgpass is made"
fi
# shellcheck disable=SC2088 # for the machine's shell
[ "$(on srv2 'stat -c "%a %U" ~postgres/.pgpass' </dev/null | tr -d '\r')" = "600 postgres" ] || bad ".pgpass on srv2 is not 600 postgres"
# The pipe of the standby's copying: the password was the right one, with all its characters.
on srv2 "test -e /var/lib/postgresql/$version/main/standby.signal" </dev/null || bad "srv2 has no copy"

# A link of the database's user, in place of what is there. A file or a directory of root's is behind it.
etc=/etc/postgresql/$version/main data=/var/lib/postgresql/$version/main
planted() { # machine, step, path, file|dir, arguments of ln
    local machine=$1 script=$2 path=$3 kind=$4 code=0
    on "$machine" "rm -rf /root/behind /root/kept && mkdir /root/behind && echo untouched >/root/behind/file && chmod 0640 /root/behind/file
        chmod 0755 /root /root/behind; [ $kind = file ] && target=/root/behind/file || target=/root/behind
        [ ! -e '$path' ] || mv -T '$path' /root/kept
        setpriv --reuid=postgres --regid=postgres --init-groups ln -s \$target '$path'
        find /root/behind -printf '%p %U %G %m %s\n' | sort >/root/before" </dev/null
    run "$machine" "$script" >"$work/out" || code=$?
    local changed named
    changed=$(on "$machine" "find /root/behind -printf '%p %U %G %m %s\n' | sort | diff /root/before - | tr '\n' ' '" </dev/null) || true
    named=$(on "$machine" "[ -L '$path' ] && echo link || echo replaced" </dev/null | tr -d '\r')
    if [ -n "$changed" ]; then
        bad "$script through $path on $machine: ${changed:0:300}"
    elif [ "$named" = link ] && { [ $code = 0 ] || ! grep -qF "$path" "$work/out"; }; then
        bad "$script does not name $path (exit code $code): $(tail -n 3 "$work/out")"
    else
        ok "$script with a link at $path: nothing is written through it, it is $([ "$named" = link ] && echo named || echo replaced)"
    fi
    on "$machine" "rm -rf '$path' && { [ ! -e /root/kept ] || mv -T /root/kept '$path'; }" </dev/null
}
planted srv1 3-postgres.sh /var/lib/postgresql/.pgpass file
for file in pg_hba.conf pg_ident.conf postgresql.conf start.conf conf.d/quorate.conf; do
    planted srv1 3-postgres.sh "$etc/$file" file
done
planted srv1 3-postgres.sh "$etc/conf.d" dir
planted srv1 3-postgres.sh "$etc" dir
planted srv1 3-postgres.sh "$data" dir
planted srv2 5-standby.sh "$data" dir
planted srv2 5-standby.sh "/var/lib/postgresql/$version" dir
# PostgreSQL's log, where a first start would make it anew.
planted srv1 4-primary.sh "/var/log/postgresql/postgresql-$version-main.log" file
on srv1 "setpriv --reuid=postgres --regid=postgres --init-groups pg_ctlcluster --skip-systemctl-redirect $version main stop -m fast" </dev/null >/dev/null 2>&1 || true
# And a machine that has no instance yet.
on srv1 "pg_dropcluster $version main --stop; rm -rf /etc/postgresql/$version /var/lib/postgresql/$version" </dev/null
planted srv1 3-postgres.sh "/etc/postgresql/$version" dir
planted srv1 3-postgres.sh "/var/lib/postgresql/$version" dir
exit $failed
