#!/bin/sh
# Decision 9: a board that goes away in the middle of work is waited for, and work goes on.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
WAITS="-o reconnect=$((20 * EF_SLOW))"

# Without a reset circuit it must be in its loader when it is plugged in.
CHIP='--chip esp32 --size 1M'

# clear_away: what a case that failed has left.
clear_away() {
    if mounted "$MNT"; then
        fusermount3 -u -z "$MNT"
    fi
    for left in $DRIVER_PID $BOARD_PID; do
        kill -KILL "$left"
        end_process "$left" 10 || :
    done
    DRIVER_PID=
    BOARD_PID=
}

# start OPTION...: a board with random contents; the mount follows.
start() {
    clear_away
    : >"$BOARD_LOG"
    : >"$DRIVER_LOG"
    random_bytes 1M >"$FLASH"
    cp "$FLASH" "$EXPECTED"
    # Unquoted on purpose: options.
    # shellcheck disable=SC2086
    start_board $CHIP "$@" && mount_board ${MOUNT_WITH-$WAITS}
}

end() {
    unmount_board && stop_board
}

board_says() {
    grep -q -E "$1" "$BOARD_LOG"
}

copy_out() {
    cp "$BIN" "$WORK/copy" && same_bytes "$EXPECTED" "$WORK/copy"
}

copy_in() {
    random_bytes 1M >"$EXPECTED"
    cp "$EXPECTED" "$BIN" && same_bytes "$EXPECTED" "$FLASH"
}

went_and_came() {
    board_says 'FAULT' && log_says 'the board is gone: waiting' && log_says 'the board is back'
}

# backup_survives FAULT: away in the middle of a copy.
backup_survives() {
    start --fault "$1" && copy_out && went_and_came && end
}

restore_survives() {
    start --fault "$1" && copy_in && went_and_came && end
}

# The rate that had been climbed to is climbed to again.
baud_is_back() {
    start --fault unplug:out:900000:500 || return 1
    baud=$(sed -n 's/^Baud: //p' "$MNT/info.txt")
    [ "$baud" -gt 115200 ] && copy_out && went_and_came && info_has "^Baud: $baud\$" && end
}

test_kinds() {
    for kind in socket rfc2217 pty; do
        BOARD_LISTEN=$kind:0
        [ "$kind" != pty ] || BOARD_LISTEN=pty:$WORK/pty
        check "$kind: a backup, and the board is pulled" backup_survives unplug:out:900000:500
        check "$kind: a restore, and the board is pulled" restore_survives unplug:in:700000:500
        check "$kind: a backup, and the line hangs up" backup_survives hang-up:out:900000
        check "$kind: a restore, and the line hangs up" restore_survives hang-up:in:700000
        [ "$kind" = socket ] || check "$kind: the baud is what it was" baud_is_back
    done
    BOARD_LISTEN=socket:0
}

# fails_at_once command...: with ENODEV.
fails_at_once() {
    began=$(date +%s%N)
    refused 'No such device' "$@" || return 1
    took=$((($(date +%s%N) - began) / 1000000))
    say "took $took ms"
    [ "$took" -lt $((1000 * EF_SLOW)) ]
}

back_again() {
    copy_out 2>/dev/null
}

without_waiting() {
    MOUNT_WITH='-o reconnect=0'
    start --fault "$1" && fails_at_once "$2" && log_says 'the board is gone: requests fail' &&
        wait_until 20 back_again && log_says 'the board is back' && end
    waited=$?
    unset MOUNT_WITH
    return "$waited"
}

# Of what could not be written, the next fsync does.
written_by_a_sync() {
    sync "$BIN" 2>/dev/null && same_bytes "$EXPECTED" "$FLASH"
}

write_without_waiting() {
    MOUNT_WITH='-o reconnect=0'
    start --fault unplug:in:20000:1000 || return 1
    random_bytes 64K >"$WORK/patch"
    expect_patch "$WORK/patch" 64K
    fails_at_once dd if="$WORK/patch" of="$BIN" bs=64k seek=1 conv=notrunc,fsync status=none &&
        log_says 'sectors wait in memory' && wait_until 20 written_by_a_sync && end
    waited=$?
    unset MOUNT_WITH
    return "$waited"
}

test_kinds
check 'reconnect=0: a backup fails at once' without_waiting unplug:out:300000:1000 copy_out
check 'reconnect=0: a write fails at once' write_without_waiting
