#!/bin/sh
# The file `erase`: what it takes, what it refuses, and that others are answered meanwhile.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

BIN=$MNT/flash.bin

# order TEXT: writes it to `erase` in one piece; printf's escapes are understood.
order() {
    LC_ALL=C sh -c 'env printf "%b" "$1" >"$2"' sh "$1" "$MNT/erase"
}

# expect_blank FIRST COUNT: from now on these sectors are expected to be blank.
expect_blank() {
    head -c $(($2 * 4096)) /dev/zero | tr '\000' '\377' >"$WORK/blank"
    expect_patch "$WORK/blank" $(($1 * 4096))
}

# erases TEXT FIRST COUNT: these sectors, once each, and no others; nothing is programmed.
erases() {
    mark_counters
    order "$1" || return 1
    expect_blank "$2" "$3"
    equal "$(seq -s ' ' "$2" $(($2 + $3 - 1)))" "$(sectors_since_mark erases)" &&
        equal '' "$(sectors_since_mark programs)" && as_expected
}

erases_nothing() {
    mark_counters
    order "$1" && untouched
}

# refuses TEXT MESSAGE: EINVAL for the writer, MESSAGE in the log, and the flash left alone.
refuses() {
    : >"$DRIVER_LOG"
    refused 'write error: Invalid argument' order "$1" && grep -q -F "$2" "$DRIVER_LOG" && no_wear
}

# Each line: what is written, and what the log says of it.
bad_orders() {
    cat <<'END'
\n|erase: the text is empty: nothing was erased
 \t \n|the text is empty
everything\n|unknown word `everything`
ALL\n|unknown word `ALL`
All|unknown word `All`
all now\n|not an offset: `all`
nvs\n|unknown word `nvs`
%s%n\n|unknown word `%s%n`
\377\376\n|unknown word `\xff\xfe`
0x10000\n|a length must follow the offset `0x10000`
0x10001 4k\n|the offset must be a multiple of 4096 (0x1000), not `0x10001`
100 4096\n|the offset must be a multiple of 4096 (0x1000), not `100`
0x10000 100\n|the length must be a multiple of 4096 (0x1000), not `100`
0 1\n|the length must be a multiple of 4096 (0x1000), not `1`
0x10000 0\n|the length is zero
0x10000 8k please\n|too many words, from `please`
-4096 4096\n|not an offset: `-4096`
4096 -4096\n|not a length: `-4096`
4096 +4096\n|not a length: `+4096`
0x 4k\n|not an offset: `0x`
0xZZ 4k\n|not an offset: `0xZZ`
10000h 4k\n|not an offset: `10000h`
1e4 4k\n|not an offset: `1e4`
12.5k 4k\n|not an offset: `12.5k`
4096 4q\n|not a length: `4q`
4096 4kk\n|not a length: `4kk`
0x10000,8k\n|unknown word `0x10000,8k`
0 264k\n|the range goes past the end of the flash (262144 bytes)
256k 4k\n|the range goes past the end of the flash
252k 8k\n|the range goes past the end of the flash
0xFFFFF000 0x2000\n|the range goes past the end of the flash
4096 0xFFFFFFFFFFFFF000\n|the range goes past the end of the flash
18446744073709551616 4096\n|not an offset: `18446744073709551616`
0xFFFFFFFFFFFFFFFF 4096\n|the offset must be a multiple
18014398509481984k 4k\n|not an offset: `18014398509481984k`
all\0000x\n|the text has a NUL byte in it
END
    printf '%300s|the text is too long\n' all
}

test_refusals() {
    mark_counters
    bad_orders >"$WORK/orders"
    while IFS='|' read -r text message; do
        check "'$(printf %.60s "$text")' is refused" refuses "$text" "$message"
    done <"$WORK/orders"
    check 'reading tells the last refusal' grep -q '^Last refusal: .*too long' "$MNT/erase"
    check 'reading tells how' grep -q 'echo all > erase' "$MNT/erase"
    check 'none of it touched the flash' untouched
}

test_ranges() {
    check '0x10000 8k' erases '0x10000 8k\n' 16 2
    check 'decimal' erases '81920 8192\n' 20 2
    check 'suffixes k, K' erases '100k 4K\n' 25 1
    check 'suffixes kB, KiB' erases '112kB 8KiB\n' 28 2
    check 'white space around, no newline' erases ' \t 0x20000   0x1000 \t' 32 1
    check 'the last sector' erases '0x3f000 4k\n' 63 1
    check 'a whole block' erases '0x30000 64k\n' 48 16
    check 'the first sector' erases '0 4k\n' 0 1
    check 'a blank range' erases_nothing '0x10000 8k\n'
    check 'no text at all does nothing' erases_nothing ''
    check 'all, through echo' echo_all
    check 'all again: it is blank' erases_nothing 'all\n'
}

echo_all() {
    mark_counters
    echo all >"$MNT/erase" || return 1
    expect_blank 0 64
    equal "$(seq -s ' ' 0 63)" "$(sectors_since_mark erases)" && as_expected
}

erase_has_begun() {
    [ "$(counter "$1")" -gt 0 ]
}

# The order of events is judged, not the time: these end while the erase of 10 s still runs.
others_are_answered() {
    env printf 'all\n' >"$MNT/erase" 2>"$WORK/order.err" &
    eraser=$!
    wait_until 10 erase_has_begun 'op 0xd0' || return 1
    ls -l "$MNT" && cat "$MNT/info.txt" && cat "$MNT/erase" && stat "$BIN" && df "$MNT" &&
        running "$eraser"
}

# The writer leaves; what it began goes on, and a reader waits for its end.
interrupted_erase_goes_on() {
    kill -TERM "$eraser"
    expect_status 143 end_process "$eraser" 5 || return 1
    log_says 'erase: interrupted; an erase that had begun goes on' || return 1
    expect_blank 0 64
    as_expected && equal 1 "$(counter 'op 0xd0')"
}

refused_on_ro() {
    mark_counters
    refused 'Read-only file system' order 'all\n' && no_wear
}

new_board 256K --chip esp32
mount_board
test_refusals
test_ranges
check 'unmounts' unmount_board
stop_board

new_board 256K --chip esp32 --flash-timing real
check 'ro: mounts' mount_board -o ro
check 'ro: erase is refused' refused_on_ro
check 'ro: unmounts' unmount_board
check 'slow: mounts' mount_board -o before=no-reset
check 'slow: others are answered during an erase' others_are_answered
check 'slow: an interrupted erase goes on' interrupted_erase_goes_on
check 'slow: unmounts' unmount_board
