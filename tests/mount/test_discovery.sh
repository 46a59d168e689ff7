#!/bin/sh
# No port given: each candidate is tried without disturbing what is no board, the first that
# answers as Espressif is taken, and what each was sent and how long it took is told.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

require python3
DRIVER=$EF_BUILD/espflashfs
tools=$(dirname "$0")/tools
PEERS=
gps=
modem=

# start_peer NAME MODE: a serial server without a board; its port goes to the variable NAME, what
# it hears to $WORK/NAME.heard.
start_peer() {
    : >"$WORK/$1.heard"
    python3 "$tools/peer.py" "$2" "$WORK/$1.heard" >"$WORK/$1.out" &
    PEERS="$PEERS $!"
    wait_until 10 grep -q '^listening on ' "$WORK/$1.out" || return 1
    eval "$1=socket://$(sed -n 's/^listening on //p' "$WORK/$1.out")"
}

end_peers() {
    for peer in $PEERS; do
        kill "$peer" 2>/dev/null || :
    done
    for peer in $PEERS; do
        end_process "$peer" 10 2>/dev/null || :
    done
}

# Before the end of every case, as mount.sh has it.
finish_with_peers() {
    status=$?
    end_peers
    (exit "$status")
    finish
}
trap finish_with_peers EXIT

# The lines of the driver's log that tell of candidates.
port_lines() {
    grep -o 'Port .*: .*; [0-9.]* s, [0-9]* bytes sent, [0-9]* received' "$DRIVER_LOG"
}

# sent_to PORT: the bytes that the driver says it sent there.
sent_to() {
    port_lines | grep -F "Port $1: " | sed 's/.* s, \([0-9]*\) bytes sent.*/\1/'
}

heard_by() {
    wc -c <"$WORK/$1.heard" | tr -d ' '
}

# mounts CANDIDATE...: the driver finds the board among them and mounts it.
mounts() {
    : >"$DRIVER_LOG"
    ESPFLASHFS_PORTS="$*"
    export ESPFLASHFS_PORTS
    "$DRIVER" -f "$MNT" >>"$DRIVER_LOG" 2>&1 &
    DRIVER_PID=$!
    wait_until 60 driver_is_mounted_or_ended && mounted "$MNT"
}

found_the_board() {
    port_lines >&2
    equal "Port: $PORT" "$(grep ^Port: "$MNT/info.txt")" && same_bytes "$FLASH" "$MNT/flash.bin"
}

gps_was_left_alone() {
    equal 0 "$(heard_by gps)" && equal 0 "$(sent_to "$gps")" &&
        log_says "Port $gps: listened first, no reset, something else; .* 0 bytes sent, [1-9]" &&
        log_says 'left alone. It says: .GPGGA,123519'
}

# A few SYNCs: enough for a boot loader, no harm to a modem.
modem_was_asked_gently() {
    equal "$(sent_to "$modem")" "$(heard_by modem)" && [ "$(heard_by modem)" -ge 40 ] &&
        [ "$(heard_by modem)" -le 200 ] &&
        log_says "Port $modem: listened first, no reset, no answer; .* 0 received"
}

test_three_candidates() {
    start_peer gps gps
    start_peer modem silent
    new_board 256K --chip esp32
    check 'a GPS receiver, a silent modem and a board: mounts' mounts "$gps $modem $PORT"
    check 'it is the board that was mounted' found_the_board
    check 'the GPS receiver was sent nothing' gps_was_left_alone
    check 'the modem was sent what the log tells, and little' modem_was_asked_gently
    check 'it unmounts' unmount_board
    check 'the board first: nobody else is asked' the_board_first
}

the_board_first() {
    : >"$WORK/modem.heard"
    mounts "$PORT,$modem" && found_the_board && unmount_board || return 1
    equal 0 "$(heard_by modem)" && equal 1 "$(port_lines | wc -l)"
}

# probe PATTERN OPTION...: --probe, without a port, prints PATTERN.
probe() {
    probe_pattern=$1
    shift
    : >"$DRIVER_LOG"
    "$DRIVER" --probe "$@" >"$WORK/probed" 2>>"$DRIVER_LOG" && grep -q "$probe_pattern" "$WORK/probed"
}

test_probe() {
    export ESPFLASHFS_PORTS="$modem $PORT"
    check '--probe finds it, too' probe "^Port: $PORT\$"
    first=$PORT
    first_pid=$BOARD_PID
    FLASH=$WORK/second.bin
    BOARD_LISTEN=pty:$WORK/tty
    new_board 256K --chip esp8266
    ESPFLASHFS_PORTS="$first $PORT"
    check 'chip= passes over a board with another chip' probe "^Port: $PORT\$" --chip=esp8266
    check 'a port of a list that is given is not looked for' probe "^Port: $first\$" "$first"
    kill "$first_pid"
    end_process "$first_pid" 10 || :
    check 'a candidate that is gone is passed over' probe "^Port: $PORT\$"
    check 'and why is told' log_says "Port $first: .*; [0-9.]* s, 0 bytes sent, 0 received"
    ESPFLASHFS_PORTS="$modem $PORT"
    check 'a held candidate is skipped, its holder named' held_is_skipped
    check 'a named board in its firmware is reset once all were asked' reset_in_the_second_round
}

tty_is_locked() {
    fails flock -n "$PORT" true
}

held_is_skipped() {
    (
        exec 9<>"$PORT"
        flock 9
        exec tail -f /dev/null
    ) &
    holder=$!
    skipped=true
    : >"$DRIVER_LOG"
    wait_until 10 tty_is_locked && expect_status 1 "$DRIVER" --probe 2>>"$DRIVER_LOG" &&
        log_says "Port $PORT: skipped: held by tail \(process $holder\)" || skipped=false
    kill "$holder"
    wait "$holder" || :
    $skipped
}

# A board in its firmware, at a named port that can be reset: found in the second round, after
# everybody was asked gently.
reset_in_the_second_round() {
    stop_board
    FLASH=$WORK/third.bin
    unset BOARD_LISTEN
    BOARD_LISTEN=rfc2217:0 new_board 256K --chip esp32c3 --boot firmware || return 1
    ESPFLASHFS_PORTS="$PORT $modem"
    probe "^Port: $PORT\$" || return 1
    port_lines
    equal "$PORT $modem $PORT" "$(port_lines | sed 's/^Port \(.*\): [lt].*; .*/\1/' | tr '\n' ' ' |
        sed 's/ $//')" && log_says "Port $PORT: tried briefly, a board;"
}

test_none() {
    export ESPFLASHFS_PORTS="$gps $modem"
    check 'no board anywhere: a message and status 1' \
        fails_to_start 1 'no board answered on any port' "$MNT"
    check 'with what was wrong with each' log_says "$modem: no answer: check power"
}

listed() {
    ESPFLASHFS_PORTS="$gps /dev/no-such" "$DRIVER" --list >"$WORK/list" || return 1
    cat "$WORK/list"
    grep -q '^PORT  *VID:PID  *SERIAL  *DEVICE' "$WORK/list" &&
        grep -q "^$gps  *-  *-  *-  *tried gently\$" "$WORK/list" &&
        grep -q '^/dev/no-such .*no such port$' "$WORK/list"
}

# A program may call itself anything, escape sequences for the reader's terminal among it.
holder_is_listed_escaped() {
    BOARD_LISTEN=pty:$WORK/tty
    FLASH=$WORK/fourth.bin
    new_board 256K --chip esp32 || return 1
    python3 -c 'import fcntl, os, sys, time
open("/proc/self/comm", "w").write("a\033[31mb")
port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
fcntl.flock(port, fcntl.LOCK_EX)
time.sleep(600)' "$PORT" &
    PEERS="$PEERS $!"
    wait_until 10 tty_is_locked || return 1
    ESPFLASHFS_PORTS="$PORT" "$DRIVER" --list >"$WORK/list" || return 1
    stop_board
    grep -F 'skipped: held by a\x1b[31mb (process' "$WORK/list"
}

unknown_spellings() {
    unset ESPFLASHFS_PORTS
    fails_to_start 1 'hwid=FFFF:0001: no such port' hwid=FFFF:0001 "$MNT" &&
        fails_to_start 1 'no-such-serial: no such port' --port=no-such-serial "$MNT" &&
        fails_to_start 1 'hwid=VID:PID' -o port=hwid=xyz "$MNT" &&
        fails_to_start 2 'no mount point given' hwid=FFFF:0001 || return 1
    export ESPTOOL_PORT=hwid=FFFF:0002
    fails_to_start 1 'hwid=FFFF:0002: no such port' "$MNT" || return 1
    unset ESPTOOL_PORT
}

test_three_candidates
test_probe
test_none
check '--list tells what would be done with each' listed
check '--list shows what a holder calls itself with its control characters escaped' \
    holder_is_listed_escaped
check 'ports that no device has, however spelt' unknown_spellings
