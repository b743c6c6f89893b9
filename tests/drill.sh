#!/bin/bash
# The drill with the watchdog (`quorate prove-watchdog`) on a standby of a lab cluster that is up: tests/drill.sh CLUSTER. Part of
# tests/hangs.sh. It refuses while the cluster runs there, and resets the node where it is in standby and stopped; after the boot
# the record, status and the doctor say so.
set -u
lab=target/debug/quorate-lab
name=$1
# A lab node has no /dev/watchdog: as sbd there, the command gets the library that stands for one. In the product there is no switch for it.
preload=LD_PRELOAD=/usr/local/lib/libquorate_watchdog.so
failed=0

say() {
    if [ "$1" = 0 ]; then echo "ok hangs: $2"; else echo "not ok hangs: $2"; failed=1; fi
}

on() { timeout 90 "$lab" shell --name "$name" "$node" "$@" 2>&1 | tr -d '\r'; return "${PIPESTATUS[0]}"; }
boots() { timeout 20 "$lab" events --name "$name" | grep "\"node\":\"$node\"" | grep -c '"what":"booted"'; }
until_true() { # seconds, command
    local end=$((SECONDS + $1))
    shift
    until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 1; done
}

node=srv1
node=$(on crm_mon --one-shot --output-as=xml --include=none,resources |
    awk '/<resource / { standby = /role="(Unpromoted|Slave)"/ } standby && /<node / { sub(/.*name="/, ""); sub(/".*/, ""); print; exit }')
[ -n "$node" ] || { say 1 "prove-watchdog: no standby is found"; exit 1; }

said=$(on env $preload quorate prove-watchdog --yes "$node")
[ $? = 1 ] && grep -q 'the cluster runs here (corosync, pacemakerd, sbd)' <<<"$said" && grep -q "first pcs node standby $node" <<<"$said"
say $? "prove-watchdog refuses while the cluster runs, and says what to type"
on quorate prove-watchdog --result | grep -q 'NEVER proven'
say $? "prove-watchdog --result: never proven"

# pcs without pcsd.
on crm_standby -N "$node" -v on >/dev/null
until_true 40 sh -c "! timeout 20 '$lab' shell --name '$name' '$node' crm_mon --one-shot --node '$node' --output-as=xml --include=none,nodes | grep -q 'resources_running=\"[1-9]'"
on systemctl stop pacemaker corosync >/dev/null
said=$(on quorate prove-watchdog --dry-run)
say $? "prove-watchdog --dry-run: it would begin in standby and stopped"
said=$(on env $preload quorate prove-watchdog --yes other)
[ $? = 1 ] && grep -q 'nothing is done' <<<"$said"
say $? "prove-watchdog asks for the node's own name"

before=$(boots)
said=$(on env $preload quorate prove-watchdog --yes "$node")
grep -q 'is armed with 5 s' <<<"$said" && ! grep -q 'NOT bite' <<<"$said"
say $? "prove-watchdog arms the watchdog: $(grep -c alive <<<"$said") lines that it lives"
more_boots() { [ "$(boots)" -gt "$before" ]; }
until_true 60 more_boots
say $? "the node is reset"
until_true 60 on true
said=$(on quorate prove-watchdog --result)
code=$?
grep -Eq 'proven [0-9]+ (s|min.*) ago: the node was reset [4-7]\.[0-9] to [4-8]\.[0-9] s after it was armed' <<<"$said" && [ $code = 0 ]
say $? "after the boot: $said"

# A second after the reset its systemd may not be there to ask.
starts() { on systemctl start pacemaker corosync-qdevice >/dev/null; }
until_true 60 starts
say $? "the cluster starts on it"
# Of two configurations the one with the higher version is kept when a node joins, and a node that is the only one it sees yet raises
# its own: the standby of before the reset would win over its end. So first it has joined, as the other sees it.
other=$([ "$node" = srv1 ] && echo srv2 || echo srv1)
at_other() { timeout 30 "$lab" shell --name "$name" "$other" "$@"; }
joined() { at_other crm_mon --one-shot --output-as=xml --include=none,nodes | grep "<node name=\"$node\"" | grep 'online="true"' | grep -q 'pending="false"'; }
until_true 90 joined
say $? "the node has joined"
back() { at_other crm_standby -N "$node" -D >/dev/null; }
until_true 60 back
status_says() { on quorate status | grep -q '^watchdog .*; proven '; }
until_true 60 status_says
say $? "quorate status says when it was proven: $(on quorate status | grep '^watchdog')"
on quorate doctor --verbose | grep 'watchdog-proven' | grep -q 'of this container'
say $? "the doctor says that it can't compare the device in a container: rule watchdog-proven is not checked"
streams() { timeout 30 "$lab" shell --name "$name" "$node" crm_mon --one-shot | grep -q 'Unpromoted:.*'"$node"; }
until_true 120 streams
streamed=$?
say $streamed "the node is a standby again"
[ $streamed = 0 ] || at_other crm_mon --one-shot --inactive --show-node-attributes
exit $failed
