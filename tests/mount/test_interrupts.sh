#!/bin/sh
# Whoever waits for the line leaves by a signal although the line does not move: the board is
# stopped, and goes on only when they have left. Then it is seen that the line is in step, and
# that no sector was left between erase and program.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
# The driver asks every 100 ms who still waits. With the board stopped, its own deadlines end a
# wait after 5 s and more, by an error and no signal.
LEAVE_S=4

now_ms() {
    awk '{ print int($1 * 1000) }' /proc/uptime
}

# stuck: the waiter was in the same call when it was last looked at.
stuck() {
    stuck_now=$(cat "/proc/$WAITER/syscall" 2>/dev/null) || return 1
    case $stuck_now in
    '' | running) return 1 ;;
    esac
    [ "$stuck_now" = "$stuck_before" ] && return
    stuck_before=$stuck_now
    return 1
}

# start_job command...: in the background; sets WAITER. A shell has such jobs ignore SIGINT, which no
# terminal does: true when that is over.
start_job() {
    waiter_command=$*
    stuck_before=
    env --default-signal=INT "$@" >"$WORK/waiter.out" 2>"$WORK/waiter.err" &
    WAITER=$!
    wait_until 10 takes_ctrl_c
}

takes_ctrl_c() {
    ignored=$(sed -n 's/^SigIgn:[[:space:]]*//p' "/proc/$WAITER/status" 2>/dev/null)
    [ $((0x0$ignored & 2)) = 0 ]
}

# start_waiter command...: it waits for a board that is stopped.
start_waiter() {
    kill -STOP "$BOARD_PID"
    start_job "$@" && wait_until 10 stuck && return
    say "does not wait: $*: $(cat "$WORK/waiter.err")"
    kill -CONT "$BOARD_PID"
    return 1
}

# leaves SIGNAL STATUS: the waiter ends with it while the board stands still.
leaves() {
    left_at=$(now_ms)
    kill "-$1" "$WAITER"
    left_status=0
    end_process "$WAITER" "$LEAVE_S" || left_status=$?
    say "SIG$1: $waiter_command: gone after $(($(now_ms) - left_at)) ms"
    equal "$2" "$left_status"
}

# All that was written is on the board, which takes what a waiter left behind.
settle() {
    kill -CONT "$BOARD_PID"
    sync "$BIN"
}

# left_by SIGNAL STATUS command...
left_by() {
    left_signal=$1
    left_wanted=$2
    shift 2
    start_waiter "$@" || return 1
    left=true
    leaves "$left_signal" "$left_wanted" || left=false
    settle && $left
}

# fresh_range: nobody has read it yet, and no read-ahead gets there; sets SKIP, in blocks of 4 KiB.
fresh_range() {
    SKIP=$((${SKIP:-0} + 256))
}

test_readers() {
    for signal in 'INT 130' 'TERM 143' 'KILL 137'; do
        # Unquoted on purpose: a signal and a status.
        # shellcheck disable=SC2086
        {
            fresh_range
            check "SIG${signal% *} ends a read" left_by $signal \
                tail -c "+$((SKIP * 4096 + 1))" "$BIN"
            # dd has a handler for SIGINT, and hears it when its call returns.
            fresh_range
            check "SIG${signal% *} ends a read of one page" left_by $signal \
                dd if="$BIN" bs=4k count=1 skip="$SKIP" status=none
            fresh_range
            check "SIG${signal% *} ends a read of many pages" left_by $signal \
                dd if="$BIN" bs=64k count=1 skip="$((SKIP / 16))" status=none
        }
    done
}

test_writers() {
    random_bytes 1M >"$WORK/image"
    random_bytes 3000 >"$WORK/part"
    head -c 1M /dev/zero >"$WORK/zeros"
    for signal in 'INT 130' 'TERM 143' 'KILL 137'; do
        # shellcheck disable=SC2086
        {
            check "SIG${signal% *} ends a write that waits for room" left_by $signal \
                dd if="$WORK/image" of="$BIN" bs=64k conv=notrunc status=none
            random_bytes 1M >"$WORK/image"
            check "SIG${signal% *} ends a copy that waits for room" left_by $signal \
                cp "$WORK/image" "$BIN"
            random_bytes 1M >"$WORK/image"
            check "SIG${signal% *} ends a truncation that waits for room" left_by $signal \
                cp --sparse=always "$WORK/zeros" "$BIN"
            check "SIG${signal% *} ends a close" left_by $signal \
                cp "$WORK/part" "$BIN"
            random_bytes 3000 >"$WORK/part"
        }
    done
}

test_fsync() {
    for signal in 'INT 130' 'TERM 143' 'KILL 137'; do
        check "something to write, for SIG${signal% *}" leave_dirty
        # shellcheck disable=SC2086
        check "SIG${signal% *} ends an fsync" left_by $signal sync "$BIN"
        check 'the next fsync has it on the board' cmp -n 3000 "$WORK/dirty" "$FLASH"
        writer_ends
        random_bytes 9000 >"$WORK/part"
        # shellcheck disable=SC2086
        check "SIG${signal% *} ends dd's fsync, and its close" left_by $signal \
            dd if="$WORK/part" of="$BIN" bs=9000 conv=notrunc,fsync status=none
        check 'what it left is on the board' cmp -n 9000 "$WORK/part" "$FLASH"
    done
}

# In a random image no sector is blank, so that there is something to erase.
test_erase() {
    block=0
    for signal in 'INT 130' 'TERM 143' 'KILL 137'; do
        block=$((block + 1))
        # shellcheck disable=SC2086
        check "SIG${signal% *} ends a wait for an erase" left_by $signal \
            sh -c "echo $((block * 65536)) 64k >'$MNT/erase'"
    done
}

is_told() {
    grep -q '^S[hi][dg]Pnd:[[:space:]]*0*2$' "/proc/$WAITER/status"
}

# dd has a handler for the first SIGINT. Its close is a promise, which is kept; the second one kills.
close_is_kept() {
    random_bytes 5000 >"$WORK/part"
    start_waiter dd if="$WORK/part" of="$BIN" bs=5000 conv=notrunc status=none || return 1
    kill -INT "$WAITER"
    kept=true
    wait_until 10 is_told && running "$WAITER" && fails cmp -s -n 5000 "$WORK/part" "$FLASH" ||
        kept=false
    settle && $kept || return 1
    end_process "$WAITER" 20 || :
    cmp -n 5000 "$WORK/part" "$FLASH"
}

# Beside a reader who waits, nothing that needs no line waits.
open_at_once() {
    fresh_range
    start_waiter dd if="$BIN" bs=4k count=1 skip="$SKIP" status=none || return 1
    at_once=true
    # shellcheck disable=SC2016
    timeout "$LEAVE_S" sh -c 'ls -l "$1" && cat "$1/info.txt" "$1/erase" && : <"$1/flash.bin" &&
        : >>"$1/flash.bin" && : >"$1/flash.bin" && truncate -s 100 "$1/flash.bin" &&
        df "$1"' - "$MNT" >/dev/null || at_once=false
    leaves KILL 137 || at_once=false
    settle
    $at_once
}

# The first sector of what nobody has read yet is what the chip has.
line_is_in_step() {
    fresh_range
    dd if="$BIN" bs=4k skip="$SKIP" count=2 status=none >"$WORK/got" &&
        dd if="$FLASH" bs=4k skip="$SKIP" count=2 status=none | cmp - "$WORK/got"
}

# retries: how often the driver had to try again so far.
retries() {
    grep -c -E 'attempt [0-9]+ of' "$DRIVER_LOG" || :
}

# Readers and writers who leave in the middle of a transfer: none of it is tried again.
left_in_transfers() {
    BOARD_LISTEN=rfc2217:0
    new_board 2M --chip esp32 --line-rate real --flash-timing real && mount_board -o baud=921600 ||
        return 1
    retries_before=$(retries)
    SKIP=0
    for round in 1 2 3; do
        random_bytes 1M >"$WORK/image.$round"
        left_in_transfer tail -c "+$((1000000 + round * 300000))" "$BIN" &&
            left_in_transfer cp "$WORK/image.$round" "$BIN" || return 1
    done
    equal "$retries_before" "$(retries)" && unmount_board && no_sector_is_torn
}

left_in_transfer() {
    start_job "$@" && wait_until 20 stuck && kill -INT "$WAITER" &&
        expect_status 130 end_process "$WAITER" 20 && shown_is_right
}

# Whatever was written so far: what the mount shows of a sector is what the board will hold.
shown_is_right() {
    SKIP=$((SKIP + 16))
    dd if="$BIN" bs=4k skip="$SKIP" count=1 status=none >"$WORK/got" && sync "$BIN" &&
        dd if="$FLASH" bs=4k skip="$SKIP" count=1 status=none | cmp - "$WORK/got"
}

# sectors FILE: the digest of each of its first 256.
sectors() {
    for n in $(seq 0 255); do
        dd if="$1" bs=4096 skip="$n" count=1 status=none | md5sum
    done
}

# Each of the board's sectors is the old one, or a new one.
no_sector_is_torn() {
    for file in "$EXPECTED" "$WORK"/image.[123] "$FLASH"; do
        sectors "$file" >"$file.sectors" || return 1
    done
    torn=$(paste "$FLASH.sectors" "$EXPECTED.sectors" "$WORK"/image.[123].sectors |
        awk '$1 != $3 && $1 != $5 && $1 != $7 && $1 != $9 { n++ } END { print n + 0 }')
    new=$(paste "$FLASH.sectors" "$EXPECTED.sectors" | awk '$1 != $3 { n++ } END { print n + 0 }')
    say "$new sectors are new, $torn are torn"
    [ "$new" -gt 0 ] && equal 0 "$torn"
}

new_board 16M --chip esp32
check 'mounts' mount_board
test_readers
check 'the line is in step' line_is_in_step
test_writers
test_fsync
test_erase
check 'a close that a program waits for is kept' close_is_kept
check 'what needs no line does not wait' open_at_once
check 'the line is in step after all of them' line_is_in_step
check 'the board holds what the mount shows' same_bytes "$FLASH" "$BIN"
check 'unmounts' unmount_board
stop_board
check 'left in the middle of transfers: nothing is tried again, no sector is torn' left_in_transfers
