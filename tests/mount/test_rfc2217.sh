#!/bin/sh
# A serial server over the network, as RFC 2217 has it: resets and bauds are judged by the board
# behind it, which serves that itself, or has Debian's ser2net in front.
# timeout: 600
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

SIZE=256K

board_says() {
    grep -q -x "$1" "$BOARD_LOG" || {
        say "the board's log lacks '$1': $(tail -n 12 "$BOARD_LOG")"
        return 1
    }
}

board_said_nothing_of() {
    fails grep "$1" "$BOARD_LOG"
}

# in_order LINE...: the board's log has these lines, in this order.
in_order() {
    printf '%s\n' "$@" | awk '
        FNR == NR { wanted[++n] = $0; next }
        $0 == wanted[at + 1] { at++ }
        END { if (at != n) { print "# missing in the board'\''s log: " wanted[at + 1]; exit 1 } }
    ' - "$BOARD_LOG"
}

# fresh_board LISTEN OPTION...: random contents, an empty log. EN has a capacitor that leaves a busy
# machine some time between one line and the other.
fresh_board() {
    BOARD_LISTEN=$1
    shift
    rm -f "$BOARD_LOG" "$FLASH"
    new_board "$SIZE" --en-delay 30 "$@"
}

backup_is_right() {
    cp "$MNT/flash.bin" "$WORK/copy" && same_bytes "$EXPECTED" "$WORK/copy"
}

restore_is_right() {
    random_bytes 30000 >"$WORK/image"
    mounted "$MNT" && cp "$WORK/image" "$MNT/flash.bin" || return 1
    expect_patch "$WORK/image"
    same_bytes "$EXPECTED" "$FLASH"
}

info_has() {
    grep -q -x "$1" "$MNT/info.txt" || {
        say "info.txt: $(cat "$MNT/info.txt")"
        return 1
    }
}

went_into_its_firmware() {
    in_order 'RESET into download mode' 'STUB started' 'LINES DTR 0 RTS 1' 'LINES DTR 0 RTS 0' \
        'RESET into firmware' 'FIRMWARE started'
}

# The capacitor at EN is still charging when the driver has ended.
leaves_it_in_its_firmware() {
    unmount_board && wait_until 10 went_into_its_firmware
}

# asked_nothing_wrong: nothing that the server had to refuse, as data before binary mode.
asked_nothing_wrong() {
    board_said_nothing_of '^REJECT'
}

# works NAME BAUD RATE: a mount from the firmware on, and back into it; the board must have seen RATE.
works() {
    name=$1
    : >"$BOARD_LOG"
    check "$name: the board is reset into download mode and mounted" mount_board -o baud="$2"
    check "$name: by the sequence of a network's port" in_order 'LINES DTR 0 RTS 1' \
        'LINES DTR 1 RTS 1' 'LINES DTR 1 RTS 0' 'RESET into download mode' 'LINES DTR 0 RTS 0'
    check "$name: the board and the server change to $3 baud" in_order 'HOST BAUD 115200' \
        "BAUD $3" "HOST BAUD $3"
    check "$name: info.txt tells the port" info_has "Port: $PORT"
    check "$name: a backup" backup_is_right
    check "$name: a restore" restore_is_right
    check "$name: umount resets the board into its firmware" leaves_it_in_its_firmware
    check "$name: the server was asked for nothing wrong" asked_nothing_wrong
}

test_own_server() {
    fresh_board rfc2217:0 --chip esp32 --boot firmware --line-rate real --latency 1
    works 'espboard at 921600' 921600 921600
    stop_board
    fresh_board rfc2217:0 --chip esp32s3 --boot firmware
    works 'espboard, baud=auto' auto 3000000
    stop_board
    fresh_board rfc2217:0 --chip esp8266 --boot firmware
    PORT="$PORT?ign_set_control&timeout=10&poll_modem"
    works 'espboard with ign_set_control' 460800 460800
    stop_board
}

left_in_firmware_by() {
    fails_to_start 1 'runs its firmware|no boot loader answers' -o \
        before=default-reset,custom_reset_sequence="$1" "$PORT" "$MNT" &&
        board_says 'RESET into firmware' && board_said_nothing_of 'RESET into download mode'
}

needs_the_long_wait() {
    mount_board && in_order 'RESET into firmware' 'RESET into download mode'
}

enters_download_through_usb() {
    mount_board && in_order 'LINES DTR 1 RTS 0' 'LINES DTR 1 RTS 1' 'LINES DTR 0 RTS 1' \
        'RESET into download mode'
}

# What a reset must get right: its order and waits, on the board's own circuit.
test_circuits() {
    fresh_board rfc2217:0 --chip esp32 --boot firmware
    check 'a wrong sequence does not enter download mode' left_in_firmware_by 'D0|R1|W0.1|R0'
    check 'a right one of the person does' mount_board -o \
        'custom_reset_sequence=D0|R1|W0.1|D1|R0|W0.05|D0'
    check 'and is left in its firmware' leaves_it_in_its_firmware
    stop_board
    fresh_board rfc2217:0 --chip esp32 --boot firmware --en-delay 200
    check 'a large capacitor at EN: the long wait' needs_the_long_wait
    check 'with a large capacitor: unmounts' unmount_board
    stop_board
    fresh_board rfc2217:0 --chip esp32c3 --boot firmware --circuit usb-jtag
    check 'built-in USB behind the server' enters_download_through_usb
    check 'built-in USB behind the server: a backup' backup_is_right
    check 'built-in USB behind the server: unmounts' unmount_board
    stop_board
}

# ser2net_port: where $SERVER_PID listens. It picks a free one, and does not tell.
ser2net_port() {
    for fd in /proc/"$SERVER_PID"/fd/*; do
        readlink "$fd" || :
    done | sed -n 's/^socket:\[\(.*\)\]$/\1/p' >"$WORK/sockets"
    awk 'FNR == NR { mine[$1]; next } $4 == "0A" && $10 in mine { sub(/.*:/, "", $2); print $2 }' \
        "$WORK/sockets" /proc/net/tcp
}

ser2net_listens() {
    ended "$SERVER_PID" || [ -n "$(ser2net_port)" ]
}

# start_ser2net CONNECTOR: in front of the board that runs; sets PORT.
start_ser2net() {
    cat >"$WORK/ser2net.yaml" <<END
%YAML 1.1
---
connection: &board
  accepter: telnet(rfc2217),tcp,127.0.0.1,0
  connector: $1
END
    ser2net -n -c "$WORK/ser2net.yaml" >>"$WORK/ser2net.log" 2>&1 &
    SERVER_PID=$!
    if ! wait_until 10 ser2net_listens || ended "$SERVER_PID"; then
        say "ser2net did not start: $(cat "$WORK/ser2net.log")"
        return 1
    fi
    PORT=rfc2217://127.0.0.1:$(printf '%d' "0x$(ser2net_port)")
}

stop_ser2net() {
    kill "$SERVER_PID"
    end_process "$SERVER_PID" 10 || :
    SERVER_PID=
    stop_board
}

# Lines and baud go through ser2net to the board's server, which judges them.
test_ser2net() {
    fresh_board rfc2217:0 --chip esp32 --boot firmware
    check 'ser2net starts' start_ser2net "telnet(rfc2217),tcp,127.0.0.1,${PORT##*:}"
    works 'ser2net at 921600' 921600 921600
    works 'ser2net, baud=auto' auto 1500000
    stop_ser2net
}

is_told_that_it_is_taken() {
    mkdir "$WORK/second"
    first=$MNT
    MNT=$WORK/second
    fails_to_start 1 'closed from the other side' "$PORT" "$MNT" || return 1
    MNT=$first
    backup_is_right
}

# ser2net on a terminal without modem lines: it acknowledges no change of them.
test_ser2net_on_a_pty() {
    fresh_board pty:"$WORK/tty" --chip esp32 --line-rate real
    check 'ser2net on a pty starts' start_ser2net "serialdev,$WORK/tty,9600n81,local"
    check 'a pty: mounts, without resets' mount_board -o baud=921600
    check 'a pty: says that the lines are not acknowledged' log_says \
        'does not acknowledge DTR and RTS'
    check 'a pty: the server sets the baud' in_order 'HOST BAUD 115200' 'BAUD 921600' \
        'HOST BAUD 921600'
    check 'a pty: a backup' backup_is_right
    check 'a pty: a restore' restore_is_right
    check 'a second driver is told that the port is taken' is_told_that_it_is_taken
    check 'a pty: unmounts' unmount_board
    stop_ser2net
}

test_wrong_servers() {
    fresh_board socket:0 --chip esp32
    check 'a raw port is told from RFC 2217' fails_to_start 1 \
        'not RFC 2217: if that port passes bytes and nothing else, use socket://' \
        "rfc2217://${PORT#socket://}?timeout=0.5" "$MNT"
    check 'an unknown option' fails_to_start 1 'parity=even. is no option here' \
        "rfc2217://${PORT#socket://}?parity=even" "$MNT"
    stop_board
    check 'nobody there' fails_to_start 1 'is the serial server running there' \
        "rfc2217://${PORT#socket://}" "$MNT"
}

test_own_server
test_circuits
test_wrong_servers
require ser2net
test_ser2net
test_ser2net_on_a_pty
