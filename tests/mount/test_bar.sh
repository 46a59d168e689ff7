#!/bin/sh
# The line at the foot of the terminal, while the driver is in the foreground of one.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin
RAW=$WORK/terminal
tools=$(dirname "$0")/tools
wrap=$EF_WRAP

# on_terminal COLUMNS OPTION...: mounts, on a terminal as wide as that.
on_terminal() {
    : >"$RAW"
    EF_WRAP="python3 $tools/terminal.py $1 $RAW $wrap"
    shift
    mount_board -o cache=none,baud=921600 "$@"
    on_terminal_status=$?
    EF_WRAP=$wrap
    return "$on_terminal_status"
}

# frames: what was drawn at the foot, and the messages that took its place, a line each.
frames() {
    tr '\r' '\n' <"$RAW" | sed -n "s/^$(printf '\033')\[K//p"
}

# seen PATTERN: it was drawn, at some time.
seen() {
    frames | grep -q -E "$1"
}

# left_clean: what is left on the screen are whole messages, and nothing else but the terminal's own
# word of a Ctrl-C.
left_clean() {
    python3 "$tools/terminal.py" "$RAW" >"$WORK/screen" || return 1
    fails grep -v -E '^((\^C)?espflashfs: .*)?$' "$WORK/screen" && grep -q 'espflashfs: ' "$WORK/screen"
}

narrower_than() {
    frames | awk -v most="$1" '!/^espflashfs: / && length($0) >= most { print; bad = 1 }
        END { exit bad }'
}

# Something is logged while a bar is there: the message stands by itself.
message_beside_a_bar() {
    cat "$BIN" >"$WORK/copy" &
    reader=$!
    wait_until 30 seen 'reading flash.bin: [0-9]' && { echo nonsense >"$MNT/erase" || :; }
    kill "$reader" && { wait "$reader" || :; }
    wait_until 30 left_clean && grep 'erase: .*nonsense' "$WORK/screen"
}

read_all() {
    cat "$BIN" >"$WORK/copy"
}

# ended_by_ctrl_c: in the middle of a read.
ended_by_ctrl_c() {
    : >"$RAW"
    cat "$BIN" >"$WORK/copy" &
    reader=$!
    wait_until 30 seen 'reading flash.bin' && kill -USR1 "$DRIVER_PID" || return 1
    wait "$reader" || :
    wait_driver
    equal 0 "$DRIVER_STATUS" && left_clean && fails mounted "$MNT"
}

nothing_drawn() {
    read_all && fails grep -q "$(printf '\033')" "$RAW"
}

BOARD_LISTEN=rfc2217:0
new_board 512K --chip esp32 --line-rate real
check 'mounts on a terminal' on_terminal 80
check 'a backup' read_all
check 'a bar was drawn, with share, rate and time left' seen \
    '^\[#*\.+\] reading flash.bin: [0-9]+ %, [0-9.]+ KiB/s, [0-9]+ s left$'
check 'the bar is no wider than the terminal' narrower_than 80
check 'unmounts' unmount_board
check 'what is left are whole messages' left_clean
check 'mounts on a narrow terminal' on_terminal 30
check 'a message beside a bar' message_beside_a_bar
check 'the line is no wider than the terminal' narrower_than 30
check 'unmounts' unmount_board
check 'mounts on a terminal' on_terminal 80
check 'Ctrl-C in the middle of a read ends it cleanly' ended_by_ctrl_c
check 'mounts on a terminal, with debug messages' on_terminal 80 -d
check 'nothing is drawn' nothing_drawn
check 'unmounts' unmount_board
export TERMINAL=dumb
check 'mounts on a terminal that cannot draw' on_terminal 80
check 'nothing is drawn there' nothing_drawn
check 'unmounts' unmount_board
check 'mounts without a terminal' mount_board -o cache=none,baud=921600
check 'a backup' read_all
check 'unmounts' unmount_board
check 'nothing is drawn without one' fails grep -q "$(printf '[\033\r]')" "$DRIVER_LOG"
