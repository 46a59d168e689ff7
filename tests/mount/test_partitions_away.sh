#!/bin/sh
# partitions/ of a board that was away and came back with another table: no name stands for the
# place that it had before, not even before anybody has noticed.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

TOOLS=$(cd "$(dirname "$0")/tools" && pwd)
PARTS=$MNT/partitions
TABLE_AT=32768

# has_nvs_at ADDRESS OTHER: makes $WORK/table of one that has nvs there, and other data at OTHER.
has_nvs_at() {
    python3 "$TOOLS/table.py" >"$WORK/table" <<END
nvs,data,nvs,$1,16K,
cfg,data,spiffs,$2,16K,
@md5
END
}

# comes_back_with ADDRESS OTHER: pulled, given another table somewhere else, and plugged in.
comes_back_with() {
    stop_board
    has_nvs_at "$1" "$2"
    expect_patch "$WORK/table" $TABLE_AT
    cp "$EXPECTED" "$FLASH"
    BOARD_LISTEN=socket:${PORT##*:}
    start_board --size 4M --chip esp32
}

was_read() {
    [ -e "$PARTS/nvs.bin" ] && cat "$PARTS/nvs.bin" >/dev/null
}

write_lands_where_it_is_now() {
    was_read && comes_back_with 0x20000 0x10000 || return 1
    random_bytes 4K >"$WORK/image"
    expect_patch "$WORK/image" $((0x20000))
    dd if="$WORK/image" of="$PARTS/nvs.bin" conv=notrunc status=none && sync "$MNT/flash.bin" &&
        same_bytes "$EXPECTED" "$FLASH"
}

# Of a table that a small cache has forgotten, too.
forgotten_write_lands_where_it_is_now() {
    cat "$MNT/flash.bin" >/dev/null && write_lands_where_it_is_now
}

erase_is_of_where_it_is_now() {
    was_read && comes_back_with 0x10000 0x20000 || return 1
    tr '\0' '\377' </dev/zero | head -c 16384 >"$WORK/blank"
    expect_patch "$WORK/blank" $((0x10000))
    echo nvs >"$MNT/erase" && same_bytes "$EXPECTED" "$FLASH"
}

# A file that was open is refused for writing, and what is opened anew is the right one.
read_is_of_where_it_is_now() {
    unmount_board && mount_board && exec 3<>"$PARTS/nvs.bin" && comes_back_with 0x20000 0x10000 3>&- || return 1
    # Whoever finds out hears of it, since it has opened what was there.
    refused 'Stale file handle' cat "$PARTS/nvs.bin" || return 1
    dd if="$EXPECTED" of="$WORK/nvs" bs=16k skip=$((0x20000)) iflag=skip_bytes count=1 status=none
    cmp "$WORK/nvs" "$PARTS/nvs.bin" || return 1
    refused 'Stale file handle' dd if=/dev/zero bs=1 count=1 status=none >&3 || return 1
    exec 3>&-
    same_bytes "$EXPECTED" "$FLASH"
}

new_board 4M --chip esp32
has_nvs_at 0x10000 0x20000
expect_patch "$WORK/table" $TABLE_AT
cp "$EXPECTED" "$FLASH"
mount_board
check 'a write' write_lands_where_it_is_now
check 'an erase by name' erase_is_of_where_it_is_now
check 'a read, and a file that was open' read_is_of_where_it_is_now
check 'unmounts' unmount_board
comes_back_with 0x10000 0x20000
mount_board -o cache_size=2M
check 'a write, the table forgotten' forgotten_write_lands_where_it_is_now
check 'unmounts' unmount_board
