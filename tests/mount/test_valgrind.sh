#!/bin/sh
# One backup and one restore, and what an erase and a refusal add.
# valgrind
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

restore() {
    random_bytes 100001 >"$WORK/image"
    cp "$WORK/image" "$MNT/flash.bin" && expect_patch "$WORK/image" && as_expected
}

refusals() {
    refused 'Invalid argument' sh -c 'env echo nothing >"$1"' sh "$MNT/erase" &&
        refused 'No space left' sh -c 'cat "$1" >>"$2"' sh "$WORK/image" "$MNT/flash.bin"
}

erase() {
    echo 0x30000 8k >"$MNT/erase" || return 1
    head -c 8192 /dev/zero | tr '\000' '\377' >"$WORK/blank"
    expect_patch "$WORK/blank" 196608
    as_expected
}

new_board 256K --chip esp32c3
check 'mounts' mount_board
check 'a backup' as_expected
check 'a restore' restore
check 'an erase' erase
check 'refusals' refusals
check 'info.txt' grep ESP32-C3 "$MNT/info.txt"
check 'unmounts' unmount_board
