#!/bin/sh
# fetch_kernel.sh FOLDER: FOLDER/vmlinuz and FOLDER/modules of the kernel that Debian's
# linux-image-amd64 stands for. Downloaded and unpacked, not installed: this machine keeps its
# kernel. What is there already, and whole, is kept.
set -eu

folder=$1
# Of Debian's four thousand modules: FUSE, autofs, serial ports on USB (a host controller's and USB/IP's),
# and virtio for a network card and the channel to the tests.
wanted='fs/fuse/fuse fs/autofs/autofs4 drivers/usb/common/usb-common drivers/usb/core/usbcore
    drivers/usb/host/xhci-hcd drivers/usb/host/xhci-pci drivers/usb/serial/usbserial
    drivers/usb/serial/ftdi_sio drivers/usb/serial/cp210x drivers/usb/class/cdc-acm
    drivers/usb/usbip/usbip-core drivers/usb/usbip/vhci-hcd drivers/char/virtio_console
    drivers/virtio/virtio drivers/virtio/virtio_ring drivers/virtio/virtio_pci
    drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci_legacy_dev
    net/core/failover drivers/net/net_failover drivers/net/virtio_net'

give_up() {
    echo "fetch_kernel.sh: $1" >&2
    exit 1
}

# The package that the meta package depends on: its name carries the version.
kernel_package() {
    apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' |
        head -n 1
}

# As root apt would rather download as another user, who has no business in this folder.
download() {
    package=$(kernel_package)
    [ -n "$package" ] && (cd "$folder/new" && apt-get -qq -o Acquire::Retries=3 \
        -o APT::Sandbox::User=root download "$package")
}

update_lists() {
    if [ "$(id -u)" = 0 ]; then
        apt-get -qq -o Acquire::Retries=3 update
    else
        sudo apt-get -qq -o Acquire::Retries=3 update
    fi
}

unpack() {
    dpkg-deb --fsys-tarfile "$folder"/new/*.deb | tar -x -C "$folder/new" \
        --wildcards './boot/vmlinuz-*' './lib/modules/*/kernel/*.ko'
    mv "$folder"/new/boot/vmlinuz-* "$folder/new/vmlinuz"
    mkdir "$folder/new/modules"
    for module in $wanted; do
        mv "$folder"/new/lib/modules/*/kernel/"$module.ko" "$folder/new/modules" || return 1
    done
}

# A tree that was used before may lack what is wanted since.
is_whole() {
    [ -e "$folder/vmlinuz" ] || return 1
    for module in $wanted; do
        [ -e "$folder/modules/${module##*/}.ko" ] || return 1
    done
}

! is_whole || exit 0
rm -rf "$folder/new"
mkdir -p "$folder/new"
# Lists may be missing, or name a version that is gone from the mirror.
download || { update_lists && download; } || give_up 'no kernel: apt-get failed, see above'
unpack || give_up 'the kernel package does not hold what is needed, see above'
# The kernel itself goes last: where it is, all is.
rm -rf "$folder/vmlinuz" "$folder/modules"
mv "$folder/new/modules" "$folder/modules"
mv "$folder/new/vmlinuz" "$folder/vmlinuz"
rm -rf "$folder/new"
