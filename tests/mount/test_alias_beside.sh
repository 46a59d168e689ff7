#!/bin/sh
# Who writes through a partition, or erases, beside a slow reader of flash.bin: the kernel has pages of
# that file locked for seconds, for which nobody else is to wait, nor an unmount.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BOARD_LISTEN=pty:$WORK/tty
BIN=$MNT/flash.bin
tools=$(dirname "$0")/tools

# in_time COMMAND...: a reader goes on for 45 s (512 KiB at 115200 baud), and is not waited for.
in_time() {
    timeout $((20 * EF_SLOW)) "$@"
}

writes() {
    random_bytes 4096 >"$WORK/new"
    expect_patch "$WORK/new" 8192
    in_time dd if="$WORK/new" of="$MNT/partitions/bootloader.bin" seek=4096 oflag=seek_bytes \
        conv=notrunc status=none && as_it_is "$WORK/new" 8192
}

# as_it_is FILE OFFSET: the board has it.
as_it_is() {
    cmp -n "$(stat -c %s "$1")" "$1" "$FLASH" 0 "$2"
}

erases() {
    tr '\000' '\377' </dev/zero | head -c 4096 >"$WORK/blank"
    expect_patch "$WORK/blank" 16384
    in_time sh -c "echo 0x4000 4k >'$MNT/erase'" && as_it_is "$WORK/blank" 16384
}

reads_on() {
    running "$reader"
}

# By a signal, beside both: the reader fails, nothing stays.
ends() {
    in_time sh -c "echo 0x5000 4k >'$MNT/erase'" 2>/dev/null &
    eraser=$!
    kill "$DRIVER_PID"
    wait_driver
    wait "$eraser" || :
    fails wait "$reader" && equal 0 "$DRIVER_STATUS" && no_reports && ! mounted "$MNT"
}

new_board 512K --chip esp32 --line-rate real
check 'mounts' mount_board -o baud=115200,cache=none
check 'a read beside one that is stuck' python3 "$tools/stuck.py" "$MNT" "$BOARD_PID"
cat "$BIN" >/dev/null 2>&1 &
reader=$!
check 'the reader reads' wait_until 10 reads_on
check 'a write through a partition' writes
check 'an erase' erases
check 'the reader goes on' reads_on
check 'a signal ends the mount' ends
stop_board
