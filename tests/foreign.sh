#!/bin/bash
# Suites that others wrote for OCF agents, run on ours. Prints "ok NAME" or "not ok NAME" for each check.
#
#   tests/foreign.sh metadata     the meta-data against resource-agents' DTD and schema, Pacemaker's and pcs's schema;
#                                 fence_quorate's against fence-agents' schema
#   tests/foreign.sh ocf-tester   resource-agents' ocf-tester with a real PostgreSQL
#   tests/foreign.sh ocft         resource-agents' ocft with the cases in ocf/ocft
#   tests/foreign.sh execd        a real pacemaker-execd, driven by Pacemaker's cts-exec-helper
#   tests/foreign.sh contrast     the first two on PAF's pgsqlms, which passes neither: the suites are not empty
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
export PATH="$PATH:/usr/sbin:/sbin"

part=${1:?which suite: metadata, ocf-tester, ocft, execd, contrast}
[ "$(id -u)" = 0 ] || { echo "tests/foreign.sh needs root, as the agent does" >&2; exit 1; }

base=${QUORATE_TEST_DIR:-}
if [ -z "$base" ]; then
    base=$(mktemp -d /tmp/quorate-foreign.XXXXXX) || exit 1
    chmod 0755 "$base"
    ours=yes
fi
work=$base/$part
mkdir -p "$work/run" && chmod 0755 "$work"
cache=$root/target/foreign
failed=0

# Whatever works below our directory is ours: the instances that a failed suite left.
clean_up() {
    for _ in 1 2 3; do
        left=$(find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' -lname "$work/*" -printf '%h\n' 2>/dev/null | sed 's|/proc/||')
        [ -n "$left" ] || break
        # shellcheck disable=SC2086 # a list of process ids
        kill -KILL $left 2>/dev/null
        sleep 0.2
    done
    rm -rf "$work"
    [ "${ours:-no}" = no ] || rm -rf "$base"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

check() {
    local name=$1
    shift
    if "$@"; then echo "ok $name"; else
        echo "not ok $name"
        failed=1
    fi
}

# The agent where anybody may run it: ocf-tester calls meta-data as nobody, and a checkout may lie below /root.
place_agent() {
    cargo build --locked --workspace --features packaging --bin quorate-agent || exit 1
    agent=$work/resource.d/quorate/postgres
    install -D -m 0755 target/debug/quorate-agent "$agent"
    chmod 0755 "$work/resource.d" "$work/resource.d/quorate"
}

# A file out of a Debian package that is not installed here: from $cache, else by apt from the suite given.
# Usage: packaged SUITE PACKAGE FILE; prints where it is.
packaged() {
    local suite=$1 package=$2 file=$3 apt uri
    if [ -e "/$file" ]; then
        echo "/$file"
        return
    fi
    if ! [ -e "$cache/$suite/root/$file" ]; then
        apt=$cache/$suite/apt
        mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$cache/$suite/root"
        # The host's own mirror, with another suite.
        uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | head -n 1)
        [ -n "$uri" ] || { echo "no Debian mirror in this host's apt sources: run apt-get update" >&2; return 1; }
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" >"$apt/sources.list"
        local options=(-q -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$apt/lists"
            -o "Dir::Cache=$apt" -o APT::Sandbox::User=root)
        [ -n "$(find "$apt/lists" -maxdepth 1 -name '*Packages*' -print -quit)" ] || apt-get "${options[@]}" update >&2 || return 1
        (cd "$apt" && apt-get "${options[@]}" download "$package") >&2 || return 1
        dpkg -x "$apt/$package"_*.deb "$cache/$suite/root" || return 1
    fi
    echo "$cache/$suite/root/$file"
}

valid_dtd() { (cd /usr/share/resource-agents && xmllint --noout --valid - <"$1"); }
valid_rng() { xmllint --noout --relaxng "$1" - <"$2" 2>&1; }

metadata_checks() {
    local xml=$1
    pacemaker=$(packaged trixie pacemaker-common usr/share/pacemaker/api/ocf-ra-1.1.rng)
    pcs=$(packaged trixie pcs usr/share/pcs/data/ocf-1.1.rng)
    check "meta-data: ra-api-1.dtd (resource-agents)" valid_dtd "$xml"
    check "meta-data: metadata.rng (resource-agents)" valid_rng /usr/share/resource-agents/metadata.rng "$xml"
    check "meta-data: ocf-ra-1.1.rng (Pacemaker)" valid_rng "$pacemaker" "$xml"
    check "meta-data: ocf-1.1.rng (pcs)" valid_rng "$pcs" "$xml"
}

# A fresh instance below $work, never started.
make_instance() {
    bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    install -d -o postgres -g postgres -m 0700 "$work/data" "$work/sockets"
    (cd / && setpriv --reuid=postgres --regid=postgres --init-groups -- "$bin/initdb" -D "$work/data" --no-sync --no-locale --auth=peer) >/dev/null || exit 1
    printf "listen_addresses = ''\nunix_socket_directories = '%s/sockets'\nshared_buffers = 16MB\n" "$work" >>"$work/data/postgresql.conf"
}

tester() {
    HA_RSCTMP=$work/run ocf-tester -v -n tested -o "bindir=$bin" -o "pgdata=$work/data" -o "pghost=$work/sockets" -o pgport=5432 \
        -o CRM_meta_notify=true -o CRM_meta_promoted_max=1 -o CRM_meta_promotable=true \
        -o "log_file=$work/data/start.log" -o crm_feature_set=3.16.2 "$1"
}

case $part in
metadata)
    place_agent
    "$agent" meta-data >"$work/postgres.xml" || exit 1
    metadata_checks "$work/postgres.xml"
    # To a caller that speaks OCF 1.1, as Pacemaker does, it also tells which parameters are reloadable; resource-agents'
    # older DTD and schema have no word for that.
    OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 "$agent" meta-data >"$work/postgres-1.1.xml" || exit 1
    check "meta-data for OCF 1.1: ocf-ra-1.1.rng (Pacemaker)" valid_rng "$pacemaker" "$work/postgres-1.1.xml"
    check "meta-data for OCF 1.1: ocf-1.1.rng (pcs)" valid_rng "$pcs" "$work/postgres-1.1.xml"
    check "meta-data for OCF 1.1: as in ocf/postgres.xml" diff -u ocf/postgres.xml "$work/postgres-1.1.xml"
    cargo build --locked --workspace --features packaging --bin fence_quorate || exit 1
    target/debug/fence_quorate --action=metadata >"$work/fence_quorate.xml" || exit 1
    fence=$(packaged bookworm fence-agents usr/share/cluster/relaxng/metadata.rng) || exit 1
    check "fence_quorate's metadata: metadata.rng (fence-agents)" valid_rng "$fence" "$work/fence_quorate.xml"
    ;;
ocf-tester)
    place_agent
    make_instance
    check "ocf-tester" tester "$agent"
    ;;
ocft)
    place_agent
    # ocft has fixed directories; ours stand in their place in a mount namespace of its own.
    mkdir -p "$work/lib"
    cat >"$work/in-namespace" <<'IN'
set -eu
mount -t overlay -o "lowerdir=$1/resource.d:/usr/lib/ocf/resource.d" none /usr/lib/ocf/resource.d
mkdir -p /var/lib/resource-agents
mount --bind "$1/lib" /var/lib/resource-agents
export HA_RSCTMP=$1/run QUORATE_OCFT=$1/instance
ocft make -d "$2/ocf/ocft" postgres
ocft test -v postgres
IN
    unshare --mount --propagation private bash "$work/in-namespace" "$work" "$root" 2>&1 | tee "$work/ocft.log" | cat -v | sed 's/\^\[\[[0-9;]*m//g' >"$work/plain.log"
    cat "$work/plain.log"
    # "Starting 'postgres' case N 'NAME':" … and at the end of a case nothing, or a line with ERROR.
    awk '
        function done_() { if (name != "") print (bad ? "not ok" : "ok") " ocft: " name }
        /^Starting .postgres. case/ { done_(); sub(/^Starting .postgres. case [0-9]+ ./, ""); sub(/.:$/, ""); name = $0; bad = 0 }
        /ERROR|FAILED|\[FAIL/ { bad = 1 }
        END { done_() }' "$work/plain.log" | tee "$work/result.log"
    grep -q '^ok ' "$work/result.log" || failed=1
    ! grep -q '^not ok ' "$work/result.log" || failed=1
    ;;
execd)
    place_agent
    make_instance
    . tests/execd.sh
    ;;
contrast)
    # Exit code 0 when pgsqlms fails what it is known to fail.
    pgsqlms=$(packaged bookworm resource-agents-paf usr/lib/ocf/resource.d/heartbeat/pgsqlms) || exit 1
    paf=${pgsqlms%/lib/ocf/*}
    export OCF_ROOT=/usr/lib/ocf PERL5LIB=$paf/lib/ocf/lib/heartbeat:$paf/share/perl5
    install -D -m 0755 "$pgsqlms" "$work/pgsqlms"
    "$work/pgsqlms" meta-data >"$work/pgsqlms.xml"
    echo "-- PAF's meta-data"
    metadata_checks "$work/pgsqlms.xml"
    make_instance
    printf "primary_conninfo = 'application_name=%s'\nrecovery_target_timeline = latest\n" "$(uname -n)" >>"$work/data/postgresql.conf"
    echo "-- ocf-tester on PAF"
    check "ocf-tester" timeout 150 bash -c "$(declare -f tester); work=$work bin=$bin tester $work/pgsqlms"
    [ $failed = 1 ] || { echo "pgsqlms passed everything: these suites show nothing"; exit 1; }
    echo "pgsqlms fails, as expected"
    exit 0
    ;;
*)
    echo "no such suite: $part" >&2
    exit 1
    ;;
esac
exit $failed
