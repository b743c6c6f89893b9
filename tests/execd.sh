# shellcheck shell=bash
# Sourced by tests/foreign.sh: our agent under a real pacemaker-execd, driven by Pacemaker's own cts-exec-helper.
#
# Debian 12 does not ship the helper and Debian 13 does, so both run in a root of Debian 13's packages (Pacemaker 3.0 and
# PostgreSQL 17), unpacked once into target/foreign. Pacemaker's cts-exec itself drives the helper through a fixed list of
# ocf:pacemaker:Dummy's actions; these are the same steps for ocf:quorate:postgres.

execd_root=$cache/execd/root
if ! [ -e "$execd_root/.complete" ]; then
    echo "-- a root with Pacemaker 3.0 and PostgreSQL 17 (once)"
    rm -rf "$execd_root"
    mkdir -p "$execd_root"
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | head -n 1)
    [ -n "$uri" ] || { echo "no Debian mirror in this host's apt sources: run apt-get update" >&2; exit 1; }
    # `extract`: unpacked, not installed; no maintainer script runs, so users are made below.
    mmdebstrap --quiet --mode=root --variant=extract --include=pacemaker,postgresql-17,resource-agents,util-linux,coreutils,dash,bash,libc-bin,procps,sed,grep \
        trixie "$execd_root" "$uri" || exit 1
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nhacluster:x:990:990::/:/bin/false\npostgres:x:991:991::/var/lib/postgresql:/bin/sh\n' >"$execd_root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\nhaclient:x:990:\npostgres:x:991:\n' >"$execd_root/etc/group"
    touch "$execd_root/.complete"
fi

# A throw-away layer over it, so that a run leaves nothing behind.
mkdir -p "$work/execd/upper" "$work/execd/work" "$work/execd/root"
cat >"$work/execd/outside" <<'OUT'
set -eu
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" none "$2/root"
cd "$2/root"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs tmpfs run
mkdir -p dev/shm usr/lib/ocf/resource.d/quorate run/postgresql run/resource-agents run/crm
install -m 0755 "$3" usr/lib/ocf/resource.d/quorate/postgres
cp "$2/inside" tmp/inside
exec chroot . /bin/bash /tmp/inside
OUT
cat >"$work/execd/inside" <<'IN'
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/pacemaker LC_ALL=C HA_RSCTMP=/run/resource-agents
chown postgres:postgres /run/postgresql
chown hacluster:haclient /run/crm
bin=/usr/lib/postgresql/17/bin data=/tmp/data
install -d -o postgres -g postgres -m 0700 $data
cd /tmp
setpriv --reuid=postgres --regid=postgres --init-groups -- $bin/initdb -D $data --no-sync --no-locale --auth=peer >/dev/null || exit 1
printf "listen_addresses = ''\nunix_socket_directories = '/run/postgresql'\nshared_buffers = 16MB\n" >>$data/postgresql.conf
mkdir -p /var/log/pacemaker
pacemaker-execd -VV -l /tmp/execd.log </dev/null >/tmp/execd.out 2>&1 &
for _ in $(seq 50); do cts-exec-helper -c poke -t 1000 >/dev/null 2>&1 && break; sleep 0.1; done

failed=0
# step NAME EVENT ARGUMENTS…: the helper must report this event.
step() {
    local name=$1 event=$2
    shift 2
    if timeout 40 cts-exec-helper "$@" -l "NEW_EVENT $event" >/tmp/step.out 2>&1; then echo "ok execd: $name"; else
        echo "not ok execd: $name"
        cat /tmp/step.out
        failed=1
    fi
}
parameters=(-k pgdata -v $data -k bindir -v $bin -k pghost -v /run/postgresql -k log_file -v $data/start.log)
# run NAME ACTION RC: one action with its result in execd's words.
run() {
    step "$1" "event_type:exec_complete rsc_id:pg action:$2 rc:$3 op_status:Done" -c exec -r pg -a "$2" -t 30000 "${parameters[@]}"
}
timeout 10 cts-exec-helper -c metadata -C ocf -P quorate -T postgres -t 5000 >/tmp/step.out 2>&1 && grep -q '<resource-agent name="postgres"' /tmp/step.out \
    && echo "ok execd: meta-data" || { echo "not ok execd: meta-data"; cat /tmp/step.out; failed=1; }
step register "event_type:register rsc_id:pg action:none rc:ok op_status:Done" -c register_rsc -r pg -t 5000 -C ocf -P quorate -T postgres
run "probe of a stopped instance" monitor "not running"
run start start ok
run "monitor as unpromoted" monitor ok
run promote promote ok
run "monitor as promoted" monitor promoted
run "notify without an environment" notify ok
step "recurring monitor" "event_type:exec_complete rsc_id:pg action:monitor rc:promoted op_status:Done" -c exec -r pg -a monitor -i 2s -t 10000 "${parameters[@]}"
timeout 10 cts-exec-helper -c cancel -r pg -a monitor -i 2s -t 5000 >/dev/null 2>&1
run demote demote ok
run "stop" stop ok
run "probe after stop" monitor "not running"
step unregister "event_type:unregister rsc_id:pg action:none rc:ok op_status:Done" -c unregister_rsc -r pg -t 5000
[ $failed = 0 ] || tail -n 40 /tmp/execd.log /tmp/execd.out
exit $failed
IN
# A pid namespace: with its first process everything in it ends.
unshare --mount --propagation private --pid --fork --kill-child bash "$work/execd/outside" "$execd_root" "$work/execd" "$agent" || failed=1
