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
    rm -rf "$XDG_STATE_HOME" "$XDG_CACHE_HOME"
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

# The server is killed, and is there again on the same port with what the board holds.
board_dies() {
    kill -KILL "$BOARD_PID"
    end_process "$BOARD_PID" 10 2>/dev/null || :
    BOARD_PID=
}

# board_is_back OPTION...
board_is_back() {
    case $PORT in
    *://*) BOARD_LISTEN=${PORT%%:*}:${PORT##*:} ;;
    *) BOARD_LISTEN=pty:$PORT ;;
    esac
    # shellcheck disable=SC2086
    start_board $CHIP "$@"
}

status_says() {
    grep -q -E "$1" "$MNT/status.txt"
}

# answers_at_once command...
answers_at_once() {
    timeout $((1 * EF_SLOW)) "$@" >/dev/null
}

all_answer_at_once() {
    answers_at_once ls -l "$MNT" && answers_at_once cat "$MNT/info.txt" &&
        answers_at_once cat "$MNT/status.txt"
}

# away_while_copying: a copy is under way, and the board is not there.
away_while_copying() {
    start --fault hang-up:out:900000 || return 1
    board_dies
    cp "$BIN" "$WORK/copy" &
    COPY=$!
    wait_until 10 status_says '^State: waiting for the board to come back, [0-9]+ s left'
}

copied() {
    end_process "$COPY" 30 && same_bytes "$EXPECTED" "$WORK/copy"
}

server_dies_and_returns() {
    away_while_copying && all_answer_at_once && board_is_back && copied &&
        status_says '^State: idle' && status_says '^Reconnections: 1' && end
}

# Reads nothing of it, and says so; then the right one comes.
another_board() {
    away_while_copying && mv "$FLASH" "$WORK/right" && random_bytes 1M >"$FLASH" || return 1
    cp "$FLASH" "$WORK/other"
    board_is_back --mac 24:6f:28:01:02:03 &&
        wait_until 20 log_says 'another board answers, MAC 24:6f:28:01:02:03' 2>/dev/null &&
        wait_until 10 status_says '^State: waiting.*; another board answers' &&
        equal 0 "$(counter reads)" && same_bytes "$WORK/other" "$FLASH" || return 1
    board_dies
    mv "$WORK/right" "$FLASH"
    board_is_back && copied && end
}

# The mount ends, and nothing is lost: nobody waits for the board.
ended_while_away() {
    away_while_copying || return 1
    kill -TERM "$DRIVER_PID"
    wait_until 5 ended "$DRIVER_PID" || return 1
    wait_driver
    expect_status 1 end_process "$COPY" 5 && equal 0 "$DRIVER_STATUS" && no_reports
}

# Who waited is gone, and so is the reason to.
unmounted_while_away() {
    away_while_copying || return 1
    kill -TERM "$COPY"
    end_process "$COPY" 5 || :
    fusermount3 -u "$MNT" && wait_until 5 ended "$DRIVER_PID" || return 1
    wait_driver
    equal 0 "$DRIVER_STATUS" && no_reports
}

# In the middle of a chip erase that takes its 10 s.
erase_goes_on() {
    start --flash-timing real || return 1
    mark_counters
    echo all >"$MNT/erase" &
    COPY=$!
    wait_until 10 erase_has_begun && board_dies && board_is_back && end_process "$COPY" 30 || return 1
    head -c 1M /dev/zero | tr '\0' '\377' >"$EXPECTED"
    as_expected && end
}

erase_has_begun() {
    [ "$(counter_since_mark 'op 0xd0')" -gt 0 ]
}

# A brown-out: over a line that can, the board is reset into its loader again.
brown_out() {
    BOARD_LISTEN=rfc2217:0
    start --boot firmware && commands=$(counter commands) && end &&
        start --boot firmware --fault "reboot:$((commands + 4))" && copy_out &&
        board_says 'FAULT reset' && status_says '^Reconnections: 0' && end
    went=$?
    BOARD_LISTEN=socket:0
    return "$went"
}

test_kinds
check 'a server that dies and is back; all else answers' server_dies_and_returns
BOARD_LISTEN=socket:0
check 'another board comes, then the right one' another_board
BOARD_LISTEN=socket:0
check 'SIGTERM while the board is away' ended_while_away
check 'unmounted while the board is away' unmounted_while_away
check 'an erase, and the server dies' erase_goes_on
BOARD_LISTEN=socket:0
check 'a brown-out' brown_out
check 'reconnect=0: a backup fails at once' without_waiting unplug:out:300000:1000 copy_out
check 'reconnect=0: a write fails at once' write_without_waiting
