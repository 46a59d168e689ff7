#!/bin/sh
# USB devices as a kernel has them, plugged in over USB/IP: a chip's built-in USB-Serial-JTAG and a
# CP2102 bridge. The devices see DTR, RTS and baud, and the board behind them judges the resets.
# alone
# timeout: 300
. "$(dirname "$0")/boot.sh"

never_in_download_mode() {
    fails grep 'RESET into download mode' "$WORK/$1.log"
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

# a_device NAME DEVICE PORT PID OPTIONS WRONG-SEQUENCE BAUD: the board NAME, which is in its firmware.
a_device() {
    check "$2: is attached" guest "attach $3 $2"
    check "$2: with no reset, the firmware answers nothing" fails_to_mount before=no-reset "$2"
    check "$2: nor after a wrong sequence" fails_to_mount "custom_reset_sequence=$6" "$2"
    check "$2: neither led into download mode" never_in_download_mode "$1"
    check "$2: mounts" guest "espflashfs -o '$5,log=/tmp/log' $2 /mnt"
    check "$2: through a reset into download mode" board_log "$1" 'RESET into download mode'
    check "$2: info.txt" guest "cat /mnt/info.txt && grep -x 'Port: $2' /mnt/info.txt"
    check "$2: a second one is told who holds it" guest \
        "says 'is held by espflashfs' espflashfs --probe $2"
    backup_and_restore "$2" "$1"
    check "$2: the baud that the device saw last${7:+ is $7}" last_baud "$1" "$7"
    check "$2: unmounts, and the firmware's boot log comes" guest \
        "says '2nd stage bootloader' unmount_and_listen $2"
    check "$2: the last reset was into firmware" equal 'RESET into firmware' \
        "$(grep '^RESET' "$WORK/$1.log" | tail -n 1)"
    check "$2: mounts again" guest "espflashfs -o '$5,log=/tmp/log' $2 /mnt"
    check "$2: pulled in the middle of a read: ENODEV within 1 s" pulled_while_reading "$1" "$4"
    check "$2: unmounts" guest unmount
}

start_board jtag 1M --chip esp32c3 --usb jtag --circuit usb-jtag --boot firmware \
    --listen usbip:0:jtag
jtag_port=$BOARD_PORT
jtag_pid=$BOARD_PID
start_board cp210x 1M --chip esp32 --boot firmware --line-rate real --listen usbip:0:cp210x
cp210x_port=$BOARD_PORT
cp210x_pid=$BOARD_PID

check 'the kernel boots' start_vm
# What resets one kind of board only starts the other's firmware.
a_device jtag /dev/ttyACM0 "$jtag_port" "$jtag_pid" baud=921600 'D0|R1|W0.1|D1|R0|W0.05|D0' \
    ''
a_device cp210x /dev/ttyUSB0 "$cp210x_port" "$cp210x_pid" baud=921600 'D0|R1|W0.1|R0' \
    921600
stop_vm
