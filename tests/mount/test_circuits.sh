#!/bin/sh
# Boards behind reset circuits, over RFC 2217: the right sequence brings them into the boot
# loader, a wrong one is told, and they are left as asked for.
# timeout: 300
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BOARD_LISTEN=rfc2217:0

# plug CHIP OPTION...: a board in its firmware; its log starts anew.
plug() {
    chip=$1
    shift
    : >"$BOARD_LOG"
    new_board 256K --chip "$chip" --boot firmware "$@"
}

# resets INTO: how many there were.
resets() {
    grep -c "^RESET into $1" "$BOARD_LOG" || :
}

last_reset() {
    grep '^RESET into ' "$BOARD_LOG" | tail -n 1
}

in_its_firmware() {
    [ "$(last_reset)" = 'RESET into firmware' ]
}

# works OPTION...: mounted, right, left in its firmware, once the capacitor at EN is full.
works() {
    mount_board "$@" && as_expected && unmount_board && log_says 'was reset and runs its firmware' &&
        wait_until 5 in_its_firmware
}

# circuit NAME CHIP WRONG BOARD_OPTION...: WRONG resets start the firmware before one is right.
circuit() {
    name=$1
    chip=$2
    wrong=$3
    shift 3
    plug "$chip" "$@"
    check "$name: mounts, is right, is left in its firmware" works
    check "$name: one reset into the loader" equal 1 "$(resets download)"
    check "$name: resets that missed it" equal "$((wrong + 1))" "$(resets firmware)"
    stop_board
}

test_circuits() {
    circuit 'esp32, auto-reset' esp32 0 --circuit auto-reset
    circuit 'esp8266, auto-reset' esp8266 0 --circuit auto-reset
    circuit 'esp32, a large capacitor at EN' esp32 2 --circuit auto-reset --en-delay 200
    circuit 'esp32c3, USB-Serial-JTAG' esp32c3 1 --circuit usb-jtag
}

# not_reset MESSAGE OPTION...: status 1, the message, and no boot into the loader.
not_reset() {
    message=$1
    shift
    fails_to_start 1 "$message" "$@" "$PORT" "$MNT" && equal 0 "$(resets download)"
}

in_firmware='runs its firmware and was not reset into its boot loader'

test_sequences() {
    plug esp32 --circuit auto-reset
    check 'a wrong custom sequence' not_reset "$in_firmware" --custom_reset_sequence='D0|R0'
    check 'one without IO0 starts the firmware, and the straps are told' \
        not_reset "$in_firmware.*boot:0x13" --custom_reset_sequence='D0|R1|W0.05|R0|W0.05'
    check 'a sequence that is none' fails_to_start 2 '.R2. is no step; it takes steps parted by' \
        --custom_reset_sequence='D0|R2' "$PORT" "$MNT"
    check 'usb-reset is not for this circuit' not_reset "$in_firmware" --before=usb-reset
    check 'a right custom sequence' works --custom_reset_sequence='U0,1|W0.05|U1,0|W0.05|U0,0'
    stop_board
    plug esp32c3 --circuit usb-jtag
    check 'usb-reset: built-in USB' works --before=usb-reset
    check 'usb-reset: at the first attempt' equal 1 "$(resets firmware)"
    stop_board
}

# with_config SEQUENCE COMMAND...: esptool's file says so meanwhile.
with_config() {
    printf '[esptool]\ncustom_reset_sequence = %s\n' "$1" >"$WORK/esptool.cfg"
    shift
    config_status=0
    "$@" || config_status=$?
    echo '[esptool]' >"$WORK/esptool.cfg"
    return "$config_status"
}

from_the_file() {
    works && log_says 'Reset sequence: D0|R1|W0.05|D1|R0|W0.3|D0, from .*esptool.cfg' &&
        equal 1 "$(resets firmware)"
}

# By the file's sequence the board would not be reset at all.
the_option_wins() {
    works --custom_reset_sequence='D0|R1|W0.05|D1|R0|W0.3|D0'
}

test_config() {
    plug esp32 --circuit auto-reset --en-delay 200
    check "esptool's configuration file: a sequence of its own" \
        with_config 'D0|R1|W0.05|D1|R0|W0.3|D0' from_the_file
    check "esptool's configuration file: the option wins" with_config 'D0|R0' the_option_wins
    check "esptool's configuration file: a wrong sequence" with_config 'Q7' \
        fails_to_start 2 'esptool.cfg: custom_reset_sequence = Q7: .*it takes' "$PORT" "$MNT"
    stop_board
}

no_reset_in_firmware() {
    fails_to_start 1 "$in_firmware" --before=no-reset "$PORT" "$MNT" && fails grep -q ^RESET "$BOARD_LOG"
}

# A loader that answered nothing but commands, and is left as it was.
without_sync() {
    mount_board --before=no-reset-no-sync --after="$1" --baud=115200 && as_expected &&
        unmount_board && equal 0 "$(counter 'op 0x08')"
}

# The ROM goes on: no reset, and the next driver finds it there.
left_in_the_rom() {
    mount_board --after=no-reset --before=no-reset -o stub=rom && as_expected && unmount_board &&
        mount_board --before=no-reset --after=no-reset -o stub=rom && as_expected &&
        unmount_board && fails grep -q ^RESET "$BOARD_LOG"
}

left_with_the_stub() {
    mount_board --after="$1" && as_expected && unmount_board || return 1
    equal 'RESET into download mode' "$(last_reset)" || return 1
    uploads=$(counter 'op 0x06')
    mount_board --before=no-reset --after=no-reset-stub && as_expected && unmount_board &&
        equal "$uploads" "$(counter 'op 0x06')" &&
        equal 'BAUD 115200' "$(grep '^BAUD ' "$BOARD_LOG" | tail -n 1)"
}

# A stub that runs already does not keep the board from being reset.
reset_out_of_the_stub() {
    downloads=$(resets download)
    works -o stub=rom && equal "$((downloads + 1))" "$(resets download)"
}

test_modes() {
    plug esp32 --circuit auto-reset
    check 'no-reset: a board in its firmware stays there' no_reset_in_firmware
    check 'after=no-reset-stub: the stub is found again' left_with_the_stub no-reset-stub
    check 'default-reset resets a running stub too' reset_out_of_the_stub
    check 'after=no-reset: the stub is found again' left_with_the_stub no-reset
    check 'after=no-reset says that this stub stays' log_says 'this one cannot go back to the ROM'
    stop_board
    : >"$BOARD_LOG"
    new_board 256K --chip esp32 --boot download
    check 'after=no-reset: the ROM is found again' left_in_the_rom
    stop_board
    new_board 256K --chip esp32c3 --boot download
    check 'no-reset-no-sync: a ROM' without_sync no-reset-stub
    check 'no-reset-no-sync: its stub' without_sync no-reset-stub
    stop_board
    new_board 256K --chip esp8266 --boot download
    check 'no-reset-no-sync: an ESP8266' without_sync no-reset-stub
    check 'no-reset-no-sync: an ESP8266, its stub' without_sync no-reset-stub
    stop_board
}

test_no_circuit() {
    plug esp32 --circuit none
    check 'no circuit, no terminal: what to press is told' not_reset 'hold BOOT .*tap RESET'
    stop_board
}

# As a smart plug is: brought into its loader by hand, and not reset at the end either.
twice_without_a_circuit() {
    mount_board && as_expected && unmount_board && mount_board && as_expected && unmount_board &&
        equal 'BAUD 115200' "$(grep '^BAUD ' "$BOARD_LOG" | tail -n 1)"
}

test_by_hand() {
    for chip in esp8266 esp32 esp32c3; do
        : >"$BOARD_LOG"
        new_board 256K --chip "$chip" --circuit none --boot download
        check "$chip without a circuit: mounts, and mounts again" twice_without_a_circuit
        stop_board
    done
}

test_circuits
test_sequences
test_config
test_modes
test_no_circuit
test_by_hand
