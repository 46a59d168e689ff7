#!/bin/sh
# A Debian kernel's own serial ports, seen through libserialport: an 8250 and a USB bridge. What
# qemu joins them to is a socket, which carries no modem lines: the boards wait in download mode.
# alone
# timeout: 240
. "$(dirname "$0")/boot.sh"

same_md5() {
    host_md5=$(md5sum <"$1" | cut -d ' ' -f 1)
    equal "$host_md5" "$(guest "md5_of $2")"
}

# a_port NAME DEVICE OPTIONS: the board NAME at DEVICE, opened with OPTIONS.
a_port() {
    check "$2: mounts" guest "espflashfs -o '$3,log=/tmp/log' $2 /mnt || { cat /tmp/log; false; }"
    check "$2: info.txt" guest "cat /mnt/info.txt && grep -x 'Port: $2' /mnt/info.txt"
    check "$2: a backup with cp ends 0" guest 'time cp /mnt/flash.bin /tmp/copy'
    check "$2: the backup of 1 MiB equals the flash" same_md5 "$WORK/$1.bin" /tmp/copy
    check "$2: a restore with cp ends 0" guest \
        'head -c 1048576 /dev/urandom >/tmp/new && time cp /tmp/new /mnt/flash.bin'
    check "$2: the flash holds the restored 1 MiB" same_md5 "$WORK/$1.bin" /tmp/new
    check "$2: unmounts" guest 'unmount'
}

start_board 8250 1M --chip esp8266 --listen socket:0
port_8250=$BOARD_PORT
start_board bridge 1M --chip esp32 --listen socket:0
port_bridge=$BOARD_PORT

check 'the kernel boots' start_vm \
    -chardev "socket,id=s1,host=127.0.0.1,port=$port_8250" -serial chardev:s1 \
    -device qemu-xhci -chardev "socket,id=usb,host=127.0.0.1,port=$port_bridge" \
    -device usb-serial,chardev=usb,always-plugged=on
guest 'uname -a; dmesg | grep -E "tty(S|USB)[0-9]"' >&2

a_port 8250 /dev/ttyS1 before=no-reset,baud=115200
a_port bridge /dev/ttyUSB0 before=no-reset,baud=921600
stop_vm
