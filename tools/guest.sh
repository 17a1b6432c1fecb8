#!/bin/sh
# A small Linux machine for tests: tools/guest.sh [-k PACKAGE] DIR [FILE…]
#
# Leaves in DIR a kernel (vmlinuz) and an initramfs (initramfs.gz) for qemu-system-x86_64. The kernel
# is the distribution's own package, unpacked and not installed: the one that PACKAGE depends on
# (linux-image-amd64; linux-image-cloud-amd64 is a third of its size). The rest is a static busybox.
# The FILEs are found in the guest's /bin; one called "autorun" is run by the shell. It boots to a shell
# on the first serial port, which says "guest ready" once its disk (virtio, where one is given) is
# there and autorun has ended.
# What is in DIR already is used again.
set -eu
meta=linux-image-amd64
if [ "${1:-}" = -k ]; then
    meta=${2:-}
    shift 2
fi
test $# -ge 1 || { echo "usage: $0 [-k PACKAGE] DIR [FILE…]" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift

# What newer kernels have built in is not found, and not missing.
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk qemu_fw_cfg
 failover net_failover virtio_net"

say() { echo "guest.sh: $*" >&2; }
need() { command -v "$1" >/dev/null || { say "$1 is missing"; exit 3; }; }
need cpio
need gzip
busybox=$(command -v busybox) || { say "busybox is missing"; exit 3; }

# A folder of an older version of this script has fewer modules.
if [ ! -s "$dir/vmlinuz" ] || [ "$(cat "$dir/modules.list" 2>/dev/null)" != "$modules" ]; then
    need apt-get
    need dpkg
    package=$(apt-cache depends "$meta" 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    test -n "$package" || { say "apt knows no kernel by the name of $meta"; exit 3; }
    rm -rf "$dir/package" && mkdir "$dir/package"
    (cd "$dir/package" && apt-get download "$package" >&2 && dpkg -x "$package"_*.deb tree)
    mkdir -p "$dir/modules"
    for name in $modules; do
        find "$dir/package/tree" -name "$name.ko*" -exec cp {} "$dir/modules/" \;
    done
    for packed in "$dir"/modules/*.xz; do
        test -e "$packed" && need xz && xz -d "$packed"
    done
    cp "$dir"/package/tree/boot/vmlinuz-* "$dir/vmlinuz.new"
    mv "$dir/vmlinuz.new" "$dir/vmlinuz"
    echo "$modules" > "$dir/modules.list"
    rm -rf "$dir/package"
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root" # it becomes "/", which other users than root are to see, too
mkdir "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/modules"
cp "$busybox" "$root/bin/busybox"
cp "$dir"/modules/* "$root/modules/" 2>/dev/null || true
echo "$modules" > "$root/modules/order"
for file; do cp "$file" "$root/bin/"; done
cat > "$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
echo 1 > /proc/sys/kernel/printk
for name in $(cat /modules/order); do
    test -e /modules/$name.ko && insmod /modules/$name.ko
done
if grep -q guest.disk /proc/cmdline; then
    while [ ! -b /dev/vda ]; do usleep 50000; done
fi
stty -echo -F /dev/ttyS0 2>/dev/null
test -e /bin/autorun && sh /bin/autorun
echo guest ready
exec sh
INIT
chmod 755 "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) > "$dir/initramfs.gz.new"
mv "$dir/initramfs.gz.new" "$dir/initramfs.gz"
