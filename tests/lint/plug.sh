#!/bin/sh
# What has a plugged board mounted: systemd's own check of the units, and which name espflashfs-plug
# gives to which port. (udevadm test and the rest: tests/vm/test_plug.sh.)
. "$(dirname "$0")/../lib/lint.sh"

require systemd-analyze
WORK=$(mktemp -d "${TMPDIR:-/tmp}/espflashfs-plug.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
BOARDS=$WORK/boards
mkdir "$WORK/bin" "$WORK/units" "$WORK/ttys"
for name in systemctl logger; do
    # shellcheck disable=SC2016 # for the script that it becomes
    printf '#!/bin/sh\necho "%s $*" >>"%s"\n' "$name" "$WORK/called" >"$WORK/bin/$name"
    chmod 755 "$WORK/bin/$name"
done

# The driver is not installed where systemd would look for it.
units_are_right() {
    for unit in espflashfs espflashfs-gone; do
        sed -E "s|^(Exec[A-Za-z]*=-?)espflashfs |\1$(readlink -f "$EF_BUILD")/espflashfs |" \
            "mount-helpers/systemd/$unit@.service" >"$WORK/units/$unit@kitchen-1.service"
    done
    systemd-analyze verify --man=no "$WORK"/units/* >"$WORK/verdict" 2>&1 &&
        fails grep . "$WORK/verdict"
}

# plug ACTION TTY VID PID SERIAL [NAME=VALUE...]: as udev calls it; prints what it prints, as one line.
plug() {
    plug_action=$1 plug_tty=$2 plug_vid=$3 plug_pid=$4 plug_serial=$5
    shift 5
    [ "$plug_action" = remove ] || : >"$WORK/ttys/$plug_tty"
    env -i PATH="$WORK/bin:$PATH" ESPFLASHFS_BOARDS="$BOARDS" ESPFLASHFS_RUN="$WORK/run" \
        ESPFLASHFS_TTYS="$WORK/ttys" ACTION="$plug_action" DEVNAME="/dev/$plug_tty" ID_BUS=usb \
        ID_VENDOR_ID="$plug_vid" ID_MODEL_ID="$plug_pid" ${plug_serial:+ID_SERIAL_SHORT="$plug_serial"} \
        "$@" sh mount-helpers/udev/espflashfs-plug | tr '\n' ' '
}

# becomes NAME ARGUMENTS-OF-PLUG...: is mounted under that name. Each has a fresh start.
becomes() {
    rm -rf "$WORK/run" "$WORK"/ttys/*
    becomes_name=$1
    shift
    equal "ESPFLASHFS_NAME=$becomes_name ESPFLASHFS_START=1 " "$(plug add "$@")"
}

is_left_alone() {
    rm -rf "$WORK/run"
    equal '' "$(plug add "$@")" && [ ! -e "$WORK/run" ]
}

boards() {
    printf '%s\n' "$@" >"$BOARDS"
}

naming() {
    cp mount-helpers/udev/boards "$BOARDS"
    check 'the file of boards, as it is installed, names none' is_left_alone ttyUSB0 10c4 ea60 0001
    boards '# a comment' '' '10C4:EA60:A-1 kitchen' '1A86:7523 -' '303A' \
        'path=pci-0000:00:14.0-usb-0:1.2:1.0 rack2 # a remark' '0403:6001 # a remark' 'likely'
    check 'by its serial number' becomes kitchen ttyUSB0 10c4 ea60 A-1
    check 'by a vendor, named after its serial number' \
        becomes 60:55:F9:00:01:10 ttyACM0 303a 1001 60:55:F9:00:01:10
    check 'a second port of one device' \
        becomes 60:55:F9:00:01:10.if02 ttyACM1 303a 1001 60:55:F9:00:01:10 ID_USB_INTERFACE_NUM=02
    check 'by its socket' becomes rack2 ttyUSB3 9999 0001 x ID_PATH=pci-0000:00:14.0-usb-0:1.2:1.0
    check 'no serial number' becomes ttyUSB1 ttyUSB1 0403 6001 ''
    check 'a serial number that many have' becomes ttyUSB1 ttyUSB1 10c4 ea60 0001
    check 'the first line that fits counts' is_left_alone ttyUSB0 1a86 7523 ''
    check 'a port of something else' is_left_alone ttyUSB0 1546 01a8 x
    check 'a likely one that its name gives away' is_left_alone ttyUSB0 10c4 ea60 0002 \
        ID_SERIAL=ITead_Sonoff_Zigbee_3.0_0002
    boards '303A:1001:60:55:F9:00:01:10 mine' '303A:1001:60:55:F9:00:01:11 other'
    check 'by a serial number with colons' becomes other ttyACM0 303a 1001 60:55:F9:00:01:11
    check 'another serial number' is_left_alone ttyACM0 303a 1001 60:55:F9:00:01:12
    boards '303A:1001 ../a%i/b'
    check 'odd characters of a name' becomes _._a_i_b ttyACM0 303a 1001 s
}

# escapes NAME SERIAL
escapes() {
    boards 303A
    becomes "$1" ttyACM0 303a 1001 "$2"
}

complains() {
    boards '/dev/ttyUSB0 kitchen' '303A board'
    : >"$WORK/called"
    becomes board ttyACM0 303a 1001 s && grep -F "'/dev/ttyUSB0' is neither" "$WORK/called"
}

sharing() {
    boards '10C4:EA60 board'
    check 'two boards of one name: the first' becomes board ttyUSB0 10c4 ea60 0001
    check 'two boards of one name: the second' equal \
        'ESPFLASHFS_NAME=board.ttyUSB1 ESPFLASHFS_START=1 ' "$(plug add ttyUSB1 10c4 ea60 0001)"
    check 'asked again, each has its own' equal 'ESPFLASHFS_NAME=board ESPFLASHFS_START=1 ' \
        "$(plug change ttyUSB0 10c4 ea60 0001)"
    : >"$WORK/called"
    plug remove ttyUSB0 10c4 ea60 0001
    check 'one that is pulled has its unit asked to wait' equal \
        'systemctl --no-block restart espflashfs-gone@board.service' "$(cat "$WORK/called")"
    check 'and its name is free' equal 'ESPFLASHFS_NAME=board ESPFLASHFS_START=1 ' \
        "$(plug add ttyUSB2 10c4 ea60 0001)"
    rm "$WORK/ttys/ttyUSB2"
    check 'so it is of one whose end nobody saw' equal 'ESPFLASHFS_NAME=board ESPFLASHFS_START=1 ' \
        "$(plug add ttyUSB3 10c4 ea60 0001)"
    mkdir -p "$WORK/run/left"
    : >"$WORK/run/left/board"
    check 'one that was just unmounted is not mounted for coming back' equal \
        'ESPFLASHFS_NAME=board ' "$(plug add ttyUSB3 10c4 ea60 0001)"
    touch -d '1 minute ago' "$WORK/run/left/board"
    check 'a minute later it is' equal 'ESPFLASHFS_NAME=board ESPFLASHFS_START=1 ' \
        "$(plug add ttyUSB3 10c4 ea60 0001)"
}

# What C has in a table, ids as 10c4:ea60.
table_ids() {
    sed -n "/$1\[\]/,/^};/s/^ *{0x\([0-9A-F]*\), 0x\([0-9A-F]*\),.*/\1:\2/p" src/line/port_table.c |
        tr A-F a-f
}

table_words() {
    sed -n '/EF_PORT_STRANGE_WORDS\[\]/,/NULL/p' src/line/port_table.c | grep -o '"[^"]*"' | tr -d '"'
}

# The driver's search and this script call the same ports likely.
likely_agrees() {
    boards likely
    for id in 303a:1001 $(table_ids EF_PORT_BRIDGES) $(table_ids EF_PORT_EXCEPTIONS); do
        becomes S2 ttyUSB0 "${id%:*}" "${id#*:}" S2 || return 1
    done
    for id in $(table_ids EF_PORT_STRANGERS); do
        is_left_alone ttyUSB0 "${id%:*}" "${id#*:}" S2 || return 1
    done
    for word in $(table_words); do
        is_left_alone ttyUSB0 10c4 ea60 S2 "ID_SERIAL=Maker_My_${word}_S2" || return 1
    done
    # And has no more than the driver.
    equal "$(table_ids EF_PORT_BRIDGES | sort)" "$(sed -n '/^is_likely/,/^}/p' \
        mount-helpers/udev/espflashfs-plug | grep -o -E '[0-9A-F]{4}:[0-9A-F]{4}' |
        grep -v '^2341' | tr A-F a-f | sort)"
}

check 'systemd-analyze verify finds nothing in the units' units_are_right
naming
check 'odd characters of a serial number' escapes a_b_c__ 'a b/c%$'
check 'a line that is none is told, the rest counts' complains
sharing
check "what is likely is what the driver's search calls so" likely_agrees
finish_lint
