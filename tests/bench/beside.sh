#!/bin/sh
# tests/bench/beside.sh: how long `dd bs=4k count=1` takes at random places that nobody has read,
# while a cp reads all of the flash. Prints p50 and p99 in wire-times: what 4 KiB need on the wire,
# at ten bits a byte. The time of starting dd is in them. The same environment as `run`, and
#   BESIDE_READS=100
#   BESIDE_CONTENTS=random   typical: a quarter of code, the rest blank
# The exit status is 1 where a reader got other bytes than the flash's.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
: "${EF_BUILD:=$top/build}"
: "${BENCH_CHIPS:=esp8266 esp32}"
: "${BENCH_SIZE:=4M}"
: "${BENCH_BAUD:=921600}"
: "${BENCH_LATENCY:=2}"
: "${BESIDE_READS:=100}"
: "${BESIDE_CONTENTS:=random}"
export EF_BUILD
# shellcheck source=tests/lib/mount.sh
. "$top/tests/lib/mount.sh"

size=$(numfmt --from=iec "$BENCH_SIZE")
sectors=$((size / 4096))

# Of the sectors that the cp comes to last, as many as are wanted, none twice.
places() {
    seq $((sectors * 3 / 8)) $((sectors - 1)) | shuf -n "$BESIDE_READS"
}

fill() {
    random_bytes "$size" >"$FLASH"
    [ "$BESIDE_CONTENTS" = random ] || tr '\000' '\377' </dev/zero |
        dd of="$FLASH" bs=64k count=$((size * 3 / 4)) seek=$((size / 4)) oflag=seek_bytes \
            iflag=count_bytes,fullblock conv=notrunc status=none
}

# read_places: a line each: nanoseconds.
read_places() {
    for place in $(places); do
        running "$COPY_PID" || {
            say "the cp ended before the readers did"
            return 1
        }
        from=$(date +%s%N)
        dd if="$MNT/flash.bin" of="$WORK/got" bs=4k count=1 skip="$place" status=none
        echo "$(($(date +%s%N) - from)) $place"
        dd if="$FLASH" of="$WORK/wanted" bs=4k count=1 skip="$place" status=none
        same_bytes "$WORK/wanted" "$WORK/got" >&2
    done
}

# in_wire_times FILE
in_wire_times() {
    sort -n "$1" | awk -v baud="$BENCH_BAUD" '
        { t[NR] = $1 / 1e9 / (4096 * 10 / baud) }
        function at(share) { i = int(NR * share); return t[i < NR * share ? i + 1 : i] }
        END { printf "p50 %.2f  p90 %.2f  p99 %.2f  most %.2f", at(0.5), at(0.9), at(0.99), t[NR] }'
}

beside() {
    fill
    BOARD_LISTEN=pty:$WORK/tty start_board --chip "$1" --size "$size" --line-rate real \
        --flash-timing real --latency "$BENCH_LATENCY"
    mount_board -o "before=no-reset,baud=$BENCH_BAUD,cache=none"
    cp "$MNT/flash.bin" "$WORK/copy" &
    COPY_PID=$!
    wait_until 30 test -s "$WORK/copy"
    read_places >"$WORK/times" || failures=$((failures + 1))
    printf '%-8s %s %s ms: %d reads of 4 KiB beside a cp, wire-times: %s\n' "$1" \
        "$BESIDE_CONTENTS" "$BENCH_LATENCY" "$(wc -l <"$WORK/times")" "$(in_wire_times "$WORK/times")"
    [ -z "${BESIDE_TIMES:-}" ] || cp "$WORK/times" "$BESIDE_TIMES"
    wait "$COPY_PID"
    same_bytes "$FLASH" "$WORK/copy" || failures=$((failures + 1))
    unmount_board || failures=$((failures + 1))
    stop_board
}

for chip in $BENCH_CHIPS; do
    beside "$chip"
done
[ "$failures" = 0 ]
