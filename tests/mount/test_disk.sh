#!/bin/sh
# flash.bin as a disk, and a partition: a file system inside mounted through a loop device, to read
# and to write; what maps it, seeks in it and looks for signatures in it; the kernel's own copies.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

PATH=$PATH:/usr/sbin:/sbin # mke2fs, losetup
require mke2fs losetup

BIN=$MNT/flash.bin
PART=$MNT/partitions/storage.bin # from START on
TREE=$WORK/tree
INSIDE=$WORK/inside
IMAGE=$WORK/ext2
SIZE=1048576
START=262144
LENGTH=524288
mkdir "$INSIDE"

make_tree() {
    mkdir -p "$TREE/www/js"
    random_bytes 70000 >"$TREE/www/logo.png"
    random_bytes 5 >"$TREE/www/js/five"
    seq 20000 >"$TREE/www/js/lines"
    echo 'a string to be found, 4711' >"$TREE/readme"
}

# A partition table with `storage` where the image will be.
write_table() {
    python3 -c '
import struct, sys
entry = struct.pack("<2sBBII16sI", b"\xaa\x50", 1, 0x82, int(sys.argv[1]), int(sys.argv[2]), b"storage", 0)
sys.stdout.buffer.write(entry.ljust(3072, b"\xff"))
' "$START" "$LENGTH" >"$WORK/table" &&
        dd if="$WORK/table" of="$BIN" bs=4k seek=8 conv=notrunc status=none || return 1
    expect_patch "$WORK/table" 32768
    equal "$LENGTH" "$(stat -c %s "$PART")"
}

# The image lies in the middle of the flash.
write_image() {
    mke2fs -q -t ext2 -d "$TREE" "$IMAGE" "$((LENGTH / 1024))k" &&
        dd if="$IMAGE" of="$BIN" bs=4k seek="$START" oflag=seek_bytes conv=notrunc status=none ||
        return 1
    expect_patch "$IMAGE" "$START"
    as_expected
}

loop_works() {
    losetup -f >/dev/null && grep -q -w ext2 /proc/filesystems
}

# inside OPTIONS command...: runs it while the file system inside flash.bin is mounted.
inside() {
    mount -o "loop,offset=$START,sizelimit=$LENGTH,$1" "$BIN" "$INSIDE" || return 1
    shift
    inside_status=0
    "$@" || inside_status=$?
    umount "$INSIDE" && return "$inside_status"
}

tree_is_there() {
    diff -r -x lost+found "$TREE" "$INSIDE"
}

reads_right() {
    # shellcheck disable=SC2119
    remount_board || return 1
    mark_counters
    inside ro tree_is_there && untouched
}

change_tree() {
    rm "$INSIDE/www/logo.png" "$TREE/www/logo.png" && random_bytes 90000 >"$TREE/www/new" &&
        cp "$TREE/www/new" "$INSIDE/www/new" && sync -f "$INSIDE"
}

writes_right() {
    inside rw change_tree && sync "$BIN" && cp "$FLASH" "$EXPECTED" && as_expected &&
        inside ro tree_is_there
}

# with_device command...: runs it with LOOP, a writable loop device of that part.
with_device() {
    LOOP=$(losetup -f --show -o "$START" --sizelimit "$LENGTH" "$BIN") || return 1
    device_status=0
    "$@" || device_status=$?
    losetup -d "$LOOP" && return "$device_status"
}

# The first thing that a device does: nothing but who asks tells what it means.
discard_device() {
    mark_counters
    blkdiscard -f -o 65536 -l 65536 "$LOOP" || : # "not supported" is an answer
    untouched
}

# in_part command...: as `inside`, of the partition's own file.
in_part() {
    mount -o "loop,ro" "$PART" "$INSIDE" || return 1
    part_status=0
    "$@" || part_status=$?
    umount "$INSIDE" && return "$part_status"
}

part_reads_right() {
    # shellcheck disable=SC2119
    remount_board || return 1
    mark_counters
    in_part tree_is_there && untouched
}

# mke2fs clears by punching, before it writes.
mkfs_on_the_part() {
    random_bytes "$LENGTH" >"$PART" && mke2fs -q -F -t ext2 -E discard -d "$TREE" "$PART" &&
        e2fsck -f -n "$PART" && cp "$FLASH" "$EXPECTED" && as_expected
}

# Holes of the part are where they are in the flash, and what is punched there is seen in all.
part_has_holes() {
    cat "$BIN" >"$WORK/before" && fallocate --punch-hole -o 8192 -l 4096 "$PART" || return 1
    head -c 4096 /dev/zero | tr '\000' '\377' >"$WORK/blank"
    expect_patch "$WORK/blank" $((START + 8192))
    dd if=/dev/zero of="$PART" bs=4k seek=5 count=2 conv=notrunc status=none
    head -c 8192 /dev/zero >"$WORK/zeros"
    expect_patch "$WORK/zeros" $((START + 5 * 4096))
    as_expected || return 1
    python3 -c '
import os, sys
for name, base in (sys.argv[1], int(sys.argv[3])), (sys.argv[2], 0):
    f = os.open(name, os.O_RDONLY)
    assert os.lseek(f, base + 5 * 4096 - 1, os.SEEK_HOLE) == base + 5 * 4096, name
    assert os.lseek(f, base + 5 * 4096, os.SEEK_DATA) == base + 7 * 4096, name
    assert os.lseek(f, base + 8192, os.SEEK_DATA) == base + 8192, name
' "$BIN" "$PART" "$START" && refused 'Invalid argument' \
        fallocate --punch-hole -o "$LENGTH" -l 4096 "$PART"
}

# What is discarded or cleared through the block layer reads as zeros, if it changes, never as FF.
clear_device() {
    random_bytes "$LENGTH" >"$LOOP" && sync "$LOOP" || return 1
    blkdiscard -f -o 65536 -l 65536 "$LOOP" || :
    blkdiscard -f -z -o 131072 -l 65536 "$LOOP" && sync "$LOOP" "$BIN" || return 1
    dd if="$FLASH" bs=4k skip=$((START + 65536)) count=65536 iflag=skip_bytes,count_bytes \
        status=none | tr -d '\377' | wc -c | {
        read -r others
        [ "$others" -gt 60000 ]
    } && cmp -n 65536 -i $((START + 131072)):0 "$FLASH" /dev/zero
}

mkfs_on_device() {
    mke2fs -q -F -t ext2 -E discard -d "$TREE" "$LOOP" && e2fsck -f -n "$LOOP"
}

makes_file_system() {
    with_device mkfs_on_device && sync "$BIN" && cp "$FLASH" "$EXPECTED" && as_expected &&
        inside ro tree_is_there
}

outside_is_untouched() {
    same_bytes "$WORK/first" "$FLASH" "$START" &&
        cmp -i $((START + LENGTH)) "$WORK/first" "$FLASH"
}

maps() {
    for how in read read-private; do
        python3 "$(dirname "$0")/tools/mapped.py" "$how" "$BIN" >"$WORK/mapped" &&
            same_bytes "$EXPECTED" "$WORK/mapped" || return 1
    done
}

finds_strings() {
    grep -a -o 'a string to be found, [0-9]*' "$BIN" | head -n 1 | {
        read -r found
        equal 'a string to be found, 4711' "$found"
    }
}

# Inside the mount, where the kernel would have the driver copy if it could.
kernel_copies() {
    python3 -c '
import os, sys
f = os.open(sys.argv[1], os.O_RDWR)
left = 100000
while left:
    n = os.copy_file_range(f, f, left, 100000 - left, 900000 - left)
    assert n > 0
    left -= n
os.fsync(f)
' "$BIN" || return 1
    head -c 100000 "$EXPECTED" >"$WORK/part"
    expect_patch "$WORK/part" 800000
    as_expected
}

new_board "$SIZE" --chip esp32
make_tree
mount_board
check 'a partition for it' write_table
cp "$EXPECTED" "$WORK/first"
check 'a file system is put into the flash' write_image
check 'maps, shared and private' maps
check 'strings are found' finds_strings
if loop_works; then
    check 'loop, ro: files are right' reads_right
    check 'loop, rw: files are right' writes_right
    check 'loop, ro, of a partition: files are right' part_reads_right
    check 'mkfs on a partition' mkfs_on_the_part
    check 'loop, ro, of that: files are right' in_part tree_is_there
    check 'loop device: discarding changes nothing' with_device discard_device
    check 'loop device: cleared is zeros, discarded is not FF' with_device clear_device
    check 'loop device: mkfs, and its files' makes_file_system
    check 'the rest of the flash is as it was' outside_is_untouched
else
    skip 'loop devices' 'this kernel or container has none, or no ext2'
fi
random_bytes "$LENGTH" >"$PART"
check 'a partition is filled' cp "$BIN" "$EXPECTED"
check 'holes of a partition' part_has_holes
check 'copy_file_range' kernel_copies
check 'the board had nothing to reject' equal 0 "$(counter rejects)"
check 'unmounts' unmount_board
