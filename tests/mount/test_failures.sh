#!/bin/sh
# A start that must fail says why, ends with the right status, and leaves nothing behind. Ports on
# which nobody answers are in test_no_answer.sh.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

STUBS=$EF_BUILD/stubs

# no_board MESSAGE argument...: on $PORT
no_board() {
    message=$1
    shift
    fails_to_start 1 "$message" "$@" "$PORT" "$MNT"
}

# usage MESSAGE argument...
usage() {
    fails_to_start 2 "$@"
}

test_ports() {
    for spelling in socket://127.0.0.1 socket://127.0.0.1: socket://127.0.0.1:http socket:// \
        socket://:1234 socket://127.0.0.1:99999; do
        check "port $spelling" fails_to_start 1 "$spelling: " "$spelling" "$MNT"
    done
    for spelling in tcp://127.0.0.1:1 SOCKET://127.0.0.1:1; do
        check "port $spelling" fails_to_start 1 'not a kind of port' "$spelling" "$MNT"
    done
    check 'a host that cannot be resolved' fails_to_start 1 \
        'socket://no-such-host.invalid:1234: [A-Z]' socket://no-such-host.invalid:1234 "$MNT"
    check 'a device that does not exist' fails_to_start 1 '/dev/ttyNOPE: no such port' \
        /dev/ttyNOPE "$MNT"
    check 'a device that is none' fails_to_start 1 '/dev/null is not a serial port' /dev/null "$MNT"
    check 'a plain file' fails_to_start 1 "$FLASH is not a serial port" "$FLASH" "$MNT"
    check 'a folder' fails_to_start 1 '/tmp' /tmp "$MNT"
    check 'a name that is too long' fails_to_start 1 'name is too long' \
        "/dev/$(printf %05000d 0)" "$MNT"
}

test_usage() {
    check 'no mount point' usage 'no mount point given'
    check 'a mount point that does not exist' usage "$MNT/no: no such directory" "$PORT" "$MNT/no"
    check 'a mount point that is a file' usage "$FLASH is not a directory" "$PORT" "$FLASH"
    check 'too many arguments' usage 'too many arguments, from .three' one two three
    check 'an unknown option' usage 'nonsense' -o nonsense "$PORT" "$MNT"
    check 'an unknown long option' usage 'nonsense' --nonsense "$PORT" "$MNT"
    for baud in fast 0 100 9600x 5000000 -9600 ''; do
        check "baud=$baud" usage "baud=$baud: a rate from" -o baud="$baud" "$PORT" "$MNT"
    done
    check 'chip=esp99' usage 'chip=esp99: auto is expected, or one of esp8266, ' -o chip=esp99 "$PORT" "$MNT"
    check 'before=never' usage 'before=never: default-reset, usb-reset' \
        --before=never "$PORT" "$MNT"
    check 'after=never' usage 'after=never: hard-reset, no-reset' --after never "$PORT" "$MNT"
    for size in big 0 -1 4Q; do
        check "size=$size" usage "size=$size: bytes are expected" -o size="$size" "$PORT" "$MNT"
    done
    check 'a log file that cannot be made' usage "$WORK/no/log: No such" -o log="$WORK/no/log" \
        "$PORT" "$MNT"
}

# Nobody has connected to the board so far: it still is in its ROM.
test_stubs() {
    head -c 3000 "$STUBS/esp32.json" >"$WORK/truncated.json"
    echo 'stub, honestly' >"$WORK/text.json"
    : >"$WORK/empty.json"
    echo '[1, 2]' >"$WORK/list.json"
    sed 's/"text": *"..../"text": "!!!!/' "$STUBS/esp32.json" >"$WORK/base64.json"
    sed 's/"entry": *[0-9]*/"entry": 1/' "$STUBS/esp32.json" >"$WORK/entry.json"
    mkdir "$WORK/folder"
    check 'a truncated stub' no_board 'truncated.json: not JSON' -o stub="$WORK/truncated.json"
    check 'a stub that is text' no_board 'text.json: not JSON: line 1' -o stub="$WORK/text.json"
    check 'an empty stub' no_board 'empty.json: empty' -o stub="$WORK/empty.json"
    check 'a stub that is a list' no_board 'list.json: not a JSON object' -o stub="$WORK/list.json"
    check 'a stub of rubbish' no_board '"text" is not sound base64' -o stub="$WORK/base64.json"
    check 'a stub with a wrong entry' no_board '"entry" 0x00000001 lies outside' \
        -o stub="$WORK/entry.json"
    check 'a stub that does not exist' no_board 'stub=.*none.json: no stub for ESP32 there' \
        -o stub="$WORK/none.json"
    check 'a folder without stubs' no_board 'stub=.*folder: no stub for ESP32 there' \
        -o stub="$WORK/folder"
}

test_chips() {
    check 'another chip than asked for' no_board 'this is an ESP32, but chip=esp8266' -o chip=esp8266
    for size in 5000 32M 1; do
        check "size=$size" no_board 'flash size of .* bytes is not supported' -o size="$size"
    done
    check 'stub=rom, where the stub runs' no_board 'a stub is running and stub=rom' -o stub=rom
}

# flash_id ID MESSAGE
flash_id() {
    start_board --chip esp32c3 --size 256K --flash-id "$1" && no_board "$2" && stop_board
}

test_flash_ids() {
    check 'flash id FFFFFF' flash_id ffffff 'no flash answers \(flash id FFFFFF\)'
    check 'flash id 000000' flash_id 000000 'no flash answers \(flash id 000000\)'
    check 'a flash id without a size' flash_id c84099 'does not tell a size: give it with'
}

# What is left of an ESP8266 without a stub: who it is, and why there is no more.
only_info_is_there() {
    start_board --chip esp8266 --size 256K && mount_board -o stub=rom || return 1
    equal './info.txt ./status.txt' "$(cd "$MNT" && echo ./*)" &&
        grep "^Flash access: none: the ESP8266's ROM cannot read the flash" "$MNT/info.txt" &&
        fails cat "$MNT/flash.bin" && log_says 'only info.txt is offered' && unmount_board &&
        stop_board
}

new_board 256K --chip esp32
test_usage
test_ports
test_stubs
test_chips
stop_board
check 'no board: connection refused' no_board 'Connection refused: is the serial server running'
check '--probe without a board' fails_to_start 1 'Connection refused' --probe "$PORT"
test_flash_ids
check 'an ESP8266 without a stub: info.txt and status.txt alone' only_info_is_there
check 'the flash is as it was' same_bytes "$EXPECTED" "$FLASH"
