# shellcheck shell=sh
# Sourced by run: one job by one client, as a row. Uses $chip, $scenario, $latency, $board_size,
# and `limit`: seconds, `whole` (all of the flash crosses), `crossed` (what did), or -.

: "${here:?}" "${rows:?}" "${deadline:?}"
chip=
scenario=
latency=
board_size=
limit=
recorded=yes # no: the row of a job that goes well is left out

now() {
    date +%s.%N
}

# between FROM TO: seconds.
between() {
    echo "$1 $2" | awk '{ printf "%.2f", $2 - $1 }'
}

board() {
    start_board --chip "$chip" --size "$board_size" --line-rate "$BENCH_LINE" \
        --flash-timing "$BENCH_LINE" --latency "$latency"
}

# stop_counting: what comes later is not the job's.
stop_counting() {
    fresh_counters && cp "$COUNTERS" "$COUNTERS.end"
}

counted() {
    echo $(($(value "$1" "$COUNTERS.end") - $(value "$1" "$COUNTERS.mark")))
}

limit_seconds() {
    case $limit in
    whole) limit_bytes=$board_size ;;
    crossed) limit_bytes=$(counted bytes_out) ;;
    *)
        echo "$limit"
        return
        ;;
    esac
    echo "$limit_bytes $BENCH_BAUD" | awk '{ printf "%.3f", $1 * 10 / $2 }'
}

# row WHO ok|WRONG CONNECT SECONDS
row() {
    bound=-
    [ "$BENCH_LINE" = none ] || bound=$(limit_seconds)
    line="$chip $scenario $1 $2 $3 $4 $bound"
    for name in bytes_in bytes_out commands md5s erase_ops sector_erases programs; do
        line="$line $(counted "$name")"
    done
    echo "$line" >>"$rows"
    print_row
    [ "$2" = ok ] || failures=$((failures + 1))
}

# wrong WHO WHY...: a job that has no figures.
wrong() {
    failures=$((failures + 1))
    echo "$chip $scenario $1 WRONG - 0 - 0 0 0 0 0 0 0" >>"$rows"
    print_row
    shift
    say "$*"
}

# verdict FILE FILE
verdict() {
    if same_bytes "$1" "$2" >&2; then
        echo ok
    else
        echo WRONG
    fi
}

# arrived JOB: what the job brought is what was there, or what was to be.
arrived() {
    case $1 in
    read*) verdict "$FLASH" "$WORK/copy" ;;
    write) verdict "$IMAGE" "$FLASH" ;;
    esac
}

# file_of JOB: what it fills, which is not there yet, or sends.
file_of() {
    case $1 in
    read*)
        rm -f "$WORK/copy"
        echo "$WORK/copy"
        ;;
    write) echo "$IMAGE" ;;
    esac
}

# do_job JOB: by plain cp.
do_job() {
    case $1 in
    read*) timeout "$deadline" cp "$MNT/flash.bin" "$(file_of "$1")" ;;
    write) timeout "$deadline" cp "$(file_of "$1")" "$MNT/flash.bin" ;;
    esac
}

# ours read|read_rom|write [OPTION...]: a mount, the job under the clock, an unmount.
ours() {
    job=$1
    shift
    BOARD_LISTEN=pty:$WORK/tty board
    start=$(now)
    mount_board -o "before=no-reset,baud=$BENCH_BAUD" "$@" || {
        stop_board
        wrong espflashfs "the driver did not mount: $(tail -n 3 "$DRIVER_LOG")"
        return
    }
    mark_counters
    begun=$(now)
    did=yes
    do_job "$job" || did=no
    done=$(now)
    stop_counting
    unmount_board || did=no
    stop_board
    is=$(arrived "$job")
    [ "$did" = yes ] || is=WRONG
    case $recorded:$is in
    no:ok) ;;
    *) row espflashfs "$is" "$(between "$start" "$begun")" "$(between "$begun" "$done")" ;;
    esac
}

# ours_before JOB: one that only leaves behind what the driver keeps of a board.
ours_before() {
    recorded=no
    ours "$@"
    recorded=yes
}

# peer_js read|read_rom|write
peer_js() {
    board
    if took=$(BOARD_PID=$BOARD_PID COUNTERS=$COUNTERS timeout "$deadline" node \
        "$here/peer.mjs" "${PORT##*:}" "$BENCH_BAUD" "$1" "$board_size" "$(file_of "$1")"); then
        stop_counting
        stop_board
        row esptool-js "$(arrived "$1")" "${took% *}" "${took#* }"
    else
        stop_board
        wrong esptool-js "esptool-js failed at $1"
    fi
}

esptool_program() {
    command -v esptool.py || command -v esptool
}

# esptool_says: its output goes to a log, and when it was connected and when it was done is noted.
esptool_says() {
    while read -r line; do
        echo "$line"
        case $line in
        *Changed.*)
            now >"$WORK/begun"
            mark_counters
            ;;
        *'Staying in bootloader'*) now >"$WORK/done" ;;
        esac
    done >"$WORK/esptool.log"
}

# run_esptool ARGUMENT...: true where it came to its end.
run_esptool() {
    rm -f "$WORK/begun" "$WORK/done"
    {
        PYTHONUNBUFFERED=1 timeout "$deadline" "$(esptool_program)" --chip "$chip" \
            --port "$PORT" --baud "$BENCH_BAUD" --before no_reset --after no_reset "$@" 2>&1 ||
            echo "ended with status $?"
    } | esptool_says
    [ -s "$WORK/begun" ] && [ -s "$WORK/done" ] &&
        ! grep -q '^ended with status' "$WORK/esptool.log"
}

esptool_does() {
    file=$(file_of "$1")
    case $1 in
    read) run_esptool read_flash 0 "$board_size" "$file" ;;
    read_rom) run_esptool --no-stub read_flash 0 "$board_size" "$file" ;;
    write) run_esptool write_flash 0 "$file" ;;
    esac
}

# peer_esptool read|read_rom|write
peer_esptool() {
    esptool_program >/dev/null || return 0
    board
    start=$(now)
    if esptool_does "$1"; then
        stop_counting
        stop_board
        begun=$(cat "$WORK/begun")
        row esptool "$(arrived "$1")" "$(between "$start" "$begun")" \
            "$(between "$begun" "$(cat "$WORK/done")")"
    else
        stop_board
        wrong esptool "esptool failed: $(tail -n 5 "$WORK/esptool.log")"
    fi
}

wants_peer() {
    case " $BENCH_PEERS " in
    *" $1 "*) ;;
    *) return 1 ;;
    esac
}

# peers read|read_rom|write: a write finds what ours will find.
peers() {
    cp "$FLASH" "$WORK/before"
    ! wants_peer esptool-js || peer_js "$1"
    cp "$WORK/before" "$FLASH"
    ! wants_peer esptool || peer_esptool "$1"
    cp "$WORK/before" "$FLASH"
}
