#!/bin/sh
# The board is pulled while all of it is copied, and plugged in again 3 s later: cp ends well and
# every byte is right. Where nobody is to wait for it, cp fails at once. EF_UNPLUGS=N: at so many
# moments of a backup and of a restore; else a sample. EF_SEED=N repeats a run.
# timeout: 600
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/../mount/tools/common.sh"

TORN=$EF_BUILD/fault/torn
SIZE=4194304
AWAY_MS=3000
COUNT=${EF_UNPLUGS:-2}
SEED=${EF_SEED:-$(($(date +%s) % 1000000 * 1000))}
echo "# EF_SEED=$SEED"

# So that each run moves all of it.
mount_it() {
    mount_board -o cache=none "$@"
}

# image: the next one that is to be restored.
image() {
    random_bytes "$SIZE" >"$WORK/image"
}

# moments: the bytes on the line before and behind a whole copy, in the board's terms.
moments() {
    new_board "$SIZE" --chip esp32 || return 1
    mount_it && mark_counters && cp "$MNT/flash.bin" "$WORK/copy" || return 1
    out_first=$(value bytes_out "$COUNTERS.mark")
    out_count=$(counter_since_mark bytes_out)
    mark_counters
    image
    cp "$WORK/image" "$MNT/flash.bin" && same_bytes "$WORK/image" "$FLASH" || return 1
    # A restore of its own has what the mount sends before it, but not this reading.
    in_count=$(counter_since_mark bytes_in)
    unmount_board && stop_board
}

# moment FIRST COUNT N: a byte in the copy, by the seed.
moment() {
    echo $(($1 + $("$TORN" dice $((SEED + $3)) 1000000) * ($2 / 1000) / 1000))
}

# pulled DIR BYTE [MOUNT-OPTION...]: a board that will be.
pulled() {
    direction=$1
    at=$2
    shift 2
    new_board "$SIZE" --chip esp32 --fault "unplug:$direction:$at:$AWAY_MS" && mount_it "$@"
}

was_pulled() {
    grep -q '^FAULT unplug' "$BOARD_LOG" || {
        say "the board was not pulled"
        return 1
    }
}

leave() {
    unmount_board && stop_board
}

backup() {
    : >"$BOARD_LOG"
    pulled out "$1" || return 1
    cp "$MNT/flash.bin" "$WORK/copy" && was_pulled && same_bytes "$WORK/copy" "$FLASH" && leave
}

restore() {
    : >"$BOARD_LOG"
    pulled in "$1" || return 1
    image
    cp "$WORK/image" "$MNT/flash.bin" && was_pulled && same_bytes "$WORK/image" "$FLASH" && leave
}

# at_moments COMMAND FIRST COUNT
at_moments() {
    n=0
    while [ "$n" -lt "$COUNT" ]; do
        n=$((n + 1))
        at_byte=$(moment "$2" "$3" "$n")
        echo "# $1: pulled at byte $at_byte"
        "$1" "$at_byte" || return 1
    done
}

milliseconds() {
    date +%s%3N
}

# gone COMMAND...: fails with ENODEV soon after the board was pulled; the board's log has been
# written to last when that was.
gone() {
    refused 'No such device' "$@" || return 1
    now=$(milliseconds)
    pulled_at=$(stat -c %.3Y "$BOARD_LOG" | tr -d .)
    echo "# no such device: $((now - pulled_at)) ms after the board was pulled"
    was_pulled && [ $((now - pulled_at)) -lt $((2000 * EF_SLOW)) ]
}

leave_without() {
    fusermount3 -u "$MNT"
    wait_driver
    equal "$1" "$DRIVER_STATUS" && no_reports && stop_board
}

backup_at_once() {
    : >"$BOARD_LOG"
    pulled out "$(moment "$out_first" "$out_count" 100)" -o reconnect=0 &&
        gone cp "$MNT/flash.bin" "$WORK/copy" && leave_without 0
}

restore_at_once() {
    : >"$BOARD_LOG"
    image
    pulled in "$(moment "$out_first" "$in_count" 101)" -o reconnect=0 &&
        gone cp "$WORK/image" "$MNT/flash.bin" && leave_without 3
}

port_number() {
    echo "${PORT##*:}"
}

# put_there FLASH BOARD-OPTION...: a board at the port where another was.
put_there() {
    FLASH=$1
    shift
    # shellcheck disable=SC2034 # start_board's
    BOARD_LISTEN=socket:$(port_number)
    start_board --chip esp32 --size "$SIZE" "$@"
}

take_away() {
    kill -KILL "$BOARD_PID"
    end_process "$BOARD_PID" 10 2>/dev/null || :
}

# meanwhile: another board is put in the place of the one that cp is at: it is left alone, and cp
# waits; then the right one is there again.
meanwhile() {
    wait_until 30 was_pulled_yet || return 1
    take_away
    right=$FLASH
    random_bytes "$SIZE" >"$WORK/other"
    cp "$WORK/other" "$WORK/other.before"
    put_there "$WORK/other" --mac 24:0a:c4:0a:0b:0c || return 1
    wait_until 30 grep -q 'another board answers, MAC 24:0a:c4:0a:0b:0c' "$DRIVER_LOG" || return 1
    same_bytes "$WORK/other.before" "$WORK/other" && equal 0 "$(counter reads)" &&
        running "$COPY_PID" || return 1
    take_away
    put_there "$right" && end_process "$COPY_PID" 60 && same_bytes "$WORK/other.before" "$WORK/other"
}

was_pulled_yet() {
    grep -q '^FAULT unplug' "$BOARD_LOG"
}

# other_board DIR BYTE FROM TO
other_board() {
    : >"$BOARD_LOG"
    : >"$DRIVER_LOG"
    FLASH=$WORK/flash.bin
    # shellcheck disable=SC2034 # start_board's
    BOARD_LISTEN=
    AWAY_MS=60000
    pulled "$1" "$2" || return 1
    image
    cp "$3" "$4" &
    COPY_PID=$!
    meanwhile && same_bytes "$3" "$4" && unmount_board && stop_board
}

other_board_in_a_backup() {
    other_board out "$(moment "$out_first" "$out_count" 102)" "$MNT/flash.bin" "$WORK/copy" &&
        same_bytes "$WORK/copy" "$FLASH"
}

other_board_in_a_restore() {
    other_board in "$(moment 20000 "$((in_count - 20000))" 103)" "$WORK/image" "$MNT/flash.bin" &&
        same_bytes "$WORK/image" "$FLASH"
}

check 'whole copies, to count their bytes' moments
check 'backup' at_moments backup "$out_first" "$out_count"
check 'restore' at_moments restore 20000 "$((in_count - 20000))"
check 'backup, reconnect=0: no such device at once' backup_at_once
check 'restore, reconnect=0: no such device at once' restore_at_once
check 'backup: another board that is there meanwhile is refused' other_board_in_a_backup
check 'restore: another board that is there meanwhile is refused' other_board_in_a_restore
