# shellcheck shell=sh
# What the tests' commands find in the guest; busybox runs it.

MNT=/mnt

# wait_for SECONDS command...: true as soon as the command is.
wait_for() {
    rounds=$(($1 * 20))
    shift
    until "$@"; do
        [ "$rounds" -gt 0 ] || return 1
        rounds=$((rounds - 1))
        usleep 50000
    done
}

driver_is_gone() {
    ! pidof espflashfs >/dev/null
}

# unmount: ends when the driver has let go of the port.
unmount() {
    umount "$MNT" && wait_for 20 driver_is_gone
}

md5_of() {
    md5sum <"$1" | cut -d ' ' -f 1
}

# attach PORT DEVICE: plugs in what the host serves at PORT, which becomes DEVICE.
attach() {
    usbip --tcp-port "$1" attach -r 10.0.2.2 -b 1-1 && wait_for 10 test -c "$2"
}

# says PATTERN command...: prints what the command prints; true where a line of that matches.
# SAYS_STATUS is the command's.
says() {
    pattern=$1
    shift
    SAYS_STATUS=0
    "$@" >/tmp/says 2>&1 || SAYS_STATUS=$?
    cat /tmp/says
    grep -q -E "$pattern" /tmp/says
}

# is_refused PATTERN command...: it fails, and a line of what it prints matches.
is_refused() {
    says "$@" && [ "$SAYS_STATUS" != 0 ]
}

# unmount_and_listen DEVICE: unmounts, and prints what the board says then. Held open by somebody,
# the port keeps what comes in. The driver leaves it set as it found it, as a monitor had it.
unmount_and_listen() {
    exec 4<"$1"
    unmount || return 1
    timeout 2 cat "$1" | tr -d '\r'
    exec 4<&-
}

# read_until_pulled: reads the flash; the kernel's log tells when that ended, and how.
read_until_pulled() {
    dd if="$MNT/flash.bin" of=/dev/null bs=64k 2>/tmp/reader
    echo "reader: status $?, $(tail -n 1 /tmp/reader)" >/dev/kmsg
}

# since_the_pull: the reader got ENODEV; prints the milliseconds from when the kernel saw the
# device go until then, by the kernel's own clock, and fails where they are more than 1000.
since_the_pull() {
    wait_for 20 grep -q . /tmp/reader
    wait_for 5 sh -c 'dmesg | grep -q "reader: "'
    dmesg | grep -E 'sendmsg failed|connection closed|USB disconnect|reader: '
    dmesg | grep -q 'reader: status 1, .*No such device' || return 1
    dmesg | tr -d '[]' | awk '
        !pulled && /sendmsg failed|connection closed|USB disconnect/ { pulled = $1 }
        /reader: / { ended = $1 }
        END { ms = int((ended - pulled) * 1000); print ms " ms"; exit !(pulled && ms <= 1000) }'
}

# A device is there, or about to be: the states 6 and 5 of the ports of the virtual hub.
hub_is_used() {
    grep -q -E '^[hs]s +[0-9]+ 00[56] ' /sys/devices/platform/vhci_hcd.0/status
}

# keep_attached PORT: plugs it in again whenever it has left. Ends with the guest. One connection at a
# time: a second would wait at the board, and be taken before the chip is out of its reset.
keep_attached() {
    while :; do
        hub_is_used || usbip --tcp-port "$1" attach -r 10.0.2.2 -b 1-1
        usleep 200000
    done
}

# opt_in LINE...: the lines of the file of boards that are to be mounted when they are plugged in.
opt_in() {
    printf '%s\n' "$@" >/etc/espflashfs/boards
    udevadm trigger --subsystem-match=tty && udevadm settle
}

count_ttys() {
    find /sys/bus/usb-serial/devices -mindepth 1 | wc -l
}

has_more_ttys() {
    [ "$(count_ttys)" -gt "$1" ]
}

# plug PORT: as attach, to the end of what udev does about it. Out of luck, it is tried again: what
# was pulled just now keeps its socket for a moment.
plug() {
    ttys=$(count_ttys)
    wait_for 10 usbip --tcp-port "$1" attach -r 10.0.2.2 -b 1-1 &&
        wait_for 20 has_more_ttys "$ttys" && udevadm settle
}

# shown NAME, not_shown NAME: as a mount, by the kernel's own word.
shown() {
    grep -q " /run/espflash/$1 fuse" /proc/mounts
}

not_shown() {
    ! shown "$1"
}

main_pid() {
    systemctl show -P MainPID "espflashfs@$1"
}

state_of() {
    systemctl show -P ActiveState "espflashfs@$1"
}

# has_state NAME STATE
has_state() {
    [ "$(state_of "$1")" = "$2" ]
}

# nothing_left NAME STATE: of a board that was pulled, nor a failed unit where STATE is inactive.
nothing_left() {
    if ! wait_for 40 not_shown "$1" || ! wait_for 20 has_state "$1" "$2"; then
        systemctl --no-pager status "espflashfs@$1"
        return 1
    fi
    ls -la /run/espflash /run/espflashfs/names /dev/espflash 2>&1
    ! ls -d "/run/espflash/$1" "/run/espflashfs/names/$1" "/dev/espflash/$1" 2>/dev/null &&
        ! pidof espflashfs
}
