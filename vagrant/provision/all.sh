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
# With libvirt all machines are provisioned at the same time: each is waited for. An emulated one takes a quarter of an hour.
for address in $(grep -m 1 '^declare -A address=' /root/site/run-all.sh | grep -oE '=[0-9a-fA-F.:]+' | tr -d =); do
    until timeout 20 ssh -o BatchMode=yes -o ConnectTimeout=10 "root@$address" test -e /run/quorate-setup/ready 2>/dev/null; do
        [ $SECONDS -lt 1800 ] || { echo "$0: $address was not ready within 1800 s: vagrant provision, once vagrant status says that it runs" >&2; exit 1; }
        sleep 5
    done
done
HACLUSTER_PASSWORD=$HACLUSTER_PASSWORD REPLICATION_PASSWORD=$REPLICATION_PASSWORD /root/site/run-all.sh
rm -rf /run/quorate-setup
crm_mon --one-shot
