#!/bin/sh
# Boards that are plugged in and pulled on a system with systemd and udevd: those that the administrator
# named are mounted and go away, all others are left alone.
# alone
# timeout: 500
# shellcheck disable=SC2016,SC2034 # it is the guest that expands; GUEST_ADDS is boot.sh's
GUEST_ADDS=add_systemd.sh
. "$(dirname "$0")/boot.sh"

# The driver's own log, and the group of those who may use a serial port.
OPTIONS='-o log=/var/log/boards,allow_other,gid=20,umask=007'

# a_bridge NAME: a board behind a CP2102, in its firmware. Sets PID and PORT; again, with the same
# flash, after it was pulled.
a_bridge() {
    start_board "$1" 256K --chip esp32 --boot firmware --line-rate real --flash-timing real --listen usbip:0:cp210x \
        --mac "$2" || return 1
    PID=$BOARD_PID
    PORT=$BOARD_PORT
}

pull() {
    kill -KILL "$1"
    end_process "$1" 10 2>/dev/null || :
}

# left_alone NAME: nobody sent the board a byte, or moved a modem line so that it was reset.
left_alone() {
    equal 0 "$(board_value "$1" bytes_in)" && fails grep '^RESET' "$WORK/$1.log"
}

has_programmed() {
    [ "$(board_value "$1" programs)" -gt "$2" ]
}

# pulled_while_writing NAME PID: in the middle of a restore.
pulled_while_writing() {
    cp "$WORK/$1.bin" "$WORK/old"
    seq 100000 | head -c 262144 >"$WORK/new"
    guest 'seq 100000 | head -c 262144 >/tmp/image;
        (cp /tmp/image /run/espflash/kitchen/flash.bin; echo "$?" >/tmp/ended) >/tmp/cp 2>&1 &' &&
        wait_until 30 has_programmed "$1" 60 && pull "$2"
}

# Of Debian 12's udevadm; its verify came later.
rule_is_right() {
    guest 'udevadm test --action=add /sys/class/tty/ttyS0' >"$WORK/rules"
    grep '70-espflashfs.rules' "$WORK/rules"
    grep -q 'Reading rules file: .*/70-espflashfs.rules$' "$WORK/rules" &&
        fails grep -E '70-espflashfs.rules:[0-9]+' "$WORK/rules"
}

not_opted_in() {
    check 'nobody opted in: a board is plugged in' guest "plug $PORT && test -c /dev/ttyUSB0"
    check 'nobody opted in: it has no name, no unit, no mount' guest \
        '! ls /dev/espflash /run/espflash 2>/dev/null && test "$(state_of ttyUSB0)" = inactive &&
        ! pidof espflashfs'
    check 'another one opted in' guest 'opt_in 303A "1A86:7523 rack" "10C4:EA60:0002 other"'
    check 'nobody opened the port' left_alone kitchen
    check 'a line with - before one that fits' guest 'opt_in "10C4:EA60 -" likely'
    check 'still, nobody opened the port' left_alone kitchen
}

opted_in() {
    check 'opted in: the board appears' guest \
        'opt_in "10c4:ea60:0001 kitchen" && wait_for 40 shown kitchen'
    check 'opted in: the unit is active once it is mounted' guest 'wait_for 10 has_state kitchen active'
    check 'opted in: info.txt' guest "grep -x 'MAC: $1' /run/espflash/kitchen/info.txt"
    check 'opted in: flash.bin is the flash' same_md5 kitchen /run/espflash/kitchen/flash.bin
    check "opted in: the group's member reads it" guest \
        'su member -c "ls -l /run/espflash/kitchen && cat /run/espflash/kitchen/info.txt >/dev/null"'
    check 'opted in: another user does not' guest \
        '! su user -c "cat /run/espflash/kitchen/info.txt"'
    check 'opted in: ModemManager is told to stay away' guest \
        'udevadm info -q property /dev/ttyUSB0 | grep -x ID_MM_PORT_IGNORE=1'
    check 'a second one with the same serial number' guest \
        "plug $2 && wait_for 40 shown kitchen.ttyUSB1 && shown kitchen"
    check 'each under its own name' guest \
        "grep -x 'MAC: $3' /run/espflash/kitchen.ttyUSB1/info.txt &&
        grep -x 'MAC: $1' /run/espflash/kitchen/info.txt"
}

a_pull() {
    check 'pulled: the second one' pull "$1"
    check 'pulled: nothing of it is left' guest \
        'wait_for 40 not_shown kitchen.ttyUSB1 && wait_for 5 has_state kitchen.ttyUSB1 inactive &&
        ! ls -d /run/espflash/kitchen.ttyUSB1 /dev/espflash/kitchen.ttyUSB1 2>/dev/null'
    check 'pulled: the first one is still there' guest 'shown kitchen'
}

check_stays() {
    before=$(guest 'main_pid kitchen')
    check 'a knock at the plug' pull "$PID"
    check 'a knock at the plug: the link is gone' guest 'wait_for 10 test ! -e /dev/espflash/kitchen'
    a_bridge kitchen "$1"
    check 'a knock at the plug: back at once' guest "plug $PORT"
    check 'a knock at the plug: the driver goes on' guest \
        'usleep 16000000; cat /run/espflash/kitchen/info.txt >/dev/null'
    check 'a knock at the plug: it is the same driver' equal "$before" "$(guest 'main_pid kitchen')"
    check 'a knock at the plug: which writes to the board' guest \
        'head -c 65536 /dev/urandom | dd of=/run/espflash/kitchen/flash.bin bs=64k conv=notrunc'
    check 'a knock at the plug: flash.bin is the flash' same_md5 kitchen \
        /run/espflash/kitchen/flash.bin
}

is_in_firmware() {
    [ "$(grep '^RESET' "$WORK/$1.log" | tail -n 1)" = 'RESET into firmware' ]
}

stopped() {
    check 'stopped: the unit ends' guest 'systemctl stop espflashfs@kitchen'
    check 'stopped: nothing is mounted, the port is free' guest \
        'not_shown kitchen && ! test -e /run/espflash/kitchen && ! pidof espflashfs'
    check 'stopped: the board is in its firmware' wait_until 5 is_in_firmware kitchen
    check 'stopped: it may be started again' guest 'systemctl start espflashfs@kitchen && shown kitchen'
}

# whole_sectors OLD NEW NOW: each sector of NOW is OLD's or NEW's.
whole_sectors() {
    python3 - "$@" <<'PYTHON'
import sys
old, new, now = (open(name, 'rb').read() for name in sys.argv[1:])
torn = [at for at in range(0, len(now), 4096)
        if now[at:at + 4096] not in (old[at:at + 4096], new[at:at + 4096])]
sys.exit(f'torn at {torn}' if torn or len(now) != len(new) else 0)
PYTHON
}

torn() {
    check 'pulled in the middle of a write' pulled_while_writing kitchen "$PID"
    check 'pulled in the middle of a write: cp fails' guest \
        'wait_for 60 test -s /tmp/ended; cat /tmp/cp; test "$(cat /tmp/ended)" != 0'
    check 'pulled in the middle of a write: the unit says that data is lost, nothing else is left' \
        guest 'nothing_left kitchen failed'
    check 'pulled in the middle of a write: the journal is kept' guest \
        'ls -l /var/lib/espflashfs/*/journal && test "$(stat -c %a /var/lib/espflashfs)" = 700'
    a_bridge kitchen "$1"
    check 'plugged in again: it appears again' guest "plug $PORT && wait_for 40 shown kitchen"
    check 'plugged in again: what was begun is finished' guest \
        'cat /run/espflash/kitchen/flash.bin >/dev/null &&
        grep "ended in the middle of a write: .* written again" /var/log/boards'
    check 'plugged in again: each sector is whole' whole_sectors "$WORK/old" "$WORK/new" "$WORK/kitchen.bin"
    check 'plugged in again: flash.bin is the flash' same_md5 kitchen /run/espflash/kitchen/flash.bin
    check 'plugged in again: the restore, once more' guest \
        'cp /tmp/image /run/espflash/kitchen/flash.bin'
    check 'plugged in again: the flash holds all of it' same_md5 kitchen /tmp/image
}

killed() {
    check 'killed: the driver' guest 'kill -KILL "$(main_pid kitchen)" && wait_for 20 has_state kitchen failed'
    check 'killed: no dead mount is left' guest 'not_shown kitchen && ! test -e /run/espflash/kitchen'
    check 'killed: started again' guest 'systemctl start espflashfs@kitchen && shown kitchen'
}

away() {
    check 'pulled at rest' pull "$PID"
    check 'pulled at rest: nothing is left' guest 'nothing_left kitchen inactive'
}

# A board that leaves the bus with each reset, and comes back: those of its mount and its unmount
# neither end the mount nor bring it again.
one_that_leaves() {
    own=60:55:F9:00:01:10
    check 'one that leaves: opted in and plugged' guest "opt_in 303A;
        keep_attached $1 >/dev/null 2>&1 & wait_for 40 shown $own"
    check 'one that leaves: it left, and came back' board_log leaves 'USB LEAVES the bus'
    check 'one that leaves: it stays mounted, once' guest \
        "usleep 17000000; shown $own && test 1 = \$(grep -c 'mounted on .*/$own' /var/log/boards)"
    check 'one that leaves: flash.bin is the flash' same_md5 leaves "/run/espflash/$own/flash.bin"
    check 'one that leaves: stopped, it comes back and is not mounted' guest \
        "systemctl stop espflashfs@$own; usleep 8000000; wait_for 10 test -e /dev/espflash/$own;
        usleep 2000000; test \$(state_of $own) = inactive && not_shown $own"
    check 'one that leaves: started' guest "systemctl start espflashfs@$own && shown $own"
    check 'one that leaves: stopped' guest "systemctl stop espflashfs@$own && not_shown $own"
}

# Mounted when somebody looks, unmounted when nobody does any more.
automounted() {
    check 'autofs: the map is read' guest \
        "sed -i 's|socket://rack:4001|socket://10.0.2.2:$1|' /etc/auto.espflash &&
        says '^ *bench .*:/dev/serial/by-id/usb-Silicon' automount -m"
    check 'autofs: runs' guest \
        'systemctl start autofs && wait_for 10 grep -q "^/etc/auto.espflash /espflash" /proc/mounts'
    check 'autofs: a board is mounted for who looks' guest "grep -x 'MAC: $2' /espflash/rack1/info.txt"
    check 'autofs: as the map says' guest \
        'ls -l /espflash/rack1 && su member -c "cat /espflash/rack1/info.txt"'
    check 'autofs: flash.bin is the flash' same_md5 auto /espflash/rack1/flash.bin
    check 'autofs: and unmounted when nobody looks' guest 'wait_for 30 driver_is_gone'
}

MAC=24:0a:c4:00:00:01 SECOND_MAC=24:0a:c4:00:00:02
a_bridge second "$SECOND_MAC"
second_pid=$PID
second_port=$PORT
a_bridge kitchen "$MAC"
start_board leaves 256K --chip esp32c6 --usb jtag --circuit usb-jtag --boot firmware \
    --listen usbip:0:jtag-leaves
leaves_port=$BOARD_PORT
start_board auto 256K --chip esp32 --listen socket:0 --mac 24:0a:c4:00:00:03
auto_port=$BOARD_PORT

check 'systemd brings the guest up' start_vm
check 'and is content' guest 'says "^running$" systemctl is-system-running'
guest "echo 'ESPFLASHFS_OPTS=\"$OPTIONS\"' >/etc/default/espflashfs;
    echo 'member:x:1001:20:member:/tmp:/bin/sh' >>/etc/passwd" >&2
check 'the rule is read without a complaint' rule_is_right
not_opted_in
opted_in "$MAC" "$second_port" "$SECOND_MAC"
a_pull "$second_pid"
check_stays "$MAC"
stopped
torn "$MAC"
killed
away
one_that_leaves "$leaves_port"
automounted "$auto_port" 24:0a:c4:00:00:03
stop_vm
