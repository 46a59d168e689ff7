# shellcheck shell=sh
# Sourced by cases after tests/lib/mount.sh: what must be on the board, and who was refused.
#   EXPECTED  what flash.bin and the board's file are to hold, kept by the case

EXPECTED=$WORK/expected

# new_board SIZE OPTION...: random contents, in $EXPECTED too.
new_board() {
    random_bytes "$1" >"$FLASH"
    cp "$FLASH" "$EXPECTED"
    size=$1
    shift
    start_board --size "$size" "$@"
}

# expect_patch FILE [OFFSET]: from now on these bytes are expected there.
expect_patch() {
    dd if="$1" of="$EXPECTED" bs=64k seek="${2:-0}" oflag=seek_bytes conv=notrunc status=none
}

# as_expected: the board, and what the mount shows of it.
as_expected() {
    same_bytes "$EXPECTED" "$FLASH" && same_bytes "$EXPECTED" "$MNT/flash.bin"
}

# untouched: as_expected, and nothing was erased or programmed since mark_counters.
untouched() {
    as_expected && no_wear
}

no_wear() {
    equal '' "$(sectors_since_mark erases)" && equal '' "$(sectors_since_mark programs)"
}

# refused MESSAGE command...: true where it fails and says MESSAGE (an extended expression).
refused() {
    refused_message=$1
    shift
    if LC_ALL=C "$@" 2>"$WORK/refused"; then
        say "was not refused: $*"
        return 1
    fi
    grep -q -E "$refused_message" "$WORK/refused" || {
        say "said: $(cat "$WORK/refused")"
        return 1
    }
}

# info_has LINE: info.txt has it (an extended expression).
info_has() {
    grep -q -E "$1" "$MNT/info.txt" || {
        cat "$MNT/info.txt"
        return 1
    }
}

# log_says MESSAGE: the driver's log has it (an extended expression).
log_says() {
    grep -q -E "$1" "$DRIVER_LOG" || {
        say "the log lacks '$1': $(tail -n 5 "$DRIVER_LOG")"
        return 1
    }
}

# A part of a sector, which is not written behind, by a cat that waits for more: nothing but the end
# of the mount asks for it to be written.
leave_dirty() {
    random_bytes 3000 >"$WORK/dirty"
    expect_patch "$WORK/dirty"
    rm -f "$WORK/fifo"
    mkfifo "$WORK/fifo"
    cat "$WORK/fifo" 1<>"$MNT/flash.bin" 2>/dev/null &
    WRITER=$!
    exec 4>"$WORK/fifo"
    cat "$WORK/dirty" >&4
    wait_until 10 cmp -s -n 3000 "$WORK/dirty" "$MNT/flash.bin" && fails cmp -s "$EXPECTED" "$FLASH"
}

writer_ends() {
    exec 4>&-
    end_process "$WRITER" 10 || :
}

# nobody_is_left: nothing is mounted, and no process works for this mount point.
nobody_is_left() {
    if mounted "$MNT"; then
        fusermount3 -u "$MNT"
        say "was mounted"
        return 1
    fi
    fails pgrep -a -f "/espflashfs .*$MNT"
}

# fails_to_start STATUS MESSAGE argument...: the driver, not told to stay in the foreground, ends
# with STATUS within its deadline, says MESSAGE (an extended expression) and leaves nothing behind.
fails_to_start() {
    start_status=$1
    start_message=$2
    shift 2
    start_got=0
    timeout $((40 * EF_SLOW)) "$EF_BUILD/espflashfs" "$@" >"$WORK/start" 2>&1 </dev/null ||
        start_got=$?
    cat "$WORK/start" >>"$DRIVER_LOG"
    nobody_is_left && equal "$start_status" "$start_got" && no_reports && {
        grep -q -E "$start_message" "$WORK/start" || {
            say "said: $(cat "$WORK/start")"
            return 1
        }
    }
}
