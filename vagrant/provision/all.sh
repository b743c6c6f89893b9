#!/bin/bash
# Sets the whole cluster up from the first node: renders the site and runs its steps over ssh, as an operator would.
set -euo pipefail
# HACLUSTER_PASSWORD and REPLICATION_PASSWORD
# shellcheck disable=SC1091 # the Vagrantfile writes it
. /run/quorate-setup/passwords
: "${HACLUSTER_PASSWORD:?}" "${REPLICATION_PASSWORD:?}"

install -m 0600 /run/quorate-setup/cluster_key /root/.ssh/id_ed25519
printf 'Host *\n    StrictHostKeyChecking accept-new\n' >/root/.ssh/config
version=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -V | tail -n 1)
# The box's Debian decides which PostgreSQL it is.
quorate layout render --site /run/quorate-setup/site.toml --postgresql "$version" --out /root/site
HACLUSTER_PASSWORD=$HACLUSTER_PASSWORD REPLICATION_PASSWORD=$REPLICATION_PASSWORD /root/site/run-all.sh
rm -rf /run/quorate-setup
crm_mon --one-shot
