#!/bin/sh
# tests/bench/many.sh: many boards at once, mounted and backed up by README.md's own loop, and what
# that costs: of each mount its memory (VmHWM: the most it ever had; Pss: its share now), its threads
# and its CPU seconds (user + system, connecting included). Each backup is compared with its
# board; one that differs is a row that says WRONG and an exit status of 1. The boards are simulated,
# on TCP, with random contents, and take more of the machine than the mounts do.
#   MANY_BOARDS=16   MANY_SIZE=4M   MANY_CHIP=esp32
#   MANY_LINES='real none'   real: 10 bits a byte at MANY_BAUD=921600; none: as fast as can be
#   MANY_LOOP=FILE           in place of README.md's loop
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
: "${EF_BUILD:=$top/build}"
: "${MANY_BOARDS:=16}"
: "${MANY_SIZE:=4M}"
: "${MANY_CHIP:=esp32}"
: "${MANY_LINES:=real none}"
: "${MANY_BAUD:=921600}"
: "${MANY_LOOP:=}"
export EF_BUILD
# shellcheck source=tests/lib/mount.sh
. "$top/tests/lib/mount.sh"

size=$(numfmt --from=iec "$MANY_SIZE")
ticks=$(getconf CLK_TCK)
room=$WORK/many # where the loop runs
log=$WORK/loop.log
ports=
rows=$WORK/rows

now() {
    date +%s.%N
}

finish_many() {
    many_status=$?
    for folder in "$room"/*/; do
        mounted "${folder%/}" && fusermount3 -u -z "$folder"
    done
    [ "$many_status" = 0 ] || show_log "$log"
    (exit "$many_status") || :
    finish
}
trap 'finish_many' EXIT

# The loop as the README has it, so that what is measured is what is promised.
readme_loop() {
    awk '/^\*\*Many boards\*\*/ { near = 1 } near && /^```sh$/ { inside = 1; next }
        inside && /^```$/ { exit } inside' "$top/README.md"
}

# flash_of N: what the N-th board holds.
flash_of() {
    echo "$WORK/flash.$1"
}

# start_boards real|none: `ports` names them all.
start_boards() {
    listen=socket:0
    [ "$1" = none ] || listen=rfc2217:0
    ports=
    boards=
    for n in $(seq "$MANY_BOARDS"); do
        FLASH=$(flash_of "$n")
        BOARD_OUT=$WORK/out.$n
        BOARD_LOG=$WORK/board.$n.log
        COUNTERS=$WORK/counters.$n
        random_bytes "$size" >"$FLASH"
        BOARD_LISTEN=$listen start_board --chip "$MANY_CHIP" --size "$size" --line-rate "$1" \
            --mac "$(printf '24:0a:c4:00:02:%02x' "$n")"
        boards="$boards $BOARD_PID"
        BOARD_PID=$boards # all of them end with this script
        ports="$ports $PORT"
    done
}

stop_boards() {
    for pid in $boards; do
        kill "$pid"
        end_process "$pid" 10 || :
    done
    BOARD_PID=
}

# driver_of PORT: the process that serves it.
driver_of() {
    pgrep -f "^[^ ]*espflashfs $1 "
}

# status_of PID NAME: a number of /proc/PID/status.
status_of() {
    sed -n "s/^$2:[[:space:]]*\([0-9]*\).*/\1/p" "/proc/$1/status"
}

cpu_of() {
    sed 's/.*) //' "/proc/$1/stat" | awk -v ticks="$ticks" '{ printf "%.2f", ($12 + $13) / ticks }'
}

pss_of() {
    sed -n 's/^Pss:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/smaps_rollup"
}

# row N PORT: name, verdict, VmHWM, Pss (KiB), threads, CPU seconds.
row() {
    verdict=ok
    same_bytes "$(flash_of "$1")" "$room/${2##*/}.bin" >&2 || verdict=WRONG
    pid=$(driver_of "$2") || {
        echo "$2 WRONG 0 0 0 0"
        return
    }
    echo "$2 $verdict $(status_of "$pid" VmHWM) $(pss_of "$pid") $(status_of "$pid" Threads)" \
        "$(cpu_of "$pid")"
}

driver_is_gone() {
    fails driver_of "$1" >"$WORK/pgrep"
}

unmount_all() {
    for port in $ports; do
        fusermount3 -u "$room/${port##*/}" || return 1
    done
    for port in $ports; do
        wait_until 60 driver_is_gone "$port" || return 1
    done
}

# table SECONDS: markdown.
table() {
    echo '| mount | backup | VmHWM, KiB | Pss, KiB | threads | CPU, s |'
    echo '|---|---|--:|--:|--:|--:|'
    awk -v seconds="$1" -v bytes="$size" '
        { printf "| `%s` | %s | %d | %d | %d | %.2f |\n", $1, $2, $3, $4, $5, $6
          right += $2 == "ok"; hwm += $3; pss += $4; threads += $5; cpu += $6 }
        END { printf "| all %d, %.1f s, %.0f KiB/s | %d ok | %d | %d | %d | %.2f |\n", NR, seconds,
              NR * bytes / 1024 / seconds, right, hwm, pss, threads, cpu }' "$rows"
}

# measure real|none
measure() {
    mkdir -p "$room"
    start_boards "$1"
    from=$(now)
    (
        cd "$room"
        PATH=$EF_BUILD:$PATH PORTS=$ports ESPTOOL_BAUD=$MANY_BAUD sh -e "$loop" >"$log" 2>&1
    ) || say "the loop failed"
    to=$(now)
    n=0
    for port in $ports; do
        n=$((n + 1))
        row "$n" "$port"
    done >"$rows"
    unmount_all || say "a mount did not end"
    stop_boards
    rate="a line of $MANY_BAUD baud"
    [ "$1" = real ] || rate='a line without a rate'
    printf '\n%s boards of %s at once, %s:\n\n' "$MANY_BOARDS" "$MANY_SIZE" "$rate"
    table "$(echo "$from $to" | awk '{ print $2 - $1 }')"
    failures=$((failures + $(grep -c -v ' ok ' "$rows" || :)))
    rm -rf --one-file-system "$room" "$XDG_CACHE_HOME"
}

loop=$WORK/loop
if [ -n "$MANY_LOOP" ]; then
    cp "$MANY_LOOP" "$loop"
else
    readme_loop >"$loop"
fi
[ -s "$loop" ] || {
    say "README.md has no loop under **Many boards**"
    exit 2
}
for line in $MANY_LINES; do
    measure "$line"
done
