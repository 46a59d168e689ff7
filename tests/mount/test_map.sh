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

# Nothing but the sector of the partition table is read, for the names, and that not at once.
nothing_seen() {
    mark_counters && row_is 00000000 '\?{2}[?#]\?{61}' && row_is 00100000 '\?{64}' || return 1
    cat "$MNT/map.txt" && ls -l "$MNT" && [ "$(counter_since_mark read_bytes)" -le 4096 ]
}

# names ADDRESS: what begins in that row.
names() {
    sed -n "s/^$1  [^ ]* *//p" "$MNT/map.txt"
}

names_are() {
    equal 'bootloader 0x1000, partition-table 0x8000, nvs 0x9000, factory 0x10000' \
        "$(names 00000000)" && equal 'my%2Ffiles 0x120000' "$(names 00100000)"
}

table() {
    python3 - <<'EOF'
import struct
import sys

for kind, subtype, addr, size, label in (
        (1, 2, 0x9000, 0x6000, b"nvs"), (0, 0, 0x10000, 0x100000, b"factory"),
        (1, 0x82, 0x120000, 0x10000, b"my/files")):
    sys.stdout.buffer.write(struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, addr, size,
                                        label, 0))
sys.stdout.buffer.write(b"\xff" * (4096 - 3 * 32))
EOF
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
table >"$WORK/table"
check 'a partition table is written' \
    dd if="$WORK/table" of="$BIN" bs=4k seek=8 conv=notrunc status=none
check 'the names stand where they begin' names_are
check 'an erase' erase_a_part
check 'it shows as blank' row_is 00000000 '\.#{63}'
check 'what is not on the chip yet shows' dirty_shows
check 'its size is right' size_is_right
check 'writing to it is refused' refused 'Permission denied' dd if="$BIN" of="$MNT/map.txt" count=1
check 'unmounts' unmount_board
