# shellcheck shell=sh
# Sourced by every tests/mount/test_*.sh: a simulated board, a mount of it, and a clean end.
#   EF_BUILD  the build tree whose programs are tested
#   EF_WRAP   a command that runs the driver (valgrind ...), may be empty
# Gives: WORK (the case's own folder, gone afterwards), FLASH, MNT, PORT, BOARD_PID, BOARD_LOG,
# DRIVER_PID, DRIVER_LOG, DRIVER_STATUS.
# A header line `# tsan` in a case has it run in the TSan tree too, `# valgrind` under valgrind,
# `# timeout: SECONDS` replaces the default of 300, `# alone` keeps other tests away meanwhile.

: "${EF_BUILD:?the build tree whose programs are tested}"
: "${EF_WRAP:=}"
lib=$(cd "$(dirname "$0")/../lib" && pwd)
# shellcheck source=tests/lib/result.sh
. "$lib/result.sh"
# shellcheck source=tests/lib/process.sh
. "$lib/process.sh"

WORK=$(mktemp -d "${TMPDIR:-/tmp}/espflashfs-case.XXXXXX")
FLASH=$WORK/flash.bin
MNT=$WORK/board
PORT=
BOARD_PID=
SERVER_PID= # of what a case puts between board and driver
BOARD_LOG=$WORK/board.log
BOARD_OUT=$WORK/board.out
COUNTERS=$WORK/counters
DRIVER_PID=
DRIVER_LOG=$WORK/driver.log
DRIVER_STATUS=
mkdir "$MNT"

# A case must not see the board of the person who runs it, nor their settings.
unset ESPTOOL_PORT ESPTOOL_BAUD ESPTOOL_CHIP ESPTOOL_BEFORE ESPTOOL_AFTER ESPFLASHFS_PORTS
export XDG_STATE_HOME="$WORK/state" XDG_CACHE_HOME="$WORK/cache" XDG_CONFIG_HOME="$WORK/config"
echo '[esptool]' >"$WORK/esptool.cfg"
export ESPTOOL_CFGFILE="$WORK/esptool.cfg"

board_is_listening_or_ended() {
    grep -q '^listening on ' "$BOARD_OUT" || ended "$BOARD_PID"
}

# start_board OPTION...: espboard on $FLASH; sets BOARD_PID and PORT. BOARD_LISTEN=pty:LINK
# or the like in place of a free TCP port.
start_board() {
    : >"$BOARD_OUT"
    "$EF_BUILD/espboard" --flash "$FLASH" --listen "${BOARD_LISTEN:-socket:0}" \
        --counters "$COUNTERS" --log "$BOARD_LOG" "$@" >"$BOARD_OUT" 2>>"$WORK/board.err" &
    BOARD_PID=$!
    if ! wait_until 10 board_is_listening_or_ended || ended "$BOARD_PID"; then
        say "the simulated board did not start"
        return 1
    fi
    board_address=$(sed -n 's/^listening on //p' "$BOARD_OUT")
    case $board_address in
    /*) PORT=$board_address ;;
    *)
        board_kind=${BOARD_LISTEN:-socket:0}
        PORT=${board_kind%%:*}://$board_address
        ;;
    esac
}

stop_board() {
    kill "$BOARD_PID"
    end_process "$BOARD_PID" 10 || :
    BOARD_PID=
}

driver_is_mounted_or_ended() {
    mounted "$MNT" || ended "$DRIVER_PID"
}

# mount_board OPTION...: the driver in the foreground of a background job. False, with
# DRIVER_STATUS set, where it ended without mounting.
mount_board() {
    # Unquoted on purpose: a command with its arguments, or nothing.
    # shellcheck disable=SC2086
    $EF_WRAP "$EF_BUILD/espflashfs" -f "$@" "$PORT" "$MNT" >>"$DRIVER_LOG" 2>&1 &
    DRIVER_PID=$!
    DRIVER_STATUS=
    wait_until 30 driver_is_mounted_or_ended || say "the driver neither mounted nor ended"
    mounted "$MNT" && return
    wait_driver
    return 1
}

# wait_driver: waits for the driver to end; sets DRIVER_STATUS.
wait_driver() {
    DRIVER_STATUS=0
    end_process "$DRIVER_PID" 60 || DRIVER_STATUS=$?
    DRIVER_PID=
}

# no_reports: neither the driver nor the board left a sanitizer's report.
no_reports() {
    fails grep -E 'ERROR: [A-Za-z]*Sanitizer|WARNING: ThreadSanitizer|runtime error:' \
        "$DRIVER_LOG" "$WORK/board.err"
}

# unmount_board [STATUS]: unmounts, waits until all is on the chip, and judges the driver's end.
# A folder that was listed is let go of a little later: behind a call that is answered, libfuse has
# done so, and leaks nothing.
unmount_board() {
    stat "$MNT/info.txt" >/dev/null 2>&1 || :
    fusermount3 -u "$MNT" || return 1
    wait_driver
    equal "${1:-0}" "$DRIVER_STATUS" && no_reports
}

# remount_board OPTION...: what a reader sees after it comes from the chip, not from the cache.
remount_board() {
    unmount_board 0 && mount_board "$@"
}

# fresh_counters: has the board write its counters down now. A file that is there may be old.
fresh_counters() {
    rm -f "$COUNTERS"
    kill -USR1 "$BOARD_PID"
    wait_until 10 test -s "$COUNTERS" || {
        say "the board wrote no counters"
        return 1
    }
}

# value NAME FILE: the number behind NAME (`programs`, `op 0xd1`), 0 where it has no line.
value() {
    awk -v name="$1 " 'index($0, name) == 1 { n = $NF } END { print n + 0 }' "$2"
}

# counter NAME: prints what the board has counted since it started.
counter() {
    fresh_counters && value "$1" "$COUNTERS"
}

# sector_counter N: prints `ERASES PROGRAMS` of one 4 KiB sector.
sector_counter() {
    fresh_counters &&
        awk -v n="$1" '$1 == "sector" && $2 == n { e = $4; p = $6 } END { print e + 0, p + 0 }' \
            "$COUNTERS"
}

# mark_counters: what happens from here on is what the _since_mark functions tell.
mark_counters() {
    fresh_counters && cp "$COUNTERS" "$COUNTERS.mark"
}

# counter_since_mark NAME
counter_since_mark() {
    now=$(counter "$1") && echo $((now - $(value "$1" "$COUNTERS.mark")))
}

# sectors_since_mark erases|programs: the sectors that had some, as one line of numbers.
sectors_since_mark() {
    fresh_counters &&
        awk -v what="$1" '
            $1 != "sector" { next }
            { n = what == "erases" ? $4 : $6 }
            FNR == NR { before[$2] = n; next }
            n > before[$2] { line = line sep $2; sep = " " }
            END { print line }' "$COUNTERS.mark" "$COUNTERS"
}

# random_bytes COUNT: prints that many (K, M and the like as head takes them).
random_bytes() {
    head -c "$1" /dev/urandom
}

# same_bytes FILE FILE [LENGTH]
same_bytes() {
    cmp ${3:+-n "$3"} "$1" "$2"
}

show_log() {
    [ -s "$1" ] || return 0
    echo "--- ${1##*/}" >&2
    tail -n 60 "$1" >&2
}

finish() {
    finish_status=$?
    trap - EXIT
    if mounted "$MNT"; then
        fusermount3 -u -z "$MNT" || :
    fi
    for pid in $DRIVER_PID $SERVER_PID $BOARD_PID; do
        kill "$pid" 2>/dev/null || :
    done
    for pid in $DRIVER_PID $SERVER_PID $BOARD_PID; do
        end_process "$pid" 10 2>/dev/null || :
    done
    [ "$failures" = 0 ] || [ "$finish_status" != 0 ] || finish_status=1
    case $finish_status in
    0 | 77) ;;
    *)
        show_log "$DRIVER_LOG"
        show_log "$BOARD_LOG"
        show_log "$WORK/board.err"
        ;;
    esac
    rm -rf --one-file-system "$WORK"
    exit "$finish_status"
}

trap finish EXIT
trap 'exit 130' HUP INT TERM
set -eu
