#!/bin/sh
# Only what differs is touched: counted on the board.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
IMAGE=$WORK/image

# wear ERASED PROGRAMMED: the sectors since mark_counters.
wear() {
    equal "$1" "$(sectors_since_mark erases)" && equal "$2" "$(sectors_since_mark programs)"
}

# put FILE OFFSET: its bytes into the mount, and into what is expected.
put() {
    dd if="$1" of="$BIN" bs=64k seek="$2" oflag=seek_bytes conv=notrunc status=none || return 1
    expect_patch "$1" "$2"
}

# blank FIRST COUNT: sectors of FF.
blank() {
    head -c $(($2 * 4096)) /dev/zero | tr '\000' '\377' >"$WORK/blank"
    put "$WORK/blank" $(($1 * 4096))
}

# flipped_byte OFFSET: one byte other than what is there.
flipped_byte() {
    byte=$(od -A n -t u1 -j "$1" -N 1 "$EXPECTED" | tr -d ' ')
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\$(printf %o $((byte ^ 1)))" >"$WORK/byte"
    put "$WORK/byte" "$1"
}

# does WEAR-ERASED WEAR-PROGRAMMED command...: what the command costs.
does() {
    wanted_erased=$1
    wanted_programmed=$2
    shift 2
    mark_counters
    "$@" && as_expected && wear "$wanted_erased" "$wanted_programmed"
}

restore_all() {
    cp "$EXPECTED" "$BIN"
}

# The image that the board holds, but for the byte in the middle.
restore_changed() {
    cp "$EXPECTED" "$IMAGE"
    printf 'not what was there' |
        dd of="$IMAGE" bs=1 seek=100000 conv=notrunc status=none
    cp "$IMAGE" "$BIN" && cp "$IMAGE" "$EXPECTED"
}

# same_bytes_again OFFSET LENGTH: as they are there already.
same_bytes_again() {
    dd if="$EXPECTED" of="$WORK/same" bs=64k skip="$1" count="$2" iflag=skip_bytes,count_bytes \
        status=none
    put "$WORK/same" "$1"
}


# through CHIP LOADER: the counts are the same through each loader.
through() {
    rm -f "$FLASH"
    new_board 256K --chip "$1"
    mount_board -o stub="$2"
    check "$1 $2: an image that is there already costs nothing" does '' '' restore_all
    check "$1 $2: the same on a new mount, which has read nothing" remount_board -o stub="$2" \
        -o before=no-reset
    check "$1 $2: it costs nothing" does '' '' restore_all
    check "$1 $2: odd bytes that are there already cost nothing" \
        does '' '' same_bytes_again 70001 20001
    check "$1 $2: changing one byte costs one sector" does 12 12 flipped_byte 50000
    check "$1 $2: an image that differs in one place costs one sector" does 24 24 restore_changed
    check "$1 $2: the last byte of the flash" does 63 63 flipped_byte 262143
    check "$1 $2: the first byte of the flash" does 0 0 flipped_byte 0
    check "$1 $2: blank sectors are erased, not programmed" does '20 21 22' '' blank 20 3
    check "$1 $2: blank over blank costs nothing" does '' '' blank 20 3
    check "$1 $2: blank over data and blank erases the data" does '19 23' '' blank 19 5
    check "$1 $2: a block to be blank is erased, not programmed" \
        does '32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47' '' blank 32 16
    check "$1 $2: unmounts" unmount_board
    check "$1 $2: the board had nothing to reject" equal 0 "$(counter rejects)"
    stop_board
}

through esp8266 auto
through esp32 auto
through esp32 rom
through esp32c3 rom
