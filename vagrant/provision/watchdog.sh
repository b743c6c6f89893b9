#!/bin/bash
# What pcs can't set for sbd. Runs on every database node, after cluster.sh. Needs no parameters.
set -euo pipefail

# Pacemaker starts no resource before sbd watches it; pcs leaves this out of the file that it writes.
grep -q '^SBD_SYNC_RESOURCE_STARTUP=' /etc/default/sbd || printf '\nSBD_SYNC_RESOURCE_STARTUP=yes\n' >>/etc/default/sbd
