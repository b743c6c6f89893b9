#!/bin/bash
# What quorated watches, and what it leaves alone, on the standby's node of a lab cluster that is up and healthy: a /tmp/sbd of nobody's that
# was there before sbd, a quorum device's client that a frozen cgroup holds, Pacemaker under another unit's name, a lost witness.
#
#   quorate-lab up classic && tests/watched.sh [CLUSTER]
#
# Prints "ok …" or "not ok …" for each. Takes three minutes; a quorated of before has the node reset at the second one.
set -u
cluster=${1:-classic}
lab=$(dirname "$0")/../target/debug/quorate-lab
node=$("$lab" shell --name "$cluster" srv1 -- crm_mon -1 | sed -n 's/.*Unpromoted: \[ \(srv[0-9]*\) \].*/\1/p')
[ -n "$node" ] || { echo "no standby in $cluster" >&2; exit 1; }
failed=0

inside() { timeout 150 "$lab" shell --name "$cluster" "$node" -- bash -c "$prelude$1"; }
say() { if [ "$1" = 0 ]; then echo "ok watched: $2"; else echo "not ok watched: $2"; failed=1; fi; }

prelude=$(cat <<'NODE'
standby() { for _ in $(seq 60); do crm_mon -1 2>/dev/null | grep -q "Unpromoted: \[ $(hostname)" && break; sleep 1; done; sleep 6; }
since() { journalctl -t quorated --since "-$1s" --no-pager -o cat; }

NODE
)
prelude+=$'\n'

inside '
systemctl stop pacemaker corosync-qdevice corosync
cp /bin/sleep /tmp/sbd
setsid setpriv --reuid=nobody --regid=nogroup --clear-groups /tmp/sbd 600 >/dev/null 2>&1 </dev/null &
sleep 0.5
systemctl start pacemaker corosync-qdevice
standby
[ "$(quorated --check | sed -n "s/^sbd  *pid \([0-9]*\).*/\1/p")" = "$(systemctl show -p MainPID --value sbd)" ]'
say $? "sbd is the one of its unit, not nobody's /tmp/sbd"

inside 'pkill -STOP -u nobody -x sbd && sleep 8 && ! since 8 | grep -q .'
say $? "who stops nobody's /tmp/sbd for 8 s resets nobody"
inside 'pkill -KILL -u nobody -x sbd; rm -f /tmp/sbd'

inside '
group=$(ls -d /sys/fs/cgroup/{unified/,}system.slice/corosync-qdevice.service 2>/dev/null | head -n 1)
before=$(systemctl show -p MainPID --value corosync-qdevice)
echo 1 >"$group/cgroup.freeze"
for _ in $(seq 20); do
    sleep 1
    after=$(systemctl show -p MainPID --value corosync-qdevice)
    [ "$after" != "$before" ] && [ "$after" != 0 ] && break
done
[ "$after" != "$before" ] || { echo 0 >"$group/cgroup.freeze"; exit 1; }
sleep 5
corosync-quorumtool -s | grep -q "A,V,.*(local)"'
say $? "a quorum device's client in a frozen cgroup is restarted, and votes"

inside '
systemctl stop pacemaker
cp /lib/systemd/system/pacemaker.service /etc/systemd/system/site-cluster.service
sed -i /^Alias/d /etc/systemd/system/site-cluster.service
systemctl daemon-reload
systemctl start site-cluster
standby
controld=$(pgrep -o pacemaker-contr)
kill -STOP "$controld"
sleep 6
kill -CONT "$controld" 2>/dev/null && bad=1
sleep 5
systemctl stop site-cluster
rm /etc/systemd/system/site-cluster.service
systemctl daemon-reload
systemctl start pacemaker
standby
[ -z "${bad:-}" ]'
say $? "a pacemaker-controld under another unit's name that is stopped is killed"

"$lab" fault power-off witness --name "$cluster" >/dev/null
sleep 30
inside '! since 28 | grep -q corosync-qdevice && corosync-quorumtool -s | grep -q "A,NV,.*(local)"'
say $? "a lost witness restarts nobody: the client reports a vote of no"
"$lab" heal --name "$cluster" >/dev/null
exit $failed
