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
    refused 'Invalid argument' dd if="$WORK/words" of="$MNT/erase" status=none &&
        refused 'No space left' \
            dd if="$WORK/image" of="$MNT/flash.bin" oflag=append conv=notrunc status=none
}

erase() {
    echo 0x30000 8k >"$MNT/erase" || return 1
    head -c 8192 /dev/zero | tr '\000' '\377' >"$WORK/blank"
    expect_patch "$WORK/blank" 196608
    as_expected
}

echo 'nothing at all' >"$WORK/words"
new_board 256K --chip esp32c3
check 'mounts' mount_board
check 'a backup' as_expected
check 'a restore' restore
check 'an erase' erase
check 'refusals' refusals
check 'info.txt' grep ESP32-C3 "$MNT/info.txt"
check 'unmounts' unmount_board
