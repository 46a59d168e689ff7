#!/bin/sh
# Signals to the driver and to those who use the mount: it goes away, dirty data is written or
# reported, and the exit status tells.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
# A shell's background jobs ignore SIGINT, and a driver that is told to ignore it does.
EF_WRAP='env --default-signal=INT'

# gone STATUS: the driver ends with it, the mount is away, no report was left.
gone() {
    wait_driver
    equal "$1" "$DRIVER_STATUS" && fails mounted "$MNT" && nobody_is_left && no_reports
}

# ended_by SIGNAL STATUS
ended_by() {
    kill "-$1" "$DRIVER_PID" && gone "$2"
}

# start_reader: a copy that the line is too slow to finish here; sets READER.
start_reader() {
    mark_counters || return 1
    cp "$BIN" "$WORK/copy" 2>"$WORK/copy.err" &
    READER=$!
    wait_until 10 reading_has_begun
}

reading_has_begun() {
    [ "$(counter_since_mark 'op 0xd2')" -gt 0 ]
}

# The reader is told, and soon: the whole flash would take 90 s.
ended_by_while_reading() {
    start_reader || return 1
    kill "-$1" "$DRIVER_PID" || return 1
    expect_status 1 end_process "$READER" 20 && grep -q 'cp: error reading' "$WORK/copy.err" &&
        gone 0
}

# A part of a sector, which is not written behind, by a cat that waits for more: nothing but the end
# of the mount asks for it to be written.
leave_dirty() {
    random_bytes 3000 >"$WORK/dirty"
    expect_patch "$WORK/dirty"
    rm -f "$WORK/fifo"
    mkfifo "$WORK/fifo"
    cat "$WORK/fifo" 1<>"$BIN" 2>/dev/null &
    WRITER=$!
    exec 4>"$WORK/fifo"
    cat "$WORK/dirty" >&4
    wait_until 10 cmp -s -n 3000 "$WORK/dirty" "$BIN" && fails cmp -s "$EXPECTED" "$FLASH"
}

writer_ends() {
    exec 4>&-
    end_process "$WRITER" 10 || :
}

# The board holds the data when the driver has ended.
written_by_the_end() {
    leave_dirty || return 1
    ended_by "$1" 0 || return 1
    writer_ends
    same_bytes "$EXPECTED" "$FLASH"
}

# The board has left: the data cannot be written, and the exit status says so.
reported_by_the_end() {
    leave_dirty || return 1
    stop_board
    ended_by TERM 3 || return 1
    writer_ends
    log_says 'unmounted with unwritten data'
}

umount_after_writing() {
    random_bytes 100000 >"$WORK/image"
    cp "$WORK/image" "$BIN" && expect_patch "$WORK/image" && unmount_board &&
        same_bytes "$EXPECTED" "$FLASH"
}

umount_busy() {
    exec 3<"$BIN"
    refused 'busy' fusermount3 -u "$MNT" || return 1
    exec 3<&-
    mounted "$MNT" && unmount_board
}

# Not by this shell, which cannot give its background jobs a Ctrl-C.
interrupted_reader_leaves() {
    start_reader || return 1
    kill -TERM "$READER"
    expect_status 143 end_process "$READER" 10 && running "$DRIVER_PID" &&
        equal 1 "$(grep -c ^Chip: "$MNT/info.txt")"
}

# timeout gives cp a SIGINT after a second, in a group of its own.
ctrl_c_leaves() {
    expect_status 124 env --default-signal=INT timeout --signal=INT --kill-after=20 1 \
        cp "$BIN" "$WORK/copy"
}

# After a reader was interrupted the line is in step: the next sectors are right.
next_reader_is_right() {
    dd if="$BIN" bs=4096 skip=60 count=2 status=none >"$WORK/part" &&
        tail -c +245761 "$EXPECTED" | head -c 8192 | cmp - "$WORK/part"
}

# Killed without a chance to unmount, it leaves a dead mount point; the next start tells what to do.
killed() {
    kill -KILL "$DRIVER_PID"
    wait_driver
    refused 'a driver died there: run fusermount3 -u' "$EF_BUILD/espflashfs" "$PORT" "$MNT" &&
        fusermount3 -u "$MNT" && nobody_is_left
}

test_idle() {
    for signal in TERM INT HUP; do
        check "idle: mounts for SIG$signal" mount_board
        check "idle: SIG$signal" ended_by "$signal" 0
    done
    check 'idle: mounts' mount_board
    check 'idle: fusermount3 -u' unmount_board
    check 'idle: mounts again' mount_board
    check 'a busy mount is not unmounted, and works' umount_busy
}

test_dirty() {
    for signal in TERM INT HUP; do
        check "dirty: mounts for SIG$signal" mount_board
        check "dirty: SIG$signal: the data is on the board at the end" written_by_the_end "$signal"
    done
    check 'written: mounts' mount_board
    check 'written: fusermount3 -u: the data is on the board at the end' umount_after_writing
    check 'killed: mounts' mount_board
    check 'killed: the next start tells what to do' killed
    check 'board gone: mounts' mount_board
    check 'board gone: SIGTERM: unwritten data is reported' reported_by_the_end
}

test_reading() {
    for signal in TERM INT HUP; do
        check "reading: mounts for SIG$signal" mount_board
        check "reading: SIG$signal: the reader is told, the mount gone" \
            ended_by_while_reading "$signal"
    done
    check 'interrupted: mounts' mount_board
    check 'interrupted: a reader leaves at once' interrupted_reader_leaves
    check 'interrupted: a reader leaves at Ctrl-C' ctrl_c_leaves
    check 'interrupted: the next reader gets the right bytes' next_reader_is_right
    check 'interrupted: unmounts' unmount_board
}

new_board 256K --chip esp32
test_idle
test_dirty
new_board 256K --chip esp8266 --line-rate real
test_reading
check 'reading left the board alone' same_bytes "$EXPECTED" "$FLASH"
