#!/bin/sh
# The truth part of `make test`: the lab's checker finds what is really there. A real loss is found and sized; with fencing
# taken away, two primaries are found; synchronous replication loses nothing under what costs asynchronous replication seconds,
# as long as there is the election: without it, the same power cut loses what was acknowledged.
set -u
report=${REPORT:-report/truth}
lab=target/debug/quorate-lab
name=${NAME:-maketruth}
failed=0
make --no-print-directory build deb || exit 1

# A field of the only run of a report.
field() { sed -n "s/^ *\"$2\": \([0-9][0-9]*\),\$/\1/p" "$report/$1/results.json" 2>/dev/null | head -n 1; }

say() {
    if [ "$1" = 0 ]; then echo "ok truth: $2"; else echo "not ok truth: $2"; failed=1; fi
}

run() { # report, expected exit code, words of the test
    dir=$report/$1; wanted=$2; shift 2
    rm -f "$dir/results.json"
    $lab test "$@" --report "$dir"
    code=$?
    [ "$code" = "$wanted" ]
}

trap '$lab down --name "$name" >/dev/null 2>&1' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

run loss 0 classic --name "$name" --keep --faults power-off --replication stop \
    && [ "$(field loss lost_acked)" -gt 0 ] && [ "$(field loss lost_bytes)" -gt 0 ] && [ "$(field loss lost_ms)" -gt 0 ]
say $? "a power cut loses what an asynchronous standby has not received: $(field loss lost_acked) writes, $(field loss lost_bytes) bytes, $(field loss lost_ms) ms"

run fencing 1 classic --name "$name" --keep --faults unlink --without fencing \
    && [ "$(field fencing two_primaries_ms)" -gt 0 ] && grep -q broken-timelines "$report/fencing/results.json"
say $? "without fencing two primaries are found, for $(field fencing two_primaries_ms) ms, and timelines that form no line"
$lab down --name "$name"

run sync 0 three-centres --name "$name" --keep --faults power-off --replication stop \
    && [ "$(field sync lost_acked)" = 0 ]
say $? "a power cut loses nothing with synchronous replication: $(field sync lost_acked) of $(field sync acked) writes"

run elected 0 three-centres --name "$name" --keep --faults power-off --replication stop-one \
    && [ "$(field elected lost_acked)" = 0 ]
say $? "the election keeps a standby that is behind from being promoted: $(field elected lost_acked) of $(field elected acked) writes are lost"

run unelected 1 three-centres --name "$name" --keep --faults power-off --replication stop-one --without election \
    && [ "$(field unelected lost_acked)" -gt 0 ] && grep -q '"finding": "lost-acked"' "$report/unelected/results.json"
say $? "without the election it is promoted, and the checker finds the loss: $(field unelected lost_acked) of $(field unelected acked) writes"

exit $failed
