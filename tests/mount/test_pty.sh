#!/bin/sh
# A terminal instead of a socket, at the line's own pace: each chip's baud is changed on the way.
# timeout: 400
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BOARD_LISTEN=pty:$WORK/tty

backup_is_right() {
    cp "$MNT/flash.bin" "$WORK/copy" && same_bytes "$EXPECTED" "$WORK/copy"
}

restore_is_right() {
    random_bytes 30000 >"$WORK/image"
    cp "$WORK/image" "$MNT/flash.bin" || return 1
    expect_patch "$WORK/image"
    same_bytes "$EXPECTED" "$FLASH"
}

info_has() {
    grep -q "$1" "$MNT/info.txt"
}

# The next program to open the port finds the loader at 115200 baud.
left_at_the_first_baud() {
    unmount_board && grep '^BAUD ' "$BOARD_LOG" | tail -n 1 | grep -x 'BAUD 115200'
}

# through CHIP LOADER SIZE BAUD
through() {
    name="$1 $2 at $4"
    rm -f "$FLASH"
    new_board "$3" --chip "$1" --line-rate real --latency 1
    check "$name: mounts" mount_board -o baud="$4",stub="$2"
    check "$name: info.txt tells the port and the baud" info_has "^Port: $PORT\$"
    check "$name: the baud" info_has "^Baud: $4\$"
    check "$name: a backup" backup_is_right
    check "$name: a restore" restore_is_right
    check "$name: unmounts, and the loader is back at 115200" left_at_the_first_baud
    check "$name: mounts again" mount_board -o baud="$4",stub="$2"
    check "$name: a backup of what was restored" backup_is_right
    check "$name: unmounts" unmount_board
    stop_board
}

through esp8266 auto 256K 460800
through esp32 auto 256K 921600
through esp32c3 auto 256K 1500000
through esp32 rom 256K 921600
