#!/bin/bash
# tests/vagrant-up.sh on a machine without KVM: QEMU emulates the processor, ten to fifteen times slower. On
# Debian 12, as root. Three machines want 8 GiB of memory and of disk, and two processors for an hour or two.
#
#   tests/vagrant-emulated.sh               classic
#   tests/vagrant-emulated.sh packed        another layout
#   tests/vagrant-emulated.sh --box         only makes the box, and says where it is
#
# PATIENCE (15), MEMORY, PACKAGE as in vagrant-up.sh. CACHE (/var/cache/quorate-emulated) is where the box stays
# for the next run.
#
# libvirtd, its networks and the machines live in namespaces of their own (network, processes, mounts) and are
# gone with them, whatever happens. The vagrant/.vagrant of other machines is not touched. The box is a Debian 12
# as Vagrant's own ones are; besides, Debian's packages for a node are installed in it (half an hour for an
# emulated processor), and start at its first boot. No machine needs a network. What only emulation needs
# (driver, processor, waiting times) stands in the box's Vagrantfile.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { echo "vagrant-emulated: $*"; }
fail() {
    say "$*" >&2
    exit 2
}

# --- inside the namespaces: as their process 1, whose end ends all others ---
if [ "${1:-}" = --inside ]; then
    work=$2 drill=
    shift 2
    # Asked to end: the drill destroys its machines, then all is over.
    trap '[ -z "$drill" ] || { kill -TERM "$drill"; wait "$drill"; }; exit 143' TERM INT
    ip link set lo up
    # Bridges are set by files of the network namespace's own /sys.
    mount -t sysfs sysfs /sys
    mount -t tmpfs tmpfs /run
    mkdir -p /run/lock /etc/libvirt vagrant/.vagrant
    mount -t tmpfs tmpfs vagrant/.vagrant
    mount -t tmpfs tmpfs /etc/libvirt
    for place in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
        mkdir -p "$place" "$work$place"
        mount --bind "$work$place" "$place"
    done
    # One that runs no stock kernel is of no use: libvirt and the drill find none.
    : >"$work/empty"
    [ ! -e /dev/kvm ] || mount --bind "$work/empty" /dev/kvm
    mkdir -p /var/lib/libvirt/{images,qemu,dnsmasq,boot}
    # root runs QEMU, and libvirtd writes its log itself: no other daemon, no user, no cgroup.
    cat >/etc/libvirt/qemu.conf <<'CONF'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
CONF
    printf 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n' >/etc/libvirt/libvirtd.conf
    libvirtd >"$work/libvirtd" 2>&1 </dev/null &
    for _ in $(seq 60); do
        ! virsh --quiet --connect qemu:///system list >/dev/null 2>&1 || break
        sleep 1
    done
    virsh --quiet --connect qemu:///system list >/dev/null || {
        tail -n 15 "$work/libvirtd"
        fail "libvirtd does not answer"
    }
    vagrant box add --force --name quorate/emulated --provider libvirt "$work/box" >"$work/box-add" 2>&1 || {
        tail -n 15 "$work/box-add"
        fail "vagrant box add failed"
    }
    tests/vagrant-up.sh "$@" &
    drill=$!
    code=0
    wait $drill || code=$?
    exit $code
fi

# --- what is needed ---
[ "$(id -u)" = 0 ] || fail "it makes namespaces and file systems: run it as root"
for tool in vagrant:vagrant libvirtd:libvirt-daemon virsh:libvirt-clients dnsmasq:dnsmasq-base iptables:iptables \
    qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils mmdebstrap:mmdebstrap mke2fs:e2fsprogs bsdtar:libarchive-tools \
    dpkg-scanpackages:dpkg-dev ssh:openssh-client unshare:util-linux ip:iproute2; do
    command -v "${tool%%:*}" >/dev/null || missing+=" ${tool#*:}"
done
dpkg-query --show vagrant-libvirt >/dev/null 2>&1 || missing+=" vagrant-libvirt"
if [ -n "${missing:-}" ]; then
    say "installing$missing"
    # shellcheck disable=SC2086 # a list
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null ||
        fail "apt-get install$missing: failed; where qemu-utils of backports is in the way: apt-get install --allow-downgrades qemu-utils/bookworm qemu-system-x86"
fi
if [ -z "${PACKAGE:-}" ]; then
    make --no-print-directory deb >/dev/null
    PACKAGE=$(find target/debian -name 'quorate_*.deb' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)
fi
PACKAGE=$(realpath -e "$PACKAGE")
cache=${CACHE:-/var/cache/quorate-emulated}
mkdir -p "$cache"
work=$(mktemp -d "${TMPDIR:-/tmp}/quorate-emulated.XXXXXX")
machines=
clean_up() {
    trap - EXIT INT TERM
    if [ -n "$machines" ]; then
        # Process 1 of the namespaces; it destroys the machines. What does not end then is ended.
        pkill -TERM -P "$machines" || true
        timeout 300 tail --pid="$machines" -f /dev/null || kill -KILL "$machines" 2>/dev/null || true
        wait "$machines" 2>/dev/null || true
    fi
    rm -rf --one-file-system "$work"
    rmdir --ignore-fail-on-non-empty vagrant/.vagrant 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- the box ---
# What a box of Debian has: a user vagrant with Vagrant's well-known key, which it replaces, ifupdown, sudo. The kernel that is not
# the cloud's: it has i6300esb.
plain=(linux-image-amd64 initramfs-tools systemd systemd-sysv dbus udev ifupdown isc-dhcp-client iproute2 iputils-ping kmod procps
    less nano ca-certificates openssh-server sudo)
# What vagrant/provision/packages.sh and the package ask for, with all that they recommend, but for the fence agents of every
# cloud: six hundred packages.
asked="pacemaker corosync corosync-qdevice sbd pcs resource-agents postgresql"
asked="$asked $(dpkg-deb --field "$PACKAGE" Recommends | sed 's/([^)]*)//g; s/|[^,]*//g; s/,/ /g' | xargs)"
key=$(find /usr/share/rubygems-integration /usr/share/vagrant /opt/vagrant -path '*/keys/vagrant.pub' 2>/dev/null | head -n 1 || true)
[ -s "$key" ] || fail "Vagrant's public key, keys/vagrant.pub, is not where Debian has it"

make_box() {
    local root=$work/root
    export asked
    mmdebstrap --quiet --mode=root --variant=minbase --format=directory --include="$(IFS=,; echo "${plain[*]}")" \
        --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --skip=cleanup/apt/lists bookworm "$root"
    # Only the drivers of the disk, and a small image: it is unpacked at each boot.
    printf 'MODULES=list\n' >"$root/etc/initramfs-tools/conf.d/box"
    printf 'virtio_pci\nvirtio_blk\next4\n' >>"$root/etc/initramfs-tools/modules"
    chroot "$root" update-initramfs -u >/dev/null 2>&1
    cp "$root"/boot/vmlinuz-* "$work/vmlinuz"
    cp "$root"/boot/initrd.img-* "$work/initrd"
    # The packages, as a repository of the machine's own.
    printf 'Package: fence-agents* python3-googleapi\nPin: release *\nPin-Priority: -1\n' >"$root/etc/apt/preferences.d/box"
    # As packages.sh does it. Nothing starts here; at the first boot starts what would have been started.
    mkdir -p "$root/etc/postgresql-common"
    echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    # shellcheck disable=SC2086 # a list
    DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -q $asked >/dev/null 2>&1
    rm -f "$root/usr/sbin/policy-rc.d" "$root"/var/cache/apt/archives/*.deb
    chroot "$root" apt-get install --download-only -y -q corosync-qnetd >/dev/null
    mkdir -p "$root/var/local/apt"
    mv "$root"/var/cache/apt/archives/*.deb "$root/var/local/apt/"
    (cd "$root/var/local/apt" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null)
    rm -rf "$root"/var/lib/apt/lists/* "$root"/etc/apt/sources.list.d/* "$root/etc/apt/preferences.d/box"
    echo 'deb [trusted=yes] file:/var/local/apt ./' >"$root/etc/apt/sources.list"
    # A disk that is thrown away needs no fsync of dpkg's.
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/box"
    chroot "$root" useradd --create-home --shell /bin/bash vagrant
    echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/vagrant"
    install -d -m 0700 "$root/home/vagrant/.ssh"
    install -m 0600 "$key" "$root/home/vagrant/.ssh/authorized_keys"
    chroot "$root" chown -R vagrant: /home/vagrant
    printf 'UseDNS no\n' >"$root/etc/ssh/sshd_config.d/box.conf"
    printf 'auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n' >"$root/etc/network/interfaces"
    printf '/dev/vda / ext4 errors=remount-ro 0 1\n' >"$root/etc/fstab"
    printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
    echo bookworm >"$root/etc/hostname"
    echo LANG=C.UTF-8 >"$root/etc/default/locale"
    : >"$root/etc/machine-id"
    rm -f "$root/etc/resolv.conf"
    mke2fs -q -t ext4 -d "$root" "$work/box.raw" 6G >/dev/null 2>&1
    qemu-img convert -O qcow2 "$work/box.raw" "$work/box.img"
    rm -rf --one-file-system "$root" "$work/box.raw"
    printf '{"provider": "libvirt", "format": "qcow2", "virtual_size": 6}\n' >"$work/metadata.json"
    # The kernel is started by QEMU, without a boot loader; what guards against other guests costs an emulated processor most of its time.
    cat >"$work/Vagrantfile" <<'CONF'
Vagrant.configure("2") do |config|
  config.vm.boot_timeout = 1800
  config.vm.graceful_halt_timeout = 900
  config.ssh.connect_timeout = 120
  config.vm.provider "libvirt" do |lv|
    lv.driver = "qemu"
    lv.cpu_mode = "custom"
    lv.cpu_model = "qemu64"
    lv.kernel = File.join(__dir__, "vmlinuz")
    lv.initrd = File.join(__dir__, "initrd")
    lv.cmd_line = "root=/dev/vda rw net.ifnames=0 console=ttyS0 mitigations=off"
    lv.disk_driver cache: "unsafe"
    lv.random model: "random"
    lv.graphics_type = "none"
    lv.video_type = "none"
  end
end
CONF
    tar -C "$work" -c -f "$box.new" metadata.json Vagrantfile vmlinuz initrd box.img
    rm -f "$work"/{metadata.json,Vagrantfile,vmlinuz,initrd,box.img} "$cache"/bookworm-*.box
    mv "$box.new" "$box"
}
# Another one when what it is made of changes.
box=$cache/bookworm-$({ declare -f make_box && echo "${plain[@]}" "$asked"; } | sha256sum | cut -c 1-12).box
if [ ! -e "$box" ]; then
    began=$SECONDS
    make_box
    say "box made ($((SECONDS - began)) s, $(($(stat -c %s "$box") >> 20)) MB)"
fi
if [ "${1:-}" = --box ]; then
    echo "$box"
    exit
fi

# --- the drill ---
ln -s "$box" "$work/box"
mkdir "$work/home"
export PACKAGE BOX=quorate/emulated PROVIDER=libvirt PATIENCE=${PATIENCE:-15} VAGRANT_HOME=$work/home VAGRANT_CHECKPOINT_DISABLE=1
say "$(nproc) processors, $(qemu-system-x86_64 --version | head -n 1), vagrant-libvirt $(dpkg-query --show --showformat='${Version}' vagrant-libvirt)"
unshare --net --pid --mount --fork --kill-child --mount-proc "$0" --inside "$work" "$@" &
machines=$!
code=0
wait "$machines" || code=$?
machines=
exit $code
