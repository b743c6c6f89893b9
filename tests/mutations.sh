#!/bin/bash
# Shows that the tests of safety can fail: takes one protection out at a time, in a scratch copy of the tree, and expects the
# named test to fail. Not part of `make test`; a mutation takes 20 to 60 s.
#
#   tests/mutations.sh            all of them
#   tests/mutations.sh NAME …     only these
#   tests/mutations.sh --check    builds nothing: is each protection's text there once, and is there such a test? A part of `make test`
#
# Prints a line for each: what was removed, and the first line of how the test failed.
set -u
cd "$(dirname "$0")/.." || exit 1
check=no
if [ "${1:-}" = --check ]; then
    check=yes
    shift
fi
copy=$(mktemp -d /var/tmp/quorate-mutations.XXXXXX) || exit 1
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM
# Dependencies are built once; the scratch copy has a target of its own, so that the tree's stays as it is.
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"
export CARGO_TARGET_DIR=${MUTATIONS_TARGET:-$PWD/target/mutations}
failed=0

# judge STATUS LOG TEST… : what the exit status and the output of `cargo test TEST…` show. "ok": a test ran and
# failed. `cargo test` passes, too, where no test has that name, as where a feature is missing.
judge() {
    local status=$1 log=$2
    shift 2
    if grep -q 'left out, it needs root' "$log"; then
        echo "not ok NAME: its tests need root"
    elif grep -q '^error' "$log" && ! grep -q '^running ' "$log"; then
        echo "not ok NAME: it does not compile"
        grep -m 3 -A 5 '^error' "$log"
    elif [ "$status" -eq 124 ]; then
        echo "not ok NAME: the tests did not end in 600 s"
    elif ! grep -q '^running [1-9]' "$log"; then
        echo "not ok NAME: no test of that name: $*"
    elif [ "$status" -eq 0 ]; then
        echo "not ok NAME: the tests pass without it"
    elif ! grep -q '^test result: FAILED' "$log"; then
        # What signals too many processes may end the test itself.
        if grep -q '(signal: ' "$log"; then
            echo "ok NAME: the test itself is ended by $(grep -m 1 -o '(signal: .*' "$log")"
        else
            echo "not ok NAME: no test failed: $(grep -m 1 '^error' "$log")"
        fi
    else
        echo "ok NAME: $(sed '1,/panicked at/d' "$log" | grep -m 1 . | cut -c 1-150)"
    fi
}

# names_a_test TEST… : whether the last word is in a test's name, or names a module or a program of tests.
names_a_test() {
    local word=${*: -1} where=src
    case " $* " in *" -p quorate-lab "*) where=lab/src ;; esac
    if [[ " $* " =~ " --test "([a-z_]+) ]]; then where=tests/${BASH_REMATCH[1]}; fi
    [[ $where/ == *"/$word/" ]] || [ -n "$(find "$where" -path "*${word//:://}*" -print -quit)" ] ||
        grep -rqE "fn [a-z0-9_]*$word" "$where"
}

# mutate NAME FILE FROM TO TEST… : in FILE, FROM (a text that is there once, however its lines are broken)
# becomes TO; `cargo test TEST…` must fail.
mutate() {
    local name=$1 file=$2 from=$3 to=$4 log=$copy/log found verdict
    shift 4
    if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]]; then return; fi
    cp "$copy/$file" "$copy/unchanged"
    found=$(FROM=$from TO=$to perl -0pi -e '
        BEGIN { $from = join "\\s+", map { quotemeta } split /\s+/, $ENV{FROM} }
        $n = s/$from/$ENV{TO}/g; END { print STDERR $n || 0 }' "$copy/$file" 2>&1)
    if [ "$found" != 1 ]; then
        verdict="not ok NAME: $file has to contain this once, not $found times: $from"
    elif [ $check = no ]; then
        (cd "$copy" && timeout 600 cargo test --quiet "$@") >"$log" 2>&1
        verdict=$(judge $? "$log" "$@")
    elif names_a_test "$@"; then
        verdict=ok
    else
        verdict="not ok NAME: no test of that name: $*"
    fi
    case $verdict in ok*) ;; *) failed=1 ;; esac
    if [ "$verdict" != ok ]; then echo "${verdict/NAME/$name}"; fi
    cp "$copy/unchanged" "$copy/$file"
}

only=("$@")
for name in "${only[@]}"; do
    if ! grep -q "^mutate $name " tests/mutations.list; then
        echo "not ok $name: no mutation of that name"
        failed=1
    fi
done

# shellcheck source=tests/mutations.list
. tests/mutations.list
exit $failed
