#!/bin/sh
# tests/bench/host.sh [PART...]: what the host's side costs, apart from the wire. Figures only,
# nothing is judged but the bytes: they depend on the machine, and mean something beside each other
# on one that does nothing else.
#   again      GB/s of reading flash.bin once more: by the page cache, by the driver's own memory
#              (iflag=direct), and of a plain file on a tmpfs, the most that the kernel can do
#   unlimited  MB/s of a first read over a line without a rate, and what of it is the driver's CPU
#   cpu        CPU seconds (user + system) of a backup over a real line: the driver's and cp's,
#              esptool-js's, and esptool's where one is on the PATH
#   memory     the driver's peak memory, when mounted and when all has been read
#   HOST_CHIP=esp32   HOST_SIZES='4M 16M' (first reads, memory)   BENCH_SIZE=4M (cpu)
#   BENCH_BAUD=921600
# PERF=FILE: has perf(1) record the first read of the last size there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
: "${EF_BUILD:=$top/build}"
: "${HOST_CHIP:=esp32}"
: "${HOST_SIZES:=4M 16M}"
: "${BENCH_SIZE:=4M}"
: "${BENCH_BAUD:=921600}"
: "${ESPTOOL_JS_DIR:=$EF_BUILD}"
: "${PERF:=}"
export EF_BUILD ESPTOOL_JS_DIR
# shellcheck source=tests/lib/mount.sh
. "$top/tests/lib/mount.sh"

TICKS=$(getconf CLK_TCK)

now() {
    date +%s.%N
}

# rate BYTES FROM TO DIVISOR: bytes a second, in units of DIVISOR.
rate() {
    echo "$1 $2 $3 $4" | awk '{ printf "%.2f", $1 / ($3 - $2) / $4 }'
}

# cpu_of PID: its seconds until now, user and system.
cpu_of() {
    sed 's/.*) //' "/proc/$1/stat" | awk -v ticks="$TICKS" '{ printf "%.2f", ($12 + $13) / ticks }'
}

minus() {
    echo "$1 $2" | awk '{ printf "%.2f", $1 - $2 }'
}

# figure NAME VALUE UNIT
figure() {
    printf '%-52s %10s %s\n' "$1" "$2" "$3"
}

# seconds_of COMMAND...: the CPU seconds of a command and its children, its output to peer.log.
seconds_of() {
    (
        "$@" >"$WORK/peer.log" 2>&1 || exit
        times
    ) | sed -n '2{s/[ms]/ /g;p}' | awk '{ printf "%.2f", $1 * 60 + $2 + $3 * 60 + $4 }'
}

# new_flash SIZE real|none: a board with random contents.
new_flash() {
    size=$(numfmt --from=iec "$1")
    rm -rf "$XDG_CACHE_HOME"
    random_bytes "$size" >"$FLASH"
    start_board --chip "$HOST_CHIP" --size "$size" --line-rate "$2" --flash-timing none \
        --boot download
}

backup() {
    rm -f "$WORK/copy"
    cp "$MNT/flash.bin" "$WORK/copy"
}

end() {
    same_bytes "$FLASH" "$WORK/copy"
    unmount_board
    stop_board
}

# read_gbs FILE [dd operand]: the best of twenty reads, by dd's own clock.
read_gbs() {
    file=$1
    shift
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        LC_ALL=C dd if="$file" of=/dev/null bs=1M "$@" 2>&1
    done | awk '/copied/ { gbs = $1 / $(NF - 3) / 1e9; if (gbs > best) best = gbs }
        END { printf "%.2f", best }'
}

part_again() {
    new_flash 16M none
    mount_board -o before=no-reset
    backup
    figure 'flash.bin once more, 16 MiB' "$(read_gbs "$MNT/flash.bin")" GB/s
    figure '... past the page cache' "$(read_gbs "$MNT/flash.bin" iflag=direct)" GB/s
    cp "$FLASH" /dev/shm/espflashfs-bench.$$
    figure 'a plain file in memory' "$(read_gbs /dev/shm/espflashfs-bench.$$)" GB/s
    rm -f /dev/shm/espflashfs-bench.$$
    end
}

# recorded COMMAND...: with perf beside it, where it is asked for.
recorded() {
    if [ -n "$PERF" ]; then
        perf record -q -g -o "$PERF" -p "$DRIVER_PID" 2>"$WORK/perf" &
        perf=$!
    fi
    "$@"
    [ -z "$PERF" ] || kill -INT "$perf"
}

# first_read SIZE
first_read() {
    new_flash "$1" none
    mount_board -o before=no-reset
    cpu=$(cpu_of "$DRIVER_PID")
    board_cpu=$(cpu_of "$BOARD_PID")
    from=$(now)
    recorded backup
    to=$(now)
    figure "a first read of $1, no line rate" "$(rate "$size" "$from" "$to" 1e6)" MB/s
    figure '... its seconds' "$(minus "$to" "$from")" s
    figure "... the driver's CPU" "$(minus "$(cpu_of "$DRIVER_PID")" "$cpu")" s
    figure "... the simulated board's CPU" "$(minus "$(cpu_of "$BOARD_PID")" "$board_cpu")" s
    end
}

part_unlimited() {
    for each in $HOST_SIZES; do
        first_read "$each"
    done
}

# judge: what a peer brought; a peer that failed has brought nothing.
judge() {
    same_bytes "$FLASH" "$WORK/copy" || tail -n 5 "$WORK/peer.log" >&2
    stop_board
}

part_cpu() {
    BOARD_LISTEN=pty:$WORK/tty new_flash "$BENCH_SIZE" real
    mount_board -o "before=no-reset,baud=$BENCH_BAUD"
    cp_cpu=$(seconds_of cp "$MNT/flash.bin" "$WORK/copy")
    cpu=$(cpu_of "$DRIVER_PID")
    figure "CPU of a backup of $BENCH_SIZE, connecting included: driver" "$cpu" s
    figure '... driver and cp' "$(echo "$cpu $cp_cpu" | awk '{ printf "%.2f", $1 + $2 }')" s
    end
    new_flash "$BENCH_SIZE" real
    rm -f "$WORK/copy"
    export BOARD_PID COUNTERS
    figure '... esptool-js and node' "$(seconds_of node "$here/peer.mjs" "${PORT##*:}" \
        "$BENCH_BAUD" read "$size" "$WORK/copy")" s
    judge
    esptool=$(command -v esptool.py || command -v esptool) || return 0
    new_flash "$BENCH_SIZE" real
    rm -f "$WORK/copy"
    figure '... esptool and python' "$(seconds_of "$esptool" --chip "$HOST_CHIP" --port "$PORT" \
        --baud "$BENCH_BAUD" --before no_reset --after no_reset read_flash 0 "$size" \
        "$WORK/copy")" s
    judge
}

# peak SIZE: when mounted, and when all has been read.
peak() {
    new_flash "$1" none
    mount_board -o before=no-reset
    idle=$(awk '/^VmHWM/ { print $2 }' "/proc/$DRIVER_PID/status")
    backup
    figure "peak memory at $1 of flash, when mounted" "$idle" KiB
    figure '... when all of it has been read' \
        "$(awk '/^VmHWM/ { print $2 }' "/proc/$DRIVER_PID/status")" KiB
    end
}

part_memory() {
    for each in $HOST_SIZES; do
        peak "$each"
    done
}

if [ $# = 0 ]; then
    set -- again unlimited cpu memory
fi
for part; do
    case $part in
    again | unlimited | cpu | memory) "part_$part" ;;
    *)
        say "no part '$part'; there are: again unlimited cpu memory"
        exit 2
        ;;
    esac
done
