#!/bin/sh
# Holes of flash.bin are what is known to be zeros, never what is blank: whatever copies holes as
# holes makes a backup that is right, and restores it right.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
BACKUP=$WORK/backup
SIZE=524288
HOLES=$((30 * 4096)) # of zeros on the board: sectors 10 to 39

# The board: random bytes, zeros, and blank sectors 60 to 99.
make_board() {
    random_bytes "$SIZE" >"$FLASH"
    dd if=/dev/zero of="$FLASH" bs=4k seek=10 count=30 conv=notrunc status=none
    head -c $((40 * 4096)) /dev/zero | tr '\000' '\377' |
        dd of="$FLASH" bs=4k seek=60 conv=notrunc iflag=fullblock status=none
    cp "$FLASH" "$EXPECTED"
    start_board --size "$SIZE" --chip esp32
}

# blocks BYTES: what stat(1) tells of flash.bin.
blocks() {
    equal $(($1 / 512)) "$(stat -c %b "$BIN")"
}

# seeks: every extent as lseek(2) tells it, a line each: `data|hole FROM TO`.
seeks() {
    python3 -c '
import errno, os, sys
f = os.open(sys.argv[1], os.O_RDONLY)
def seek(at, whence):
    try:
        return os.lseek(f, at, whence)
    except OSError as e:
        assert e.errno == errno.ENXIO, e
        return None
size = os.fstat(f).st_size
at = 0
while at < size:
    data = seek(at, os.SEEK_DATA)
    if data != at:
        print("hole", at, size if data is None else data)
    if data is None:
        break
    at = seek(data, os.SEEK_HOLE)
    print("data", data, at)
assert seek(size, os.SEEK_DATA) is None and seek(size, os.SEEK_HOLE) is None
assert os.lseek(f, size - 1, os.SEEK_HOLE) in (size - 1, size)
' "$1"
}

ends_at_the_hole() {
    equal 'data 0 40960
hole 40960 163840
data 163840 524288' "$(seeks "$BIN")"
}

all_is_data() {
    equal "data 0 $SIZE" "$(seeks "$BIN")"
}

# Nothing is known of the zeros yet, and lseek must not ask for them.
unread_is_data() {
    mark_counters
    all_is_data && blocks "$SIZE" && equal 0 "$(counter_since_mark 'op 0xd2')"
}

# small FILE: it takes less room than the flash, by its holes of zeros and no more.
small() {
    equal "$((SIZE - HOLES))" "$(($(stat -c %b "$1") * 512))"
}

# copied command...: it makes a right backup in $BACKUP, with the holes left out.
copied() {
    rm -f "$BACKUP"
    "$@" && same_bytes "$BACKUP" "$EXPECTED" && small "$BACKUP"
}

through_tar() {
    tar -C "$MNT" -S -c -f "$WORK/tar" flash.bin && tar -C "$WORK" -x -O -f "$WORK/tar" >"$BACKUP" &&
        same_bytes "$BACKUP" "$EXPECTED" &&
        [ "$(stat -c %s "$WORK/tar")" -lt $((SIZE - HOLES + 20480)) ]
}

# restored command...: after something else was there, the board holds the backup again.
restored() {
    random_bytes "$SIZE" >"$BIN" && fails cmp -s "$EXPECTED" "$FLASH" && "$@" && as_expected
}

text_files_have_no_holes() {
    seeks "$MNT/info.txt" | {
        read -r kind from to rest
        equal 'data 0' "$kind $from" && equal "$(stat -c %s "$MNT/info.txt")" "$to" &&
            equal '' "$rest"
    }
}

# A blank sector that is written with zeros is a hole, and one of zeros that is erased is none.
follows_writes() {
    dd if=/dev/zero of="$BIN" bs=4k seek=60 count=1 conv=notrunc status=none &&
        echo 40960 4k >"$MNT/erase" || return 1
    equal 'data 0 45056
hole 45056 163840
data 163840 245760
hole 245760 249856
data 249856 524288' "$(seeks "$BIN")" && blocks $((SIZE - HOLES))
}

make_board
mount_board
check 'what was not read is data' unread_is_data
check 'cp --sparse=auto of what was not read: right' cp --sparse=auto "$BIN" "$BACKUP"
check 'and the same' same_bytes "$BACKUP" "$EXPECTED"
check 'zeros are a hole, blank is data' ends_at_the_hole
check 'st_blocks agrees' blocks $((SIZE - HOLES))
check 'text files are data' text_files_have_no_holes
check 'cp --sparse=auto: right, without its zeros' copied cp --sparse=auto "$BIN" "$BACKUP"
check 'restored by cp' restored cp "$BACKUP" "$BIN"
check 'restored by cp --sparse=always' restored cp --sparse=always "$BACKUP" "$BIN"
check 'dd conv=sparse: right, without its zeros' \
    copied dd if="$BIN" of="$BACKUP" bs=4k conv=sparse status=none
check 'restored by dd' restored dd if="$BACKUP" of="$BIN" bs=64k conv=notrunc status=none
check 'rsync --sparse: right, without its zeros' copied rsync --sparse "$BIN" "$BACKUP"
check 'restored by rsync --inplace --sparse' \
    restored rsync -I --inplace --sparse "$BACKUP" "$BIN"
check 'restored by rsync --inplace --sparse --no-whole-file' \
    restored rsync -I --inplace --sparse --no-whole-file "$BACKUP" "$BIN"
check 'tar -S: right, without its zeros' through_tar
check 'holes follow writes and erases' follows_writes
check 'unmounts' unmount_board
