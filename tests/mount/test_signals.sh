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

# Signals while the last data is written, which a board that stands still holds up, change nothing.
more_signals_while_it_writes() {
    leave_dirty || return 1
    kill -STOP "$BOARD_PID"
    kill -TERM "$DRIVER_PID"
    went=true
    wait_until 20 fails mounted "$MNT" || went=false
    for signal in TERM INT HUP; do
        kill "-$signal" "$DRIVER_PID" || went=false
    done
    running "$DRIVER_PID" || went=false
    kill -CONT "$BOARD_PID"
    $went && gone 0 && log_says 'writing what was begun before leaving: [1-9]' || return 1
    writer_ends
    same_bytes "$EXPECTED" "$FLASH"
}

# A mount that is taken away while a writer has a file open goes on for that writer.
lazy_umount() {
    leave_dirty || return 1
    "$@" "$MNT" && fails mounted "$MNT" && running "$DRIVER_PID" || return 1
    random_bytes 2000 >"$WORK/more"
    cat "$WORK/more" >&4
    expect_patch "$WORK/more" 3000
    writer_ends
    gone 0 && same_bytes "$EXPECTED" "$FLASH"
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

now_s() {
    cut -d. -f1 /proc/uptime
}

later_than() {
    [ "$(now_s)" -gt "$1" ]
}

# suspended command...: the driver stands still in the middle of it, for longer than the 3 s that it
# waits for a board's answer.
suspended() {
    mark_counters || return 1
    "$@" &
    job=$!
    wait_until 20 work_has_begun || return 1
    kill -STOP "$DRIVER_PID"
    suspended_at=$(now_s)
    wait_until 20 later_than $((suspended_at + 5)) || return 1
    running "$job" || {
        say "had come to its end before: $*"
        return 1
    }
    kill -CONT "$DRIVER_PID"
    expect_status 0 end_process "$job" 60
}

# Reads and writes together.
work_has_begun() {
    [ $(($(counter_since_mark 'op 0xd2') + $(counter_since_mark 'op 0x11'))) -gt 0 ]
}

suspended_reader() {
    suspended dd if="$BIN" of="$WORK/copy" bs=48k count=1 skip=1 iflag=fullblock status=none &&
        tail -c +49153 "$EXPECTED" | head -c 49152 | cmp - "$WORK/copy"
}

suspended_writer() {
    random_bytes 48K >"$WORK/image"
    suspended dd if="$WORK/image" of="$BIN" bs=48k seek=3 conv=notrunc status=none &&
        expect_patch "$WORK/image" 147456 && same_bytes "$EXPECTED" "$FLASH"
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
    check 'more signals: mounts' mount_board
    check 'more signals while the last data is written change nothing' more_signals_while_it_writes
    check 'lazy: mounts for umount -l' mount_board
    check 'lazy: umount -l: the data is on the board at the last close' lazy_umount umount -l
    check 'lazy: mounts for fusermount3' mount_board
    check 'lazy: fusermount3 -u -z: the same' lazy_umount fusermount3 -u -z
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
check 'suspended: mounts' mount_board
check 'suspended: a reader gets the right bytes' suspended_reader
check 'suspended: a writer gets them down' suspended_writer
check 'suspended: unmounts' unmount_board
check 'the board holds what was written' same_bytes "$EXPECTED" "$FLASH"
