#!/bin/bash
# The part "fresh" of `make test`: README's section "On real machines" on fresh machines, word for word: Debian 12 and 13 as an
# installer leaves them, booted, with the lab's watchdog; apt installs the package and what it recommends *inside*, so that
# Debian's packages start what they start: a default PostgreSQL, and a sample cluster of corosync, sbd and Pacemaker. In the end
# a cluster takes writes, survives the loss of its primary's node, and a second set-up changes nothing.
#
#   tests/fresh.sh                 bookworm and trixie; built on trixie only that
#   tests/fresh.sh trixie          only this one
#
# PACKAGE=FILE: this package, and not the one of this tree. NAME: the cluster's name in the lab. KEEP=yes leaves it.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${PACKAGE:-}" ]; then make --no-print-directory build deb; else make --no-print-directory build; fi
lab=$PWD/target/debug/quorate-lab
name=${NAME:-fresh}
package=${PACKAGE:-$(find target/debian -name 'quorate_*.deb' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)}
if [ $# = 0 ]; then
    # shellcheck disable=SC1091 # every Debian has it
    # Programs that were built here want this host's C library, or a newer one.
    if [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = trixie ]; then
        echo "skip fresh: bookworm: a package that was built on Debian 13 does not install on Debian 12"
        set -- trixie
    else
        set -- bookworm trixie
    fi
fi
work=$(mktemp -d /tmp/quorate-fresh.XXXXXX)
clean_up() {
    rm -rf "$work"
    [ -n "${KEEP:-}" ] || "$lab" down --name "$name" >/dev/null 2>&1 || true
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# shellcheck disable=SC2016 # characters that a careless script would trip over
hacluster='pcs: "secret" 1' replication='repl\:pass$word'

suite=
began=$SECONDS
ok() { echo "ok fresh, $suite: $* ($((SECONDS - began)) s)"; }
bad() {
    echo "not ok fresh, $suite: $*"
    exit 1
}
# shellcheck disable=SC2016 # for the shell of the machine
typed='IFS= read -r HACLUSTER_PASSWORD && IFS= read -r REPLICATION_PASSWORD && export HACLUSTER_PASSWORD REPLICATION_PASSWORD
    cd /root; exec timeout 600 bash -c "$1" </dev/null 2>&1'
on() { # machine, command line: as root types it there
    local machine=$1
    shift
    printf '%s\n%s\n' "$hacluster" "$replication" | "$lab" shell --name "$name" "$machine" bash -c "$typed" fresh "$*"
}
sql() { # machine, statement
    on "$1" "cd /; runuser -u postgres -- /usr/lib/postgresql/*/bin/psql -XAtq -d postgres -c \"$2\""
}
everywhere() { # machines, command line: at once; each one's output in a file of its name
    local machines=$1 machine running=()
    for machine in $machines; do
        on "$machine" "$2" >"$work/$machine" &
        running+=("$!:$machine")
    done
    for machine in "${running[@]}"; do
        wait "${machine%%:*}" || {
            tail -n 12 "$work/${machine#*:}"
            bad "$2 on ${machine#*:}: $(tail -n 1 "$work/${machine#*:}")"
        }
    done
}
wait_for() { # seconds, what, machine, command that has to succeed
    local last=
    for _ in $(seq "$1"); do
        if last=$(on "$3" "$4"); then return; fi
        sleep 1
    done
    on "$3" 'crm_mon --one-shot' || true
    bad "$2 on $3, not within $1 s: $last"
}
steps() { # README's lines "prod/N-… # on A, B and C: …", in its order: the command, a bar, the machines
    sed -n '/^prod\/1-machine/,/^quorate layout apply/p' README.md | while IFS='#' read -r command where; do
        where=$(echo "${where%%[:;]*}" | sed 's/^ *on //; s/,/ /g; s/ and / /g; s/ where .*//')
        echo "${command%"${command##*[! ]}"}|$where"
    done
}
typed_step() { # a line of README's steps: what is typed
    case $1 in
    # The lab's watchdog is no device that pcs could try.
    *apply*) echo "$1 --no-watchdog-validation" ;;
    *) echo "$1" ;;
    esac
}
# README's three lines of installation, and where.
install_node=$(sed -n 's/ *# on each database node$//p' README.md)
install_witness=$(sed -n 's/ *# on the witness$//p' README.md)
watchdog=$(sed -n 's/ *# each database node needs a watchdog$//p' README.md)
describe=$(sed -n '/^quorate layout list$/,/^quorate layout prove/p' README.md)
lines="$(wc -l <<<"$install_node $install_witness $watchdog") $(wc -l <<<"$describe") $(steps | wc -l)"
[ "$lines" = "1 5 7" ] || bad "README's \"On real machines\" has other lines than this test reads: $lines"

refused() { # machine, command, word: refuses in one sentence with this word, and says that nothing was changed
    local said
    if said=$(on "$1" "$2"); then bad "$2 on $1 goes on: $said"; fi
    said=$(tail -n 1 <<<"$said")
    if ! grep "nothing was changed" <<<"$said" | grep -qF -- "$3"; then bad "$2 on $1 says: $said"; fi
    ok "$2 on $1 refuses: $said"
}

fresh() {
    began=$SECONDS
    "$lab" up classic --debian --suite "$suite" --name "$name" --package "$package"
    # The answer to apt's question, and an editor for site.toml; the device that the lab's library is for.
    everywhere "srv1 srv2 witness" "echo 'APT::Get::Assume-Yes \"true\";' >/etc/apt/apt.conf.d/90yes; touch /dev/watchdog
        printf '#!/bin/sh\nsed -i \"s/^version = .*/version = \$(ls /usr/lib/postgresql)/\" \"\$1\"\n' >/usr/local/bin/editor; chmod 755 /usr/local/bin/editor"
    ok "booted"
    everywhere "srv1 srv2" "export DEBIAN_FRONTEND=noninteractive; $install_node" &
    local nodes=$!
    everywhere witness "export DEBIAN_FRONTEND=noninteractive; $install_witness"
    wait $nodes || exit 1
    everywhere "srv1 srv2" "$watchdog"
    local running
    running=$(on srv1 '{ systemctl is-active corosync sbd pacemaker pcsd; pg_lsclusters --no-header; } | grep -owE "active|online" | sort | uniq -c | xargs')
    [ "$running" = "4 active 1 online" ] || bad "Debian's packages did not start corosync, sbd, Pacemaker, pcsd and PostgreSQL: $running"
    ok "installed; Debian's sample cluster and its PostgreSQL run"

    on srv1 "$describe" >"$work/prove" || { tail "$work/prove" && bad "$describe"; }
    grep -qx PASS "$work/prove" || bad "quorate layout prove"
    # As scp -r would.
    on srv1 'tar -c prod site.toml' >"$work/tar"
    for machine in srv2 witness; do
        "$lab" shell --name "$name" $machine tar -x -C /root <"$work/tar"
    done
    ok "described, rendered and proven"

    # What is no sample is left alone, and named with a cure.
    on srv2 'sed -i.own "s/cluster_name: debian/cluster_name: payroll/" /etc/corosync/corosync.conf'
    refused srv2 prod/1-machine.sh 'another cluster, "payroll"'
    on srv2 'mv -f /etc/corosync/corosync.conf.own /etc/corosync/corosync.conf
        sed -i.own "s|<resources/>|<resources>\n<primitive id=\"payroll-ip\"/>\n</resources>|" /var/lib/pacemaker/cib/cib.xml'
    refused srv2 prod/1-machine.sh payroll-ip
    on srv2 'mv -f /var/lib/pacemaker/cib/cib.xml.own /var/lib/pacemaker/cib/cib.xml; systemctl is-active corosync sbd pacemaker' >/dev/null ||
        bad "srv2's cluster was stopped by a step that says that it changed nothing"
    sql srv2 "create table payroll (i int)"

    local line command machines machine
    while IFS='|' read -r command machines; do
        line=$(typed_step "$command")
        case $command in
        *3-postgres*)
            refused srv2 "$command" "main on srv2 has data of its own"
            sql srv2 "drop table payroll"
            sql srv2 checkpoint
            ;;
        *apply*)
            # The first one breaks off in the middle: at the quorum device.
            on srv1 "$line & until grep -qs srv2 /etc/corosync/corosync.conf; do sleep 0.2; done; sleep 1; kill -KILL \$!; pkill -KILL -x pcs" >"$work/broken" || true
            ! on srv1 'systemctl is-active --quiet pacemaker' || bad "the set-up was to break off and did not"
            ok "$command, broken off: $(on srv1 'ls /etc/corosync/corosync.conf' | tr -d '\r')"
            ;;
        esac
        everywhere "$machines" "$line"
        ok "$command on $machines"
    done < <(steps)

    wait_for 60 "a primary" srv1 'crm_mon --one-shot | grep -q "Promoted: \[ srv1 \]" && crm_mon --one-shot | grep -q "Unpromoted: \[ srv2 \]"'
    # shellcheck disable=SC2016 # for the shell of the machine
    wait_for 30 "both float IPs" srv1 '[ "$(crm_mon --one-shot | grep -c "ip.*Started srv")" = 2 ]'
    local hosts
    hosts=$(on srv1 'getent ahosts srv1 | cut -d " " -f 1 | sort -u | xargs')
    [ "$hosts" = 192.168.56.21 ] || bad "srv1 is $hosts to itself"
    sql srv1 "create table kept (i int); insert into kept values (1)"
    wait_for 20 "the row" srv2 "cd /; runuser -u postgres -- /usr/lib/postgresql/*/bin/psql -XAtq -d postgres -c 'select i from kept' | grep -qx 1"
    ok "the cluster is up and takes a write, which srv2 has"

    "$lab" fault power-off srv1 --name "$name" >/dev/null
    wait_for 60 "a primary" srv2 'crm_mon --one-shot | grep -q "Promoted: \[ srv2 \]"'
    wait_for 10 "a write" srv2 "cd /; runuser -u postgres -- /usr/lib/postgresql/*/bin/psql -XAtq -d postgres -c 'insert into kept values (2)'"
    [ "$(sql srv2 'select i from kept order by 1' | xargs)" = "1 2" ] || bad "the write is lost"
    ok "srv1 lost its power: srv2 is the primary, has the write and takes another"
    # It misses the file systems of the lab's own nodes, which slow disks are made of; a plain Debian has none.
    "$lab" heal --name "$name" >/dev/null 2>&1 || true
    wait_for 90 "a standby that streams from srv2" srv2 'crm_mon --one-shot | grep -q "Unpromoted: \[ srv1 \]"'
    wait_for 30 "the second row" srv1 "cd /; runuser -u postgres -- /usr/lib/postgresql/*/bin/psql -XAtq -d postgres -c 'select i from kept' | grep -qx 2"
    ok "srv1 came back by itself as a standby"

    # The set-up a second time: each step does nothing, or says so with what to type, and the cluster goes on.
    while IFS='|' read -r command machines; do
        for machine in $machines; do
            case $command in
            *1-machine* | *2-witness* | *4-primary*) on "$machine" "$command" >"$work/again" || bad "$command, again, on $machine: $(tail -n 1 "$work/again")" ;;
            *apply*) on "$machine" "$(typed_step "$command")" | grep -q 'as described' || bad "a second apply finds something to do" ;;
            *) refused "$machine" "$command" "pcs cluster stop $machine" ;;
            esac
        done
    done < <(steps)
    local after
    after="$(sql srv2 'select pg_is_in_recovery()') $(sql srv1 'select count(*) from kept')"
    [ "$after" = "f 2" ] || bad "a second set-up has changed the cluster: $after"
    ok "a second set-up changes nothing"
    [ -n "${KEEP:-}" ] || "$lab" down --name "$name" >/dev/null
    echo "fresh machines of $suite: $((SECONDS - began)) s"
}
for suite in "$@"; do fresh; done
