#!/bin/sh
# The lab part of `make test`: a whole cluster, and each of the faults that are short, once, on its primary.
# The long tables (five runs of every fault) are `quorate-lab test --runs 5`'s, by hand.
set -eu
faults=postgres-kill,postgres-stop,power-off,switchover
report=${REPORT:-report/test}
make --no-print-directory build deb
rm -f "$report/results.json"
code=0
target/debug/quorate-lab test classic --name maketest \
    --faults "$faults" --target primary --runs 1 --report "$report" || code=$?
# One line for each run, as the other parts have them.
awk -F '"' '
    /"fault":/ { fault = $4 }
    /"outage_ms":/ { outage = $3; gsub(/[: ,]/, "", outage) }
    /"lost_acked":/ { lost = $3; gsub(/[: ,]/, "", lost) }
    /"two_primaries_ms":/ { two = $3; gsub(/[: ,]/, "", two) }
    /"failed":/ { bad = ($3 !~ /null/ || lost != 0 || two != 0)
        print (bad ? "not ok" : "ok") " lab: " fault " (outage " outage " ms, " lost " acknowledged writes lost, two primaries for " two " ms)"; if (bad) failed = 1 }
    END { exit failed }' "$report/results.json" || code=1
exit $code
