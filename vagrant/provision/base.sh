#!/bin/bash
# Brings a freshly installed node into the state that the cluster's set-up expects. Runs once, before the first boot
# of the lab's nodes (inside their image) or on a running machine. Needs no parameters.
set -euo pipefail

# pcs host auth says "Authorized" and saves nothing while Debian's sample configuration is there.
rm -f /etc/corosync/corosync.conf

# A node that was killed must stay out of the cluster until somebody lets it in again. Debian's packages enable their
# services at installation, in .wants and (sbd) in .requires.
services=(corosync corosync-qdevice corosync-qnetd pacemaker pacemaker_remote sbd sbd_remote pcsd pcsd-ruby
    postgresql logd)
for service in "${services[@]}"; do
    systemctl disable "$service.service" >/dev/null 2>&1 || true
done

# Nothing may start at a moment of its own choice in the midst of a measurement.
timers=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer man-db.timer
    systemd-tmpfiles-clean.timer)
for timer in "${timers[@]}"; do
    systemctl mask "$timer" >/dev/null 2>&1 || true
done

# The journal: in memory (a lost node takes it along anyway), and complete when daemons are chatty.
mkdir -p /etc/systemd/journald.conf.d
cat >/etc/systemd/journald.conf.d/50-quorate.conf <<'CONF'
[Journal]
Storage=volatile
RateLimitIntervalSec=0
RuntimeMaxUse=64M
CONF

# corosync and sbd lock their memory.
for service in corosync sbd pacemaker; do
    mkdir -p "/etc/systemd/system/$service.service.d"
    printf '[Service]\nLimitMEMLOCK=infinity\n' >"/etc/systemd/system/$service.service.d/50-memlock.conf"
done

# The cluster, not systemd, starts PostgreSQL.
for conf in /etc/postgresql/*/main/start.conf; do
    [ -e "$conf" ] && echo manual >"$conf"
done
exit 0
