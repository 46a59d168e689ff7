#!/bin/sh
# map.txt: what is known of the flash, a character for 16 KiB; drawn without a word to the chip.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin

# row ADDRESS: its characters.
row() {
    awk -v addr="$1" '$1 == addr { print $2 }' "$MNT/map.txt"
}

# row_is ADDRESS PATTERN: an extended expression for all of them.
row_is() {
    row "$1" | grep -x -E "$2" >/dev/null || {
        cat "$MNT/map.txt"
        return 1
    }
}

nothing_seen() {
    mark_counters && row_is 00000000 '\?{64}' && row_is 00100000 '\?{64}' || return 1
    cat "$MNT/map.txt" && ls -l "$MNT" && equal 0 "$(counter_since_mark bytes_in)"
}

# Two rows, and every address once.
rows_and_legend() {
    equal '00000000 00100000' "$(awk 'length($1) == 8 { print $1 }' "$MNT/map.txt" | xargs)" &&
        grep 'not seen yet' "$MNT/map.txt"
}

# dirty_shows: what a writer holds back, before it closes.
dirty_shows() {
    python3 - "$BIN" "$MNT/map.txt" <<'EOF' >"$WORK/seen" || return 1
import os
import sys

fd = os.open(sys.argv[1], os.O_WRONLY)
os.pwrite(fd, b"x" * 5000, 0x110000)
with open(sys.argv[2]) as drawn:
    print(drawn.read())
EOF
    grep '^00100000  ....!' "$WORK/seen" && row_is 00100000 '\.{4}#\.{59}'
}

size_is_right() {
    size=$(stat -c %s "$MNT/map.txt") && [ "$size" -gt 0 ] && equal "$size" "$(wc -c <"$MNT/map.txt")"
}

erase_a_part() {
    echo 0 16k >"$MNT/erase"
}

# 1 MiB of data, 1 MiB blank.
random_bytes 1M >"$FLASH"
head -c 1M /dev/zero | tr '\0' '\377' >>"$FLASH"
start_board --chip esp32 --size 2M
check 'mounts' mount_board -o cache=none
check 'rows and a legend' rows_and_legend
check 'nothing is seen at first, and nothing asked' nothing_seen
check 'a part is read' dd if="$BIN" of="$WORK/part" bs=64k count=1 iflag=direct status=none
check 'it shows' row_is 00000000 '#{4}.*'
check 'all is read' cp "$BIN" "$WORK/copy"
check 'data, then blank: the first row' row_is 00000000 '#{64}'
check 'data, then blank: the second' row_is 00100000 '\.{64}'
check 'an erase' erase_a_part
check 'it shows as blank' row_is 00000000 '\.#{63}'
check 'what is not on the chip yet shows' dirty_shows
check 'its size is right' size_is_right
check 'writing to it is refused' refused 'Permission denied' dd if="$BIN" of="$MNT/map.txt" count=1
check 'unmounts' unmount_board
