#!/bin/sh
# make_initramfs.sh KERNEL-FOLDER BUILD-FOLDER ROOT OUT [SCRIPT]: a root file system of busybox, the
# kernel's modules, BUILD-FOLDER's driver with its libraries and stubs, and Debian's usbip; made in the
# folder ROOT, with what `sh SCRIPT ROOT` adds, packed into OUT.
set -eu

kernel=$1
build=$2
root=$3
out=$4
more=${5:-}
here=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=tests/vm/program.sh
. "$here/program.sh"

kernel_version() {
    strings "$kernel/modules/fuse.ko" | sed -n 's/^vermagic=\([^ ]*\) .*/\1/p'
}

# A module that lacks another is said by depmod, and ends here rather than in the guest.
modules() {
    version=$(kernel_version)
    mkdir -p "$root/lib/modules/$version"
    cp "$kernel"/modules/*.ko "$root/lib/modules/$version"
    busybox depmod -b "$root" "$version"
}

rm -rf "$root"
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/usr/lib64" \
    "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/mnt" "$root/run" "$root/etc" "$root/var"
for name in bin sbin lib lib64; do
    ln -s "usr/$name" "$root/$name"
done
ln -s ../run "$root/var/run"
cp "$(command -v busybox)" "$root/bin/busybox"
for name in $(busybox --list); do
    [ -e "$root/bin/$name" ] || ln -s busybox "$root/bin/$name"
done
modules
program "$build/espflashfs" /bin/espflashfs
# libc loads it by name when a thread is cancelled, as libfuse does when it ends.
for libc in "$root"/lib/*/libc.so.6; do
    cp -L "$(dirname "${libc#"$root"}")/libgcc_s.so.1" "$(dirname "$libc")"
done
program "$(command -v fusermount3)" /bin/fusermount3
program /usr/sbin/usbip /bin/usbip
cp -r -L "$build/stubs" "$root/bin/stubs"
# usbip wants the names of all vendors, and goes without.
mkdir -p "$root/usr/share/misc"
touch "$root/usr/share/misc/usb.ids"
printf 'root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\ndialout:x:20:\n' >"$root/etc/group"
ln -s /proc/self/mounts "$root/etc/mtab"
cp "$here/init" "$root/init"
cp "$here/channel" "$here/guest.sh" "$root/"
chmod 755 "$root/init"
[ -z "$more" ] || sh "$more" "$root"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$out"
