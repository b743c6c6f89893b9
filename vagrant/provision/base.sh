#!/bin/bash
# Prepares a machine for measurements: inside the image of the lab's nodes, before their first boot, or on a running machine,
# also one that is in a cluster already. Needs no parameters.
set -euo pipefail

# In an image, where nothing runs. On a machine that runs step 1 of the set-up recognises Debian's sample cluster and ends it, and
# what is enabled of a cluster that is there stays so.
if [ ! -d /run/systemd/system ]; then
    # pcs host auth says "Authorized" and saves nothing while Debian's sample configuration is there.
    rm -f /etc/corosync/corosync.conf
    # A node that was killed must stay out of the cluster until somebody lets it in again. Debian's packages enable their
    # services at installation, in .wants and (sbd) in .requires. pcsd stays: on real nodes it runs too.
    services=(corosync corosync-qdevice corosync-qnetd pacemaker pacemaker_remote sbd sbd_remote postgresql logd)
    for service in "${services[@]}"; do
        systemctl disable "$service.service" >/dev/null 2>&1 || true
    done
fi

# Nothing may start at a moment of its own choice in the midst of a measurement.
timers=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer man-db.timer
    systemd-tmpfiles-clean.timer)
for timer in "${timers[@]}"; do
    systemctl mask "$timer" >/dev/null 2>&1 || true
done

# The journal: complete when daemons are chatty, and on the disk, where the reason of a reset outlives it. In a container
# of the lab, and while its image is made, in memory: the lab reads it from outside.
storage=persistent
if systemd-detect-virt --quiet --container || systemd-detect-virt --quiet --chroot || [ ! -d /run/systemd/system ]; then
    storage=volatile
fi
mkdir -p /etc/systemd/journald.conf.d
cat >/etc/systemd/journald.conf.d/50-quorate.conf <<CONF
[Journal]
Storage=$storage
SyncIntervalSec=10s
RateLimitIntervalSec=0
RuntimeMaxUse=64M
SystemMaxUse=1G
CONF
[ "$storage" = volatile ] || systemctl try-restart systemd-journald.service

# corosync and sbd lock their memory.
for service in corosync sbd pacemaker; do
    mkdir -p "/etc/systemd/system/$service.service.d"
    printf '[Service]\nLimitMEMLOCK=infinity\n' >"/etc/systemd/system/$service.service.d/50-memlock.conf"
done

if [ ! -d /run/systemd/system ]; then
    # The cluster, not systemd, starts PostgreSQL.
    for conf in /etc/postgresql/*/main/start.conf; do
        [ -e "$conf" ] && echo manual >"$conf"
    done
fi
exit 0
