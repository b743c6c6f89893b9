#!/bin/bash
# The part "watchdogs" of `make test`: `quorate prove-watchdog` on real drivers, in tiny virtual machines. QEMU emulates the processor; the
# kernel is Debian's own, unpacked and not installed; the machine's disk holds the record. Each machine first says what the drill in
# the one before has shown, then has its own. Time to bite is measured twice: by the record, and here, from the line that says
# "armed" to the end of QEMU (-no-reboot: it ends where the machine would be reset).
#
#   tests/watchdogs.sh            all cases
#   tests/watchdogs.sh CASE …     only these
#   tests/watchdogs.sh --list
set -u
cd "$(dirname "$0")/.." || exit 1
export PATH="$PATH:/usr/sbin:/sbin"
# What SBD_WATCHDOG_TIMEOUT is in the machines. i6300esb and iTCO_wdt take it as it is; QEMU's iTCO_wdt can't do less than 4 s.
timeout=5
# Emulated, a kernel needs 10 to 40 s to come up; in a machine that others load, more.
boot_deadline=${BOOT_DEADLINE:-300}

cases='
i6300esb        bites   the usual one of libvirt
softdog         bites   a timer of the kernel
itco            never   QEMU q35 as it comes before 8.0: noreboot
itco-armed      late    -global ICH9-LPC.noreboot=false: twice the timeout
softdog-panic   never   softdog, and a kernel that panicked with kernel.panic=0
'
if [ "${1:-}" = --list ]; then
    echo "$cases" | awk 'NF { print $1 }'
    exit
fi
skip() { echo "skip watchdogs: $*" && exit 0; }
ok() { echo "ok watchdogs: $*"; }
failed=0
bad() { echo "not ok watchdogs: $*"; failed=1; }

[ "$(uname -m)" = x86_64 ] || skip "iTCO_wdt and i6300esb are devices of x86; this is $(uname -m)"
qemu=$(command -v qemu-system-x86_64) || skip "no qemu-system-x86_64: dist/install-deps says why it could not be installed"
busybox=$(command -v busybox) || skip "no busybox: apt-get install busybox-static"

# Debian's kernel: the newest one that apt knows, in target/foreign.
cache=$PWD/target/foreign/linux
package=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$package" ] || skip "apt knows no linux-image-amd64: apt-get update"
release=${package#linux-image-}
if ! [ -e "$cache/$release/done" ]; then
    rm -rf "$cache" && mkdir -p "$cache/$release"
    (cd "$cache" && apt-get download -q -o APT::Sandbox::User=root "$package" >&2) || skip "apt-get download $package failed"
    dpkg-deb -x "$cache"/linux-image-*.deb "$cache/$release" || { bad "$package can't be unpacked"; exit 1; }
    rm -f "$cache"/*.deb
    touch "$cache/$release/done"
fi
kernel=$cache/$release/boot/vmlinuz-$release
modules=$cache/$release/lib/modules/$release
# Since trixie the modules lie below /usr and are compressed.
[ -d "$modules" ] || modules=$cache/$release/usr/lib/modules/$release

quorate=${QUORATE:-target/debug/quorate}
[ -n "${QUORATE:-}" ] || cargo build --locked --workspace --features packaging --bin quorate --quiet || exit 1

work=$(mktemp -d "${QUORATE_TEST_DIR:-/tmp}/watchdogs.XXXXXX") || exit 1
vm=
clean_up() {
    trap - EXIT INT TERM
    [ -z "$vm" ] || kill -KILL "$vm" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The machine's memory disk: busybox, the command with its libraries, and the modules with those that they need.
root=$work/root
mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,etc/default,lib/modules,var/lib/quorate,tmp}
cp "$busybox" "$root/bin/busybox"
ln -s /bin/busybox "$root/usr/bin/sync"
install -s -m 0755 "$quorate" "$root/usr/bin/quorate"
{ ldd "$root/usr/bin/quorate"; ldd "$busybox" 2>/dev/null; } | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }' | while read -r library; do
    install -D -m 0755 "$(readlink -f "$library")" "$root$library"
done
mkdir -p "$root/lib/modules/$release"
for module in i6300esb softdog iTCO_wdt lpc_ich i2c-i801 virtio_pci virtio_blk ext4 watchdog iTCO_vendor_support intel_pmc_bxt i2c-smbus virtio \
    virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev crc16 mbcache jbd2 crc32c_generic libcrc32c crc32c-cryptoapi; do
    file=$(find "$modules" -name "$module.ko*" -print -quit)
    # Some are built in, in one kernel or the other.
    [ -n "$file" ] || continue
    case $file in
    *.xz) xz -dc "$file" >"$root/lib/modules/$release/$module.ko" ;;
    *.zst) zstd -dcq "$file" >"$root/lib/modules/$release/$module.ko" ;;
    *) cp "$file" "$root/lib/modules/$release/$module.ko" ;;
    esac
done
cp "$modules/modules.builtin" "$modules/modules.order" "$root/lib/modules/$release/" 2>/dev/null
"$busybox" depmod -b "$root" "$release" || { bad "depmod"; exit 1; }
cat >"$root/etc/default/sbd" <<SBD
SBD_WATCHDOG_DEV=/dev/watchdog
SBD_WATCHDOG_TIMEOUT=$timeout
SBD
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
hostname tiny
for module in virtio_pci virtio_blk crc32c_generic ext4; do modprobe $module; done
for try in 1 2 3 4 5; do [ -b /dev/vda ] && break; sleep 1; done
mount -t ext4 /dev/vda /var/lib/quorate || poweroff -f
case=$(sed 's/.*case=\([a-z0-9-]*\).*/\1/' /proc/cmdline)
drivers=$(sed 's/.*drivers=\([A-Za-z0-9_,-]*\).*/\1/' /proc/cmdline)
for module in $(echo "$drivers" | tr , ' '); do modprobe "$module"; done
echo "== begin $case"
for entry in /sys/class/watchdog/*; do
    echo "sys $entry: $(cat $entry/identity), timeout $(cat $entry/timeout), state $(cat $entry/state), nowayout $(cat $entry/nowayout), driver $(readlink $entry/device/driver), module $(readlink $entry/device/driver/module)"
done
# As that of the case that left it behind.
echo "== shown"
quorate prove-watchdog --result; echo "result $?"
echo "== doctor"
quorate prove-watchdog --show; echo "show $?"
echo "== drill"
case $case in
result) ;;
softdog-panic)
    quorate prove-watchdog --yes tiny &
    sleep 3; echo c >/proc/sysrq-trigger ;;
*) quorate prove-watchdog --yes tiny; echo "drill $?"
    quorate prove-watchdog --result; echo "result $?"
    quorate prove-watchdog --show; echo "show $?" ;;
esac
echo "== end"
umount /var/lib/quorate
poweroff -f
INIT
chmod 0755 "$root/init"
(cd "$root" && find . -print | "$busybox" cpio -o -H newc --quiet 2>/dev/null) >"$work/initrd"
truncate -s 16M "$work/disk"
mke2fs -q -t ext4 -O ^has_journal "$work/disk" || { bad "mke2fs"; exit 1; }

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# Runs one machine: log in $work/CASE.log; $bit: ms from "armed" to its end, or empty; $lived: it was still there at the deadline.
machine() { # case, drivers, seconds after "armed", QEMU's words
    local case=$1 drivers=$2 patience=$3 armed='' line held='' deadline
    shift 3
    bit='' lived=no log=$work/$case.log
    rm -f "$work/console" && mkfifo "$work/console"
    "$qemu" -machine q35 -accel tcg -cpu qemu64 -m 256 -smp 1 -nodefaults -no-user-config -display none -no-reboot -serial stdio -monitor none \
        -kernel "$kernel" -initrd "$work/initrd" -drive "file=$work/disk,format=raw,if=virtio" "$@" \
        -append "console=ttyS0 quiet panic=0 case=$case drivers=$drivers" </dev/null >"$work/console" 2>"$work/qemu.log" &
    vm=$!
    exec 7<"$work/console"
    deadline=$((SECONDS + boot_deadline))
    : >"$log"
    while [ $SECONDS -lt $deadline ]; do
        if read -r -t 1 -u 7 line; then
            line=$held${line%$'\r'} held=''
            echo "$line" >>"$log"
            case $line in *'is armed with'*'no keepalive') armed=$(now_ms) deadline=$((SECONDS + patience)) ;; esac
        elif [ $? -le 128 ]; then
            break
        else
            held=$held$line # at its time limit read has taken what had come of the line
        fi
    done
    if kill -0 "$vm" 2>/dev/null && [ $SECONDS -ge $deadline ]; then lived=yes; kill -KILL "$vm"; fi
    wait "$vm" 2>/dev/null
    [ -z "$armed" ] || [ $lived = yes ] || bit=$(($(now_ms) - armed))
    vm=
    exec 7<&-
}

said() { grep -qF -- "$1" "$log"; } # text
# All of these texts, or a "not ok" with the log's end.
says() { # what it shows, texts
    local what=$1 text missing=
    shift
    for text in "$@"; do said "$text" || missing="$missing [$text]"; done
    if [ -z "$missing" ]; then ok "$what"; else
        bad "$what: not said:$missing"
        tail -n 25 "$log" "$work/qemu.log"
    fi
}
bites() { # case, least and most ms
    if [ -n "$bit" ] && [ "$bit" -ge "$2" ] && [ "$bit" -le "$3" ]; then ok "$1: bites $(seconds "$bit") after it is armed with $timeout s"; else
        bad "$1: bites after ${bit:-no} ms"
        tail -n 25 "$log" "$work/qemu.log"
    fi
}
seconds() { awk -v ms="$1" 'BEGIN { printf "%.1f s", ms / 1000 }'; }
# By another machine with the same disk and driver: what the record shows after the boot.
shown_after() { # case, drivers, QEMU's words
    local case=$1
    shift
    machine result "$1" 30 "${@:2}"
    sed -n '/^== shown/,/^== drill/p' "$log" | sed "s/^/    $case: /"
}
wanted() { [ ${#only[@]} = 0 ] || [[ " ${only[*]} " == *" $1 "* ]]; }
only=("$@")
esb=(-device i6300esb)
itco=(-global ICH9-LPC.noreboot=false)
itco_drivers=lpc_ich,i2c-i801,iTCO_wdt

if wanted i6300esb; then
    machine i6300esb i6300esb 60 "${esb[@]}"
    grep '^sys ' "$log" | sed 's/^/    /'
    says "i6300esb: the doctor says that it was never proven" 'watchdog-proven: /dev/watchdog was never proven' 'show 1'
    bites i6300esb 4000 9000
    shown_after i6300esb i6300esb "${esb[@]}"
    says "i6300esb: proven after the boot, the doctor finds nothing" 'i6300ESB timer (i6300esb)' '; proven ' 'result 0' 'show 0'
    machine result i6300esb,softdog 30 "${esb[@]}"
    says "i6300esb and softdog: the doctor says that their order may change" 'watchdog-order:' 'result 0' 'show 1'
fi
if wanted softdog; then
    machine softdog softdog 60
    ! wanted i6300esb || says "softdog: the drill of another device does not count" 'NOT proven: a drill' 'result 1'
    says "softdog: kernel.panic=0 is an error" 'watchdog-panic: kernel.panic is 0' 'show 2'
    bites softdog 4000 9000
    shown_after softdog softdog
    says "softdog: proven after the boot" '; proven ' 'result 0'
fi
if wanted itco; then
    # As pc-q35-7.2 and older have it: newer ones reset.
    machine itco "$itco_drivers" 90 -global ICH9-LPC.noreboot=true
    grep -E '^(critical|  cure)|NOT bite' "$log" | sed 's/^/    itco: /'
    says "iTCO_wdt in a virtual machine: critical before any drill" 'watchdog-itco: /dev/watchdog is iTCO_wdt, in a virtual machine'
    says "iTCO_wdt as q35 had it before QEMU 8.0 never bites: said after three times the timeout, and critical" \
        'this watchdog does NOT bite' 'drill 2' 'result 2' 'watchdog-bites:'
fi
if wanted itco-armed; then
    machine itco-armed "$itco_drivers" 90 "${itco[@]}"
    bites itco-armed 7000 14000
    shown_after itco-armed "$itco_drivers" "${itco[@]}"
    says "iTCO_wdt with noreboot=false: proven after the boot" '; proven ' 'result 0'
    if said 'watchdog-itco'; then bad "iTCO_wdt with noreboot=false: still critical though proven"; fi
fi
if wanted softdog-panic; then
    machine softdog-panic softdog 20
    if [ $lived = yes ] && said 'Kernel panic'; then ok "softdog does not end a kernel that panicked with kernel.panic=0: it stays for 20 s"; else
        bad "softdog and a panicked kernel: lived $lived, ended after ${bit:-no} ms"
        tail -n 25 "$log"
    fi
fi
exit $failed
