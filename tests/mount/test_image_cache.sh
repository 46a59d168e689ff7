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
    if [ "$2" -lt "$1" ] || [ "$2" -gt "$3" ]; then
        say "$2 is not between $1 and $3"
        return 1
    fi
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

all_cross() {
    crosses "$SIZE" $((SIZE + SIZE / 20)) "$@"
}

few_cross() {
    crosses 1 "$FEW" "$@"
}

in_another_folder() {
    mkdir "$WORK/images" && all_cross -o "cache=$WORK/images" && few_cross -o "cache=$WORK/images"
}

cut_short() {
    truncate -s 300000 "$(image)" && all_cross
}

restored_and_kept() {
    random_bytes "$SIZE" >"$WORK/new" && restored && few_cross
}

link_replaced() {
    rm "$(image)"
    ln -s "$WORK/elsewhere" "$IMAGES/$(ls "$IMAGES")/image"
    backup_crosses && fails test -e "$WORK/elsewhere" && test -f "$(image)" && private
}

without_a_folder() {
    mv "$IMAGES" "$IMAGES.away"
    : >"$IMAGES"
    all_cross && rm "$IMAGES" && mv "$IMAGES.away" "$IMAGES"
}

encrypted_is_not_kept() {
    rm -rf "$IMAGES"
    mount_board -o before=no-reset,force || return 1
    cat "$MNT/flash.bin" >/dev/null
    unmount_board && equal '' "$(find "$XDG_CACHE_HOME" -name image)"
}

new_board "$SIZE" --chip esp32 --boot download
check 'the first backup brings every byte' all_cross
check 'what was read is kept, for its user alone' private
check 'a board that did not change costs digests' few_cross
check 'an image in another folder is another one' in_another_folder
check 'without any, all bytes cross' all_cross -o cache=none
check '64 KiB that changed cross, and little else' changed_board 131072 65536 65536 147456
check 'so does one sector in the middle of a block' changed_board 300000 4096 4096 131072

cp "$(image)" "$WORK/good"
for lie in rotated blank wrong_behind_samples 'random_bytes 512K'; do
    cp "$WORK/good" "$(image)"
    # Unquoted on purpose: a command and its arguments.
    # shellcheck disable=SC2086
    spoil $lie
    check "an image of wrong bytes ($lie) gives none" backup_crosses
    check '... and is right afterwards' few_cross
done

check 'one that is cut short is none' cut_short
check 'what is restored is what is kept' restored_and_kept
check 'a link in its place is replaced, not followed' link_replaced
check 'a folder that cannot be made costs time only' without_a_folder
another_flash
check 'the image of another flash on this board is none' all_cross
check 'cache= of no folder is refused' fails_to_start 2 'no such folder' \
    -o "cache=$WORK/none" "$PORT" "$MNT"
stop_board

new_board 256K --chip esp32 --boot download --security flash-encryption-dev
check 'of an encrypted chip nothing is kept' encrypted_is_not_kept
stop_board
