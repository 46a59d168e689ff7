#!/bin/sh
# Boards on their built-in USB: no baud, small blocks on USB-OTG, watchdogs on
# USB-Serial-JTAG, and a line that keeps the last packet of a frame of a multiple of 64 bytes.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

# held_contents: each 4 KiB has 62 bytes that take two on the line: with them, every frame of
# the stub's is 65 times 64 bytes long.
held_contents() {
    head -c 4034 /dev/zero | tr '\0' '\021' >"$WORK/page"
    head -c 62 /dev/zero | tr '\0' '\300' >>"$WORK/page"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do cat "$WORK/page"; done >"$WORK/block"
    for _ in 1 2 3 4; do cat "$WORK/block"; done
}

# nothing_went_wrong: the board was never reset under the driver, and refused nothing.
nothing_went_wrong() {
    fails grep -E 'WATCHDOG resets|REJECT' "$BOARD_LOG"
}

# on_usb CHIP KIND LOADER OPTION...: CHIP on USB of that KIND, through a loader.
on_usb() {
    chip=$1
    kind=$2
    loader=$3
    name="$chip, $kind, $loader"
    shift 3
    rm -f "$FLASH" "$BOARD_LOG"
    held_contents >"$FLASH"
    cp "$FLASH" "$EXPECTED"
    start_board --size 256K --chip "$chip" --usb "$kind" "$@"
    check "$name: mounts" mount_board -o stub="$loader"
    check "$name: info.txt" info_has '^Baud: none \(built-in USB\)$'
    check "$name: backup" same_bytes "$EXPECTED" "$MNT/flash.bin"
    random_bytes 100000 >"$WORK/image"
    check "$name: restore" cp "$WORK/image" "$MNT/flash.bin"
    expect_patch "$WORK/image"
    check "$name: unmounts" unmount_board
    check "$name: the board holds it" same_bytes "$EXPECTED" "$FLASH"
    check "$name: nothing went wrong" nothing_went_wrong
    check "$name: no retry" fails grep -E 'attempt|no answer' "$DRIVER_LOG"
    stop_board
}

on_usb esp32c3 jtag-hold auto
on_usb esp32c3 jtag-hold rom
on_usb esp32s2 otg-hold auto
on_usb esp32s3 otg-hold auto
on_usb esp32s3 otg-hold rom
on_usb esp32s3 jtag-hold auto
on_usb esp32c6 jtag auto
on_usb esp32h2 jtag rom
on_usb esp32p4 otg auto --variant esp32p4-v1.0
on_usb esp32p4 jtag auto --variant esp32p4-v3.0
