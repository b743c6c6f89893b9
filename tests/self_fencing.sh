#!/bin/bash
# The self-fencing part of `make test`: what fence_quorate's confirmation rests on. Who is not root on a member can neither fence a node nor
# speak for one; what root sends is obeyed only where Pacemaker fences the node; `off` switches off; and a notice that its node has
# outlived confirms nothing.
set -u
lab=${LAB:-target/debug/quorate-lab}
name=${NAME:-makefencing}
# shellcheck disable=SC2206 # words
up=(${UP:-up classic})
records=/run/quorate/self-fenced
requests=/run/quorate/self-fence-requests
failed=0
[ -n "${LAB:-}" ] || make --no-print-directory build deb || exit 1

say() {
    if [ "$1" = 0 ]; then echo "ok self-fencing: $2"; else echo "not ok self-fencing: $2"; failed=1; fi
}

on() { local node=$1; shift; timeout 60 "$lab" shell --name "$name" "$node" "$@"; }
boot() { on "$1" cat /proc/sys/kernel/random/boot_id; }
primary() { on "$1" crm_mon --one-shot --output-as=xml --include=none,resources |
    awk '/<resource / { promoted = /role="(Promoted|Master)"/ } promoted && /<node / { sub(/.*name="/, ""); sub(/".*/, ""); print; exit }'; }
# A line of a node's journal since $since.
logged() { on "$1" journalctl --quiet --output=cat -t "$2" --since "@$since" | grep -F -m1 -- "$3"; }
now() { awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime; }
until_true() { # seconds, command
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.5; done
}

# Whether a standby runs, as the named node's Pacemaker sees it.
standby_runs() { on "$1" crm_mon --one-shot --output-as=xml --include=none,resources | grep -q 'role="\(Unpromoted\|Slave\)".*active="true"'; }

# Joins quorated's group, sends what is on standard input (`copy`: the first message of the other node that it hears), and goes.
sender='
import ctypes, os, sys, time
cpg = ctypes.CDLL("libcpg.so.4")
class Name(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint32), ("value", ctypes.c_char * 128)]
class Callbacks(ctypes.Structure):
    _fields_ = [("deliver", ctypes.c_void_p), ("confchg", ctypes.c_void_p)]
class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]
heard = []
Deliver = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t)
deliver = Deliver(lambda handle, group, node, pid, text, length: heard.append(ctypes.string_at(text, length)))
handle = ctypes.c_uint64()
callbacks = Callbacks(ctypes.cast(deliver, ctypes.c_void_p), None)
group = Name(8, b"quorated")
def check(code):
    if code != 1:
        sys.exit("corosync: error %d" % code)
check(cpg.cpg_initialize(ctypes.byref(handle), ctypes.byref(callbacks)))
check(cpg.cpg_join(handle, ctypes.byref(group)))
text = os.environ["TEXT"].encode()
end = time.monotonic() + 5
while text == b"copy" and time.monotonic() < end:
    cpg.cpg_dispatch(handle, 1)
    sealed = [h for h in heard if h.startswith(b"quorated/")]
    if sealed:
        text = sealed[0]
    time.sleep(0.05)
iovec = Iovec(text, len(text))
check(cpg.cpg_mcast_joined(handle, 2, ctypes.byref(iovec), 1))
time.sleep(0.5)
print(os.getpid())
'
send() { on "$1" runuser -u hacluster -- env TEXT="$2" python3 -c "$sender"; }

trap '"$lab" down --name "$name" >/dev/null 2>&1' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
"$lab" "${up[@]}" --name "$name" >/dev/null || { say 1 "a cluster comes up"; exit 1; }
first=$(primary srv1)
case $first in srv1) second=srv2 ;; srv2) second=srv1 ;; *) say 1 "there is a primary"; exit 1 ;; esac
id=${first#srv}
boot=$(boot "$first")
since=$(date +%s)

# One message of uid hacluster, from the other node: of the version without a seal, with a seal that is none, and a copy.
zeros=$(printf '%064d' 0)
request="{\"request\":{\"boot\":\"$boot\",\"request\":{\"node_id\":$id,\"node\":\"$first\",\"how\":\"reboot\"}}}"
envelope="{\"node_id\":${second#srv},\"pid\":1,\"node\":\"$second\",\"boot\":\"b\",\"ring\":{\"seq\":1,\"node_id\":1},\"number\":99,\"message\":$request}"
old="{\"end\":{\"node_id\":$id,\"node\":\"$first\",\"by\":\"$second\"}}"
for text in "$old" "{\"farewell\":{\"node\":\"$second\",\"boot\":\"b\",\"reason\":\"forged\"}}" "quorated/2 $zeros $envelope" copy; do
    send "$second" "$text" >/dev/null || say 1 "hacluster sends a message"
    sleep 3
done
[ "$(boot "$first")" = "$boot" ] && [ "$(primary "$second")" = "$first" ]
say $? "messages of uid hacluster leave the primary's node $first alone"
until_true 10 logged "$first" quorated "not from root's quorated: pid" && until_true 10 logged "$first" quorated "a copy of a message in quorated's group"
say $? "each kind of them is named in the journal of $first with node and pid"
[ -z "$(on "$first" sh -c "ls $records 2>/dev/null | grep '^srv'")" ]
say $? "a forged notice is not kept"

# What root's quorated sends, and Pacemaker knows nothing of.
since=$(date +%s)
# shellcheck disable=SC2016 # perl's own
on "$second" perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0); send(S, $ARGV[0], 0, sockaddr_un($ARGV[1])) or die $!' \
    "{\"node_id\":$id,\"node\":\"$first\",\"how\":\"reboot\"}" "$requests"
until_true 10 logged "$first" quorated "not done: Pacemaker has no fencing of this node under way"
say $? "a request that Pacemaker knows nothing of is not obeyed, and says so"
[ "$(boot "$first")" = "$boot" ]
say $? "$first lives"

# With Pacemaker's word it is obeyed, and confirmed.
since=$(date +%s)
begin=$(now)
on "$first" stonith_admin --reboot "$second" --timeout 60
took=$(($(now) - begin))
until_true 10 logged "$first" fence_quorate "$second reboot: confirmed: it announced its self-fencing"
say $? "a standby's node that Pacemaker fences is confirmed after $took ms"
sleep 5
timeout 150 "$lab" heal --name "$name" >/dev/null || say 1 "the cluster heals"

# `heal` starts Pacemaker and does not wait for it; a fencer that has just begun knows of no fencing under way, and the request is refused.
until_true 60 standby_runs "$first"
say $? "$second is a standby again after its reboot"

# The whole chain of a notice that its node outlives. The other one's quorated dies as soon as it has the record.
before=$(boot "$second")
since=$(date +%s)
on "$first" sh -c "until [ -e $records/$second ]; do sleep 0.02; done; pkill -KILL -x quorated" &
sleep 2
on "$first" stonith_admin --reboot "$second" --timeout 60 >/dev/null 2>&1
wait
# shellcheck disable=SC2317 # called by until_true
back() { [ "$(boot "$second" 2>/dev/null)" != "$before" ] && on "$second" true 2>/dev/null; }
# shellcheck disable=SC2317 # called by until_true
moved() { "$lab" fault --name "$name" switchover primary >/dev/null 2>&1; [ "$(primary "$first")" = "$second" ]; }
until_true 60 back
say $? "$second is reset and comes back"
# Whether the cluster starts at boot is the site's choice.
until_true 60 on "$second" pcs cluster start >/dev/null 2>&1
until_true 60 standby_runs "$first"
until_true 60 moved
say $? "$second becomes the primary"
[ -z "$(on "$first" sh -c "ls $records 2>/dev/null")" ]
say $? "no record of $second is left on $first"
since=$(date +%s)
begin=$(now)
"$lab" fault --name "$name" unlink "$second" >/dev/null
# shellcheck disable=SC2317 # called by until_true
taken() { [ "$(primary "$first")" = "$first" ]; }
until_true 60 taken
took=$(($(now) - begin))
until_true 10 logged "$first" fence_quorate "not confirmed: it sent no self-fencing notice" && ! logged "$first" fence_quorate "$second reboot: confirmed"
say $? "its cable is pulled: no confirmation; $first is the primary after $took ms"
[ $took -gt 13000 ]
say $? "the watchdog's time of 10 s is waited for"
timeout 150 "$lab" heal --name "$name" >/dev/null || say 1 "the cluster heals"

# Off is off. The standby's node: who is the primary now goes on.
second=$([ "$(primary srv1)" = srv1 ] && echo srv2 || echo srv1)
first=$([ "$second" = srv1 ] && echo srv2 || echo srv1)
# As above: a fencer that has just begun.
until_true 60 standby_runs "$first"
say $? "$second is a standby again"
since=$(date +%s)
begin=$(now)
on "$first" pcs stonith fence "$second" --off >/dev/null 2>&1
code=$?
took=$(($(now) - begin))
[ $code = 0 ] && until_true 10 logged "$first" fence_quorate "$second off: confirmed"
say $? "pcs stonith fence $second --off is confirmed after $took ms"
# shellcheck disable=SC2317 # called by until_true
is_off() { ! on "$second" true 2>/dev/null; }
until_true 10 is_off && sleep 15 && is_off
stays=$?
# Who ended it, and who switched it on again.
[ $stays = 0 ] || "$lab" events --name "$name" | tail -n 12
say $stays "$second is off, and stays off"
exit $failed
