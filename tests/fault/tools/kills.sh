# shellcheck shell=sh
# Sourced by cases after tests/lib/mount.sh: a restore that is cut off at a moment that a seed
# picks, what heals it, and the judgement. One run is one plan of torn.c on a board of its own.
#   KIND      kill    the driver is killed at a flash operation, and some time after it
#             power   the board loses power in one; it is back at the next mount
#             back    the same, but it is back while the driver waits for it
#             twice   as back, but then the driver is killed
#             both    either happens about then
#             repeat  as kill, and once more while all of it is written again
#             replay  as power, then the driver is killed, up to three times, while it finishes that
#   MOUNT_OPTIONS     what every mount of the case is given

TORN=$EF_BUILD/fault/torn
KILL_AT=$EF_BUILD/fault/kill_at
RUN=$WORK/run
FLASH=$RUN/flash
PULSE=$WORK/pulse
WRITER_PID=
KILLER_PID=
RUNS=$WORK/runs # a line a run: kind, was the journal pending, the numbers of `torn check`
: "${MOUNT_OPTIONS:=}"

# draw SEED: all that the seed decides, but for the plan.
draw() {
    read -r draw_size draw_chip draw_timing draw_permille draw_late draw_us draw_early \
        draw_again draw_line draw_other draw_twice <<DICE
$("$TORN" dice "$1" 3 4 3 1120 3 20000 4 24 6 4 4)
DICE
    # One in twenty before the first operation.
    draw_permille=$((draw_permille > 60 ? draw_permille - 60 : 0))
    # Mostly while the board is at that operation, else when the driver has its answer.
    [ "$draw_late" = 0 ] || draw_us=$((draw_us / 50))
    case $draw_size in
    0) size=262144 ;;
    1) size=524288 ;;
    *) size=1048576 ;;
    esac
    loader=auto
    case $draw_chip in
    0) chip=esp32 ;;
    1) chip=esp8266 ;;
    2) chip=esp32c3 ;;
    *) chip=esp32s3 loader=rom ;;
    esac
    line=socket
    # Resets work there, and a ROM's baud does not matter.
    [ "$draw_line" != 0 ] || line=rfc2217
    timing=none
    [ "$draw_timing" != 0 ] || timing=real
}

# The board of a run; its flash operations are counted from here on.
board_of_run() {
    exec 9<&- || :
    rm -f "$PULSE"
    mkfifo "$PULSE"
    exec 9<>"$PULSE"
    # shellcheck disable=SC2034 # start_board's
    BOARD_LISTEN=$line:${at_port:-0}
    start_board --chip "$chip" --size "$size" --seed "$seed" --pulse "$PULSE" "$@"
}

# mount_of_run MOUNT-OPTION... On a machine that is busy a reset by modem lines may miss its moment:
# then as a person would, again.
mount_of_run() {
    for try in 1 2 3; do
        # Unquoted on purpose: options, or nothing.
        # shellcheck disable=SC2086
        ! mount_board -o stub="$loader",baud=460800 $MOUNT_OPTIONS "$@" || return 0
        [ "$line" = rfc2217 ] || return 1
        say "$line: mount $try failed"
    done
    return 1
}

# kill_at COUNT DELAY_US: the driver, at that flash operation of the board.
kill_driver_at() {
    "$KILL_AT" "$DRIVER_PID" "$1" "$2" <&9 2>>"$RUN/killer" &
    KILLER_PID=$!
}

end_killer() {
    [ -n "$KILLER_PID" ] || return 0
    kill "$KILLER_PID" 2>/dev/null || :
    end_process "$KILLER_PID" 10 || :
    KILLER_PID=
}

kill_driver() {
    end_killer
    kill -KILL "$DRIVER_PID" 2>/dev/null || :
    wait_driver 2>/dev/null
    ! mounted "$MNT" || fusermount3 -u -z "$MNT"
}

start_writer() {
    "$TORN" write "$RUN" "$MNT" 2>"$RUN/writer" &
    WRITER_PID=$!
}

wait_writer() {
    writer_status=0
    end_process "$WRITER_PID" 120 || writer_status=$?
    WRITER_PID=
}

# A journal that holds something, of whatever board.
journal_is_pending() {
    [ -n "$(find "$XDG_STATE_HOME" -name journal -size +0c 2>/dev/null)" ]
}

board_has_no_power() {
    ended "$BOARD_PID"
}

kill_board() {
    kill -KILL "$BOARD_PID" 2>/dev/null || :
    end_process "$BOARD_PID" 10 2>/dev/null || :
    BOARD_PID=
}

cut_or_done() {
    ended "$BOARD_PID" || ended "$WRITER_PID"
}

# come_back: the board has power again, at the port where it was.
come_back() {
    wait_until 60 cut_or_done || return 1
    ended "$BOARD_PID" || return 0
    end_process "$BOARD_PID" 10
    at_port=${PORT##*:}
    board_of_run --flash-timing "$timing"
    at_port=
}

# cut_off: the restore begins, and what the seed picked befalls it.
cut_off() {
    at=$((operations * draw_permille / 1000))
    case $kind in
    kill | repeat) board_of_run --flash-timing "$timing" ;;
    *) board_of_run --flash-timing "$timing" --fault power:$((at + 1)) ;;
    esac || return 1
    case $kind in
    back | twice) mount_of_run ;;
    *) mount_of_run -o reconnect=0 ;;
    esac || return 1
    case $kind in
    both) kill_driver_at $((at > draw_early ? at - draw_early : 0)) $((draw_us / 10)) ;;
    kill | repeat) kill_driver_at "$at" "$draw_us" ;;
    esac
    start_writer
    case $kind in
    back | twice) come_back || return 1 ;;
    esac
    [ "$kind" != twice ] || kill_driver_at "$draw_again" "$draw_us"
    wait_writer
    case $kind in
    power | back) ;;
    *) kill_driver ;;
    esac
}

# After a power loss the driver lives on; its end tells that not all is written.
leave_without_board() {
    fusermount3 -u "$MNT"
    wait_driver
    case $DRIVER_STATUS:$writer_status in
    0:0 | 3:1) ;;
    *) say "writer $writer_status, but driver $DRIVER_STATUS" && return 1 ;;
    esac
}

# The user tries again, while what was cut off is finished; that is cut off, too.
repeat_and_kill() {
    mount_of_run || return 1
    kill_driver_at $((at / 2 + draw_again)) "$draw_us"
    start_writer
    wait_writer
    kill_driver
}

replay_is_over() {
    ended "$DRIVER_PID" || ! journal_is_pending
}

# Mounts, and kills the driver at an operation of the replay.
kill_while_replaying() {
    # Unquoted on purpose, as above.
    # shellcheck disable=SC2086
    "$EF_BUILD/espflashfs" -f -o stub="$loader",baud=460800 $MOUNT_OPTIONS "$PORT" "$MNT" >>"$DRIVER_LOG" 2>&1 &
    DRIVER_PID=$!
    kill_driver_at "$1" "$2"
    wait_until 60 replay_is_over || say "the replay goes on and on"
    kill_driver
    ! journal_is_pending || again=$((again + 1))
}

# shows_what_is_there: a mount of the board does.
shows_what_is_there() {
    mount_of_run || return 1
    cp "$MNT/flash.bin" "$RUN/seen" || return 1
    unmount_board && same_bytes "$RUN/seen" "$FLASH"
}

# Another mount of the board, at which all heals: one in four by the ROM alone, where that can be,
# and one in four with one more behind it, for what the first has kept of the board.
heal() {
    case $draw_other:$chip:$kind in
    # A stub that runs stays.
    *:*:replay | *:*:repeat) ;;
    0:esp8266:*) ;;
    0:*) loader=rom ;;
    esac
    shows_what_is_there && { [ "$draw_twice" != 0 ] || shows_what_is_there; }
}

# What a run that failed half way has left.
clear_away() {
    end_killer
    [ -z "$DRIVER_PID" ] || kill_driver
    [ -z "$BOARD_PID" ] || kill_board
}

# one_run KIND SEED: false where anything was lost. A line in $RUNS.
one_run() {
    kind=$1
    seed=$2
    rm -rf "$RUN" "$XDG_STATE_HOME"
    mkdir -p "$RUN" "$XDG_STATE_HOME"
    : >"$DRIVER_LOG"
    draw "$seed"
    operations=$("$TORN" make "$seed" "$size" "$RUN")
    cp "$RUN/old" "$FLASH"
    cut_off || return 1
    case $kind in
    power) leave_without_board ;;
    back) unmount_board && equal 0 "$writer_status" ;;
    esac || return 1
    kill_board
    pending=0
    again=0
    ! journal_is_pending || pending=1
    board_of_run --flash-timing "$timing" || return 1
    [ "$kind" != repeat ] || repeat_and_kill || return 1
    for part in 1 2 3; do
        if [ "$kind" != replay ] || ! journal_is_pending; then
            break
        fi
        kill_while_replaying $((draw_again / part)) "$draw_us"
    done
    healed=0
    heal || healed=1
    stop_board
    judged=0
    numbers=$("$TORN" check "$RUN" flash) || judged=1
    echo "$kind $pending $again $numbers $seed $chip $loader $size $timing $at/$operations" >>"$RUNS"
    ! journal_is_pending || {
        say "the journal is not cleared"
        healed=1
    }
    [ $healed = 0 ] && [ $judged = 0 ]
}

# runs KIND COUNT: true if none of them lost anything. Of replays, COUNT is how many of the kills hit
# one.
runs() {
    bad=0
    i=0
    hits=0
    while [ "$i" -lt "$2" ] || { [ "$1" = replay ] && [ $hits -lt "$2" ]; }; do
        i=$((i + 1))
        [ "$i" -le $((4 * $2)) ] || {
            say "so few kills hit a replay: $hits"
            return 1
        }
        one_run "$1" $((FIRST_SEED + i)) || {
            bad=$((bad + 1))
            say "$1, seed $((FIRST_SEED + i)): $(tail -n 1 "$RUNS")"
            [ "$bad" -gt 3 ] || show_log "$DRIVER_LOG"
            clear_away
        }
        hits=$((hits + again))
    done
    equal 0 "$bad"
}

# finds_torn_sectors: without a journal, one of a few power losses leaves some, or the runs above
# tell nothing.
finds_torn_sectors() {
    MOUNT_OPTIONS='-o journal=none'
    i=0
    while i=$((i + 1)) && one_run power $((FIRST_SEED + i)) 2>/dev/null; do
        [ $i -lt 8 ] || return 1
    done
    MOUNT_OPTIONS=
    tail -n 1 "$RUNS"
}

# judges: what torn.c says of three images: the old one, one with a wrong byte, and the old one
# though all of it was durable.
judges() {
    rm -rf "$RUN"
    mkdir "$RUN"
    "$TORN" make "$FIRST_SEED" 262144 "$RUN" >"$RUN/operations" || return 1
    "$TORN" check "$RUN" old && "$TORN" check "$RUN" new || return 1
    cp "$RUN/new" "$FLASH"
    printf torn | dd of="$FLASH" bs=1 seek=70000 conv=notrunc status=none
    fails "$TORN" check "$RUN" flash || return 1
    cut -d ' ' -f 1,2 "$RUN/plan" >"$RUN/durable"
    "$TORN" check "$RUN" new && fails "$TORN" check "$RUN" old
}

# The table of all runs so far.
table() {
    awk 'BEGIN { printf "# %-7s %5s %8s %7s %8s %8s %8s %6s %6s\n", "kind", "runs", "pending",
                 "again", "sectors", "old", "new", "torn", "lost" }
         { if (!($1 in runs)) order[++kinds] = $1; runs[$1]++; pending[$1] += $2; again[$1] += $3
           for (i = 4; i <= 8; i++) sum[$1, i] += $i }
         END { for (k = 1; k <= kinds; k++) { kind = order[k]
                 printf "# %-7s %5d %8d %7d %8d %8d %8d %6d %6d\n", kind, runs[kind], pending[kind],
                        again[kind], sum[kind, 4], sum[kind, 5], sum[kind, 6], sum[kind, 7],
                        sum[kind, 8] } }' "$RUNS"
}
