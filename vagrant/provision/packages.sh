#!/bin/bash
# Installs what a machine of a cluster needs. Runs on every machine, first; the lab's image has these packages already.
#
#   packages.sh node|witness
set -euo pipefail
role=${1:?node or witness}
export DEBIAN_FRONTEND=noninteractive

# Debian's PostgreSQL must not make an instance of its own, nor start one: step 3 makes them.
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
apt-get update -q
if [ "$role" = witness ]; then
    apt-get install -y -q pcs corosync-qnetd
    exit
fi
apt-get install -y -q pacemaker corosync corosync-qdevice sbd pcs resource-agents postgresql /run/quorate-setup/quorate.deb
# Where the machine has no watchdog of its own.
if [ ! -e /dev/watchdog ]; then
    echo softdog >/etc/modules-load.d/softdog.conf
    modprobe softdog
fi
