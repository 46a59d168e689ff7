#!/bin/sh
# A Debian kernel's own serial ports, seen through libserialport: an 8250 and a USB bridge. What
# qemu joins them to is a socket, which carries no modem lines: the boards wait in download mode.
# alone
# timeout: 240
. "$(dirname "$0")/boot.sh"

# a_port NAME DEVICE OPTIONS: the board NAME at DEVICE, opened with OPTIONS.
a_port() {
    check "$2: mounts" guest "espflashfs -o '$3' $2 /mnt"
    check "$2: info.txt" guest "cat /mnt/info.txt && grep -x 'Port: $2' /mnt/info.txt"
    backup_and_restore "$2" "$1"
    check "$2: unmounts" guest unmount
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
check '/dev/ttyS1: a rate that this UART cannot have is refused' guest \
    "is_refused 'does not go to 460800 baud' espflashfs -o before=no-reset,baud=460800 /dev/ttyS1 /mnt"
check '/dev/ttyS1: baud=auto goes by what it can have' guest \
    "says 'Baud: 115200' espflashfs --probe -o before=no-reset,baud=auto /dev/ttyS1"
a_port bridge /dev/ttyUSB0 before=no-reset,baud=921600
stop_vm
