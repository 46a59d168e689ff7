#!/bin/sh
# Boards and serial servers that mean no good: whatever they send, and whatever they do not take,
# the driver ends, or the reader is told, within the deadlines; nothing of it reaches a terminal or
# a log raw, and no memory is piled up.
# timeout: 600
# shellcheck disable=SC2030,SC2031  # what `apart` changes is its own
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

HOSTILE_OUT=$WORK/hostile.out
# One that speaks like a boot loader, and lies about all, is asked most.
PROBE_S=40
READ_S=60
# What a hostile one may make the driver hold: more than its buffers, less than what was sent.
GROWN_KB=32768

# start_hostile MODE [PORT]: sets SERVER_PID and HOSTILE, its address.
start_hostile() {
    : >"$HOSTILE_OUT"
    "$EF_BUILD/hostile" "$@" >"$HOSTILE_OUT" &
    SERVER_PID=$!
    wait_until 10 grep -q '^listening on ' "$HOSTILE_OUT" || return 1
    HOSTILE=$(sed -n 's/^listening on //p' "$HOSTILE_OUT")
}

stop_hostile() {
    kill "$SERVER_PID"
    end_process "$SERVER_PID" 10 2>/dev/null || :
    SERVER_PID=
}

# is_clean FILE: no byte that a terminal would act upon, and no line that is not the driver's.
is_clean() {
    fails env LC_ALL=C grep -n '[^ -~]' "$1" && fails grep -v '^espflashfs: ' "$1" &&
        fails grep '^espflashfs: mounted on /forged' "$1"
}

now_ms() {
    awk '{ print int($1 * 1000) }' /proc/uptime
}

# probe KIND MODE MESSAGE: as a board that is looked for.
probe() {
    start_hostile "$2" || return 1
    began=$(now_ms)
    status=0
    timeout $((PROBE_S * EF_SLOW)) "$EF_BUILD/espflashfs" --probe "$1://$HOSTILE" \
        >"$WORK/said" 2>&1 </dev/null || status=$?
    say "$1, $2: status $status after $(($(now_ms) - began)) ms"
    stop_hostile
    cat "$WORK/said" >>"$DRIVER_LOG"
    equal 1 "$status" && is_clean "$WORK/said" && no_reports && grep -q -E "$3" "$WORK/said"
}

# apart NAME command...: beside others, in a folder and on a mount point of its own; `together` has
# the results.
apart() {
    apart_name=$1
    shift
    (
        WORK=$WORK/apart.$apart_name
        mkdir "$WORK" "$WORK/board"
        FLASH=$WORK/flash.bin
        MNT=$WORK/board
        EXPECTED=$WORK/expected
        HOSTILE_OUT=$WORK/hostile.out
        BOARD_OUT=$WORK/board.out
        BOARD_LOG=$WORK/board.log
        COUNTERS=$WORK/counters
        DRIVER_LOG=$WORK/driver.log
        : >"$WORK/board.err"
        export XDG_STATE_HOME="$WORK/state" XDG_CACHE_HOME="$WORK/cache"
        "$@" >"$WORK/result" 2>&1 && : >"$WORK/passed"
    ) &
    APART="$APART $apart_name:$!"
}

together() {
    for one in $APART; do
        wait "${one#*:}" || :
        name=${one%:*}
        check "$name" shown_to_pass "$WORK/apart.$name"
    done
    APART=
}

shown_to_pass() {
    cat "$1/result"
    [ -e "$1/passed" ] && return
    show_log "$1/driver.log"
    return 1
}

NOISY='something sends data there|runs its firmware and was not reset'
NOT_RFC2217='but not RFC 2217|did not acknowledge|does not agree'

# Those who send little wait together.
test_quiet_probes() {
    for mode in silent deaf; do
        apart "socket-$mode" probe socket "$mode" 'no answer: check power and wiring'
    done
    for mode in too-long too-short trickle slow-frame; do
        apart "socket-$mode" probe socket "$mode" "$NOISY"
    done
    apart socket-yes probe socket yes 'unknown chip: register .* holds 0x0'
    apart socket-escapes probe socket escapes \
        'it says: \\x1b\[31mthe end .*\\x1b\[2J\\xff\\x9b'
    for mode in silent deaf yes; do
        apart "rfc2217-$mode" probe rfc2217 "$mode" "$NOT_RFC2217"
    done
    together
}

test_probes() {
    for mode in noise deaf-noise bad-escapes unrelated endless-frame long-frames negotiate; do
        check "socket, $mode" probe socket "$mode" "$NOISY"
    done
    check 'socket, syncs' probe socket syncs 'does not tell which chip it is'
    for mode in noise negotiate endless-subnegotiation; do
        check "rfc2217, $mode" probe rfc2217 "$mode" "$NOT_RFC2217"
    done
}

resident_kb() {
    sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$DRIVER_PID/status"
}

# A sanitizer keeps what was freed.
memory_is_bounded() {
    grown=$(($(resident_kb) - $1))
    say "grown by $grown kB"
    [ "$grown" -lt "$GROWN_KB" ] || grep -q -E 'libasan|libtsan' "/proc/$DRIVER_PID/maps"
}

# reader_is_told: within the deadline, and the mount goes on.
reader_is_told() {
    began=$(now_ms)
    status=0
    LC_ALL=C timeout $((READ_S * EF_SLOW)) dd if="$MNT/flash.bin" of="$WORK/got" bs=64k skip=2 \
        count=1 status=none 2>"$WORK/said" || status=$?
    say "status $status after $(($(now_ms) - began)) ms: $(cat "$WORK/said")"
    [ "$status" = 1 ] && grep -q -E 'Input/output error|No such device' "$WORK/said" &&
        equal 0 "$(stat -c %s "$WORK/got")" && grep -q ^Chip: "$MNT/info.txt"
}

# turns MODE: a board that was mounted does that from now on. What was read before stays right.
turns() {
    new_board 1M --chip esp32 && start_hostile "$1" "${PORT##*:}" || return 1
    PORT=socket://$HOSTILE
    : >"$DRIVER_LOG"
    # shellcheck disable=SC2086
    mount_board $NO_RECONNECT && same_bytes "$EXPECTED" "$MNT/flash.bin" 65536 || return 1
    before=$(resident_kb)
    kill -USR1 "$SERVER_PID"
    told=true
    reader_is_told && memory_is_bounded "$before" &&
        same_bytes "$EXPECTED" "$MNT/flash.bin" 65536 || told=false
    fusermount3 -u "$MNT" || return 1
    wait_driver
    stop_hostile
    stop_board
    $told && equal 0 "$DRIVER_STATUS" && no_reports && is_clean "$DRIVER_LOG"
}

# Nobody waits for another board, or the same one, to come.
NO_RECONNECT=
if "$EF_BUILD/espflashfs" --help | grep -q reconnect=; then
    NO_RECONNECT='-o reconnect=0'
fi
APART=

test_turns() {
    for mode in silent deaf slow-frame yes too-long escapes; do
        apart "turns-$mode" turns "$mode"
    done
    together
    for mode in noise endless-frame long-frames packets unrelated; do
        check "turns: $mode" turns "$mode"
    done
}

: >"$WORK/board.err"
test_quiet_probes
test_probes
test_turns
