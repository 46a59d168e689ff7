#!/bin/sh
# Every chip, and packages and revisions of it, through each loader: info.txt, backup, restore and
# erase. tests/mount/tools/chips.txt holds the boards and what is to be said of them.
# timeout: 600
. "$(dirname "$0")/../lib/mount.sh"

TABLE=$(cd "$(dirname "$0")/tools" && pwd)/chips.txt

# What is not blank on the flash: its first and last bytes, and those around 16 MiB, where an
# address needs its fourth byte.
EDGE=$((96 * 1024))

# put_random OFFSET: into $WORK/image.
put_random() {
    random_bytes $EDGE | dd of="$WORK/image" bs=64k seek="$1" oflag=seek_bytes conv=notrunc \
        iflag=fullblock status=none
}

# new_image SIZE_BYTES
new_image() {
    tr '\0' '\377' </dev/zero | head -c "$1" >"$WORK/image"
    put_random 0
    put_random $(($1 - EDGE))
    [ "$1" -le 16777216 ] || put_random $((16777216 - EDGE / 2))
}

# bytes_of 4M
bytes_of() {
    echo $((${1%M} * 1024 * 1024))
}

# bring_up CHIP VARIANT SIZE LOADER
bring_up() {
    new_image "$(bytes_of "$3")"
    cp "$WORK/image" "$FLASH"
    if [ "$2" = - ]; then
        start_board --chip "$1" --size "$3" || return 1
    else
        start_board --chip "$1" --size "$3" --variant "$2" || return 1
    fi
    mount_board -o stub="$4"
}

# expected_lines CHIP VARIANT SIZE
expected_lines() {
    awk -v head="board $1 $2 $3" '
        $1 == "board" { mine = $0 == head; next }
        mine && $0 != "" && !/^#/' "$TABLE"
}

# info_is_right CHIP VARIANT SIZE LOADER
info_is_right() {
    case $4 in
    rom) loader='Loader: ROM' ;;
    *) loader='Loader: stub \(.*/esp[0-9a-z-]*\.json\)' ;;
    esac
    expected_lines "$@" >"$WORK/lines"
    [ -s "$WORK/lines" ] || return 1
    while read -r line; do
        grep -q -F -x "$line" "$MNT/info.txt" || {
            say "info.txt lacks '$line'"
            cat "$MNT/info.txt" >&2
            return 1
        }
    done <"$WORK/lines"
    grep -q -E -x "$loader" "$MNT/info.txt" || {
        say "not '$loader': $(grep ^Loader: "$MNT/info.txt")"
        return 1
    }
}

size_is() {
    equal "$1" "$(stat -c %s "$MNT/flash.bin")"
}

backup_is_right() {
    size_is "$(stat -c %s "$FLASH")" && same_bytes "$FLASH" "$MNT/flash.bin"
}

# A whole image, of which the edges differ from what the board holds.
restore_is_right() {
    new_image "$(stat -c %s "$FLASH")"
    cp "$WORK/image" "$MNT/flash.bin" && same_bytes "$WORK/image" "$FLASH"
}

# blank OFFSET LENGTH: as it should then be on the board.
blank() {
    tr '\0' '\377' </dev/zero | head -c "$2" |
        dd of="$WORK/image" bs=64k seek="$1" oflag=seek_bytes conv=notrunc iflag=fullblock status=none
}

# Two sectors of the first edge, and the flash's last.
erase_is_right() {
    last=$(($(stat -c %s "$FLASH") - 4096))
    echo 0x3000 0x2000 >"$MNT/erase" && echo $last 4096 >"$MNT/erase" || return 1
    blank 12288 8192
    blank $last 4096
    same_bytes "$WORK/image" "$FLASH" && same_bytes "$WORK/image" "$MNT/flash.bin"
}

nothing_was_refused() {
    equal 0 "$(counter rejects)"
}

only_info_is_there() {
    equal './info.txt ./status.txt' "$(cd "$MNT" && echo ./*)" &&
        grep "^Flash access: none: the ESP8266's ROM cannot read the flash" "$MNT/info.txt"
}

does_not_mount() {
    not_ok "$name: mounts"
    [ -z "$BOARD_PID" ] || stop_board
}

# name_of LOADER
name_of() {
    if [ "$1" = auto ]; then echo stub; else echo "$1"; fi
}

# board CHIP VARIANT SIZE LOADER
board() {
    name=$1
    [ "$2" = - ] || name=$2
    name="$name $3 $(name_of "$4")"
    bring_up "$@" || {
        does_not_mount
        return
    }
    check "$name: info.txt" info_is_right "$@"
    if [ "$1 $4" = 'esp8266 rom' ]; then
        check "$name: no flash.bin, and why" only_info_is_there
    elif [ "$3 $4" = '32M rom' ]; then
        check "$name: no flash beyond 16 MiB" size_is 16777216
    else
        check "$name: backup" backup_is_right
        check "$name: restore" restore_is_right
        check "$name: erase" erase_is_right
    fi
    check "$name: unmounts, with nothing refused" unmounts
    stop_board
}

# usb_board CHIP KIND LOADER: through the chip's own USB port, which takes small blocks only or
# comes with watchdogs.
usb_board() {
    name="$1 $2 $(name_of "$3")"
    new_image 1048576
    cp "$WORK/image" "$FLASH"
    : >"$BOARD_LOG"
    if ! start_board --chip "$1" --size 1M --usb "$2" || ! mount_board -o stub="$3"; then
        does_not_mount
        return
    fi
    check "$name: no baud" grep -F -x 'Baud: none (built-in USB)' "$MNT/info.txt"
    [ "$2" != jtag ] || check "$name: watchdogs off" grep -F -x 'WATCHDOGS off' "$BOARD_LOG"
    check "$name: backup" backup_is_right
    check "$name: restore" restore_is_right
    check "$name: unmounts, with nothing refused" unmounts
    stop_board
}

unmounts() {
    nothing_was_refused && unmount_board
}

boards=$(awk '$1 == "board" { print $2 "|" $3 "|" $4 }' "$TABLE")
for row in $boards; do
    IFS='|' read -r chip variant size <<LINE
$row
LINE
    board "$chip" "$variant" "$size" auto
    board "$chip" "$variant" "$size" rom
done
for loader in auto rom; do
    for chip in esp32s2 esp32s3 esp32p4; do
        usb_board $chip otg $loader
    done
    for chip in esp32s3 esp32c3 esp32c5 esp32c6 esp32c61 esp32h2 esp32p4; do
        usb_board $chip jtag $loader
    done
done
