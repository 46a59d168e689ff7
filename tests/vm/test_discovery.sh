#!/bin/sh
# Real ttys: which there are, in what order they are asked, the ways to name one, who may have it,
# and in what state it is left.
# alone
# timeout: 300
. "$(dirname "$0")/boot.sh"

require python3
GPS_PID=

# A receiver that speaks once a second, behind a bridge that boards have, too.
start_gps() {
    : >"$WORK/gps.heard"
    python3 "$here/../mount/tools/peer.py" gps "$WORK/gps.heard" >"$WORK/gps.out" &
    GPS_PID=$!
    BOARD_PIDS="$BOARD_PIDS $GPS_PID"
    wait_until 10 grep -q '^listening on ' "$WORK/gps.out" &&
        GPS_PORT=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$WORK/gps.out")
}

both_bridges_are_there() {
    guest 'wait_for 30 test -e /dev/ttyUSB0 && wait_for 30 test -e /dev/ttyUSB1'
}

# says PATTERN COMMAND: what the command prints in the guest has a line with the pattern.
says() {
    guest "$2" >"$WORK/said" || :
    cat "$WORK/said"
    grep -q -E "$1" "$WORK/said"
}

# Likely ones first; of a PC's four ttyS ports those that exist, last.
listed() {
    guest 'espflashfs --list' >"$WORK/list" || return 1
    cat "$WORK/list"
    equal '/dev/ttyUSB0 /dev/ttyUSB1 /dev/ttyS0 /dev/ttyS1' \
        "$(sed -n 's/^\(\/dev[^ ]*\).*/\1/p' "$WORK/list" | tr '\n' ' ' | sed 's/ $//')" &&
        grep -q "^/dev/ttyUSB0  *0403:6001  *GPS-0001 .* tried\$" "$WORK/list" &&
        grep -q "^/dev/ttyUSB1  *0403:6001  *BOARD-0002 .* tried\$" "$WORK/list" &&
        grep -q "^/dev/ttyS0 .* skipped: the system's own console\$" "$WORK/list" &&
        grep -q "^/dev/ttyS1 .* tried gently\$" "$WORK/list"
}

# probe PORT: opens it, and finds the board of ttyUSB1.
probe() {
    says "^MAC: $MAC" "espflashfs --probe -o before=no-reset $1"
}

found_by_itself() {
    says '^Port: /dev/ttyUSB1$' 'espflashfs --probe' &&
        grep -E 'Port /dev/ttyUSB0: tried briefly, something else; .* s, [0-9]+ bytes sent' "$WORK/said" &&
        grep -E 'Port /dev/ttyUSB1: tried briefly, a board; .* s, [0-9]+ bytes sent' "$WORK/said" &&
        fails grep -E 'Port /dev/ttyS' "$WORK/said"
}

settings() {
    guest "stty -F /dev/ttyUSB1 -a"
}

set_as_another_program_would() {
    guest 'stty -F /dev/ttyUSB1 9600 crtscts hupcl cstopb ixon ixoff icanon echo'
}

settings_in_use() {
    says 'speed 921600 baud' 'stty -F /dev/ttyUSB1 -a' &&
        for word in -crtscts -cstopb -parenb -ixon -ixoff -icanon -echo cs8 clocal cread; do
            grep -q -E "(^| )$word(;| |\$)" "$WORK/said" || {
                say "not $word"
                return 1
            }
        done
}

# The settings that were there before are there again.
settings_are_back() {
    settings >"$WORK/settings.now" && diff "$WORK/settings" "$WORK/settings.now"
}

test_settings() {
    check 'another program leaves its settings' set_as_another_program_would
    settings >"$WORK/settings"
    check 'mounts' guest \
        'espflashfs -o before=no-reset,baud=921600 BOARD-0002 /mnt'
    check 'raw, 8N1, no flow control, the rate asked for' settings_in_use
    check 'a second driver is told who holds the port' says \
        '/dev/ttyUSB1 is held by espflashfs \(process [0-9]+\): close it' \
        'espflashfs --probe /dev/ttyUSB1'
    check '--list tells, too' says '^/dev/ttyUSB1 .* skipped: held by espflashfs \(process' \
        'espflashfs --list'
    check 'unmounts' guest 'unmount'
    check 'the settings are as they were' settings_are_back
}

# Programs that claim a port in each of the usual ways, or in none.
test_holders() {
    check 'a port that a program has open without a claim' says \
        '/dev/ttyUSB1 is held by sleep \(process' \
        'sleep 60 </dev/ttyUSB1 & until grep -q sleep /proc/$!/comm; do :; done; espflashfs --probe /dev/ttyUSB1; kill $!'
    check 'a lock file of a living process' says '/dev/ttyUSB1 is held by sleep \(process' \
        'mkdir -p /run/lock; sleep 60 & until grep -q sleep /proc/$!/comm; do :; done; echo $! >/run/lock/LCK..ttyUSB1; espflashfs --probe /dev/ttyUSB1; kill $!'
    check 'a stale one counts for nothing' probe /dev/ttyUSB1
}

# Rates with a B constant and without, as the kernel's driver for the bridge takes them.
test_rates() {
    for rate in 74880 115200 1000000 1234567 2000000 3000000; do
        check "baud=$rate" says "^Baud: $rate\$" \
            "espflashfs --probe -o before=no-reset,baud=$rate /dev/ttyUSB1"
    done
    check 'a rate that the bridge has not is refused' says '4000000' \
        'espflashfs --probe -o before=no-reset,baud=4000000 /dev/ttyUSB1'
}

start_gps
start_board named 1M --chip esp32 --mac 24:6f:28:01:02:03 --listen socket:0
MAC=24:6f:28:01:02:03
port_board=$BOARD_PORT
start_board uart 1M --chip esp8266 --listen socket:0
port_uart=$BOARD_PORT

check 'the kernel boots' start_vm \
    -chardev "socket,id=s1,host=127.0.0.1,port=$port_uart" -serial chardev:s1 \
    -device qemu-xhci \
    -chardev "socket,id=gps,host=127.0.0.1,port=$GPS_PORT" \
    -device usb-serial,chardev=gps,always-plugged=on,serial=GPS-0001,port=1 \
    -chardev "socket,id=usb,host=127.0.0.1,port=$port_board" \
    -device usb-serial,chardev=usb,always-plugged=on,serial=BOARD-0002,port=2

check 'both bridges come up' both_bridges_are_there
check 'each port that exists, the likely ones first' listed
check 'the board is found behind a GPS receiver on the same kind of bridge' found_by_itself
check 'by its path' probe /dev/ttyUSB1
check 'links as udev makes them' guest \
    'mkdir -p /dev/serial/by-id && ln -s ../../ttyUSB1 /dev/serial/by-id/usb-X && mknod /tmp/board c 188 1'
check 'by a link' probe /dev/serial/by-id/usb-X
check 'by another name for the device' probe /tmp/board
check 'by its serial number' probe BOARD-0002
check 'by how that begins' probe board
check 'by ids and serial number' probe hwid=0403:6001:BOARD-0002
check 'ids that two have are refused, both named' says \
    'hwid=0403:6001 fits more than one port: /dev/ttyUSB0 \(.*GPS-0001\), /dev/ttyUSB1 \(' \
    'espflashfs --probe hwid=0403:6001'
check 'a serial number alone is no mount point' says 'no mount point given' 'espflashfs BOARD-0002'
test_settings
test_holders
test_rates
check 'a name without hardware' says '/dev/ttyS3.* (no hardware|no such port|not a serial port)' \
    'espflashfs --probe /dev/ttyS3'
stop_vm
