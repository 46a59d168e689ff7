#!/bin/sh
# Flash over 16 MiB: whole where the stub addresses it, else its first 16 MiB, with words.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

# large CHIP SIZE OPTION...: random at both ends, in the middle and around 16 MiB, else blank.
large() {
    chip=$1
    bytes=$2
    shift 2
    rm -f "$FLASH"
    : >"$DRIVER_LOG"
    head -c "$bytes" /dev/zero | tr '\0' '\377' >"$FLASH"
    random_bytes 64K >"$WORK/some"
    for at in 0 8388608 16711680 16777216 $((bytes - 65536)); do
        dd if="$WORK/some" of="$FLASH" bs=64k seek="$at" oflag=seek_bytes conv=notrunc status=none
        random_bytes 64K >"$WORK/some"
    done
    cp "$FLASH" "$EXPECTED"
    start_board --chip "$chip" --size "$bytes" && mount_board "$@"
}

whole() {
    equal "$1" "$(stat -c %s "$MNT/flash.bin")" &&
        info_has "^Detected flash size: $(($1 / 1048576))MB\$" || return 1
    for at in 0 16711680 16777216 $(($1 - 65536)); do
        dd if="$MNT/flash.bin" bs=64k count=1 skip="$at" iflag=skip_bytes status=none >"$WORK/a"
        dd if="$EXPECTED" bs=64k count=1 skip="$at" iflag=skip_bytes status=none |
            cmp - "$WORK/a" || return 1
    done
}

# What is written across 16 MiB, and erased behind it, is there and nowhere else.
writes_past_16_mib() {
    random_bytes 128K >"$WORK/image"
    dd if="$WORK/image" of="$MNT/flash.bin" bs=64k seek=16711680 oflag=seek_bytes \
        conv=notrunc,fsync status=none && expect_patch "$WORK/image" 16711680 &&
        echo "0x1010000 64k" >"$MNT/erase" &&
        echo "$(($1 - 65536)) 64k" >"$MNT/erase" || return 1
    head -c 64K /dev/zero | tr '\0' '\377' >"$WORK/blank"
    expect_patch "$WORK/blank" $(($1 - 65536)) && expect_patch "$WORK/blank" 16842752 &&
        same_bytes "$EXPECTED" "$FLASH"
}

# only_16_mib LOADER
only_16_mib() {
    equal 16777216 "$(stat -c %s "$MNT/flash.bin")" && info_has '^Flash size by id: 32MB$' &&
        info_has '^Detected flash size: 16MB$' &&
        log_says "the flash has 33554432 bytes, of which the .*'s $1 addresses 16M"
}

for chip in esp32s3 esp32p4 esp32c5 esp32c61; do
    check "32M on $chip: mounts" large "$chip" 33554432
    check "32M on $chip: all of it" whole 33554432
    check "32M on $chip: past 16 MiB" writes_past_16_mib 33554432
    check "32M on $chip: unmounts" unmount_board
    stop_board
done
check '64M on esp32s3: mounts' large esp32s3 67108864
check '64M on esp32s3: all of it' whole 67108864
check '64M on esp32s3: past 16 MiB' writes_past_16_mib 67108864
check '64M on esp32s3: unmounts' unmount_board
stop_board
check '32M on esp32s3, ROM: mounts' large esp32s3 33554432 -o stub=rom
check '32M on esp32s3, ROM: 16 MiB of it' only_16_mib ROM
check '32M on esp32s3, ROM: unmounts' unmount_board
check '32M on esp32s3, ROM: size=32M is refused' fails_to_start 1 'a multiple of 4k up to 16M is' \
    -o stub=rom,size=32M "$PORT" "$MNT"
stop_board
check '32M on esp32c3: mounts' large esp32c3 33554432
check '32M on esp32c3: 16 MiB of it' only_16_mib stub
check '32M on esp32c3: unmounts' unmount_board
check '32M on esp32c3: size=32M is refused' fails_to_start 1 'a multiple of 4k up to 16M is' \
    -o size=32M "$PORT" "$MNT"
