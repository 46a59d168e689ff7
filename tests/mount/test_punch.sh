#!/bin/sh
# fallocate --punch-hole erases whole sectors, for who can mean nothing else by it. To all others a
# hole means zeros: those are told to write them, and what they leave is right.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

PATH=$PATH:/usr/sbin:/sbin # mke2fs
BIN=$MNT/flash.bin
IMAGE=$WORK/image
SIZE=524288

# expect_bytes OCTAL FIRST COUNT: from now on so many sectors are expected to be filled with it.
expect_bytes() {
    head -c $(($3 * 4096)) /dev/zero | tr '\000' "\\$1" >"$WORK/bytes"
    expect_patch "$WORK/bytes" $(($2 * 4096))
}

# punches FIRST COUNT: these sectors are erased, once, when it returns, and no others; seen through
# what the kernel kept, and through a mapping.
punches() {
    cat "$BIN" >"$WORK/before"
    mark_counters
    fallocate --punch-hole -o $(($1 * 4096)) -l $(($2 * 4096)) "$BIN" || return 1
    expect_bytes 377 "$1" "$2"
    same_bytes "$EXPECTED" "$FLASH" || return 1
    equal "$(seq -s ' ' "$1" $(($1 + $2 - 1)))" "$(sectors_since_mark erases)" &&
        equal '' "$(sectors_since_mark programs)" && as_expected
}

# is_refused MESSAGE LOG fallocate-OPTION...: and says so in the log; nothing is touched.
is_refused() {
    wanted_log=$2
    message=$1
    shift 2
    mark_counters
    refused "$message" fallocate "$@" "$BIN" && untouched && log_says "$wanted_log"
}

is_odd() {
    is_refused 'Invalid argument' "flash.bin: punching $2 bytes at $3 is refused.*multiples of 4096" \
        --punch-hole -o "$1" -l "$2"
}

other_modes_are_refused() {
    for mode in --zero-range --collapse-range --insert-range; do
        refused 'not supported|unsupported' fallocate "$mode" -o 0 -l 4096 "$BIN" || return 1
    done
    untouched
}

# An image with zeros at its start, in the middle, at odd places, and at its end.
holey_image() {
    random_bytes "$SIZE" >"$IMAGE"
    dd if=/dev/zero of="$IMAGE" bs=4k count=5 conv=notrunc status=none
    dd if=/dev/zero of="$IMAGE" bs=4k seek=40 count=20 conv=notrunc status=none
    dd if=/dev/zero of="$IMAGE" bs=1 seek=300001 count=9000 conv=notrunc status=none
    dd if=/dev/zero of="$IMAGE" bs=4k seek=120 count=8 conv=notrunc status=none
    touch -d 2001-01-01 "$IMAGE"
}

# leaves_image command...: the board, full of other things, holds the image afterwards.
leaves_image() {
    random_bytes "$SIZE" >"$BIN" && cp "$IMAGE" "$EXPECTED" && "$@" && as_expected
}

all_zeros() {
    rm -f "$IMAGE"
    truncate -s "$SIZE" "$IMAGE"
    touch -d 2001-01-01 "$IMAGE"
}

digging_leaves_zeros() {
    cp "$IMAGE" "$BIN" || return 1
    # shellcheck disable=SC2119
    remount_board || return 1
    mark_counters
    fallocate --dig-holes "$BIN" 2>"$WORK/dig" || cat "$WORK/dig" >&2
    untouched
}

# What goes on to write, on the same descriptor, has meant zeros.
punch_and_write() {
    python3 -c '
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
f = os.open(sys.argv[1], os.O_RDWR)
def punch(off, length):
    rc = libc.fallocate(f, 3, ctypes.c_long(off), ctypes.c_long(length))
    assert rc == 0, os.strerror(ctypes.get_errno())
punch(8 * 4096, 4 * 4096)
assert os.pread(f, 4 * 4096, 8 * 4096) == b"\xff" * 4 * 4096
os.pwrite(f, b"x" * 10, 9 * 4096)
assert os.pread(f, 4096, 8 * 4096) == bytes(4096)
os.close(f)
' "$BIN" || return 1
    expect_bytes 000 8 4
    printf xxxxxxxxxx >"$WORK/ten"
    expect_patch "$WORK/ten" $((9 * 4096))
    as_expected && log_says 'means zeros'
}

# A file system is made right on the file, which mke2fs clears by punching first.
mkfs_on_the_file() {
    random_bytes "$SIZE" >"$BIN" && mkfs.ext2 -q -F -E discard "$BIN" && e2fsck -f -n "$BIN" &&
        cp "$BIN" "$EXPECTED" && as_expected
}

ro_is_refused() {
    mark_counters
    refused 'Read-only file system' fallocate --punch-hole -o 0 -l 4096 "$BIN" && no_wear
}

boot_loader_is_guarded() {
    mark_counters
    refused 'Operation not permitted' fallocate --punch-hole -o 0x7000 -l 4096 "$BIN" && no_wear &&
        log_says 'flash.bin: refused: secure boot.*nothing was erased' && punches 8 2
}

new_board "$SIZE" --chip esp32
mount_board
check 'a few sectors' punches 16 3
check 'the first' punches 0 1
check 'the last' punches 127 1
check 'a block' punches 32 16
check 'an odd offset: EINVAL' is_odd 100 4096 0x64
check 'an odd length: EINVAL' is_odd 8192 100 0x2000
check 'past the end: EINVAL' is_odd $((127 * 4096)) 8192 0x7f000
check 'other modes: EOPNOTSUPP' other_modes_are_refused
expect_bytes 000 64 2
check 'zeros are written' cp "$EXPECTED" "$BIN"
# shellcheck disable=SC2016
check 'zeros: EOPNOTSUPP' is_refused 'not supported|unsupported' \
    'zeros at 0x40000 is refused.*`0x40000 8192`' --punch-hole -o 262144 -l 8192
check 'punched, then written to: zeros' punch_and_write
holey_image
check 'fallocate --dig-holes: zeros stay zeros' leaves_image digging_leaves_zeros
check 'cp --sparse=always: right' leaves_image cp --sparse=always "$IMAGE" "$BIN"
check 'rsync --inplace --sparse: right' leaves_image rsync --inplace --sparse "$IMAGE" "$BIN"
check 'rsync --inplace --sparse --no-whole-file: right' \
    leaves_image rsync --inplace --sparse --no-whole-file "$IMAGE" "$BIN"
all_zeros
check 'rsync --inplace --sparse of zeros: right' \
    leaves_image rsync --inplace --sparse "$IMAGE" "$BIN"
check 'rsync --inplace --sparse --no-whole-file of zeros: right' \
    leaves_image rsync --inplace --sparse --no-whole-file "$IMAGE" "$BIN"
check 'mkfs.ext2 on the file: right' mkfs_on_the_file
check 'the board had nothing to reject' equal 0 "$(counter rejects)"
check 'unmounts' unmount_board
check 'ro: mounts' mount_board -o ro
check 'ro: refused' ro_is_refused
check 'ro: unmounts' unmount_board
stop_board

new_board "$SIZE" --chip esp32 --security secure-boot-v1
check 'secure boot: mounts' mount_board
check 'secure boot: not the boot loader' boot_loader_is_guarded
check 'secure boot: unmounts' unmount_board
