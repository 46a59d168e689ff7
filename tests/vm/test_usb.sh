#!/bin/sh
# USB devices as a kernel has them, plugged in over USB/IP: a chip's built-in USB-Serial-JTAG and a
# CP2102 bridge. The devices see DTR, RTS and baud, and the board behind them judges the resets.
# alone
# timeout: 300
. "$(dirname "$0")/boot.sh"

# downloads NAME: how often the board was reset into download mode.
downloads() {
    grep -c 'RESET into download mode' "$WORK/$1.log" || :
}

fails_to_mount() {
    fails guest "espflashfs -o '$1' $2 /mnt"
}

# last_baud NAME BAUD: "" for any.
last_baud() {
    board_log "$1" '^USB BAUD' && last=$(grep '^USB BAUD' "$WORK/$1.log" | tail -n 1) &&
        { [ -z "$2" ] || equal "USB BAUD $2" "$last"; }
}

has_sent() {
    [ "$(board_value "$1" bytes_out)" -gt "$2" ]
}

# pulled_while_reading NAME: the board is killed, and the USB/IP connection with it.
pulled_while_reading() {
    already=$(board_value "$1" bytes_out)
    guest 'dmesg -c >/dev/null; rm -f /tmp/reader; read_until_pulled &' &&
        wait_until 20 has_sent "$1" $((already + 200000)) && kill -KILL "$2" &&
        guest since_the_pull
}

# a_device NAME DEVICE PID OPTIONS WRONG-SEQUENCE BAUD: the board NAME, which is in its firmware.
a_device() {
    downloads_before=$(downloads "$1")
    check "$2: with no reset, the firmware answers nothing" fails_to_mount before=no-reset "$2"
    check "$2: nor after a wrong sequence" fails_to_mount "custom_reset_sequence=$5" "$2"
    check "$2: neither led into download mode" equal "$downloads_before" "$(downloads "$1")"
    check "$2: mounts" guest "stty -F $2 115200 raw -echo && espflashfs -o '$4' $2 /mnt"
    check "$2: through a reset into download mode" equal $((downloads_before + 1)) \
        "$(downloads "$1")"
    check "$2: info.txt" guest "cat /mnt/info.txt && grep -x 'Port: $2' /mnt/info.txt"
    check "$2: a second one is told who holds it" guest \
        "is_refused 'is held by espflashfs' espflashfs --probe $2"
    backup_and_restore "$2" "$1"
    check "$2: the baud that the device saw last${6:+ is $6}" last_baud "$1" "$6"
    check "$2: unmounts, and the firmware's boot log comes" guest \
        "says '2nd stage bootloader' unmount_and_listen $2"
    check "$2: the last reset was into firmware" equal 'RESET into firmware' \
        "$(grep '^RESET' "$WORK/$1.log" | tail -n 1)"
    # What was kept of the board would leave nothing to read when it is pulled.
    check "$2: mounts again" guest "espflashfs -o '$4' -o cache=none,reconnect=0 $2 /mnt"
    check "$2: pulled in the middle of a read: ENODEV within 1 s" pulled_while_reading "$1" "$3"
    check "$2: unmounts" guest unmount
}

# trap_contents FILE: 1 MiB, each sector of which is a frame of 65 times 64 bytes on the line, since
# SLIP escapes 62 of its bytes. A device that ends no transfer leaves the kernel waiting for the last
# 64: a host that acknowledges whole frames only would wait for ever.
trap_contents() {
    for _ in $(seq 256); do
        head -c 62 /dev/zero | tr '\000' '\300'
        LC_ALL=C tr -d '\300\333' </dev/urandom | head -c 4034
    done >"$1"
}

found_by() {
    check "a port by $1" guest "says 'Port: $3' espflashfs --probe ${2:+-o port=$2}"
}

# The two devices are there, and no one has them.
finding_ports() {
    check '--list names both' guest "says '/dev/ttyACM0.*303A:1001' espflashfs --list &&
        says '/dev/ttyUSB0.*10C4:EA60 0001.*CP2102' espflashfs --list"
    check '--list leaves out the console' guest "says '/dev/ttyS0.*skipped' espflashfs --list"
    found_by 'nothing at all' '' /dev/ttyACM0
    found_by 'its USB ids' hwid=10C4:EA60 hwid=10C4:EA60
    found_by 'its serial number' 60:55:F9:00:01:10 60:55:F9:00:01:10
    check 'a user without permission is told the group to join' guest \
        'chgrp dialout /dev/ttyUSB0 && chmod 660 /dev/ttyUSB0 &&
        is_refused "usermod -aG dialout" su user -c "espflashfs --probe /dev/ttyUSB0"'
    check 'baud=auto ends where the CP2102 does' guest \
        "says 'Baud: 921600' espflashfs --probe -o baud=auto /dev/ttyUSB0"
    check 'a rate that the CP2102 cannot have is refused' guest \
        "is_refused 'does not go to 1500000' espflashfs --probe -o baud=1500000 /dev/ttyUSB0"
}

# A board that leaves the bus with each reset; the guest plugs it in again, as a hub would.
one_that_leaves() {
    check 'one that leaves: is attached' guest "attach $1 /dev/ttyACM0"
    guest "keep_attached $1 >/dev/null 2>&1 &"
    check 'one that leaves: mounts' guest 'espflashfs /dev/ttyACM0 /mnt'
    check 'one that leaves: it left, and came back in download mode' board_log leaves \
        'USB LEAVES the bus|^CONNECTED|^RESET into download mode'
    check 'one that leaves: the backup equals the flash' same_md5 leaves /mnt/flash.bin
    check 'one that leaves: unmounts' guest unmount
    check 'one that leaves: into its firmware' equal 'RESET into firmware' \
        "$(grep '^RESET' "$WORK/leaves.log" | tail -n 1)"
}

trap_contents "$WORK/jtag.bin"
start_board jtag 1M --chip esp32c3 --usb jtag --circuit usb-jtag --boot firmware \
    --listen usbip:0:jtag
jtag_port=$BOARD_PORT
jtag_pid=$BOARD_PID
start_board cp210x 1M --chip esp32 --boot firmware --line-rate real --listen usbip:0:cp210x
cp210x_port=$BOARD_PORT
cp210x_pid=$BOARD_PID

start_board leaves 256K --chip esp32c6 --usb jtag --circuit usb-jtag --boot firmware \
    --listen usbip:0:jtag-leaves
leaves_port=$BOARD_PORT

check 'the kernel boots' start_vm
check 'a USB-Serial-JTAG is attached' guest "attach $jtag_port /dev/ttyACM0"
check 'a CP2102 is attached' guest "attach $cp210x_port /dev/ttyUSB0"
finding_ports
# What resets one kind of board only starts the other's firmware.
a_device jtag /dev/ttyACM0 "$jtag_pid" baud=921600 'D0|R1|W0.1|D1|R0|W0.05|D0' \
    ''
a_device cp210x /dev/ttyUSB0 "$cp210x_pid" baud=921600 'D0|R1|W0.1|R0' \
    921600
one_that_leaves "$leaves_port"
stop_vm
