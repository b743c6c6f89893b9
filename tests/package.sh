#!/bin/bash
# The Debian package: what is in it, and what installing, upgrading and removing it does to a cluster that runs.
# Prints "ok NAME" or "not ok NAME" for each check.
#
#   tests/package.sh          all
#   tests/package.sh content  without the cluster: seconds
#   SUITE=trixie tests/package.sh   with Debian 13 in the nodes
set -u
cd "$(dirname "$0")/.." || exit 1
cluster=packagetest
lab=target/debug/quorate-lab
report=${REPORT:-report/package}
failed=0
up=no

work=$(mktemp -d "${QUORATE_TEST_DIR:-/tmp}/package.XXXXXX") || exit 1
clean_up() {
    [ $up = no ] || $lab down --name $cluster
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

check() {
    local name=$1
    shift
    if "$@"; then echo "ok package: $name"; else
        echo "not ok package: $name"
        failed=1
    fi
}
same() { [ "$1" = "$2" ] || { echo "wanted: $1"; echo "found:  $2"; false; }; }

# --- the file -----------------------------------------------------------------------------------------------------------

make --no-print-directory deb >"$work/make.log" 2>&1 || { cat "$work/make.log"; exit 1; }
deb=$(tail -n 1 "$work/make.log")
version=$(dpkg-deb -f "$deb" Version)
dpkg-deb -x "$deb" "$work/root"
root=$work/root
agent=usr/lib/ocf/resource.d/quorate/postgres

built_twice() { SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) dist/build-deb --to "$work/again" >/dev/null && cmp "$deb" "$work/again/${deb##*/}"; }
has_all() {
    local missing=0 file
    for file in "$agent" usr/bin/quorate usr/sbin/fence_quorate usr/sbin/quorate-http usr/lib/systemd/system/quorate-http.{socket,service} usr/share/quorate/{quorate.rules.yml,quorate.json} usr/share/man/man8/quorate-http.8.gz usr/share/doc/quorate/examples/haproxy.cfg usr/lib/quorate/quorate-rejoin usr/lib/quorate/quorate-alert usr/share/quorate/alert usr/lib/tmpfiles.d/quorate.conf usr/lib/systemd/system/quorate-rejoin@.service usr/share/man/man1/quorate.1.gz usr/share/man/man8/fence_quorate.8.gz usr/share/man/man7/ocf_quorate_postgres.7.gz \
        usr/lib/systemd/system/{sbd,pacemaker}.service.d/quorate.conf usr/share/bash-completion/completions/quorate \
        usr/share/zsh/vendor-completions/_quorate usr/share/fish/vendor_completions.d/quorate.fish \
        usr/share/doc/quorate/{copyright,changelog.gz,README.md,docs/agent.md,docs/agent-tables.md,docs/operations.md,docs/failover.svg,docs/package.md,docs/parameters.md,docs/lab/faults.md} \
        usr/share/doc/quorate/examples/classic.toml usr/share/doc/quorate/examples/on-role-change-{pgbouncer,dns} usr/share/doc/quorate/docs/alerts.md; do
        [ -s "$root/$file" ] || { echo "missing: $file"; missing=1; }
    done
    return $missing
}
pages_render() {
    local page
    for page in "$root"/usr/share/man/man?/*; do
        MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l "$page" 2>&1 >"$work/page.txt" | tee "$work/warnings"
        [ ! -s "$work/warnings" ] && grep -q '^NAME' "$work/page.txt" || { echo "in ${page##*/}"; return 1; }
    done
}
pages_of_subcommands() {
    local command
    for command in $("$root/usr/bin/quorate" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on && $1 != "help" { print $1 }'); do
        [ -s "$root/usr/share/man/man1/quorate-$command.1.gz" ] || { echo "no page for quorate $command"; return 1; }
    done
}
completes() {
    local words
    words=$(bash -c '. "$1"; COMP_WORDS=(quorate --ver); COMP_CWORD=1; complete -p quorate >&2; _quorate quorate --ver quorate; echo "${COMPREPLY[*]}"' \
        bash "$root/usr/share/bash-completion/completions/quorate" 2>"$work/complete.err") || { cat "$work/complete.err"; return 1; }
    same --version "$words"
}
names_no_directory_of_this_machine() {
    ! grep -aoE "$(printf '%s|%s' "$PWD" "${CARGO_HOME:-$HOME/.cargo}")[^\"[:cntrl:]]*" "$root/$agent" "$root/usr/bin/quorate" "$root/usr/sbin/fence_quorate" "$root/usr/sbin/quorate-http" | head -n 3 | grep .
}
make_install_has_the_same() {
    make --no-print-directory install DESTDIR="$work/local" PREFIX=/opt/q >/dev/null 2>&1 || return 1
    diff <(cd "$root/usr" && find . -type f ! -name changelog.gz | sort) <(cd "$work/local/opt/q" && find . -type f | sort)
}

if command -v lintian >/dev/null; then
    check "lintian" lintian --allow-root --fail-on error,warning "$deb"
else
    echo "skip package: lintian is not installed (make deps)"
fi
# systemd's own measure, from 0 (all taken away) to 10 (root as it is); without the sandbox 9.6. What it still may is in docs/security.md.
units_are_confined() {
    local unit
    for unit in "$root"/usr/lib/systemd/system/*.service; do
        systemd-analyze security --offline=true --no-pager --threshold=46 "$unit" >"$work/security" 2>&1 || { grep -a 'exposure level' "$work/security"; return 1; }
        # No sandbox may come between it and a data directory, a watchdog, the sysrq trigger or libqb's shared memory.
        case $unit in
        */quorate-http.service) # It needs nothing of the node but two files and the sockets that it is given.
            systemd-analyze security --offline=true --no-pager --threshold=12 "$unit" >"$work/security" 2>&1 || { grep -a 'exposure level' "$work/security"; return 1; }
            continue ;;
        esac
        ! grep -nE '^(ProtectSystem=strict|ProtectHome=|PrivateTmp=|PrivateDevices=|PrivateNetwork=|PrivateIPC=|ProtectKernelTunables=|ProtectKernelLogs=|ProtectClock=|DevicePolicy=|StateDirectory=|ProtectControlGroups=|ReadWritePaths=)' "$unit" || return 1
    done
}
check "the units may do what they must and no more" units_are_confined
check "the same sources give the same file" built_twice
check "everything is in it" has_all
check "the agent's version" same "quorate $version" "$("$root/usr/bin/quorate" --version)"
check "the agent's meta-data is the golden one" diff -u ocf/postgres.xml <(OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 "$root/$agent" meta-data)
check "the programs name no directory of this machine" names_no_directory_of_this_machine
check "the manual pages render without a warning" pages_render
check "each subcommand has a page" pages_of_subcommands
check "bash completes" completes
check "make install has the same files" make_install_has_the_same
[ "${1:-all}" != content ] || exit $failed

# --- a cluster that runs ------------------------------------------------------------------------------------------------

make --no-print-directory build >"$work/make.log" 2>&1 || { cat "$work/make.log"; exit 1; }
# An earlier one that was killed.
$lab down --name $cluster >/dev/null 2>&1
up=yes
suite=(${SUITE:+--suite "$SUITE"})
$lab up classic --name $cluster "${suite[@]}" --package "$deb" || exit 1
on() { timeout 180 "$lab" shell --name $cluster "$@"; }
placed=/var/cache/apt/archives/quorate.deb

promoted() { on srv1 -- crm_resource --resource pgsqld-clone --locate 2>/dev/null | awk '/Promoted|Master/ { print $(NF - 1) }'; }
primary=$(promoted)
case $primary in
srv1) standby=srv2 ;;
srv2) standby=srv1 ;;
*)
    echo "not ok package: a primary to begin with: '$primary'"
    exit 1
    ;;
esac

# Every operation but the monitors, with the number that the executor gave it; and who runs.
operations() {
    on "$primary" -- cibadmin --query --xpath '//lrm_resource' |
        sed -n 's/.*<lrm_rsc_op .*operation_key="\([^"]*\)".* on_node="\([^"]*\)" call-id="\([^"]*\)".*/\2 \1 \3/p' | grep -v '_monitor_[1-9]' | sort
}
processes() {
    local node
    for node in srv1 srv2; do
        on $node -- sh -c 'echo $(hostname): $(pidof corosync pacemakerd pacemaker-execd sbd corosync-qdevice) $(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)'
    done
}
none_failed() {
    on "$primary" -- crm_mon --one-shot --output-as=xml --include=failures,failcounts >"$work/failures.xml" || return 1
    ! grep -E '<failure |fail-count=' "$work/failures.xml"
}
result() { awk -F '[:,]' -v key="\"$1\"" '$1 ~ key { gsub(/[ "]/, "", $2); print $2 }' "$report/results.json"; }

check "is installed on both nodes" same "installed $version installed $version" \
    "$(for n in srv1 srv2; do on $n -- dpkg-query -W -f '${db:Status-Status} ${Version}\n' quorate; done | paste -sd ' ')"
operations_before=$(operations) processes_before=$(processes)
for target in primary standby; do
    rm -f "$report/results.json"
    check "upgrade on the $target: nothing lost, nothing paused" \
        "$lab" test classic --name $cluster "${suite[@]}" --faults upgrade --target $target --runs 1 --report "$report"
    echo "upgrade on the $target: outage $(result outage_ms) ms, $(result acked) acknowledged, $(result lost_acked) lost"
done
check "upgrades start no action of Pacemaker but monitors" same "$operations_before" "$(operations)"
[ -n "$operations_before" ] || check "there are operations to compare" false
check "upgrades restart nothing" same "$processes_before" "$(processes)"
check "upgrades leave no failure" none_failed

refuses() {
    local node=$1 why=$2
    if on "$node" -- dpkg --remove quorate >"$work/remove.log" 2>&1; then
        echo "it was removed"
        return 1
    fi
    grep -q "$why" "$work/remove.log" || { cat "$work/remove.log"; return 1; }
    same installed "$(on "$node" -- dpkg-query -W -f '${db:Status-Status}' quorate)" && on "$node" -- test -x /$agent
}
check "removal is refused where the primary runs" refuses "$primary" "on this node: pgsqld"
check "removal is refused where a standby runs" refuses "$standby" "on this node: pgsqld"
on "$standby" -- mv /usr/sbin/crm_mon /usr/sbin/crm_mon.away
check "removal is refused where Pacemaker can't be asked" refuses "$standby" "does not tell what it runs"
on "$standby" -- mv /usr/sbin/crm_mon.away /usr/sbin/crm_mon
check "a refused removal restarts nothing" same "$processes_before" "$(processes)"

gone() {
    on "$standby" -- sh -c 'left=$(ls -d /usr/lib/ocf/resource.d/quorate /usr/bin/quorate /usr/lib/systemd/system/*.service.d/quorate.conf \
        /usr/share/doc/quorate /run/resource-agents/quorate-* /var/log/postgresql/quorate-* 2>/dev/null); [ -z "$left" ] || { echo "left: $left"; false; }'
}
streams_again() {
    for _ in $(seq 60); do
        [ "$(on "$primary" -- runuser -u postgres -- psql -XAtqc "select count(*) from pg_stat_replication where state = 'streaming'" postgres </dev/null 2>/dev/null)" = 1 ] && return
        sleep 1
    done
    on "$primary" -- crm_mon -1
    return 1
}
waits_for_sbd() {
    on "$standby" -- sh -c "tr '\\0' '\\n' </proc/\$(pidof pacemakerd)/environ | grep -x SBD_SYNC_RESOURCE_STARTUP=$1 &&
        if [ $1 = yes ]; then journalctl -t pacemakerd --no-pager | tail -n 200 | grep -q 'Received startup-trigger from SBD'; fi"
}
stop_standby() { on "$standby" -- pcs cluster stop; }
start_standby() { on "$standby" -- pcs cluster start --wait=60; }
check "pcs cluster stop on the standby" stop_standby
check "then it can be removed" on "$standby" -- dpkg --remove quorate
check "and purged" on "$standby" -- dpkg --purge quorate
check "which leaves nothing of it" gone
check "it can be installed again" on "$standby" -- dpkg -i $placed
# pcs writes the file without this line, the lab's set-up adds it.
on "$standby" -- sed -i '/^SBD_SYNC_RESOURCE_STARTUP=/d' /etc/default/sbd
check "pcs cluster start on the standby" start_standby
check "the standby streams again" streams_again
check "Pacemaker waits for sbd by the package's drop-in" waits_for_sbd yes
check "the primary stayed where it was" same "$primary" "$(promoted)"
check "stopping, removing and installing leave no failure" none_failed
on "$standby" -- sh -c 'echo SBD_SYNC_RESOURCE_STARTUP=no >>/etc/default/sbd'
check "pcs cluster stop, once more" stop_standby
check "pcs cluster start with SBD_SYNC_RESOURCE_STARTUP=no in /etc/default/sbd" start_standby
check "which wins over the drop-in" waits_for_sbd no
check "removal is forced by QUORATE_REMOVE=anyway" on "$standby" -- env QUORATE_REMOVE=anyway dpkg --remove quorate
exit $failed
