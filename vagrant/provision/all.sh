#!/bin/bash
# Sets the whole cluster up from the first node: renders the site and runs its steps over ssh, as an operator would.
#
#   HACLUSTER_PASSWORD REPLICATION_PASSWORD   the cluster's passwords
set -euo pipefail
: "${HACLUSTER_PASSWORD:?}" "${REPLICATION_PASSWORD:?}"

install -m 0600 /tmp/cluster_key /root/.ssh/id_ed25519
rm -f /tmp/cluster_key
printf 'Host *\n    StrictHostKeyChecking accept-new\n' >/root/.ssh/config
version=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -V | tail -n 1)
# The box's Debian decides which PostgreSQL it is.
quorate layout render --site /tmp/site.toml --postgresql "$version" --out /root/site
export HACLUSTER_PASSWORD REPLICATION_PASSWORD
/root/site/run-all.sh
crm_mon --one-shot
