#!/bin/sh
# baud=auto over a terminal that paces and garbles as a serial line does: how far it climbs, what
# it does when data is damaged, and what it remembers. Prints the rates that the board was set to.
# timeout: 600
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BOARD_LISTEN=pty:$WORK/tty
RATES_FILE=$XDG_STATE_HOME/espflashfs/rates

# fresh_board SIZE OPTION...: a board with a real line, on a port that nothing is known of.
fresh_board() {
    rm -rf "$FLASH" "$XDG_STATE_HOME"
    : >"$BOARD_LOG"
    : >"$DRIVER_LOG"
    fresh_size=$1
    shift
    new_board "$fresh_size" --line-rate real --latency 1 "$@"
}

# rates: every rate that the board was at so far, in order.
rates() {
    sed -n 's/^BAUD //p' "$BOARD_LOG" | tr '\n' ' '
}

info_baud() {
    sed -n 's/^Baud: //p' "$MNT/info.txt"
}

works_at() {
    equal "$1" "$(info_baud)"
}

backup_is_right() {
    cp "$MNT/flash.bin" "$WORK/copy" && same_bytes "$EXPECTED" "$WORK/copy"
}

restore_is_right() {
    random_bytes 50000 >"$WORK/image"
    cp "$WORK/image" "$MNT/flash.bin" || return 1
    expect_patch "$WORK/image"
    same_bytes "$EXPECTED" "$FLASH"
}

# told_since_mark N: the chip was told N times to change its rate.
told_since_mark() {
    equal "$1" "$(counter_since_mark 'op 0x0f')"
}

test_clean() {
    for loader in auto rom; do
        fresh_board 256K --chip esp32
        check "clean line, $loader: mounts" mount_board -o stub=$loader
        check "clean line, $loader: works at 3000000" works_at 3000000
        check "clean line, $loader: step by step" \
            equal '115200 460800 921600 1500000 2000000 3000000 ' "$(rates)"
        check "clean line, $loader: a backup" backup_is_right
        check "clean line, $loader: a restore" restore_is_right
        check "clean line, $loader: unmounts" unmount_board
        say "clean line, $loader: rates $(rates)"
        stop_board
    done
}

# Every byte to the host is damaged above 460800, and enough of those to the board.
test_damaged_above() {
    for loader in auto rom; do
        fresh_board 256K --chip esp32 --fault damage:out:460800:1000000 \
            --fault damage:in:460800:20000
        check "damage above 460800, $loader: mounts" mount_board -o stub=$loader
        check "damage above 460800, $loader: works at 460800" works_at 460800
        check "damage above 460800, $loader: went up to 921600 and back" \
            equal '115200 460800 921600 460800 460800 ' "$(rates)"
        check "damage above 460800, $loader: the log says why" \
            log_says 'Baud: 460800: the line does not carry 921600'
        check "damage above 460800, $loader: a backup" backup_is_right
        check "damage above 460800, $loader: a restore" restore_is_right
        check "damage above 460800, $loader: nothing had to be tried again" \
            fails grep 'attempt' "$DRIVER_LOG"
        check "damage above 460800, $loader: unmounts" unmount_board
        say "damage above 460800, $loader: rates $(rates)"
        stop_board
    done
}

# Nothing gets through above 460800 in either direction: only a reset brings the board back.
test_lost() {
    BOARD_LISTEN=rfc2217:0
    fresh_board 256K --chip esp32 --circuit auto-reset --boot firmware \
        --fault damage:out:460800:1000000 --fault damage:in:460800:1000000
    check 'lost above 460800: mounts' mount_board
    check 'lost above 460800: works at 460800' works_at 460800
    check 'lost above 460800: by a reset' \
        equal '115200 115200 460800 921600 115200 460800 ' "$(rates)"
    check 'lost above 460800: a backup' backup_is_right
    check 'lost above 460800: a restore' restore_is_right
    check 'lost above 460800: unmounts' unmount_board
    say "lost above 460800: rates $(rates)"
    mark_counters
    check 'lost above 460800: mounts again' mount_board
    check 'lost above 460800: is remembered' told_since_mark 1
    check 'lost above 460800: unmounts again' unmount_board
    stop_board
    BOARD_LISTEN=pty:$WORK/tty
}

# One byte in 10000, which is found by the length of what is sent.
test_rare_damage() {
    fresh_board 256K --chip esp32 --fault damage:out:921600:100 --fault damage:in:921600:1000
    check 'rare damage above 921600: mounts' mount_board
    check 'rare damage above 921600: a backup' backup_is_right
    check 'rare damage above 921600: a restore' restore_is_right
    say "rare damage above 921600: works at $(info_baud), rates $(rates)"
    check 'rare damage above 921600: unmounts' unmount_board
    stop_board
}

# About 1 MiB into the backup the line begins to damage 3 bytes in 1000 above 460800.
test_damage_begins() {
    fresh_board 2M --chip esp32 --fault damage:out:460800:3000:1000000
    check 'damage begins: mounts' mount_board
    check 'damage begins: works at 3000000' works_at 3000000
    check 'damage begins: cp ends 0, the copy is right' backup_is_right
    check 'damage begins: goes on at 460800' works_at 460800
    check 'damage begins: the log says so' \
        log_says 'the line damages data at 921600 baud: going on at 460800'
    check 'damage begins: the flash is as it was' same_bytes "$EXPECTED" "$FLASH"
    check 'damage begins: unmounts' unmount_board
    say "damage begins: rates $(rates)"
    mark_counters
    check 'damage begins: mounts again' mount_board
    check 'damage begins: is remembered' works_at 460800
    check 'damage begins: at once' told_since_mark 1
    check 'damage begins: unmounts again' unmount_board
    stop_board
}

# The reader has what came before the damage; what is written goes through afterwards.
test_damage_begins_in_a_restore() {
    fresh_board 512K --chip esp32 --fault damage:in:921600:3000:100000
    check 'damage in a restore: mounts' mount_board
    random_bytes 400000 >"$WORK/image"
    expect_patch "$WORK/image"
    check 'damage in a restore: cp ends 0' cp "$WORK/image" "$MNT/flash.bin"
    check 'damage in a restore: the board holds it' same_bytes "$EXPECTED" "$FLASH"
    check 'damage in a restore: at a lower rate' works_at 921600
    check 'damage in a restore: unmounts' unmount_board
    say "damage in a restore: rates $(rates)"
    stop_board
}

test_fixed() {
    fresh_board 256K --chip esp32
    check 'baud=921600: mounts' mount_board -o baud=921600
    check 'baud=921600: is obeyed' works_at 921600
    check 'baud=921600: without a climb' equal '115200 921600 ' "$(rates)"
    check 'baud=921600: a backup' backup_is_right
    check 'baud=921600: unmounts' unmount_board
    check 'baud=921600: is not remembered' fails test -e "$RATES_FILE"
    stop_board
    fresh_board 256K --chip esp32 --fault damage:out:460800:1000000
    check 'baud=921600 that does not work: ends with a message' fails_to_start 1 \
        'no answer at 921600 baud: set a lower baud=, or auto' -o baud=921600 "$PORT" "$MNT"
    check 'baud=921600 that does not work: the board is back at 115200' \
        equal '115200 921600 115200 115200 ' "$(rates)"
    check 'baud=460800 afterwards: mounts' mount_board -o baud=460800
    check 'baud=460800 afterwards: a backup' backup_is_right
    check 'baud=460800 afterwards: unmounts' unmount_board
    stop_board
}

# remembers NAME BAUD COUNT: a mount that works at BAUD after COUNT changes.
remembers() {
    mark_counters
    check "$1: mounts" mount_board
    check "$1: works at $2" works_at "$2"
    check "$1: $3 changes of the rate" told_since_mark "$3"
    check "$1: unmounts" unmount_board
    say "$1: $(cat "$RATES_FILE")"
}

private() {
    equal 600 "$(stat -c %a "$RATES_FILE")" &&
        equal 700 "$(stat -c %a "${RATES_FILE%/*}")" &&
        equal "$RATES_FILE" "$(find "${RATES_FILE%/*}" -maxdepth 1 -type f)"
}

# The one entry, with another age or other rates.
rewrite() {
    sed -i "$1" "$RATES_FILE"
}

test_remembered() {
    fresh_board 256K --chip esp32 --fault damage:out:460800:1000000
    remembers 'first mount' 460800 4
    check 'the file is for its user alone' private
    remembers 'second mount' 460800 1
    rewrite "s/^460800 921600 [0-9]* /460800 921600 1000000000 /"
    remembers 'what failed long ago is tried again' 460800 4
    rewrite "s/^460800 921600 [0-9]* /460800 921600 99999999999 /"
    remembers 'what failed in the future is tried again' 460800 4
    rewrite "s/^460800 921600 /2000000 3000000 /"
    remembers 'a rate that works no more' 460800 7
    stop_board
}

# garbage NAME: whatever lies in the file's place, the mount works, and leaves a sound file.
garbage() {
    check "$1: mounts" mount_board
    check "$1: works" works_at 3000000
    check "$1: unmounts" unmount_board
    check "$1: is replaced" grep -q "^3000000 0 [0-9]* $PORT\$" "$RATES_FILE"
}

test_garbage() {
    fresh_board 256K --chip esp32
    mkdir -p "${RATES_FILE%/*}"
    random_bytes 300K >"$RATES_FILE"
    garbage 'a file of noise'
    printf '%s\n' 'x y z' '1 2' '99999999999999999999 1 1 k' "460800 0 -5 $PORT" \
        "0 0 0 $PORT" "4000000000 0 1 $PORT" '' "460800 921600 1" >"$RATES_FILE"
    garbage 'lines that make no sense'
    echo precious >"$WORK/precious"
    ln -sf "$WORK/precious" "$RATES_FILE"
    garbage 'a link'
    check 'a link: what it points to is left alone' equal precious "$(cat "$WORK/precious")"
    rm -rf "$XDG_STATE_HOME"
    echo 'no folder' >"$XDG_STATE_HOME"
    check 'no place for it: mounts' mount_board
    check 'no place for it: works' works_at 3000000
    check 'no place for it: unmounts' unmount_board
    rm "$XDG_STATE_HOME"
    stop_board
}

test_clean
test_damaged_above
test_lost
test_rare_damage
test_damage_begins
test_damage_begins_in_a_restore
test_fixed
test_remembered
test_garbage
