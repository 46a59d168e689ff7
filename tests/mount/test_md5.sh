#!/bin/sh
# flash.md5 and user.md5: the chip's own word on what it holds, at any time, for few bytes.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
IMAGE=$WORK/image

# digest_of FILE
digest_of() {
    md5sum <"$1" | cut -d ' ' -f 1
}

# tells_the_truth: flash.md5 is md5sum's line for what the board's own file holds.
tells_the_truth() {
    equal "$(digest_of "$FLASH")  $MNT/flash.bin" "$(cat "$MNT/flash.md5")"
}

# md5sum_agrees: which reads flash.bin, from any folder.
md5sum_agrees() {
    (cd "$MNT" && md5sum -c flash.md5) && (cd "$WORK" && md5sum -c board/flash.md5) &&
        (cd / && md5sum --strict -c "$MNT/flash.md5")
}

# attribute FILE [NAME]: its value.
attribute() {
    python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], sys.argv[2]).decode())' \
        "$1" "${2:-user.md5}"
}

attribute_tells() {
    equal "$(digest_of "$FLASH")" "$(attribute "$BIN")"
}

# asked: digests that the chip has computed since mark_counters.
asked() {
    counter_since_mark md5s
}

# A full read of random bytes costs at least its size on the wire.
few_bytes_cross() {
    mark_counters && cat "$MNT/flash.md5" >"$WORK/line" || return 1
    crossed=$(counter_since_mark bytes_out)
    say "flash.md5: $crossed bytes crossed, in place of 262144"
    [ "$crossed" -lt 1000 ] && [ "$(asked)" -le 2 ] && equal 0 "$(counter_since_mark read_bytes)"
}

size_is_told_before() {
    size=$(stat -c %s "$MNT/flash.md5") || return 1
    equal "$size" "$(wc -c <"$MNT/flash.md5")"
}

# What people do all the time must not make the chip compute.
nobody_asks_by_the_way() {
    mark_counters || return 1
    ls -la "$MNT" && stat "$MNT/flash.md5" "$BIN" && test -r "$MNT/flash.md5" &&
        python3 -c 'import os, sys; print(os.listxattr(sys.argv[1]))' "$BIN" &&
        cp -p "$MNT/info.txt" "$WORK/info" && cp -p "$BIN" "$WORK/copy" && equal 0 "$(asked)"
}

# The same call again and again asks again: the flash may have changed.
asked_anew() {
    cat "$MNT/flash.md5" && mark_counters && cat "$MNT/flash.md5" || return 1
    [ "$(asked)" -ge 1 ]
}

erase_a_part() {
    echo 64k 64k >"$MNT/erase"
}

# written_and_open: what a writer has handed over counts before it closes.
written_and_open() {
    random_bytes 5000 >"$IMAGE"
    expect_patch "$IMAGE" 70000
    python3 - "$BIN" "$IMAGE" "$MNT/flash.md5" <<'EOF' >"$WORK/line" || return 1
import os
import sys

fd = os.open(sys.argv[1], os.O_WRONLY)
with open(sys.argv[2], "rb") as image:
    os.pwrite(fd, image.read(), 70000)
with open(sys.argv[3]) as md5:
    print(md5.read(), end="")
EOF
    equal "$(digest_of "$EXPECTED")" "$(cut -d ' ' -f 1 "$WORK/line")" && as_expected
}

# beside_a_writer: each line that is read while a restore goes on is of the flash before it, or of
# some moment of it: once it has ended, of all of it.
beside_a_writer() {
    random_bytes 256K >"$IMAGE"
    cp "$IMAGE" "$BIN" &
    writer=$!
    cat "$MNT/flash.md5" && cat "$MNT/flash.md5" && wait "$writer" || return 1
    cp "$IMAGE" "$EXPECTED"
    as_expected && tells_the_truth
}

copies_keep_it() {
    cp --preserve=xattr "$BIN" "$WORK/copy" && equal "$(digest_of "$FLASH")" "$(attribute "$WORK/copy")" &&
        cp -a "$WORK/copy" "$BIN" && cp --preserve=xattr "$WORK/copy" "$BIN" &&
        rsync -aX --inplace "$WORK/copy" "$BIN" && attribute_tells
}

# part_of ADDRESS LENGTH: the board's bytes there.
part_of() {
    tail -c "+$(($1 + 1))" "$FLASH" | head -c "$2"
}

# A partition of its own size, which need not be whole sectors, has its own.
partitions_have_it() {
    python3 - >"$WORK/table" <<'EOF'
import struct
import sys

for offset, size, label in ((0x9000, 0x1800, b"odd"), (0x10000, 0x20000, b"data")):
    sys.stdout.buffer.write(struct.pack("<2sBBII16sI", b"\xaa\x50", 1, 2, offset, size, label, 0))
sys.stdout.buffer.write(b"\xff" * (4096 - 64))
EOF
    cp "$WORK/table" "$MNT/partitions/partition-table.bin" || return 1
    random_bytes 300 | dd of="$MNT/partitions/data.bin" bs=1k seek=7 conv=notrunc status=none
    for part in 'odd 36864 6144' 'data 65536 131072' 'partition-table 32768 4096' \
        'bootloader 4096 28672'; do
        # shellcheck disable=SC2086 # three words
        set -- $part
        [ -s "$MNT/partitions/$1.bin" ] &&
            equal "$(part_of "$2" "$3" | md5sum | cut -d ' ' -f 1)" \
                "$(attribute "$MNT/partitions/$1.bin")" || return 1
    done
    refused 'No data' attribute "$MNT/partitions"
}

other_attributes() {
    refused 'No data' attribute "$BIN" user.other &&
        refused 'No data' attribute "$MNT/info.txt" && refused 'No data' attribute "$MNT" &&
        refused 'not permitted' python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.md5", b"x")' "$BIN" &&
        refused 'not supported' python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.x", b"x")' "$BIN"
}

a_backup_is_checked() {
    cp "$BIN" "$WORK/backup.bin" &&
        sed 's|  .*|  backup.bin|' "$MNT/flash.md5" >"$WORK/backup.md5" &&
        (cd "$WORK" && md5sum --strict -c backup.md5)
}

by_rom() {
    new_board 256K --chip esp32 && mount_board -o stub=rom && tells_the_truth && unmount_board &&
        stop_board
}

# guarded SECURITY command...: on a mount of a chip in that state; MOUNT_OPTIONS may be set.
guarded() {
    new_board 256K --chip esp32c3 --security "$1" && mount_board ${MOUNT_OPTIONS:+-o "$MOUNT_OPTIONS"} || return 1
    shift
    "$@" && unmount_board && stop_board
}

no_md5() {
    test -e "$BIN" && fails test -e "$MNT/flash.md5" && refused 'No data' attribute "$BIN"
}

refused_as_flash_bin() {
    mark_counters && refused 'Operation not permitted|Permission denied' cat "$MNT/flash.md5" &&
        refused 'No data' attribute "$BIN" && equal 0 "$(asked)"
}

new_board 256K --chip esp32
check 'mounts' mount_board
check 'few bytes cross for it' few_bytes_cross
check 'it tells the truth' tells_the_truth
check 'its size is told before' size_is_told_before
check 'md5sum -c agrees, from any folder' md5sum_agrees
check 'ls, stat and cp -p ask nothing' nobody_asks_by_the_way
check 'each reader has it asked anew' asked_anew
random_bytes 10000 >"$IMAGE"
expect_patch "$IMAGE" 8192
check 'a write' dd if="$IMAGE" of="$BIN" bs=4k seek=2 conv=notrunc status=none
check 'right after a write' tells_the_truth
check 'the attribute, right after a write' attribute_tells
check 'md5sum -c agrees after a write' md5sum_agrees
check 'an erase' erase_a_part
check 'right after an erase' tells_the_truth
check 'md5sum -c agrees after an erase' md5sum_agrees
cp "$FLASH" "$EXPECTED"
check 'what is written and not closed counts' written_and_open
check 'beside a writer' beside_a_writer
check 'copies bring the attribute along, and it stays the chip'\''s' copies_keep_it
check 'partitions have it, of themselves' partitions_have_it
cp "$FLASH" "$EXPECTED"
check 'other attributes' other_attributes
check 'a backup is checked against it' a_backup_is_checked
check 'writing to it is refused' refused 'Permission denied' dd if="$IMAGE" of="$MNT/flash.md5"
check 'read-only: mounts' remount_board -o ro
check 'read-only: it tells the truth' tells_the_truth
check 'read-only: unmounts' unmount_board
stop_board
check 'the ROM alone: it tells the truth' by_rom
check 'flash encryption: refused as flash.bin is' guarded flash-encryption-release refused_as_flash_bin
MOUNT_OPTIONS=force,size=256K
check 'Secure Download Mode: there is none' guarded secure-download no_md5
