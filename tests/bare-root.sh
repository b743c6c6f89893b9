#!/bin/bash
# `make demo` and `make test` on a bare Debian: a root made by mmdebstrap with git, make and ca-certificates, a copy of this
# host's Rust toolchain and nothing else; the project is cloned into it. Prints the time of each step.
#
#   tests/bare-root.sh bookworm            both
#   tests/bare-root.sh trixie "make demo"  only these commands
#
# Root; takes about 10 GB below $BARE_ROOT (default /var/tmp/quorate-bare) and removes them at the end. Not part of `make test`.
set -eu
cd "$(dirname "$0")/.."
suite=${1:-bookworm}
shift || true
[ $# -gt 0 ] || set -- "make demo" "make test"
[ "$(id -u)" = 0 ] || { echo "tests/bare-root.sh needs root" >&2; exit 1; }

base=${BARE_ROOT:-/var/tmp/quorate-bare}-$suite
root=$base/root
rm -rf "$base"
mkdir -p "$root"
clean_up() {
    # Everything that still works inside is ours: nothing else has its root there.
    for _ in 1 2 3; do
        left=$(find /proc -maxdepth 2 -path '/proc/[0-9]*/root' -lname "$root*" -printf '%h\n' 2>/dev/null | sed 's|/proc/||')
        [ -n "$left" ] || break
        # shellcheck disable=SC2086 # a list of process ids
        kill -KILL $left 2>/dev/null || true
        sleep 0.3
    done
    rm -rf --one-file-system "$base"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

lap() {
    local what=$1 began=$SECONDS code=0
    shift
    "$@" || code=$?
    printf -- '-- %s: %d s, exit code %d\n' "$what" $((SECONDS - began)) "$code" | tee -a "$base/times"
    return $code
}

# The host's own mirror, for either suite.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | head -n 1)
[ -n "$mirror" ] || { echo "no Debian mirror in this host's apt sources: run apt-get update" >&2; exit 1; }
lap "bare root ($suite)" mmdebstrap --quiet --variant=minbase --include=git,make,ca-certificates "$suite" "$root" "$mirror"

toolchain=$(rustc --print sysroot)
mkdir -p "$root/opt"
cp -a "$toolchain" "$root/opt/rust"
rm -rf "$root/opt/rust/share/doc"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
# A host behind an inspecting proxy has certificates of its own.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
git bundle create -q "$root/root/quorate.bundle" HEAD

cat >"$base/outside" <<'OUT'
set -eu
# A real change of the root, not a chroot: systemd-nspawn moves its own root, and can't from a chroot.
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/lock mnt
pivot_root . mnt
cd /
umount -l /mnt
shift
exec env -i HOME=/root TERM="${TERM:-dumb}" LC_ALL=C.UTF-8 PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null
OUT
inside() { unshare --mount --propagation private bash "$base/outside" "$root" "$@"; }

lap "git clone" inside git clone -q /root/quorate.bundle /root/quorate
code=0
for command in "$@"; do
    lap "$command" inside sh -c "cd /root/quorate && $command" || code=1
done
echo
cat "$base/times"
exit $code
