# shellcheck shell=bash disable=SC2034,SC2154 # failed, lab and name are the script's that reads this
# For the parts of `make test` on one cluster of layout classic: . tests/cluster.bash PART, where $lab and $name say which.
part=$1

say() { if [ "$1" = 0 ]; then echo "ok $part: $2"; else echo "not ok $part: $2"; failed=1; fi; }
on() { local node=$1; shift; timeout 90 "$lab" shell --name "$name" "$node" "$@"; }
sql() { on "$1" runuser -u postgres -- psql -X -A -t -d postgres -c "$2"; }
primary() { on "$1" crm_mon --one-shot --output-as=xml --include=none,resources |
    awk '/<resource / { promoted = /role="(Promoted|Master)"/ } promoted && /<node / { sub(/.*name="/, ""); sub(/".*/, ""); print; exit }'; }
score() { on "$1" attrd_updater --name master-pgsqld --query --all | grep "host=\"$2\"" | sed 's/.*value="//; s/".*//'; }
until_true() { # seconds, command
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 0.5; done
}
is_primary() { [ "$(primary "$1" 2>/dev/null)" = "$2" ]; }
# A full candidate, as the first of two sees it.
is_candidate() { local score; score=$(score "$1" "$2" 2>/dev/null); [ "${score:-0}" -ge 900 ] && [ "${score:-0}" -lt 1001 ]; }
has() { sql "$1" "select string_agg(i::text, ' ' order by i) from k" 2>/dev/null | grep -qx "$2"; }
reason() { on "$1" crm_mon --one-shot | grep -F -q -- "$2"; }
other() { [ "$1" = srv1 ] && echo srv2 || echo srv1; }
