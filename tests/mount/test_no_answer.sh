#!/bin/sh
# Ports on which no boot loader answers, or that somebody else holds: a clear message and status
# within the deadline, and nothing left behind.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

tools=$(dirname "$0")/tools
TTY=$WORK/tty

# no_board MESSAGE argument...: on $PORT
no_board() {
    message=$1
    shift
    fails_to_start 1 "$message" "$@" "$PORT" "$MNT"
}

# peer MODE MESSAGE: a serial server of tools/peer.py instead of a board.
peer() {
    : >"$BOARD_OUT"
    python3 "$tools/peer.py" "$1" >"$BOARD_OUT" &
    BOARD_PID=$!
    wait_until 10 grep -q '^listening on ' "$BOARD_OUT" || return 1
    PORT=socket://$(sed -n 's/^listening on //p' "$BOARD_OUT")
    no_board "$2" || return 1
    stop_board
}

test_peers() {
    command -v python3 >/dev/null || {
        skip 'ports that babble, echo, close or are silent' 'python3 is not installed'
        return
    }
    check 'a port that babbles noise' peer noise 'something sends data there'
    check 'a port that echoes' peer echo 'something sends data there|no answer'
    check 'a port that closes at once' peer close 'closed from the other side'
    check 'a port that closes soon' peer late-close 'closed from the other side'
    check 'a silent port' peer silent 'no answer: check power and wiring'
}

# board MESSAGE OPTION...
board() {
    message=$1
    shift
    start_board --size 256K "$@" && no_board "$message" && stop_board
}

test_boards() {
    firmware='runs its firmware and was not reset into its boot loader'
    check 'firmware, on a socket' board "$firmware" --chip esp32 --boot firmware
    BOARD_LISTEN=pty:$TTY
    check 'firmware, on a pty' board "$firmware" --chip esp8266 --boot firmware
    check 'noise, on a pty' board 'something sends data there' --chip esp32 --boot firmware \
        --fault random-flip:out:1000000
    check 'a board that is silent, on a pty' board 'no answer' --chip esp32 --fault silence:out:0
    check 'a board that goes silent' board 'stub did not start|timed out|no answer' \
        --chip esp32 --fault silence:out:400
    unset BOARD_LISTEN
}

lock_is_held() {
    fails flock -n "$TTY" true
}

# Its name in the message is tail's, which has the lock from the shell it was.
held_by_a_lock() {
    (
        exec 9<>"$TTY"
        flock 9
        exec tail -f /dev/null
    ) &
    holder=$!
    held=true
    wait_until 10 lock_is_held && no_board "$TTY is held by tail \(process $holder\): close it" ||
        held=false
    kill "$holder"
    wait "$holder" || :
    $held
}

# A second driver on the port and a mount point of its own; the first one goes on.
held_by_a_driver() {
    mkdir "$WORK/second"
    mount_board || return 1
    first=$MNT
    MNT=$WORK/second
    no_board "$TTY is held by espflashfs \(process $DRIVER_PID\)" || return 1
    MNT=$first
    same_bytes "$FLASH" "$MNT/flash.bin" && unmount_board
}

has_it_open() {
    [ "$(readlink "/proc/$1/fd/3")" = "$2" ]
}

stopped() {
    grep -q '^State:[[:space:]]*T' "/proc/$1/status"
}

# Whoever looks for the holder meets every open file of the system: those on a file system whose
# driver does not answer, too. Here it is a stopped espflashfs. The reader ends by itself: of one that
# is killed, libfuse may keep an INTERRUPT, which it never frees.
beside_a_dead_file_system() {
    BOARD_LISTEN=pty:$WORK/other FLASH=$WORK/other.bin
    held_board=$BOARD_PID
    new_board 256K --chip esp32 && mount_board || return 1
    mkfifo "$WORK/fifo"
    cat "$WORK/fifo" 3<"$MNT/flash.bin" &
    reader=$!
    exec 4>"$WORK/fifo"
    wait_until 10 has_it_open "$reader" "$MNT/flash.bin" || return 1
    kill -STOP "$DRIVER_PID"
    wait_until 10 stopped "$DRIVER_PID"
    first=$MNT
    MNT=$WORK/third
    mkdir "$MNT"
    PORT=$TTY
    told=true
    held_by_a_lock || told=false
    kill -CONT "$DRIVER_PID"
    exec 4>&-
    wait "$reader"
    MNT=$first
    unmount_board || told=false
    stop_board
    BOARD_PID=$held_board
    $told
}

test_held() {
    BOARD_LISTEN=pty:$TTY
    new_board 256K --chip esp32
    check 'a port held by another program' held_by_a_lock
    check 'a port held by another espflashfs' held_by_a_driver
    check 'a port held by another program, beside a file system that hangs' beside_a_dead_file_system
    stop_board
    unset BOARD_LISTEN
}

test_held
test_boards
test_peers
