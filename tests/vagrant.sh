#!/bin/sh
# The part "vagrant" of `make test`: the Vagrantfile is valid for each layout and for another site, and names the machines of
# their descriptions; the provisioning scripts and everything that is rendered pass shellcheck. No virtual machine is started.
set -eu
cd "$(dirname "$0")/.."
cargo build --locked --workspace --features packaging --bin quorate
bad=0
report() { # code, name
    if [ "$1" = 0 ]; then echo "ok vagrant: $2"; else bad=1 && echo "not ok vagrant: $2"; fi
}
work=$(mktemp -d /tmp/quorate-vagrant.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for site in pcs-templates/*.toml tests/sites/*.toml; do
    name=$(basename "$site" .toml)
    target/debug/quorate layout render --site "$site" --out "$work/$name" >/dev/null
    code=0
    shellcheck "$work/$name"/*.sh || code=$?
    report $code "shellcheck of what is rendered for $name"
done
code=0
shellcheck vagrant/provision/*.sh || code=$?
report $code "shellcheck of vagrant/provision"

# pcs's limit of a minute for "cluster setup", on a slow machine: asked again then, and only then.
again() { # what pcs says when it fails, the call that succeeds
    rm -f "$work/calls"
    # shellcheck disable=SC2016 # for the shell of the step
    said=$1 succeeds=$2 calls=$work/calls bash -euo pipefail -c 'again=()
        pcs() { echo call >>"$calls"; [ "$(wc -l <"$calls")" = "$succeeds" ] || { echo "Error: srv1: $said" && return 1; }; }
        . "$0"' "$work/setup" >/dev/null && echo "made, $(wc -l <"$work/calls")" || echo "failed, $(wc -l <"$work/calls")"
}
sed -n '/^for try in/,/^done/p' "$work/classic/7-cluster.sh" >"$work/setup"
seen="$(again 'Connection timeout, check if pcsd is running there' 2); $(again 'Connection timeout' 9); $(again 'is in a cluster' 2)"
[ "$seen" = "made, 2; failed, 3; failed, 1" ] && code=0 || code=1
report $code "a node that is slow to remove what it has is asked again: $seen"

if ! command -v vagrant >/dev/null; then
    echo "skip vagrant: vagrant validate: Debian $(cat /etc/debian_version) has no package vagrant"
    exit $bad
fi
# Its home is not the user's, and nothing of it stays.
export VAGRANT_HOME="$work/home" VAGRANT_CHECKPOINT_DISABLE=1 VAGRANT_DOTFILE_PATH="$work/dot"
for site in pcs-templates/*.toml tests/sites/*.toml; do
    name=$(basename "$site" .toml)
    code=0
    # Without a provider (there is none here) it says for each machine that it leaves that one's settings out.
    (cd vagrant && SITE="../$site" vagrant validate --ignore-provider) >"$work/out" 2>&1 || code=$?
    machines=$(sed -n 's/^==> \([^:]*\): .*/\1/p' "$work/out" | sort -u | paste -sd ' ' -)
    wanted=$(sed -n '/^\[\[node\]\]/,/^\[\[instance\]\]/s/^name = "\([^"]*\)".*/\1/p' "$site" | sort -u | paste -sd ' ' -)
    [ "$machines" = "$wanted" ] || { code=1 && cat "$work/out" && echo "described: $wanted"; }
    report $code "vagrant validate, $name: $machines"
done
if (cd vagrant && LAYOUT=none vagrant validate --ignore-provider) >"$work/out" 2>&1; then code=1; else code=0; fi
grep -q 'LAYOUT is one of packed' "$work/out" || code=1
report $code "a layout that there is not"
exit $bad
