#!/bin/bash
# Makes the roles on the node that has the data, and leaves PostgreSQL running there for the standbys to copy from
# (finish.sh stops it). After postgres.sh.
#
#   REPLICATION_PASSWORD                          the password of the role "replicator"
#   CLIENT_USER CLIENT_PASSWORD CLIENT_DATABASE   a role and its database for the clients
set -euo pipefail
: "${REPLICATION_PASSWORD:?}" "${CLIENT_USER:?}" "${CLIENT_PASSWORD:?}" "${CLIENT_DATABASE:?}"

version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
pg_ctlcluster "$version" main start
cd /
runuser -u postgres -- "/usr/lib/postgresql/$version/bin/psql" -qXv ON_ERROR_STOP=1 \
    -v replication_password="$REPLICATION_PASSWORD" -v client="$CLIENT_USER" \
    -v client_password="$CLIENT_PASSWORD" -v database="$CLIENT_DATABASE" <<'SQL'
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replication_password';
-- What pg_rewind needs.
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean),
    pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) TO replicator;
CREATE ROLE :"client" LOGIN PASSWORD :'client_password';
GRANT pg_monitor TO :"client";
CREATE DATABASE :"database" OWNER :"client";
SQL
