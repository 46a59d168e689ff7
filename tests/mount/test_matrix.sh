#!/bin/sh
# Each chip, through each loader it has, at 1, 2 and 4 MiB: a backup, a restore, a shorter restore,
# and five odd blocks in the middle.
. "$(dirname "$0")/../lib/mount.sh"

# overlay BASE PATCH OFFSET: puts PATCH into BASE, as it should then be on the board.
overlay() {
    dd if="$2" of="$1" bs=64k seek="$3" oflag=seek_bytes conv=notrunc status=none
}

# bring_up CHIP LOADER SIZE
bring_up() {
    random_bytes "$3" >"$FLASH"
    cp "$FLASH" "$WORK/expected"
    start_board --chip "$1" --size "$3" && mount_board -o stub="$2"
}

backup_is_right() {
    cp "$MNT/flash.bin" "$WORK/copy" && same_bytes "$WORK/expected" "$WORK/copy"
}

# restore_is_right LENGTH
restore_is_right() {
    random_bytes "$1" >"$WORK/image"
    cp "$WORK/image" "$MNT/flash.bin" || return 1
    overlay "$WORK/expected" "$WORK/image" 0
    same_bytes "$WORK/expected" "$FLASH"
}

blocks_are_right() {
    random_bytes 5000 >"$WORK/blocks"
    dd if="$WORK/blocks" of="$MNT/flash.bin" bs=1000 seek=37 count=5 conv=notrunc status=none ||
        return 1
    overlay "$WORK/expected" "$WORK/blocks" 37000
    same_bytes "$WORK/expected" "$FLASH"
}

# Bytes 37000 to 41999 lie in the sectors 9 and 10.
blocks_cost_two_sectors() {
    equal '9 10' "$(sectors_since_mark erases)" && equal '9 10' "$(sectors_since_mark programs)"
}

# combination CHIP LOADER SIZE
combination() {
    name="$1 $2 $3"
    check "$name: mounts" bring_up "$1" "$2" "$3"
    check "$name: cp out equals the flash" backup_is_right
    full=$(stat -c %s "$FLASH")
    check "$name: cp in leaves the image" restore_is_right "$full"
    check "$name: cp in of a shorter image leaves the rest" restore_is_right $((full * 5 / 8 + 1234))
    mark_counters
    check "$name: dd of five blocks changes their bytes only" blocks_are_right
    check "$name: and erases and programs two sectors" blocks_cost_two_sectors
    check "$name: mounts again" remount_board -o stub="$2" -o before=no-reset
    check "$name: cp out equals what was written" backup_is_right
    check "$name: the board had nothing to reject" equal 0 "$(counter rejects)"
    check "$name: unmounts" unmount_board
    stop_board
}

# The stub that ran before is the loader of the second mount; a ROM is one again.
for size in 1M 2M 4M; do
    combination esp8266 auto $size
    combination esp32 auto $size
    combination esp32 rom $size
    combination esp32c3 auto $size
    combination esp32c3 rom $size
done
