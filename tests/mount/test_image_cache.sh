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

board() {
    start_board --size "$SIZE" --chip esp32 --boot download "$@"
}

# spoil SECTOR COMMAND...: its output from there on in place of the bytes in the image's file.
spoil() {
    spoil_at=$1
    shift
    "$@" | dd of="$(image)" bs=4k seek=$((1 + spoil_at)) conv=notrunc status=none
}

# One sector that was damaged on the disk crosses; so do all.
damaged() {
    spoil "$1" random_bytes "$2" && crosses "$3" "$4" && few_cross
}

# believe COMMAND...: the image is a whole one of a flash that holds the command's output, as
# nobody could tell from the file: its checksums are right.
believe() {
    stop_board
    mv "$FLASH" "$WORK/true"
    "$@" >"$FLASH"
    board && backup_crosses && stop_board && mv "$WORK/true" "$FLASH" && board
}

gives_no_wrong_byte() {
    believe "$@" && backup_crosses
}

of_another_board() {
    cp "$(image)" "$WORK/good"
    stop_board
    cp "$FLASH" "$WORK/true"
    random_bytes "$SIZE" >"$FLASH"
    board --mac 24:0a:c4:99:88:77
    all_cross && stop_board && mv "$WORK/true" "$FLASH" && board &&
        mv "$IMAGES/240ac4998877/image" "$WORK/other" && rmdir "$IMAGES/240ac4998877" &&
        cp "$WORK/other" "$(image)" && all_cross && cmp "$WORK/good" "$(image)"
}

nothing_is_kept() {
    all_cross -o cache=none && fails test -e "$IMAGES"
}

shared_folder() {
    mkdir -m 0777 "$WORK/shared" && chmod 0777 "$WORK/shared" &&
        all_cross -o "cache=$WORK/shared" && equal '' "$(ls "$WORK/shared")" &&
        log_says 'others may write to this folder: run chmod go-w'
}

rotated() {
    tail -c +4097 "$WORK/true"
    head -c 4096 "$WORK/true"
}

blank() {
    head -c "$SIZE" /dev/zero | tr '\000' '\377'
}

# Right where the first sectors of all blocks are, wrong behind.
wrong_behind_samples() {
    for block in 0 1 2 3 4 5 6 7; do
        tail -c +$((block * 65536 + 1)) "$WORK/true" | head -c 4096
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
    board
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
    board --flash-id 204013
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

blind_is_not_kept() {
    rm -rf "$IMAGES"
    mount_board -o force,size=256k && dd if="$WORK/new" of="$MNT/flash.bin" bs=4k count=2 \
        conv=notrunc status=none && unmount_board && same_bytes "$WORK/new" "$FLASH" 8192 &&
        equal '' "$(find "$XDG_CACHE_HOME" -name image)"
}

encrypted_is_not_kept() {
    rm -rf "$IMAGES"
    mount_board -o before=no-reset,force || return 1
    cat "$MNT/flash.bin" >/dev/null
    unmount_board && equal '' "$(find "$XDG_CACHE_HOME" -name image)"
}

new_board "$SIZE" --chip esp32 --boot download
check 'with cache=none nothing is kept, and no folder made' nothing_is_kept
check 'the first backup brings every byte' all_cross
check 'what was read is kept, for its user alone' private
check 'a board that did not change costs digests' few_cross
check 'an image in another folder is another one' in_another_folder
check 'one that others may write to is not used, and why' shared_folder
check 'without any, all bytes cross' all_cross -o cache=none
check '64 KiB that changed cross, and little else' changed_board 131072 65536 65536 147456
check 'so does one sector in the middle of a block' changed_board 300000 4096 4096 131072

check 'a sector of it that the disk damaged crosses' damaged 9 4096 4096 131072
check 'if all of it is damaged, all bytes cross' \
    damaged 0 "$SIZE" "$SIZE" $((SIZE + SIZE / 20))
for lie in rotated blank wrong_behind_samples 'random_bytes 512K'; do
    # Unquoted on purpose: a command and its arguments.
    # shellcheck disable=SC2086
    check "an image of wrong bytes ($lie) gives none" gives_no_wrong_byte $lie
    check '... and is right afterwards' few_cross
done
check "another board's image in its place is none" of_another_board
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

rm -f "$FLASH"
new_board 256K --chip esp32c3 --security secure-download
check 'of one in Secure Download Mode neither, though it was written' blind_is_not_kept
stop_board
