#!/bin/bash
# Lets root of the first node reach root of this machine by ssh, with the key that the Vagrantfile made. Runs on every
# machine.
set -euo pipefail
install -d -m 0700 /root/.ssh
cat /tmp/cluster_key.pub >>/root/.ssh/authorized_keys
chmod 0600 /root/.ssh/authorized_keys
