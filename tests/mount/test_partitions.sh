#!/bin/sh
# partitions/ and partitions.csv: what the table on the flash says, now.
# tsan
# timeout: 600
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

TOOLS=$(cd "$(dirname "$0")/tools" && pwd)
BIN=$MNT/flash.bin
PARTS=$MNT/partitions
TABLE_AT=32768

# table: makes $WORK/table of the rows on standard input.
table() {
    python3 "$TOOLS/table.py" >"$WORK/table"
}

# put_table: writes it through flash.bin, and expects it there.
put_table() {
    expect_patch "$WORK/table" "${1:-$TABLE_AT}"
    dd if="$WORK/table" of="$BIN" bs=4k seek="${1:-$TABLE_AT}" oflag=seek_bytes conv=notrunc \
        status=none
}

# blank_board SIZE OPTION...: erased, in $EXPECTED too.
blank_board() {
    tr '\0' '\377' </dev/zero | head -c "$1" >"$FLASH"
    cp "$FLASH" "$EXPECTED"
    size=$1
    shift
    start_board --size "$size" "$@"
}

listed() {
    (cd "$PARTS" && LC_ALL=C ls -A) | tr '\n' ' '
}

csv_head() {
    printf '# ESP-IDF Partition Table\n# Name, Type, SubType, Offset, Size, Flags\n'
}

status_says() {
    grep -q -x -E "Partitions: $1" "$MNT/status.txt" || {
        grep '^Partitions' "$MNT/status.txt" >&2
        return 1
    }
}

# sizes_are <CSV: each partition's file has its size.
sizes_are() {
    while IFS=, read -r label _ _ _ size _; do
        equal "$(numfmt --from=iec "$size")" "$(stat -c %s "$PARTS/$label.bin")" || return 1
    done
}

# layout NAME: its lines.
layout() {
    awk -v head="layout $1" '/^layout / { mine = $0 == head; next } mine && NF' \
        "$TOOLS/layouts.txt"
}

layout_is_shown() {
    layout "$1" >"$WORK/csv"
    { cat "$WORK/csv" && echo @md5; } | table && put_table || return 1
    { csv_head && cat "$WORK/csv"; } | cmp - "$MNT/partitions.csv" || return 1
    equal "$({ cut -d, -f1 "$WORK/csv" && printf 'bootloader\npartition-table\n'; } |
        sed 's/$/.bin/' | LC_ALL=C sort | tr '\n' ' ')" "$(listed)" &&
        sizes_are <"$WORK/csv" && status_says "$(wc -l <"$WORK/csv")"
}

test_layouts() {
    sed -n 's/^layout //p' "$TOOLS/layouts.txt" >"$WORK/layouts"
    while read -r name; do
        check "$name" layout_is_shown "$name"
    done <"$WORK/layouts"
    check 'all of it is on the board' same_bytes "$EXPECTED" "$FLASH"
}

# Each line: what the status says of it, a `|`, and rows parted by blanks ('+' is one in a row).
broken_tables() {
    cat <<'END'
the MD5 row at 0x8040 does not match|N A @md5 @patch+0x50+00000000
no partition table begins at 0x8000|N A @md5 @patch+0+AB
neither an entry nor the end of the table is at 0x8020|N A @patch+0x20+55AA A2 @md5
the entry `late` at 0x8040 \(0x10000 bytes at 0x78000\) goes past the end of the flash|N A late,data,fat,0x78000,64K, @md5
the entry `huge` at 0x8040 \(0xfffff000 bytes at 0x20000\) goes past the end of the flash|N A huge,data,fat,0x20000,0xfffff000, @md5
the entry `over` at 0x8040 \(0x1000 bytes at 0x1f000\) overlaps one before it|N A over,data,fat,0x1f000,4K, @md5
the entry `odd` at 0x8040 \(0x1000 bytes at 0x20800\) does not start at a multiple of 0x1000|N A odd,data,fat,0x20800,4K, @md5
the entry `none` at 0x8040 \(0x0 bytes at 0x20000\) has no bytes|N A none,data,fat,0x20000,0, @md5
the entry `self` at 0x8040 \(0x2000 bytes at 0x7000\) overlaps the table itself|N A self,data,fat,0x7000,8K, @md5
something follows the MD5 row, at 0x8060|N A @md5 A2
neither an entry nor the end of the table is at 0x8be0|@rows+96
the entry `%1B\[2J%` at 0x8020|N \x1b[2J%,data,fat,0x20800,4K, @md5
END
}

rows_of() {
    for row in $1; do
        case $row in
        N) echo 'nvs,data,nvs,0x9000,20K,' ;;
        A) echo 'app0,app,ota_0,0x10000,64K,' ;;
        A2) echo 'app1,app,ota_1,0x20000,64K,' ;;
        *) echo "$row" | tr '+' ' ' ;;
        esac
    done
}

only_fixed() {
    equal 'bootloader.bin partition-table.bin ' "$(listed)"
}

# broken_is_said STATUS ROWS
broken_is_said() {
    rows_of 'N A @md5' | table && put_table && status_says 2 || return 1
    : >"$DRIVER_LOG"
    rows_of "$2" | table && put_table && only_fixed || return 1
    status_says "none: $1.*: write a table to partitions/partition-table.bin; .*partition_offset=ADDRESS" &&
        grep -q '^# Partitions: none: ' "$MNT/partitions.csv" &&
        equal 1 "$(wc -l <"$MNT/partitions.csv")" && grep -q 'no partitions: ' "$DRIVER_LOG" &&
        [ ! -e "$PARTS/app0.bin" ]
}

test_broken() {
    broken_tables >"$WORK/broken"
    while IFS='|' read -r said rows; do
        check "wrong: $said" broken_is_said "$said" "$rows"
    done <"$WORK/broken"
    head -c 4096 /dev/zero >"$WORK/table"
    put_table
    check 'wrong: zeros' status_says 'none: no partition table begins at 0x8000: .*'
    echo 0x8000 4k >"$MNT/erase"
    tr '\0' '\377' </dev/zero | head -c 4096 >"$WORK/table"
    expect_patch "$WORK/table" $TABLE_AT
    check 'erased: it is blank' status_says 'none: the flash is blank at 0x8000: .*'
    rows_of 'N A' | table
    put_table
    check 'without an MD5 row it is right' status_says 2
}

two_apps() {
    rows_of 'N A A2 @md5' | table && put_table
}

# through NAME OFFSET: a write through the partition is one of flash.bin there, and the reverse.
through() {
    python3 "$TOOLS/aliases.py" "$BIN" "$2" "$PARTS/$1" 0 &&
        python3 "$TOOLS/aliases.py" "$PARTS/$1" 0 "$BIN" "$2" &&
        same_bytes "$BIN" "$FLASH"
}

image_fits() {
    random_bytes 64K >"$WORK/image"
    expect_patch "$WORK/image" 65536
    cp "$WORK/image" "$PARTS/app0.bin" && as_expected && cmp "$WORK/image" "$PARTS/app0.bin"
}

too_long() {
    random_bytes 65537 >"$WORK/image"
    refused 'No space left on device' cp "$WORK/image" "$PARTS/app1.bin" && as_expected
}

holes_are_zeros() {
    random_bytes 4K >"$WORK/image"
    truncate -s 32K "$WORK/image"
    random_bytes 4K >>"$WORK/image"
    expect_patch "$WORK/image" 65536
    cp --sparse=always "$WORK/image" "$WORK/sparse" && cp "$WORK/sparse" "$PARTS/app0.bin" &&
        as_expected
}

fixed_size() {
    truncate -s 0 "$PARTS/nvs.bin" && equal 20480 "$(stat -c %s "$PARTS/nvs.bin")" &&
        refused 'File too large' truncate -s 20481 "$PARTS/nvs.bin"
}

test_writes() {
    two_apps
    cp "$FLASH" "$EXPECTED"
    check 'nvs.bin and flash.bin are one' through nvs.bin 0x9000
    check 'bootloader.bin and flash.bin are one' through bootloader.bin 0x1000
    cp "$FLASH" "$EXPECTED"
    check 'cp of an image' image_fits
    check 'cp of one that is too long: refused, and nothing is written' too_long
    check 'holes are zeros' holes_are_zeros
    check 'the size is fixed' fixed_size
    check 'nothing new in partitions/' refused 'Operation not permitted' touch "$PARTS/new.bin"
    check 'nothing is removed' refused 'Operation not permitted' rm "$PARTS/nvs.bin"
}

write_3() {
    printf x | dd bs=1 status=none >&3
}

read_4() {
    dd bs=4k count=1 status=none <&4 >/dev/null
}

# With app1.bin open: as fd 3 for writing, as 4 for reading.
gone_while_open() {
    rows_of 'N A @md5' | table && put_table || return 1
    refused 'Stale file handle' write_3 && read_4 && as_expected &&
        grep -q 'app1.bin: a write refused: the partition table has no such' "$DRIVER_LOG"
}

elsewhere_while_open() {
    { rows_of 'N A' && echo app1,app,ota_1,0x30000,64K, && echo @md5; } | table && put_table ||
        return 1
    refused 'Stale file handle' write_3 && refused 'Stale file handle' read_4 && as_expected
}

back_while_open() {
    two_apps && write_3 && read_4 || return 1
    printf x >"$WORK/x"
    expect_patch "$WORK/x" 131072
}

# While it is written in pieces it is wrong, and who writes it goes on all the same.
in_pieces() {
    rows_of 'N A2 @md5' | table
    expect_patch "$WORK/table" $TABLE_AT
    dd if="$WORK/table" of="$PARTS/partition-table.bin" bs=16 conv=notrunc status=none &&
        equal 'app1.bin bootloader.bin nvs.bin partition-table.bin ' "$(listed)" && as_expected
}

test_rewritten() {
    two_apps
    exec 3<>"$PARTS/app1.bin"
    exec 4<"$PARTS/app1.bin"
    check 'an open file whose partition is gone' gone_while_open
    check 'one whose name is another partition now' elsewhere_while_open
    check 'one whose partition is back' back_while_open
    exec 3>&- 4<&-
    check 'all of it is on the board' as_expected
    check 'a table through partition-table.bin, in pieces' in_pieces
}

# erased_by_name NAME FIRST COUNT: its sectors, and no others.
erased_by_name() {
    sync "$BIN"
    mark_counters
    echo "$1" >"$MNT/erase" || return 1
    tr '\0' '\377' </dev/zero | head -c $(($3 * 4096)) >"$WORK/blank"
    expect_patch "$WORK/blank" $(($2 * 4096))
    equal "$(seq -s ' ' "$2" $(($2 + $3 - 1)))" "$(sectors_since_mark erases)" && as_expected
}

# shellcheck disable=SC2016 # the inner shell's
no_such_name() {
    : >"$DRIVER_LOG"
    refused 'Invalid argument' sh -c 'env printf "%s\n" "$1" >"$2"' sh "$1" "$MNT/erase" && as_expected &&
        grep -q -F "$2" "$DRIVER_LOG"
}

fill() {
    random_bytes "$(stat -c %s "$FLASH")" >"$EXPECTED"
    expect_patch "$WORK/table" $TABLE_AT
    cp "$EXPECTED" "$BIN"
}

# shellcheck disable=SC2016 # names in back quotes
test_erase() {
    { rows_of 'N A' && cat <<'END'; } | table
nvs,data,nvs,0x30000,4K,
all,data,nvs,0x31000,4K,
4096,data,nvs,0x32000,4K,
my files,data,fat,0x33000,0x1800,
@md5
END
    fill
    check 'erase tells the names' grep -q -x '  nvs-2.bin' "$MNT/erase"
    check 'by label' erased_by_name app0 16 16
    check 'by file, where the label is not alone' erased_by_name nvs.bin 9 5
    check 'the other one' erased_by_name nvs-2 48 1
    check 'one that is labelled `all`' erased_by_name all.bin 49 1
    check 'one that is labelled like a number' erased_by_name 4096.bin 50 1
    check 'a label with a blank, half a sector at its end' erased_by_name 'my files' 51 2
    check 'the boot loader' erased_by_name bootloader.bin 1 7
    check 'two of one label: refused' no_such_name nvs 'write the name of one'\''s file: `nvs.bin` `nvs-2.bin`'
    check 'no such partition: refused' no_such_name spiffs 'unknown word `spiffs`: nothing was erased'
    check 'a number is none' no_such_name 4096 'a length must follow the offset `4096`'
}

odd_labels() {
    table <<'END' && put_table || return 1
a/b,data,nvs,0x10000,4K,
..,data,nvs,0x11000,4K,
,data,nvs,0x12000,4K,
tab\x09,data,nvs,0x13000,4K,
50%,data,nvs,0x14000,4K,
gr\xc3\xbcn,data,nvs,0x15000,4K,
\xff\xfe,data,nvs,0x16000,4K,
same,data,nvs,0x17000,4K,
same,data,nvs,0x18000,4K,
same-2,data,nvs,0x19000,4K,
bootloader,data,nvs,0x1a000,4K,
sixteen_letters_,data,nvs,0x1b000,4K,
END
    equal "%00.bin %2E..bin %FF%FE.bin 50%25.bin a%2Fb.bin bootloader-2.bin bootloader.bin $(printf 'gr\303\274n').bin partition-table.bin same-2.bin same-3.bin same.bin sixteen_letters_.bin tab%09.bin " \
        "$(listed)" && cat "$PARTS"/*.bin >/dev/null
}

# Its own entries for the two that are always there, as ESP-IDF writes them since 5.5.
own_entries() {
    table <<'END' && put_table || return 1
bootloader,bootloader,primary,0x1000,28K,
partition_table,partition_table,primary,0x8000,4K,
nvs,data,nvs,0x9000,24K,
@md5
END
    equal 'bootloader.bin nvs.bin partition-table.bin partition_table.bin ' "$(listed)" &&
        grep -q -x 'bootloader,bootloader,primary,0x1000,28K,' "$MNT/partitions.csv"
}

# A board that never had one: as `idf.py flash` would, by cp.
from_nothing() {
    only_fixed && status_says 'none: the flash is blank at 0x8000.*' || return 1
    random_bytes 20000 >"$WORK/bootloader.bin"
    rows_of 'N A @md5' | table
    cp "$WORK/table" "$WORK/partition-table.bin"
    random_bytes 30000 >"$WORK/app"
    expect_patch "$WORK/bootloader.bin" 4096
    expect_patch "$WORK/table" $TABLE_AT
    expect_patch "$WORK/app" 65536
    cp "$WORK/bootloader.bin" "$WORK/partition-table.bin" "$PARTS" &&
        cp "$WORK/app" "$PARTS/app0.bin" && as_expected
}

elsewhere() {
    rows_of 'N A @md5' | sed 's/0x9000/0x20000/' | table && put_table 65536 || return 1
    equal 'app0.bin bootloader.bin nvs.bin partition-table.bin ' "$(listed)" || return 1
    unmount_board && mount_board -o partition_offset=0x10000 && only_fixed || return 1
    status_says 'none: .*overlaps the table itself.*'
}

elsewhere_right() {
    { echo nvs,data,nvs,0x20000,20K, && echo @md5; } | table && put_table 65536 &&
        equal 'bootloader.bin nvs.bin partition-table.bin ' "$(listed)" &&
        equal 61440 "$(stat -c %s "$PARTS/bootloader.bin")"
}

past_the_end() {
    unmount_board && mount_board -o partition_offset=4M || return 1
    equal '' "$(listed)" && status_says 'none: the flash ends before 0x400000: .*'
}

ro_refuses() {
    unmount_board && mount_board -o ro && equal 400 "$(stat -c %a "$PARTS/bootloader.bin")" &&
        refused 'Read-only file system' cp "$FLASH" "$PARTS/bootloader.bin"
}

no_partitions_there() {
    [ ! -e "$MNT/partitions" ] && [ ! -e "$MNT/partitions.csv" ] &&
        fails grep Partitions "$MNT/status.txt" && fails grep partition "$MNT/erase"
}

erase_has_begun() {
    [ "$(counter 'op 0xd0')" -gt 0 ]
}

# The order of events is judged, not the time: these end while an erase of 10 s still runs.
during_an_erase() {
    listed >/dev/null
    echo all >"$MNT/erase" &
    eraser=$!
    wait_until 10 erase_has_begun || return 1
    ls -lR "$MNT" >/dev/null && equal 'app0.bin bootloader.bin nvs.bin partition-table.bin ' "$(listed)" &&
        cat "$MNT/partitions.csv" "$MNT/status.txt" >/dev/null && running "$eraser" || return 1
    kill -TERM "$eraser"
    expect_status 143 end_process "$eraser" 5
}

new_board 4M --chip esp32
mount_board
check 'random bytes are no table' only_fixed
check 'and are said to be none' status_says 'none: no partition table begins at 0x8000: .*'
test_layouts
check 'unmounts' unmount_board
stop_board

new_board 512K --chip esp32
mount_board
test_broken
test_writes
test_rewritten
test_erase
check 'odd labels' odd_labels
check 'entries for boot loader and table' own_entries
check 'ro: a partition is not written' ro_refuses
check 'unmounts' unmount_board
stop_board

blank_board 512K --chip esp32
mount_board
check 'a blank board is filled by cp' from_nothing
check 'partition_offset: a wrong table there' elsewhere
check 'partition_offset: a right one' elsewhere_right
check 'partition_offset past the end' past_the_end
check 'unmounts' unmount_board
stop_board

blank_board 256K --chip esp32s3
mount_board
check 'ESP32-S3: the boot loader is at 0' equal 32768 "$(stat -c %s "$PARTS/bootloader.bin")"
check 'unmounts' unmount_board
stop_board

blank_board 256K --chip esp32 --security flash-encryption-dev
mount_board
check 'encrypted: nothing is shown' equal '' "$(listed)"
check 'encrypted: why' status_says 'none: the table cannot be read: .*'
check 'unmounts' unmount_board
stop_board

blank_board 256K --chip esp32s3 --security secure-boot
mount_board
check 'secure boot: the boot loader is not written' equal 400 \
    "$(stat -c %a "$PARTS/bootloader.bin")"
check 'secure boot: unmounts' unmount_board
stop_board

blank_board 256K --chip esp8266
mount_board
check 'ESP8266: none of it' no_partitions_there
check 'unmounts' unmount_board
stop_board

blank_board 256K --chip esp32 --flash-timing real
rows_of 'N A @md5' | table
dd if="$WORK/table" of="$FLASH" bs=4k seek=8 conv=notrunc status=none
mount_board
check 'slow: others are answered during an erase' during_an_erase
check 'slow: unmounts' unmount_board
