#!/bin/sh
# What the usual programs do to flash.bin when they write it: its size is fixed, and a byte that
# was not given stays as it was. Readers are in test_readers.sh.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
IMAGE=$WORK/image
SIZE=524288

# image LENGTH: a new random one. Of another age than flash.bin: rsync takes files of one size
# and age for the same.
image() {
    random_bytes "$1" >"$IMAGE"
    touch -d 2001-01-01 "$IMAGE"
}

# replaced LENGTH command...: the command leaves the image, and behind it what was there.
replaced() {
    image "$1"
    shift
    "$@" || return 1
    expect_patch "$IMAGE"
    as_expected
}

append() {
    LC_ALL=C sh -c 'cat "$1" >>"$2"' sh "$IMAGE" "$BIN"
}

redirect() {
    sh -c 'cat "$1" >"$2"' sh "$IMAGE" "$BIN"
}

through_tee() {
    tee "$BIN" <"$IMAGE" >/dev/null
}

through_split() {
    split -b 65536 -a 1 -d "$IMAGE" "$WORK/part." || return 1
    for part in 0 1 2 3; do
        dd if="$WORK/part.$part" of="$BIN" bs=64k seek="$part" conv=notrunc status=none || return 1
    done
}

# blocks dd-OPTION...: five odd blocks into the middle.
blocks() {
    random_bytes 5000 >"$IMAGE"
    dd if="$IMAGE" of="$BIN" bs=1000 seek=37 count=5 status=none "$@" || return 1
    expect_patch "$IMAGE" 37000
    as_expected && equal '9 10' "$(sectors_since_mark erases)"
}

appending_is_refused() {
    image 10
    refused 'No space left on device' append && untouched
}

# truncating SIZE: ends well and changes nothing.
truncating() {
    truncate -s "$1" "$BIN" && untouched && equal "$SIZE" "$(stat -c %s "$BIN")"
}

growing_is_refused() {
    refused 'File too large' truncate -s "$1" "$BIN" && untouched
}

# The first bytes fit and nobody knows yet that more will come.
too_long_is_refused() {
    image $((SIZE + 1))
    refused 'No space left on device' cp "$IMAGE" "$BIN" || return 1
    truncate -s "$SIZE" "$IMAGE"
    expect_patch "$IMAGE"
    as_expected && log_says 'flash.bin: 1 bytes at 0x80000 do not fit: it has 524288 bytes'
}

reserving() {
    fallocate -l "$SIZE" "$BIN" && refused 'No space left' fallocate -l $((SIZE + 1)) "$BIN" &&
        untouched
}

# A reader beside a handle that was opened with O_TRUNC sees the whole flash.
open_truncating() {
    (
        exec 3>"$BIN"
        equal "$SIZE" "$(stat -c %s "$BIN")" && equal "$SIZE" "$(wc -c <"$BIN")" && untouched
    )
}

# sparse_image LENGTH [OFFSET LENGTH]: one hole, but for random bytes in the middle.
sparse_image() {
    rm -f "$IMAGE"
    truncate -s "$1" "$IMAGE"
    [ $# = 1 ] || random_bytes "$3" |
        dd of="$IMAGE" bs=4k seek="$2" oflag=seek_bytes conv=notrunc status=none
}

# hole LENGTH [OFFSET LENGTH]: what is a hole in the image is zeros on the board.
hole() {
    sparse_image "$@"
    cp --sparse=always "$IMAGE" "$BIN" || return 1
    expect_patch "$IMAGE"
    as_expected
}

rsync_plain_is_refused() {
    image "$SIZE"
    refused 'Operation not permitted' rsync "$IMAGE" "$BIN" && untouched
}

test_dd() {
    check 'dd conv=notrunc: its bytes, two sectors' blocks conv=notrunc
    mark_counters
    check 'dd without notrunc: the same' blocks
    mark_counters
    check 'dd oflag=direct: the same' blocks oflag=direct
    mark_counters
    check 'dd conv=fsync,notrunc: the same' blocks conv=fsync,notrunc
}

test_replacing() {
    check 'cp of a whole image' replaced "$SIZE" cp "$IMAGE" "$BIN"
    check 'cp of a shorter one: the rest stays' replaced 100001 cp "$IMAGE" "$BIN"
    check 'cp -p' replaced 70000 cp -p "$IMAGE" "$BIN"
    check 'cp -f' replaced 70000 cp -f "$IMAGE" "$BIN"
    check 'cat >' replaced 200001 redirect
    check 'tee' replaced 200001 through_tee
    check 'split, its parts by dd' replaced 262144 through_split
    check 'dd bs=1M' replaced "$SIZE" dd if="$IMAGE" of="$BIN" bs=1M status=none
    check 'dd bs=1000 from the start' replaced 99000 dd if="$IMAGE" of="$BIN" bs=1000 status=none
    check 'dd oflag=append conv=notrunc: refused' refused 'No space left' \
        dd if="$IMAGE" of="$BIN" oflag=append conv=notrunc status=none
}

test_rsync() {
    command -v rsync >/dev/null || {
        skip 'rsync' 'not installed'
        return
    }
    check 'rsync --inplace' replaced "$SIZE" rsync --inplace "$IMAGE" "$BIN"
    check 'rsync --inplace --no-whole-file' \
        replaced "$SIZE" rsync --inplace --no-whole-file "$IMAGE" "$BIN"
    check 'rsync -a --inplace, shorter: the rest stays' \
        replaced 100001 rsync -a --inplace "$IMAGE" "$BIN"
    mark_counters
    check 'rsync without --inplace: refused, nothing changed' rsync_plain_is_refused
}

test_sizes() {
    mark_counters
    check '>>: ENOSPC, nothing changed' appending_is_refused
    check 'truncate -s 0: nothing changed' truncating 0
    check 'truncate -s half: nothing changed' truncating $((SIZE / 2))
    check 'truncate -s full: nothing changed' truncating "$SIZE"
    check 'truncate -s larger: EFBIG, nothing changed' growing_is_refused $((SIZE + 1))
    check 'truncate -s +4k: EFBIG, nothing changed' growing_is_refused +4k
    check 'fallocate: up to the size, nothing changed' reserving
    check 'open with O_TRUNC, no write: whole to others, nothing changed' open_truncating
    check 'an image one byte too long: ENOSPC' too_long_is_refused
}

test_holes() {
    check 'an image that is one hole: zeros' hole "$SIZE"
    check 'a shorter hole: zeros, the rest stays' hole 123456
    check 'cp of a whole image over it' replaced "$SIZE" cp "$IMAGE" "$BIN"
    check 'data, then a hole: zeros behind it' hole 300000 0 150000
    check 'cp of a whole image over it' replaced "$SIZE" cp "$IMAGE" "$BIN"
    check 'a hole, data, a hole: zeros around it' hole 400000 131072 65536
    check 'an odd piece in a hole' hole "$SIZE" 77777 11
}

new_board "$SIZE" --chip esp32
mount_board
mark_counters
test_dd
test_sizes
test_replacing
test_rsync
test_holes
check 'all of it is there after a new mount' remount_board
check 'and right' as_expected
check 'the board had nothing to reject' equal 0 "$(counter rejects)"
check 'unmounts' unmount_board
