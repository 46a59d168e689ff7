#!/bin/sh
# tests/bench/host.sh: what the driver costs its host. Prints MB/s of a first read over a line
# without a limit, of a repeated one, the driver's CPU seconds for both, and its memory at the
# end (VmHWM), of flashes of random bytes. HOST_SIZES='4M 16M'  HOST_CHIP=esp32
# PERF=FILE: has perf(1) record the first read of the last size there.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
: "${EF_BUILD:=$top/build}"
: "${HOST_SIZES:=4M 16M}"
: "${HOST_CHIP:=esp32}"
: "${PERF:=}"
export EF_BUILD
# shellcheck source=tests/lib/mount.sh
. "$top/tests/lib/mount.sh"

# cpu_s: of the driver until now, in user and kernel mode.
cpu_s() {
    awk -v hz="$(getconf CLK_TCK)" '{ printf "%.2f", ($14 + $15) / hz }' "/proc/$DRIVER_PID/stat"
}

# rate COMMAND...: MB/s of the whole flash, for `scale` times as much.
rate() {
    began=$(date +%s%N)
    "$@"
    echo "$size $scale $(($(date +%s%N) - began))" | awk '{ printf "%.0f", $1 * $2 * 1000 / $3 }'
}

again() {
    for _ in 1 2 3 4 5 6 7 8; do
        dd if="$MNT/flash.bin" of=/dev/null bs=1M status=none
    done
}

first() {
    if [ -n "$PERF" ]; then
        perf record -q -g -o "$PERF" -p "$DRIVER_PID" 2>"$WORK/perf" &
        perf=$!
    fi
    dd if="$MNT/flash.bin" of="$WORK/copy" bs=1M status=none
    [ -z "$PERF" ] || kill -INT "$perf"
}

measure() {
    size=$(numfmt --from=iec "$1")
    random_bytes "$size" >"$FLASH"
    start_board --chip "$HOST_CHIP" --size "$size" --boot download
    mount_board -o before=no-reset,baud=921600,cache=none
    idle=$(cpu_s)
    scale=1
    first_rate=$(rate first)
    same_bytes "$FLASH" "$WORK/copy"
    cpu=$(cpu_s)
    scale=8
    again_rate=$(rate again)
    printf '%-8s %-6s %10s %10s %10s %12s\n' "$HOST_CHIP" "$1" "$first_rate" "$again_rate" \
        "$(echo "$cpu $idle" | awk '{ printf "%.2f", $1 - $2 }')" \
        "$(awk '/^VmHWM/ { print $2 }' "/proc/$DRIVER_PID/status")"
    unmount_board
    stop_board
}

printf '%-8s %-6s %10s %10s %10s %12s\n' chip size first-MB/s again-MB/s cpu-s peak-KiB
for wanted in $HOST_SIZES; do
    measure "$wanted"
done
