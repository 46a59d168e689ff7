#!/bin/sh
# What this host saw of a board is not read again, and never believed: bytes and commands are
# counted on the board, and every backup is compared with its flash.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

IMAGES=$XDG_CACHE_HOME/espflashfs
SIZE=524288
FEW=8192 # replies, a digest each; and no flash

image() {
    find "$IMAGES" -name image
}

# backup_crosses LEAST MOST: a mount, its backup, right; the bytes that the chip sent for it.
backup_crosses() {
    mount_board -o before=no-reset "$@" || return 1
    mark_counters
    cp "$MNT/flash.bin" "$WORK/copy" && same_bytes "$FLASH" "$WORK/copy" &&
        crossed=$(counter_since_mark bytes_out) && unmount_board
}

between() {
    [ "$1" -le "$2" ] && [ "$2" -le "$3" ] || {
        say "$2 is not between $1 and $3"
        return 1
    }
}

crosses() {
    low=$1
    high=$2
    shift 2
    backup_crosses "$@" && between "$low" "$crossed" "$high"
}

# spoil COMMAND...: its output for the bytes of the image, in place; the file's head stays right.
spoil() {
    "$@" | dd of="$(image)" bs=4k seek=1 conv=notrunc status=none
}

rotated() {
    tail -c +4097 "$FLASH"
    head -c 4096 "$FLASH"
}

blank() {
    head -c "$SIZE" /dev/zero | tr '\000' '\377'
}

# Right where the first sectors of all blocks are, wrong behind.
wrong_behind_samples() {
    for block in 0 1 2 3 4 5 6 7; do
        tail -c +$((block * 65536 + 1)) "$FLASH" | head -c 4096
        random_bytes 61440
    done
}

# change OFFSET BYTES: on the board itself, behind everybody's back.
change() {
    random_bytes "$2" | dd of="$FLASH" bs=4k seek="$1" oflag=seek_bytes conv=notrunc status=none
}

# changed_board OFFSET BYTES LOW HIGH: it is off meanwhile.
changed_board() {
    stop_board
    change "$1" "$2"
    start_board --size "$SIZE" --chip esp32 --boot download
    crosses "$3" "$4"
}

private() {
    equal 700 "$(stat -c %a "$(dirname "$(image)")")" && equal 600 "$(stat -c %a "$(image)")"
}

restored() {
    mount_board -o before=no-reset && cp "$WORK/new" "$MNT/flash.bin" && unmount_board &&
        same_bytes "$WORK/new" "$FLASH"
}

another_flash() {
    stop_board
    start_board --size "$SIZE" --chip esp32 --boot download --flash-id 204013
}

new_board "$SIZE" --chip esp32 --boot download
check 'the first backup brings every byte' crosses "$SIZE" $((SIZE + SIZE / 20))
check 'what was read is kept, for its user alone' private
check 'a board that did not change costs digests' crosses 1 "$FEW"
check '... with an empty folder to keep images in, all bytes' eval \
    'mkdir "$WORK/images" && crosses "$SIZE" $((SIZE + SIZE / 20)) -o "cache=$WORK/images"'
check '... which has one then' eval 'crosses 1 "$FEW" -o "cache=$WORK/images"'
check '... and without any, all bytes' crosses "$SIZE" $((SIZE + SIZE / 20)) -o cache=none
check '64 KiB that changed cross, and little else' changed_board 131072 65536 65536 147456
check 'so does one sector in the middle of a block' changed_board 300000 4096 4096 131072

cp "$(image)" "$WORK/good"
for lie in rotated blank wrong_behind_samples 'random_bytes 512K'; do
    cp "$WORK/good" "$(image)"
    # Unquoted on purpose: a command and its arguments.
    # shellcheck disable=SC2086
    spoil $lie
    check "an image of wrong bytes ($lie) gives none" backup_crosses
    check '... and is right afterwards' crosses 1 "$FEW"
done

check 'one that is cut short is none' eval \
    'truncate -s 300000 "$(image)" && crosses "$SIZE" $((SIZE + SIZE / 20))'
check 'what is restored is what is kept' eval \
    'random_bytes "$SIZE" >"$WORK/new" && restored && crosses 1 "$FEW"'

rm "$(image)"
ln -s "$WORK/elsewhere" "$IMAGES/$(ls "$IMAGES")/image"
check 'a link in its place is replaced, not followed' eval \
    'backup_crosses && [ ! -e "$WORK/elsewhere" ] && [ -f "$(image)" ] && private'
mv "$IMAGES" "$IMAGES.away"
: >"$IMAGES"
check 'a folder that cannot be made costs time only' crosses "$SIZE" $((SIZE + SIZE / 20))
rm "$IMAGES"
mv "$IMAGES.away" "$IMAGES"
check 'the image of another flash on this board is none' eval \
    'another_flash && crosses "$SIZE" $((SIZE + SIZE / 20))'
check 'cache= of no folder is refused' fails_to_start 2 'no such folder' \
    -o "cache=$WORK/none" "$PORT" "$MNT"
stop_board

new_board 256K --chip esp32 --boot download --security flash-encryption-dev
rm -rf "$IMAGES"
check 'of an encrypted chip nothing is kept' eval \
    'mount_board -o before=no-reset,force && cat "$MNT/flash.bin" >/dev/null; unmount_board &&
    equal "" "$(image 2>/dev/null)"'
stop_board
