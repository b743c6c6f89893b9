#!/bin/sh
# How long a reset takes that quorated has decided on, where a real-time task above it has the node's only processor: RUNS (20) times.
# sbd is stopped, quorated decides, and a task at SCHED_FIFO 50 lets it run 100 ms in a second. Measured from the time in the record
# that the reset leaves to the machine's end, which has in it how long systemd-nspawn needs for its own; and, where the kernel
# traces (tracefs), to the call of reboot(2), which ends a real machine at once, and is what is judged then. Not part of `make test`: half an hour.
#   RUNS=20 NAME=resettime tests/reset-time.sh [DIRECTORY FOR WHAT WAS MEASURED]
set -u
out=${1:-report/reset-time}
runs=${RUNS:-20}
name=${NAME:-resettime}
lab=${LAB:-target/debug/quorate-lab}
limit=1000
mkdir -p "$out" || exit 1
cpuset=/sys/fs/cgroup/cpuset/quorate-lab-$name
trace=/sys/kernel/tracing/instances/quorate-lab-$name
mounted=no

shell() { node=$1; shift; timeout 30 $lab shell --name "$name" "$node" "$@"; }
primary() { # as a node that runs sees it
    for node in srv1 srv2; do
        shell $node crm_mon -1 2>/dev/null | sed -n 's/.*Promoted: \[ \([^ ]*\) \].*/\1/p;s/.*Masters: \[ \([^ ]*\) \].*/\1/p' | head -n 1 | grep . && return
    done
}
tidy() {
    $lab down --name "$name" >/dev/null 2>&1
    [ -d "$trace" ] && { echo 0 >"$trace/events/syscalls/sys_enter_reboot/enable"; rmdir "$trace"; }
    [ $mounted = yes ] && umount /sys/kernel/tracing
    [ -d "$cpuset" ] && rmdir "$cpuset"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[ -e /sys/kernel/tracing/README ] || { mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null && mounted=yes; }
if mkdir "$trace" 2>/dev/null; then
    echo mono >"$trace/trace_clock"
    echo 1 >"$trace/events/syscalls/sys_enter_reboot/enable" || rmdir "$trace"
fi
mkdir -p "$cpuset" && echo 1 >"$cpuset/cpuset.cpus" && echo 0 >"$cpuset/cpuset.mems" || exit 1

# All of the node's processes, and what they start, on one processor.
confine() { # node
    groups=/sys/fs/cgroup/freezer/quorate-lab/$name/$1
    find "$groups" -name cgroup.procs -exec cat {} + | while read -r pid; do echo "$pid" >"$cpuset/cgroup.procs" 2>/dev/null; done
}

# Milliseconds on the wall clock: when the node's next power loss after the event number $2 was.
lost() { # node, events before
    $lab events --name "$name" | tail -n +$(($2 + 1)) | grep "\"node\":\"$1\"" | grep '"power-lost"' | head -n 1
}
us() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }

$lab up classic --name "$name" || exit 1
: >"$out/measured"
run=1 failed=0 attempts=0
while [ $run -le "$runs" ] && [ $attempts -lt $((runs * 3)) ]; do
    attempts=$((attempts + 1))
    timeout 200 $lab heal --name "$name" >/dev/null 2>&1
    i=0
    # Whole: both members, a standby, and all daemons seen well by quorated for a while.
    until shell srv1 crm_mon -1 2>/dev/null | grep -Eq 'Unpromoted: \[ srv|Slaves: \[ srv' || [ $i -gt 90 ]; do i=$((i + 1)); sleep 1; done
    sleep 10
    node=$(primary)
    [ -n "$node" ] || { echo "run $run: no primary yet; once more"; continue; }
    began=$(date +%s)
    before=$($lab events --name "$name" | wc -l)
    confine "$node"
    # systemd takes $$ for a dollar.
    hog='use Time::HiRes qw(time sleep); while (1) { my $$end = time + 0.9; 1 while time < $$end; sleep 0.1 }'
    shell "$node" systemd-run --quiet --collect --unit=hog chrt --fifo 50 perl -e "$hog"
    confine "$node"
    shell "$node" systemctl is-active --quiet hog || { echo "run $run: no task on $node that takes the processor; once more"; continue; }
    [ -d "$trace" ] && : >"$trace/trace"
    timeout 60 $lab fault --name "$name" sbd-stop "$node" >/dev/null 2>&1
    i=0
    while [ $i -lt 40 ] && ! lost "$node" "$before" | grep -q .; do i=$((i + 1)); sleep 0.5; done
    event=$(lost "$node" "$before")
    i=0
    while [ $i -lt 30 ] && ! shell "$node" true 2>/dev/null; do i=$((i + 1)); sleep 1; done
    record=$(shell "$node" cat /var/lib/quorate/last-reset.json 2>/dev/null | tr -d '\0')
    at=$(echo "$record" | us at) ms=$(echo "$record" | us ms)
    off=$(echo "$event" | us wall_us) off_mono=$(echo "$event" | us monotonic_us)
    if [ -z "$at" ] || [ -z "$off" ] || [ "$at" -lt "$began" ]; then
        echo "run $run: $node: not reset by quorated: power lost: ${event:-no}; record: $(echo "$record" | tr -s ' ')"
        failed=1 run=$((run + 1)); continue
    fi
    decided=$((at * 1000 + ${ms:-0}))
    total=$((off / 1000 - decided))
    # From the wall clock to the monotonic one by the event, which has both.
    called=-
    if [ -d "$trace" ]; then
        called=$(awk -v off="$off" -v mono="$off_mono" -v decided="$decided" '/sys_reboot/ && !done {
            for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9]+:$/) { sub(":", "", $i); t = $i * 1e6 }
            ms = (t - mono + off) / 1000 - decided; if (ms > 0) { printf "%d", ms; done = 1 } }' "$trace/trace")
    fi
    echo "run $run: $node: decided to power lost $total ms, to reboot(2) ${called:--} ms; $(echo "$event" | sed -n 's/.*"cause":"\([^"]*\)".*/\1/p'); $(echo "$record" | sed -n 's/.*"reason":"\([^"]*\)".*/\1/p' | cut -c1-70)" | tee -a "$out/measured"
    case $called in
    *[0-9]*) [ "$called" -le $limit ] || failed=1 ;;
    *) [ "$total" -le $limit ] || failed=1 ;;
    esac
    run=$((run + 1))
done

figures() { # what
    sed -n "s/.*$1 \([0-9][0-9]*\) ms.*/\1/p" "$out/measured" | sort -n | awk -v what="$1" '{ v[NR] = $1 } END { if (NR) printf "%s: %d runs, median %d ms, max %d ms\n", what, NR, v[int((NR + 1) / 2)], v[NR] }'
}
figures 'to power lost'
figures 'to reboot(2)' | grep . || true
[ "$(grep -c . "$out/measured")" = "$runs" ] || failed=1
if [ $failed = 0 ]; then echo "ok reset-time: a reset that was decided happens within $limit ms in $runs of $runs runs"
else echo "not ok reset-time: not within $limit ms in each of $runs runs"; fi
exit $failed
