#!/bin/sh
# What is told of work under way: status.txt, and what a writer may think it has written.
# tsan
# timeout: 400
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
IMAGE=$WORK/image
tools=$(dirname "$0")/tools

# now_is PATTERN: an extended expression for all of the line.
now_is() {
    grep -x -E "Now: $1" "$MNT/status.txt"
}

# while_it_works PATTERN command...: while the command works, status.txt comes to say so. The command is
# not waited for longer than that.
while_it_works() {
    pattern=$1
    shift
    "$@" >"$WORK/out" 2>&1 &
    worker=$!
    wait_until 60 now_is "$pattern" && said=true || said=false
    $said || cat "$MNT/status.txt"
    kill "$worker" 2>/dev/null || :
    wait "$worker" || :
    $said
}

LEFT='([0-9]+ h [0-9]{2} min|[0-9]+ min [0-9]{2} s|[0-9]+ s) left'

# status.txt has every key, once, in this order.
keys_stay() {
    equal 'State Now Dirty sectors Reconnections Slowdowns Last error' \
        "$(sed -n 's/: .*//p' "$MNT/status.txt" | grep -v '^Partitions$' | xargs)"
}

becomes_idle() {
    sync "$BIN" && wait_until 30 now_is idle
}

# Each of these takes some ten seconds or more, if it is not stopped.
BOARD_LISTEN=rfc2217:0
new_board 1M --chip esp32 --line-rate real --flash-timing real
check 'mounts' mount_board -o cache=none,baud=921600
# The sector of the partition table is read by the way, for another line of status.txt.
check 'at first: idle' wait_until 30 now_is idle
check 'the keys' keys_stay
check 'a backup' while_it_works "reading flash.bin: [0-9]+ %, [0-9.]+ KiB/s, $LEFT" \
    dd if="$BIN" of="$WORK/copy" bs=64k status=none
check 'idle again' becomes_idle
random_bytes 1M >"$IMAGE"
check 'a restore' while_it_works "writing flash.bin: [0-9]+ %, [0-9.]+ KiB/s, $LEFT" \
    dd if="$IMAGE" of="$BIN" bs=64k conv=notrunc status=none
check 'idle again' becomes_idle
check 'unmounts' unmount_board
stop_board

BOARD_LISTEN=socket:0
new_board 4M --chip esp32 --flash-timing real
check 'mounts' mount_board -o cache=none
check 'a digest' while_it_works \
    "computing the MD5 of 4194304 bytes at 0x0: about [0-9]+ %(, $LEFT)?" cat "$MNT/flash.md5"
check 'an erase' while_it_works "erasing 4194304 bytes at 0x0: about [0-9]+ %(, $LEFT)?" \
    sh "$tools/erase.sh" "$MNT/erase" all
check 'idle again' becomes_idle
check 'unmounts' unmount_board
stop_board

# What write(2) has taken, dd, pv and rsync show as done. The rate of the line makes it late.
new_board 1M --chip esp32 --flash-timing real
random_bytes 1M >"$IMAGE"
check 'mounts' mount_board -o cache=none
check 'no writer is ahead of the chip by more than 512 KiB' \
    python3 "$tools/ahead.py" "$IMAGE" "$BIN" "$FLASH" 524288
cp "$IMAGE" "$EXPECTED"
check 'all of it is there in the end' as_expected
check 'unmounts' unmount_board
