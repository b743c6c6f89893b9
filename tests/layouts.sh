#!/bin/bash
# The part "layouts" of `make test`: every rendered configuration is proven offline. In the lab's image (its own pcs and
# scheduler, no cluster) `quorate layout prove` shows where everything runs after each single failure; the tables have to
# be those of pcs-templates/placement.
#
#   tests/layouts.sh [SUITE]          SUITE: bookworm or trixie, else this host's
#   tests/layouts.sh --write [SUITE]  writes the tables anew, and the CIBs of tests/doctor/pcs
#   tests/layouts.sh --without WORD   takes every pcs line with WORD out first: the proof has to notice
set -euo pipefail
cd "$(dirname "$0")/.."
write=no without='' suite=''
while [ $# -gt 0 ]; do
    case "$1" in
    --write) write=yes ;;
    --without) without=$2 && shift ;;
    *) suite=$1 ;;
    esac
    shift
done

if [ -z "${QUORATE_LAYOUTS_INSIDE:-}" ]; then
    cargo build --locked --workspace --features packaging --lib --bins --examples
    target/debug/quorate-lab image ${suite:+--suite "$suite"}
    # In a mount namespace of its own: whatever happens, no mount stays.
    work=$(mktemp -d "${TMPDIR:-/tmp}/quorate-layouts.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    again=()
    [ $write = no ] || again+=(--write)
    [ -z "$without" ] || again+=(--without "$without")
    [ -z "$suite" ] || again+=("$suite")
    QUORATE_LAYOUTS_INSIDE=$work unshare --mount --propagation private -- "$0" "${again[@]}"
    exit
fi

work=$QUORATE_LAYOUTS_INSIDE
# shellcheck disable=SC1091 # the host's own file
suite=${suite:-$(. /etc/os-release && echo "$VERSION_CODENAME")}
# shellcheck disable=SC2012 # names of our own
template=$(ls -dt /var/lib/quorate-lab/templates/"$suite"-* | grep -v -e -plain- | head -n 1)
mount -t tmpfs quorate-layouts "$work"
mkdir "$work/upper" "$work/work" "$work/root"
root=$work/root
mount -t overlay overlay -o "lowerdir=$template,upperdir=$work/upper,workdir=$work/work" "$root"
mount -t proc proc "$root/proc"
install -D target/debug/quorate-agent "$root/usr/lib/ocf/resource.d/quorate/postgres"
install target/debug/fence_quorate "$root/usr/sbin/fence_quorate"
install target/debug/quorate "$root/usr/bin/quorate"
cp tests/sites/*.toml "$root/root/"
if [ -n "$without" ]; then
    # A pcs that does not hear the lines with that word: the layout without that protection.
    mv "$root/usr/sbin/pcs" "$root/usr/sbin/pcs.real"
    cat >"$root/usr/sbin/pcs" <<PCS
#!/bin/bash
words=()
case "\$*" in
*influence=*) [ "$without" != influence ] || for w in "\$@"; do [[ \$w == influence=* ]] || words+=("\$w"); done ;;
*"$without"*) exit 0 ;;
esac
[ \${#words[@]} -gt 0 ] || words=("\$@")
exec /usr/sbin/pcs.real "\${words[@]}"
PCS
    chmod 755 "$root/usr/sbin/pcs"
fi

bad=0
prove() { # name, arguments of quorate layout prove
    local name=$1 golden=pcs-templates/placement/$1.txt found
    shift
    if ! found=$(chroot "$root" quorate layout prove "$@" 2>"$work/err"); then
        echo "not ok layouts: $name on $suite"
        printf '%s\n' "$found" | grep WRONG || tail -n 5 "$work/err"
        bad=1
        return
    fi
    found=$(printf '%s\n' "$found" | grep -v '^PASS$')
    if [ $write = yes ]; then
        printf '%s\n' "$found" >"$golden"
    fi
    # Only another site may be without a table: there the proof's own verdict counts.
    if { [ ! -e "$golden" ] && [ "${1:-}" = --site ]; } || diff -u "$golden" <(printf '%s\n' "$found"); then
        echo "ok layouts: $name on $suite, $(printf '%s\n' "$found" | grep -cE '^(node|centre|witness|pgsqld)') placements after single failures"
    else
        echo "not ok layouts: $name on $suite: not as in $golden"
        bad=1
    fi
}
# What pcs makes of the last step, for the doctor's tests.
capture() {
    chroot "$root" quorate layout render "$1" --out "/root/$1" >/dev/null
    chroot "$root" bash "/root/$1/8-resources.sh" "/root/$1.xml" >/dev/null 2>&1
    cp "$root/root/$1.xml" "tests/doctor/pcs/$1.xml"
}
for layout in packed classic three-centres many-replicas; do
    prove "$layout" "$layout"
    [ $write = no ] || capture "$layout"
done
for site in tests/sites/*.toml; do
    prove "$(basename "$site" .toml)" --site "/root/$(basename "$site")"
done
exit $bad
