#!/bin/bash
# `make test`: runs each part, says what it ran, and ends with a line per part and the counts.
#
#   tests/run.sh              every part
#   tests/run.sh agent lab    only these
#   tests/run.sh --list       their names
#   LIMIT=3480 tests/run.sh   in so many seconds: a second run only where it still fits
#
# A part is a command with a deadline. Whatever it started is gone when it ends: each part cleans up after itself,
# and this script ends the part's process group on Ctrl-C and removes what a killed part left.
set -u
cd "$(dirname "$0")/.." || exit 1

# name | deadline in seconds | needs root | command
# `beside`: where every part is asked for, these run one after another while the others do, and are waited for in the end. They wait
# for machines most of the time.
PARTS='
fmt       |   60 | no  | cargo fmt --check
clippy    |  600 | no  | cargo clippy --locked --all-targets --workspace --features packaging -- -D warnings
deny      |  900 | no  | dist/check-crates
mutations |  120 | no  | tests/mutations.sh --check
unit      |  900 | yes | cargo test --locked --workspace --features packaging --lib --bins --test layers --test documents --test doctor
fresh     | 2400 | yes | beside tests/fresh.sh
postgres  |  300 | yes | cargo test --locked --workspace --features packaging --test boundary_postgres
escalation|  300 | yes | tests/escalation.sh
simulation|  400 | no  | cargo test --locked --workspace --features packaging --test simulation
fence     |  300 | no  | cargo test --locked --workspace --features packaging --test fence
fuzz      |  900 | no  | tests/fuzz/run --seed 1
agent     |  900 | yes | cargo test --locked --workspace --features packaging --test agent -- --test-threads=4
metadata  |  180 | yes | tests/foreign.sh metadata
ocf-tester|  180 | yes | tests/foreign.sh ocf-tester
ocft      |  240 | yes | tests/foreign.sh ocft
execd     |  120 | yes | tests/foreign.sh execd
vagrant   |  180 | yes | tests/vagrant.sh
layouts   |  900 | yes | tests/layouts.sh
package   |  600 | yes | tests/package.sh
scripts   |  600 | yes | tests/scripts.sh
watchdogs |  900 | yes | beside tests/watchdogs.sh
by-hand   |  900 | yes | tests/by-hand.sh
lab       |  900 | yes | tests/lab.sh
truth     |  900 | yes | tests/truth.sh
hangs     | 1020 | yes | tests/hangs.sh
self-fencing | 900 | yes | beside tests/self_fencing.sh
switchover|  900 | yes | beside tests/switchover.sh
people    |  900 | yes | beside tests/people.sh
rejoin-phases | 900 | yes | beside tests/rejoin_phases.sh
rejoin    | 1200 | yes | beside tests/rejoin.sh
'

# These wait for real servers and clusters in real time, and a busy host is late for all of them: one that fails runs once more when nothing runs
# beside it, and the summary says so. Never where a commit was lost or two nodes took writes.
TIMED=' postgres fence agent ocft execd layouts package scripts fresh watchdogs by-hand lab truth hangs self-fencing switchover people rejoin-phases rejoin '
NEVER='^not ok .*([1-9][0-9]* (acknowledged )?(writes )?(are )?lost|: [1-9][0-9]* of [0-9]+ writes|two primaries for [1-9]|is lost|lost an ackn)'

export CARGO_TERM_PROGRESS_WHEN=never
export PATH="$PATH:/usr/sbin:/sbin"
# The postgres user must reach it (a checkout may lie under /root), and a socket's path holds 107 bytes.
work=$(mktemp -d /tmp/quorate-test.XXXXXX) || exit 1
chmod 0755 "$work"
export QUORATE_TEST_DIR=$work
logs=target/test-logs
mkdir -p "$logs"

part_pid=
# This script once more, for the parts that run beside the others.
beside_pid=""
# The parts in their order, and of each its line in the summary and how many checks passed, failed and were skipped.
ran=()
declare -A line=() passed=() failed=() skipped=()
# What failed, and what was said before: whoever reads only the end of a long output finds the reason there.
declare -A reasons=()
# What failed at first.
unsteady=()

# Every process of the tests' instances has its working directory below $work (postgres changes into its data directory),
# so this finds ours and nobody else's, stopped ones too.
leftovers() {
    find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' -lname "$work/*" -printf '%h\n' 2>/dev/null | sed 's|/proc/||'
}

clean_up() {
    trap - EXIT INT TERM
    for pid in $part_pid $beside_pid; do
        kill -TERM "$pid" 2>/dev/null # timeout(1) passes it to the part's whole group
    done
    for pid in $part_pid $beside_pid; do
        for _ in $(seq 120); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.5
        done
        kill -KILL "$pid" 2>/dev/null
    done
    # The file systems of a test that was killed; a frozen one would hold its processes for ever.
    while read -r _ place _; do
        case $place in "$work"/*) fsfreeze --unfreeze "$place" 2>/dev/null; umount --lazy "$place" ;; esac
    done </proc/mounts
    for _ in 1 2 3; do
        left=$(leftovers)
        [ -n "$left" ] || break
        # shellcheck disable=SC2086 # a list of process ids
        kill -KILL $left 2>/dev/null
        sleep 0.2
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Counts of one part's log: cargo's own lines, else the lines "ok NAME" / "not ok NAME" / "skip NAME: reason" of our scripts.
count() {
    awk '
        /^test result:/ { for (i = 2; i <= NF; i++) { if ($i ~ /^passed/) p += $(i-1); if ($i ~ /^failed/) f += $(i-1); if ($i ~ /^ignored/) s += $(i-1) } }
        /^ok /     { p++ }
        /^not ok / { f++ }
        /^skip /   { s++ }
        END { print p + 0, f + 0, s + 0 }' "$1"
}

run_part() {
    local name=$1 limit=$2 root=$3 command=$4 log=$logs/$1.log shown
    # Tests of the library that need root and PostgreSQL are marked `ignore`.
    if [ "$name" = unit ] && [ "$(id -u)" = 0 ]; then command="$command -- --include-ignored"; fi
    echo
    echo "== $name: $command"
    if [ "$root" = yes ] && [ "$(id -u)" != 0 ]; then
        take_down "$name" 0 0 1 "skipped: needs root"
        echo "skipped: needs root"
        return
    fi
    : >"$log" # tail gives up on a file that is not there yet
    local began=$SECONDS
    # In the background, so that the trap runs at once and not when the part has ended.
    timeout --kill-after=60 "$limit" $command >"$log" 2>&1 </dev/null &
    part_pid=$!
    show "$log" "$part_pid" &
    shown=$!
    wait "$part_pid"
    note "$name" "$limit" $? $((SECONDS - began))
    part_pid=
    wait "$shown"
}

# A part's log as it grows, without what nobody reads.
show() { # log, process
    tail -n +1 -f --pid="$2" -s 0.2 "$1" |
        grep -v --line-buffered -E '^ +(Compiling|Checking|Downloaded|Downloading|Fresh) |\.\.\. ok$|^running [0-9]+ tests?$|^$'
}

# Each failure in a part's log with the lines around it, else the log's end.
reason() { # log
    local found
    found=$(grep -E -B 6 -A 3 '^not ok |^FAILED|^error(\[|:)|panicked at|^test .* FAILED$' "$1" | cut -c 1-400 | tail -n 60)
    if [ -n "$found" ]; then echo "$found"; else tail -n 25 "$1" | cut -c 1-400; fi
}

# Takes down how a part ended.
note() { # name, deadline, exit code, how long it took
    local name=$1 limit=$2 code=$3 took=$4 log=$logs/$1.log p f s how
    read -r p f s < <(count "$log")
    if [ "$code" = 0 ] && [ "$p" = 0 ] && [ "$f" = 0 ]; then p=1; fi
    if [ "$code" != 0 ] && [ "$f" = 0 ]; then f=1; fi
    unset "reasons[$name]"
    if [ "$code" != 0 ]; then reasons[$name]="$name: $(reason "$log")"; fi
    case $code in
    0) how=passed ;;
    124) how="FAILED: took longer than $limit s" ;;
    *) how="FAILED: exit code $code" ;;
    esac
    take_down "$name" "$p" "$f" "$s" "$how ($p passed, $f failed, $s skipped; $took s) $(grep -m 3 '^skip ' "$log" | paste -sd ';')"
}

take_down() { # name, passed, failed, skipped, words
    [ -n "${line[$1]:-}" ] || ran+=("$1")
    line[$1]=$(printf '%-12s %s' "$1" "$5")
    passed[$1]=$2 failed[$1]=$3 skipped[$1]=$4
}

# The summary of those that ran beside.
read_beside() { # log
    local name words how p f s
    while read -r name words; do
        if [[ $words =~ ^(.*)\(([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped ]]; then
            how=${BASH_REMATCH[1]} p=${BASH_REMATCH[2]} f=${BASH_REMATCH[3]} s=${BASH_REMATCH[4]}
        else
            how=$words p=0 f=0 s=1
        fi
        take_down "$name" "$p" "$f" "$s" "$words"
        case $how in FAILED*) reasons[$name]="$name: $(reason "$logs/$name.log")" ;; esac
    done < <(sed -n '/^== summary/,/^$/p' "$1" | sed '1d;/^$/d')
}

# Runs a part once more, alone, where that can tell a late host from a fault and still fits into LIMIT.
run_again() { # name
    local name=$1 row limit root command took first
    row=$(echo "$PARTS" | awk -F'|' -v name="$name" '{ n = $1; gsub(/ /, "", n) } n == name')
    IFS='|' read -r _ limit root command <<<"$row"
    limit=${limit// /} command=${command# }
    took=$(sed -nE 's/.*; ([0-9]+) s\).*/\1/p' <<<"${line[$name]}")
    if [[ $TIMED != *" $name "* ]] || grep -qE "$NEVER" "$logs/$name.log"; then return; fi
    if [ -n "${LIMIT:-}" ] && [ $((SECONDS + ${took:-$limit} * 11 / 10 + 30)) -gt "$LIMIT" ]; then
        line[$name]+=" (no time for a second run)"
        return
    fi
    first=${reasons[$name]}
    # One that failed early may take longer now, and the summary has to come out in time.
    if [ -n "${LIMIT:-}" ] && [ $((SECONDS + limit + 30)) -gt "$LIMIT" ]; then limit=$((LIMIT - SECONDS - 30)); fi
    cp "$logs/$name.log" "$logs/$name-first.log"
    echo
    echo "== $name failed beside other parts; once more, alone"
    run_part "$name" "$limit" "${root// /}" "${command#beside }"
    if [ "${failed[$name]}" = 0 ]; then
        line[$name]+=" AT THE SECOND RUN, alone; the first is in $logs/$name-first.log"
        unsteady+=("$first")
    fi
}

if [ "${1:-}" = --list ]; then
    echo "$PARTS" | awk -F'|' 'NF > 1 { gsub(/ /, "", $1); print $1 }'
    exit
fi

while IFS='|' read -r name limit root command; do
    name=${name// /} limit=${limit// /} root=${root// /} command=${command# }
    [ -n "$name" ] || continue
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
    if [ $# = 0 ] && [ "${command%% *}" = beside ]; then
        if [ -z "$beside_pid" ]; then
            # shellcheck disable=SC2046 # names
            tests/run.sh $(echo "$PARTS" | awk -F'|' '$4 ~ /^ *beside / { gsub(/ /, "", $1); print $1 }') >"$logs/beside.log" 2>&1 </dev/null &
            beside_pid=$!
        fi
        continue
    fi
    run_part "$name" "$limit" "$root" "${command#beside }"
done <<<"$PARTS"

if [ -n "$beside_pid" ]; then
    echo
    echo "== what ran beside"
    show "$logs/beside.log" "$beside_pid" &
    shown=$!
    wait "$beside_pid"
    beside_pid=""
    wait "$shown"
    read_beside "$logs/beside.log"
    grep -qE '^[0-9]+ passed, ' "$logs/beside.log" || take_down beside 0 1 0 "FAILED: it did not end by itself"
fi

# A part that was asked for by its name failed as it is.
if [ $# = 0 ]; then
    for name in "${!reasons[@]}"; do run_again "$name"; done
fi

if [ ${#unsteady[@]} != 0 ]; then
    echo
    echo "== what failed at first, and not when it ran alone"
    printf '%s\n' "${unsteady[@]}"
fi
if [ ${#reasons[@]} != 0 ]; then
    echo
    echo "== what failed"
    printf '%s\n' "${reasons[@]}"
fi
echo
echo "== summary (logs in $logs, $SECONDS s)"
all_passed=0 all_failed=0 all_skipped=0
for name in "${ran[@]}"; do
    echo "${line[$name]}"
    all_passed=$((all_passed + passed[$name])) all_failed=$((all_failed + failed[$name])) all_skipped=$((all_skipped + skipped[$name]))
done
echo
echo "$all_passed passed, $all_failed failed, $all_skipped skipped$([ ${#unsteady[@]} = 0 ] || echo "; ${#unsteady[@]} of the parts passed at the second run")"
[ "$all_failed" = 0 ]
