#!/bin/bash
# Starts the quorum device's server on the witness, for good: it comes back with the machine. Needs no parameters.
set -euo pipefail

# Debian's package has made the certificates already; "pcs qdevice setup" would say "already initialized" and start
# nothing.
if [ ! -e /etc/corosync/qnetd/nssdb/cert9.db ]; then
    pcs qdevice setup model net
fi
systemctl enable --now corosync-qnetd
