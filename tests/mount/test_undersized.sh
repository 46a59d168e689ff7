#!/bin/sh
# A flash chip that holds half of what its id tells: found, clamped, said.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

# two_megabytes_of_four OPTION...: an id of 4 MiB on 2 MiB of flash.
two_megabytes_of_four() {
    rm -f "$FLASH"
    : >"$DRIVER_LOG"
    new_board 2M --flash-id c84016 --chip "$1" && shift && mount_board "$@"
}

clamped() {
    equal 2097152 "$(stat -c %s "$MNT/flash.bin")" &&
        info_has '^Flash size by id: 4MB \(doubtful: the contents repeat\)$' &&
        info_has '^Detected flash size: 2MB$' && info_has '^Flash size in bytes: 2097152$' &&
        log_says 'flash id tells 4194304 bytes, but the contents repeat past 2097152' &&
        log_says 'unless it was filled so; .*size=4194304 offers all' &&
        cp "$MNT/flash.bin" "$WORK/copy" && same_bytes "$EXPECTED" "$WORK/copy"
}

# The whole of what there is can be written, and no byte too many.
restores() {
    random_bytes 2M >"$WORK/image"
    cp "$WORK/image" "$MNT/flash.bin" && expect_patch "$WORK/image" && as_expected &&
        refused 'No space left' dd if="$WORK/image" of="$MNT/flash.bin" bs=4k seek=512 count=1 \
            conv=notrunc status=none &&
        echo all >"$MNT/erase" && equal 0 "$(tr -d '\377' <"$FLASH" | wc -c)"
}

# size= wins; then the second half is the first again, and the log has said so.
size_wins() {
    equal 4194304 "$(stat -c %s "$MNT/flash.bin")" &&
        log_says 'size=4194304 was given, but the flash repeats its contents past 2097152' &&
        cat "$EXPECTED" "$EXPECTED" >"$WORK/twice" && same_bytes "$WORK/twice" "$MNT/flash.bin"
}

# What an honest chip costs: two small digests.
honest() {
    rm -f "$FLASH"
    new_board 4M --chip esp32 && mount_board || return 1
    equal 4194304 "$(stat -c %s "$MNT/flash.bin")" && info_has '^Flash size by id: 4MB$' &&
        equal 2 "$(counter 'op 0x13')"
}

for chip in esp8266 esp32 esp32c3; do
    check "$chip: mounts" two_megabytes_of_four "$chip"
    check "$chip: half of what its id tells" clamped
    check "$chip: restore and erase" restores
    check "$chip: unmounts" unmount_board
    stop_board
done
check 'the ROM alone: mounts' two_megabytes_of_four esp32 -o stub=rom
check 'the ROM alone: half of what its id tells' clamped
check 'the ROM alone: unmounts' unmount_board
stop_board
check 'size=4M: mounts' two_megabytes_of_four esp32 -o size=4M
check 'size=4M wins' size_wins
check 'size=4M: unmounts' unmount_board
stop_board
check 'an honest chip' honest
check 'an honest chip: unmounts' unmount_board
