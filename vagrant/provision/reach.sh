#!/bin/bash
# Lets root of the first node reach root of this machine by ssh, with the key that the Vagrantfile made. Runs on every
# machine, last: the first node waits for its mark, in whatever order the machines are provisioned.
set -euo pipefail
install -d -m 0700 /root/.ssh
umask 077
# Once, however often this runs.
touch /root/.ssh/authorized_keys
grep -qxFf /run/quorate-setup/cluster_key.pub /root/.ssh/authorized_keys ||
    cat /run/quorate-setup/cluster_key.pub >>/root/.ssh/authorized_keys
touch /run/quorate-setup/ready
