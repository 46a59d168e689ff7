#!/bin/sh
# What the usual programs read from flash.bin, also while it is written, and what they cannot do to
# the folder.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
IMAGE=$WORK/image
SIZE=262144
tools=$(dirname "$0")/tools

# prints_alike COMMAND: the text of a shell command, run on the mount's file and on what is
# expected there, prints the same.
prints_alike() {
    sh -c "$1" sh "$EXPECTED" >"$WORK/wanted" && sh -c "$1" sh "$BIN" >"$WORK/got" &&
        same_bytes "$WORK/wanted" "$WORK/got"
}

# reads_right NAME COMMAND: of a new mount, so that it comes from the chip.
reads_right() {
    check "$1: mounts" mount_board
    check "$1" prints_alike "$2"
    check "$1: unmounts" unmount_board
}

cmp_tells() {
    cmp "$EXPECTED" "$BIN" || return 1
    cp "$EXPECTED" "$WORK/other"
    printf X | dd of="$WORK/other" bs=1 seek=200000 conv=notrunc status=none
    expect_status 1 cmp "$WORK/other" "$BIN"
}

parts_join() {
    split -b 10000 "$BIN" "$WORK/part." && cat "$WORK"/part.* | cmp - "$EXPECTED"
}

# map_reads read|read-private
map_reads() {
    python3 "$tools/mapped.py" "$1" "$BIN" | cmp - "$EXPECTED"
}

# map_writes HOW OFFSET: HOW is mapped.py's first word.
map_writes() {
    random_bytes 5000 >"$IMAGE"
    python3 "$tools/mapped.py" "$1" "$BIN" "$2" <"$IMAGE" || return 1
    expect_patch "$IMAGE" "$2"
    as_expected
}

# sector_digests FILE: a line each.
sector_digests() {
    split -b 4096 --filter=md5sum "$1"
}

# Each sector of the copy is wholly the old or wholly the new one.
copy_is_a_mixture() {
    sector_digests "$1" | paste "$WORK/old.sums" "$WORK/new.sums" - |
        awk '$5 != $1 && $5 != $3 { bad = 1; print "# sector " NR - 1 } END { exit bad || NR != 64 }'
}

# By the page cache a reader could get half of a page that the kernel is copying a write into:
# it takes no lock for that, on any file system. What the driver gives out is asked for directly.
ten_readers_and_a_writer() {
    random_bytes "$SIZE" >"$IMAGE"
    sector_digests "$EXPECTED" >"$WORK/old.sums"
    sector_digests "$IMAGE" >"$WORK/new.sums"
    readers=
    cp "$IMAGE" "$BIN" &
    writer=$!
    for i in 1 2 3 4 5 6 7 8 9 10; do
        dd if="$BIN" of="$WORK/copy.$i" iflag=direct bs=64k status=none &
        readers="$readers $!"
    done
    for pid in $writer $readers; do
        wait "$pid" || return 1
    done
    cp "$IMAGE" "$EXPECTED"
    for i in 1 2 3 4 5 6 7 8 9 10; do
        copy_is_a_mixture "$WORK/copy.$i" || return 1
    done
}

# O_TRUNC makes the kernel believe in a size of 0 until it asks.
never_short_while_written() {
    random_bytes "$SIZE" >"$IMAGE"
    cp "$IMAGE" "$BIN" &
    writer=$!
    rounds=0
    while running "$writer"; do
        equal "$SIZE" "$(dd if="$BIN" bs=10000 status=none | wc -c)" && equal "$SIZE" "$(stat -c %s "$BIN")" || return 1
        rounds=$((rounds + 1))
    done
    wait "$writer" || return 1
    say "$rounds rounds"
    cp "$IMAGE" "$EXPECTED"
    [ "$rounds" -ge 2 ] && as_expected
}

test_folder() {
    mark_counters
    for what in rm "ln -sf $IMAGE" "mv -f $IMAGE" 'cp --remove-destination /dev/null'; do
        # Unquoted on purpose: a command with its arguments.
        # shellcheck disable=SC2086
        check "${what%% *} of flash.bin: refused" refused 'Operation not permitted|cannot' \
            $what "$BIN"
    done
    check 'mv away: refused' refused 'Operation not permitted' mv "$BIN" "$MNT/old.bin"
    check 'mkdir: refused' refused 'Operation not permitted' mkdir "$MNT/folder"
    check 'touch of a new file: refused' refused 'Operation not permitted' touch "$MNT/new"
    check 'cp to a new file: refused' refused 'Operation not permitted' cp "$IMAGE" "$MNT/new"
    check 'ln: refused' refused 'Operation not permitted' ln "$BIN" "$MNT/link"
    check 'mkfifo: refused' refused 'Operation not permitted' mkfifo "$MNT/fifo"
    check 'sed -i: refused' refused 'Operation not permitted' sed -i s/a/b/ "$BIN"
    check 'writing info.txt: refused' refused 'Permission denied' \
        dd if="$IMAGE" of="$MNT/info.txt" conv=notrunc status=none
    check 'chmod, chown, touch: fine' touch_up
    check 'none of it reached the board' untouched
    check 'ls shows the files' equal './erase ./flash.bin ./flash.md5 ./info.txt ./map.txt ./status.txt' \
        "$(cd "$MNT" && echo ./*)"
    check 'df shows the flash' equal "$SIZE 0" "$(df -B1 --output=size,avail "$MNT" | tail -n 1 |
        xargs)"
}

touch_up() {
    chmod 600 "$BIN" && chown "$(id -u):$(id -g)" "$BIN" && touch "$BIN" &&
        touch -d 2001-01-01 "$BIN"
}

test_map() {
    command -v python3 >/dev/null || {
        skip 'mapped reads and writes' 'python3 is not installed'
        return
    }
    check 'a mapped read' map_reads read
    mark_counters
    check 'a private mapping, written to' map_reads read-private
    check '... which is not written to the board' untouched
    check '... and shows what is there, once more' map_reads read
    check 'a mapped write' map_writes write 100000
    check 'a mapped write, its descriptor closed first' map_writes close-first 50000
}

new_board "$SIZE" --chip esp8266 --flash-timing real
# shellcheck disable=SC2016 # the commands' own $1
{
    reads_right 'xxd -s' 'command -v xxd >/dev/null || exit 0; xxd -s 100001 -l 5000 "$1"'
    reads_right 'tail -c' 'tail -c 5001 "$1"'
    reads_right 'head -c' 'head -c 5001 "$1"'
    reads_right 'dd skip' 'dd if="$1" bs=1000 skip=37 count=5 status=none'
    reads_right 'md5sum' 'md5sum <"$1"'
}
check 'mounts' mount_board
check 'cmp' cmp_tells
check 'split' parts_join
test_map
check 'mounts again' remount_board
check 'ten readers at once and a writer' ten_readers_and_a_writer
check 'the image is there afterwards' as_expected
check 'cat and stat are never short while cp writes' never_short_while_written
test_folder
check 'unmounts' unmount_board
