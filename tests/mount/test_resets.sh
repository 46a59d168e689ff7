#!/bin/sh
# Getting a board into its boot loader by hand, and being told why it did not get there.
# timeout: 300
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

# A shell's background jobs ignore SIGINT, and a driver that is told to ignore it does.
EF_WRAP='env --default-signal=INT'
TERMINAL=
TYPED=$WORK/typed
SHOWN=$WORK/shown

# on_terminal: the driver in the foreground, on a terminal of its own, to which
# descriptor 5 types. TERMINAL is the process, SHOWN what it shows.
on_terminal() {
    rm -f "$TYPED" "$SHOWN"
    mkfifo "$TYPED"
    : >"$SHOWN"
    script -q -e -f -c "$EF_WRAP $EF_BUILD/espflashfs -f $PORT $MNT" "$SHOWN" \
        <"$TYPED" >/dev/null 2>&1 &
    TERMINAL=$!
    exec 5>"$TYPED"
}

# end_terminal STATUS: it ends with that, and nothing is left.
end_terminal() {
    end_status=0
    end_process "$TERMINAL" 80 || end_status=$?
    TERMINAL=
    exec 5>&-
    cat "$SHOWN" >>"$DRIVER_LOG"
    equal "$1" "$end_status" && nobody_is_left && no_reports
}

shows() {
    grep -q -e "$1" "$SHOWN"
}

asked() {
    wait_until 30 shows 'hold BOOT (GPIO0 to GND), tap RESET (or plug it in), release BOOT'
}

mounted_and_right() {
    wait_until 30 mounted "$MNT" && as_expected
}

leave() {
    fusermount3 -u "$MNT" && end_terminal 0
}

press_buttons() {
    kill -USR2 "$BOARD_PID"
}

# Without being asked anything more, it goes on.
by_buttons() {
    on_terminal && asked && press_buttons && mounted_and_right &&
        shows "the board's boot loader answers" && leave
}

# The board is pulled, and plugged in with BOOT held.
by_plugging() {
    on_terminal && asked && stop_board && wait_until 10 shows 'has left: waiting for it' &&
        start_board --size 256K --chip esp32 --boot download && mounted_and_right && leave
}

ctrl_c_ends_it() {
    on_terminal && asked && printf '\003' >&5 && end_terminal 130
}

a_sign_of_life() {
    wait_until 10 grep -q '^\.' "$SHOWN"
}

nobody_comes() {
    on_terminal && asked && a_sign_of_life
}

gives_up() {
    end_terminal 1 && grep -q 'runs its firmware and was not reset' "$SHOWN"
}

# killed_at BAUD: the driver dies without a chance to leave the board at 115200.
killed_at() {
    mount_board -o baud="$1" && as_expected || return 1
    kill -KILL "$DRIVER_PID"
    wait_driver
    fusermount3 -u "$MNT" && equal "BAUD $1" "$(grep '^BAUD ' "$BOARD_LOG" | tail -n 1)"
}

# The stub that is there is used: none is started again.
finds_its_stub() {
    before=$(counter 'op 0x06') || return 1
    mount_board -o before=no-reset,baud="$1" && as_expected || return 1
    equal "$before" "$(counter 'op 0x06')" && unmount_board
}

test_running_stub() {
    new_board 256K --chip esp32 --boot download --line-rate real
    check 'a stub is left at 921600' killed_at 921600
    check 'no-reset, baud=921600: the stub is found' finds_its_stub 921600
    check 'a stub is left at 1500000' killed_at 1500000
    check 'no-reset, baud=460800: the stub is found at 1500000' finds_its_stub 460800
    stop_board
}

require script
BOARD_LISTEN=pty:$WORK/tty
test_running_stub
new_board 256K --chip esp32 --boot firmware --circuit none
check 'on a terminal, a person is asked, and BOOT and RESET are enough' by_buttons
stop_board
start_board --size 256K --chip esp32 --boot firmware --circuit none
check 'Ctrl-C ends the wait at once' ctrl_c_ends_it
check 'a board that is plugged in with BOOT held is found' by_plugging
stop_board
start_board --size 256K --chip esp32 --boot firmware --circuit none
check 'a wait shows that it goes on' nobody_comes
check 'a minute is enough: status 1, and why' gives_up
