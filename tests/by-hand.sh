#!/bin/bash
# The part "by-hand" of `make test`: README's section "On real machines", step by step inside bare machines of the lab (Debian
# and the package, nothing set up), as a DBA would, for "classic"; the commands are read from README itself. In the end the
# cluster has to be whole, and a second apply must have nothing to do. Then "three-centres" by its run-all.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
make --no-print-directory build deb
lab=$PWD/target/debug/quorate-lab
name=${NAME:-byhand}
# shellcheck disable=SC2016 # characters that a careless script would trip over
export HACLUSTER_PASSWORD='pcs: "secret" 1' REPLICATION_PASSWORD='repl\:pass$word'

ok() { echo "ok by-hand: $*"; }
bad() { echo "not ok by-hand: $*" && exit 1; }
# shellcheck disable=SC2016 # for the shell of the machine
typed='IFS= read -r HACLUSTER_PASSWORD && IFS= read -r REPLICATION_PASSWORD && export HACLUSTER_PASSWORD REPLICATION_PASSWORD
    exec bash -c "$1" </dev/null'
on() { # machine, command line: as typed there
    local machine=$1
    shift
    printf '%s\n%s\n' "$HACLUSTER_PASSWORD" "$REPLICATION_PASSWORD" |
        "$lab" shell --name "$name" "$machine" bash -c "$typed" by-hand "$*"
}
[ "${1:-}" = --keep ] || trap '"$lab" down --name "$name" >/dev/null 2>&1 || true' EXIT
"$lab" up classic --bare --name "$name"

on srv1 'quorate layout list' | grep -q many-replicas || bad "quorate layout list"
version=$(on srv1 'ls /usr/lib/postgresql' | tr -d '\r')
on srv1 "quorate layout show classic >site.toml; sed -i 's/^version = .*/version = $version/' site.toml"
on srv1 'quorate layout render --site site.toml --out prod'
on srv1 'quorate layout prove --site site.toml' | grep -x PASS >/dev/null || bad "quorate layout prove"
ok "described, rendered and proven on srv1"
# As scp -r would.
on srv1 'tar -c prod site.toml' >"target/by-hand.tar"
for machine in srv2 witness; do
    "$lab" shell --name "$name" $machine tar -x -C / <target/by-hand.tar
done
rm -f target/by-hand.tar

# README's lines "prod/N-… # on A, B and C: …", in its order.
sed -n '/^prod\/1-machine/,/^quorate layout apply/p' README.md | while IFS='#' read -r command where; do
    command=${command%"${command##*[! ]}"}
    machines=$(echo "${where%%[:;]*}" | sed 's/^ *on //; s/,/ /g; s/ and / /g; s/ where .*//')
    case "$command" in
    # The lab's watchdog is no device that pcs could try.
    *apply*) command="$command --no-watchdog-validation" ;;
    esac
    for machine in $machines; do
        if on "$machine" "$command"; then ok "$command on $machine"; else bad "$command on $machine"; fi
    done
done

shows() { # machine, patterns that crm_mon has to print within a minute
    local machine=$1 status pattern missing
    shift
    for _ in $(seq 60); do
        status=$(on "$machine" 'crm_mon --one-shot') || true
        missing=
        for pattern in "$@"; do
            grep -qE "$pattern" <<<"$status" || missing="$missing $pattern"
        done
        [ -n "$missing" ] || break
        sleep 1
    done
    echo "$status"
    [ -z "$missing" ] || bad "crm_mon does not show:$missing"
}
shows srv1 'Promoted: \[ srv1 \]' 'Unpromoted: \[ srv2 \]' 'primary-ip.*Started srv1' 'standby-ip.*Started srv2'
ok "crm_mon: primary and its float IP on srv1, standby and its float IP on srv2"

for _ in $(seq 30); do
    streaming=$(on srv1 "cd /; setpriv --reuid=postgres --regid=postgres --clear-groups /usr/lib/postgresql/*/bin/psql -XAtq -d postgres \
        -c \"select application_name from pg_stat_replication where state = 'streaming'\"") || true
    [ "$streaming" != srv2 ] || break
    sleep 1
done
[ "$streaming" = srv2 ] || bad "srv2 does not stream: $streaming"
ok "srv2 streams"
for machine in srv1 srv2; do
    # The agent's way in; srv2 has the role by replication.
    role=$(on $machine "cd /; setpriv --reuid=postgres --regid=postgres --clear-groups /usr/lib/postgresql/*/bin/psql -XAtq -U quorate \
        -d postgres -c 'select rolname, rolsuper from pg_catalog.pg_roles where rolname = current_user'")
    [ "$role" = 'quorate|f' ] || bad "the agent's role on $machine: $role"
    enabled=$(on $machine 'systemctl is-enabled corosync pacemaker sbd corosync-qdevice quorated | sort -u')
    [ "$enabled" = enabled ] || bad "not all services of $machine start at boot: $enabled"
done
on srv1 'crm_resource --resource pgsqld --get-parameter dbuser' | grep -qx quorate || bad "the agent does not come as its role"
ok "the agent comes as the role quorate, without superuser, on both; the services start at boot"
on srv1 prod/4-primary.sh || bad "4-primary.sh in a cluster that runs"
on srv2 prod/4-primary.sh | grep -q 'main is a standby here' || bad "4-primary.sh on the standby"
ok "4-primary.sh can be run again in a cluster that runs"
on srv1 'corosync-qdevice-tool -s' | grep -q Connected || bad "the quorum device is not connected"
on srv1 'quorate layout apply --site site.toml' | grep -q 'as described' || bad "a second apply finds something to do"
ok "a second apply finds nothing to do"
on srv1 'pcs resource update standby-ip cidr_netmask=25'
if on srv1 'quorate layout apply --site site.toml'; then bad "apply does not notice a difference"; fi
ok "apply shows a difference and changes nothing"
for conf in corosync.conf sbd; do
    # What the reference says is in what pcs wrote, line by line.
    on srv1 "sed '/^#/d; s/^[[:space:]]*//; /^\$/d' prod/reference/$conf | sort -u >/tmp/wanted
        cat /etc/corosync/corosync.conf /etc/default/sbd | tr -d '\"' | sed 's/^[[:space:]]*//' | sort -u >/tmp/found
        comm -23 /tmp/wanted /tmp/found" >target/by-hand.diff
    if [ -s target/by-hand.diff ]; then
        cat target/by-hand.diff
        bad "reference/$conf is not what pcs wrote"
    fi
    ok "reference/$conf is what pcs wrote"
done
"$lab" down --name "$name"

"$lab" up three-centres --bare --name "$name"
target/debug/quorate layout render three-centres --postgresql "$version" --out target/by-hand >/dev/null
REMOTE="$lab shell --name $name" WITHOUT_WATCHDOG_CHECK=yes target/by-hand/run-all.sh
shows tri2 'Promoted: \[ tri1 \]' 'Unpromoted: \[ tri2 tri3 \]' 'primary-ip.*Started tri1' 'standby-ip-1.*Started' 'standby-ip-2.*Started'
ok "run-all.sh: three-centres is up"
on tri1 'corosync-cfgtool -s' | grep -cw connected | grep -qx 4 || bad "two links to two nodes are not connected"
ok "corosync has two links to each of the others"
rm -rf target/by-hand
