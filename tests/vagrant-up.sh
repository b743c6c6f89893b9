#!/bin/bash
# A drill for a machine with KVM, or with VirtualBox: `vagrant up` of a layout in real virtual machines, what `quorate status` and
# `quorate doctor` say, three faults on the primary's node, halt, up again, destroy. Prints a line a step with its seconds.
#
#   tests/vagrant-up.sh                                       classic, Vagrant's default provider
#   PROVIDER=libvirt tests/vagrant-up.sh classic packed       or virtualbox; these layouts, one after the other
#   PATIENCE=15 PROVIDER=libvirt tests/vagrant-up.sh          where QEMU emulates: every deadline times 15
#
# BOX, MEMORY, PACKAGE as in vagrant/Vagrantfile; without PACKAGE it is built. Whatever happens, Ctrl-C too, the machines are
# destroyed in the end. Not part of `make test`: that starts no virtual machine. Without KVM: tests/vagrant-emulated.sh.
# shellcheck disable=SC2016 # for a shell of the step's own, which its limit ends
set -euo pipefail
cd "$(dirname "$0")/../vagrant"
command -v vagrant >/dev/null || {
    echo "vagrant-up: vagrant is missing: apt-get install vagrant vagrant-libvirt, or VirtualBox and vagrant" >&2
    exit 2
}
patience=${PATIENCE:-1}
case $patience in
'' | *[!0-9]* | 0)
    echo "vagrant-up: PATIENCE=$patience: a whole number from 1 on" >&2
    exit 2
    ;;
esac
[ -z "${PROVIDER:-}" ] || export VAGRANT_DEFAULT_PROVIDER=$PROVIDER
[ $# -gt 0 ] || set -- classic
[ -n "${PACKAGE:-}" ] || make --no-print-directory -C .. deb >/dev/null
log=$(mktemp -d "${TMPDIR:-/tmp}/quorate-vagrant-up.XXXXXX")
export VAGRANT_CHECKPOINT_DISABLE=1
up=no running=
clean_up() {
    trap - EXIT INT TERM
    # It holds Vagrant's lock on the machines.
    if [ -n "$running" ] && kill "$running" 2>/dev/null; then wait "$running" 2>/dev/null || true; fi
    if [ $up = yes ]; then timeout $((300 * patience)) vagrant destroy --force >>"$log/destroy" 2>&1 || echo "vagrant-up: vagrant destroy failed, see $log/destroy: vagrant destroy --force in vagrant/" >&2; fi
    echo "vagrant-up: logs in $log"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bad() {
    echo "not ok vagrant-up, $layout: $*"
    exit 1
}
step() { # seconds, what, command: with its output in a log of that name
    local limit=$(($1 * patience)) what=$2 began=$SECONDS code=0 file
    file=$log/$layout-$(tr -c 'a-z0-9\n' - <<<"$what")
    shift 2
    # In the background and waited for, so that Ctrl-C is heard at once.
    timeout --kill-after=30 "$limit" "$@" >"$file" 2>&1 </dev/null &
    running=$!
    wait $running || code=$?
    running=
    if [ $code != 0 ]; then
        tail -n 15 "$file"
        bad "$what: exit code $code after $((SECONDS - began)) s$([ $code != 124 ] || echo ", the limit; PATIENCE=$((patience * 2)) gives it longer")"
    fi
    echo "ok vagrant-up, $layout: $what ($((SECONDS - began)) s)"
}
on() { # machine, command line, as root
    timeout $((60 * patience)) vagrant ssh "$1" -c "sudo $2" 2>/dev/null </dev/null
}
primary() { # asked of a machine
    on "$1" 'crm_mon --one-shot' | sed -nE '0,/Promoted: \[ / s/.*Promoted: \[ ([^ ]+) \].*/\1/p' | tr -d '\r' | head -n 1
}
# What is run by `step` as a program of its own.
until_primary() { # asked of a machine, another one than this
    local now
    until now=$(primary "$1") && [ -n "$now" ] && [ "$now" != "$2" ]; do sleep 1; done
    echo "$now"
}
until_write() { # machine
    until on "$1" "runuser -u postgres -- psql -XAtq -p $port -d postgres -c 'insert into drill default values' </dev/null"; do sleep 1; done
}
until_whole() { # asked of a machine
    local seen
    while true; do
        if seen=$(on "$1" 'crm_mon --one-shot') && ! grep -qE 'OFFLINE|UNCLEAN|Failed|Stopped' <<<"$seen" && grep -q 'Promoted: \[ ' <<<"$seen" &&
            grep -q 'Unpromoted: \[ ' <<<"$seen"; then
            break
        fi
        sleep 1
    done
    echo "$seen"
}
export -f on primary until_primary until_write until_whole
export patience

for layout in "$@"; do
    export LAYOUT=$layout
    site=../pcs-templates/$layout.toml
    [ -f "$site" ] || bad "there is no such layout: packed, classic, three-centres, many-replicas"
    nodes=$(sed -n '/^\[\[node\]\]/,/^\[witness\]\|^\[\[instance\]\]/s/^name = "\([^"]*\)".*/\1/p' "$site")
    first=$(head -n 1 <<<"$nodes")
    port=$(sed -n '/^\[\[instance\]\]/,$s/^port = \([0-9]*\).*/\1/p' "$site" | head -n 1)
    export port=${port:-5432}
    kvm=without
    [ ! -c /dev/kvm ] || [ ! -w /dev/kvm ] || kvm=with
    echo "== $layout, provider ${VAGRANT_DEFAULT_PROVIDER:-not named}, $(uname -r), $kvm /dev/kvm"
    up=yes
    step 1200 "up" vagrant up
    step 120 "the cluster is whole" bash -c 'until_whole "$0"' "$first"
    step 60 "status" vagrant ssh "$first" -c 'sudo quorate status'
    # Findings are the machine's to judge: they are shown, and no failure.
    on "$first" 'quorate doctor' >"$log/$layout-doctor" || true
    echo "   doctor: $(tail -n 1 "$log/$layout-doctor")"
    where=$(primary "$first")
    step 60 "a table on $where" vagrant ssh "$where" -c \
        "sudo runuser -u postgres -- psql -XAtq -p $port -d postgres -c 'create table drill (i serial)' </dev/null"
    for fault in postgres power sbd; do
        asked=$(grep -vx "$where" <<<"$nodes" | head -n 1)
        case $fault in
        postgres)
            on "$where" "pkill -KILL -o -x postgres" || bad "no postmaster on $where"
            step 120 "PostgreSQL killed on $where: a write" bash -c 'until now=$(primary "$0") && [ -n "$now" ] && until_write "$now"; do sleep 1; done' "$asked"
            ;;
        power)
            # Without a shutdown: sysrq b.
            on "$where" "sh -c 'echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger'" || true
            step 180 "$where reset at once: another primary, and a write" bash -c 'now=$(until_primary "$0" "$1") && until_write "$now"' "$asked" "$where"
            ;;
        sbd)
            on "$where" "pkill -STOP -x sbd" || bad "no sbd on $where"
            step 180 "sbd stopped on $where: another primary, and a write" bash -c 'now=$(until_primary "$0" "$1") && until_write "$now"' "$asked" "$where"
            ;;
        esac
        step 300 "the cluster is whole again" bash -c 'until_whole "$0"' "$asked"
        where=$(primary "$asked")
    done
    rows=$(on "$where" "runuser -u postgres -- psql -XAtq -p $port -d postgres -c 'select count(*) from drill' </dev/null" | tr -d '\r')
    [ "${rows:-0}" -ge 1 ] || bad "the table drill has no rows on $where"
    echo "   $rows rows on $where"
    step 300 "halt" vagrant halt
    step 600 "up again" vagrant up --no-provision
    step 300 "the cluster is whole after it" bash -c 'until_whole "$0"' "$first"
    step 300 "destroy" vagrant destroy --force
    up=no
done
