#!/bin/bash
# What quorated does with a watchdog device of its own, on a standby of a lab cluster that is up: tests/device.sh CLUSTER. Part of
# tests/hangs.sh. An orderly end disarms the device; one that is killed or hangs is back before it bites; where no other way resets the
# node, and where nobody brings quorated back, it bites.
set -u
lab=target/debug/quorate-lab
name=$1
failed=0

say() {
    if [ "$1" = 0 ]; then echo "ok hangs: $2"; else echo "not ok hangs: $2"; failed=1; fi
}

on() { timeout 60 "$lab" shell --name "$name" "$node" "$@"; }

# What happened to the node and the device since $begin: milliseconds on the host's clock, and what.
events() {
    timeout 20 "$lab" events --name "$name" | sed -n "/\"of\":\"sbd\"/d
        s/.*\"node\":\"$node\".*\"monotonic_us\":\([0-9]*\)[0-9]\{3\},.*\"what\":\"\([a-z-]*\)\".*/\1 \2/p" |
        awk -v begin="$begin" '$1 >= begin'
}

now() { awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime; }

# When it came first, in ms after $begin; fails after so many seconds without.
event() { # word, seconds
    local until=$((SECONDS + $2)) at
    while [ $SECONDS -lt $until ]; do
        at=$(events | awk -v word="$1" -v begin="$begin" '$2 == word { print $1 - begin; exit }')
        [ -z "$at" ] || { echo "$at"; return; }
        sleep 0.5
    done
    return 1
}

# quorated has begun anew, and sends keepalives.
again() { # its process id before
    local until=$((SECONDS + 15)) pid
    while [ $SECONDS -lt $until ]; do
        pid=$(on systemctl show --property=MainPID --value quorated)
        if [ "$pid" != 0 ] && [ "$pid" != "$1" ] && on journalctl --quiet _PID="$pid" | grep -q 'armed: resets this node'; then return; fi
        sleep 0.5
    done
    return 1
}

node=srv1
node=$(on crm_mon --one-shot --output-as=xml --include=none,resources |
    awk '/<resource / { standby = /role="(Unpromoted|Slave)"/ } standby && /<node / { sub(/.*name="/, ""); sub(/".*/, ""); print; exit }')
[ -n "$node" ] || { say 1 "a watchdog device of quorated's own: no standby is found"; exit 1; }

begin=$(now)
stopped=
on sh -c 'echo "watchdog_device = \"/dev/watchdog1\"" >/etc/quorate/quorated.toml; systemctl restart quorated'
armed=$(event watchdog-armed 10) && begin=$(now) && on systemctl stop quorated && stopped=$(event watchdog-disarmed 5) && on systemctl start quorated
say $? "quorated's own watchdog device is armed after ${armed:-no} ms, and disarmed by an orderly stop after ${stopped:-no} ms"

begin=$(now)
back=
for signal in KILL STOP; do
    pid=$(on systemctl show --property=MainPID --value quorated)
    on systemctl kill --kill-who=main --signal=$signal quorated
    again "$pid" || back=no
done
[ -z "$back" ] && [ -z "$(events)" ]
say $? "quorated that is killed or stopped is back before its device bites"

# No way but the device is left: quorated may not call reboot(2), the kernel of a lab has no sysrq, and of sbd nothing lives, and its
# device is disarmed, as one that does not work.
# shellcheck disable=SC2016 # the node's shell expands it
on sh -c 'cd /run/systemd/system && mkdir -p quorated.service.d sbd.service.d &&
    printf "[Service]\nCapabilityBoundingSet=~CAP_SYS_BOOT\n" >quorated.service.d/70-test.conf &&
    printf "[Service]\nRestart=no\n" >sbd.service.d/70-test.conf && systemctl daemon-reload && systemctl restart quorated
    deadline=15
    until grep -q "\"corosync\",\"armed\":true" /run/quorate/quorated.json || [ $deadline = 0 ]; do sleep 1; deadline=$((deadline - 1)); done
    pkill -STOP -x sbd; pkill -KILL -x sbd
    perl -MSocket -e "socket(S, AF_UNIX, SOCK_SEQPACKET, 0) && connect(S, sockaddr_un(q(/run/quorate-lab/watchdog.sock))) &&
        send(S, q(D!), 0) or die; sleep 1"'
begin=$(now)
on pkill -STOP -x corosync
bitten=$(event watchdog-expired 30)
say $? "no way to reset a node works but quorated's device: it bites after ${bitten:-no} ms"
# Whoever goes on with the cluster finds all nodes on.
event booted 60 >/dev/null || say 1 "the node that was reset boots again"
# Where systemd can't be asked yet, quorated has not been started either.
on sh -c ': >/etc/quorate/quorated.toml; systemctl try-restart quorated' 2>/dev/null
exit $failed
