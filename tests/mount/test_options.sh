#!/bin/sh
# Options, variables, --probe, the background, and a second mount of the same board.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

DRIVER=$EF_BUILD/espflashfs

# prints PATTERN argument...: ends with 0 and prints PATTERN on its standard output.
prints() {
    pattern=$1
    shift
    "$DRIVER" "$@" >"$WORK/printed" 2>>"$DRIVER_LOG" && grep -q -E "$pattern" "$WORK/printed"
}

# Every option of ours that options.c knows is in the help.
help_is_complete() {
    "$DRIVER" --help >"$WORK/help" || return 1
    for name in port baud chip before after stub size log ro foreground debug probe help version; do
        grep -q -E "(^| |--)$name( |=|,|$)" "$WORK/help" || {
            say "no $name"
            return 1
        }
    done
}

probe_prints_info() {
    prints '^Chip: ESP32' --probe "$PORT" && cp "$WORK/printed" "$WORK/probed" && nobody_is_left
}

# --probe prints what the mount shows, but for the stub, which runs already the second time.
info_is_alike() {
    grep -v '^Loader: ' "$WORK/probed" >"$WORK/a"
    grep -v '^Loader: ' "$MNT/info.txt" | cmp - "$WORK/a"
}

info_lines() {
    for line in '^Chip: ESP32.* \(revision ' '^Features: ' '^Crystal: 40 *MHz' \
        '^MAC: ([0-9a-f]{2}:){5}[0-9a-f]{2}$' '^Manufacturer: c8 ' '^Device: 4014$' \
        '^Detected flash size: 1MB$' '^Flash size in bytes: 1048576$' '^Flash size in hex: 0x100000$' \
        '^Flash voltage: 3\.3V \(set by ' "^Port: $PORT\$" '^Baud: ' '^Loader: ' '^Flash access: read and write$'; do
        info_has "$line" || return 1
    done
}

read_only() {
    mark_counters
    for command in "cp $EXPECTED" "truncate -s 0" "dd conv=notrunc status=none if=$EXPECTED of="; do
        # Unquoted on purpose: a command with its arguments.
        # shellcheck disable=SC2086
        case $command in
        *=) refused 'Read-only file system' $command"$MNT/flash.bin" ;;
        *) refused 'Read-only file system' $command "$MNT/flash.bin" ;;
        esac || return 1
    done
    info_has '^Flash access: read only' && equal 400 "$(stat -c %a "$MNT/flash.bin")" && untouched
}

log_file_tells() {
    grep -q -E '^[0-9]{4}-[0-9-]+ [0-9:]+ mounted on ' "$WORK/log" && same_bytes "$EXPECTED" \
        "$MNT/flash.bin"
}

# start ARGUMENT...: without -f it returns when the mount is there.
start() {
    timeout $((40 * EF_SLOW)) "$DRIVER" "$@" >>"$DRIVER_LOG" 2>&1 </dev/null
}

driver_is_gone() {
    fails pgrep -f "^$DRIVER .*$MNT"
}

in_the_background() {
    start "$PORT" "$MNT" && mounted "$MNT" && pgrep -f "^$DRIVER .*$MNT" >/dev/null || return 1
    as_expected || return 1
    random_bytes 10000 >"$WORK/image"
    cp "$WORK/image" "$MNT/flash.bin" && expect_patch "$WORK/image" && fusermount3 -u "$MNT" &&
        wait_until 20 driver_is_gone && same_bytes "$EXPECTED" "$FLASH" && no_reports
}

# The part of the flash that size= leaves, and nothing behind it.
half_size() {
    equal 524288 "$(stat -c %s "$MNT/flash.bin")" &&
        same_bytes "$EXPECTED" "$MNT/flash.bin" 524288 && info_has 'size in bytes: 524288'
}

# libfuse gives files what umask= leaves of 777.
for_others() {
    equal 750 "$(stat -c %a "$MNT")" && equal 750 "$(stat -c %a "$MNT/flash.bin")" &&
        equal 1234:5678 "$(stat -c %u:%g "$MNT/flash.bin")" &&
        grep -F " $MNT " /proc/self/mountinfo | grep -q allow_other
}

# chip= is refused for another chip, which shows that the variable is read.
variables() {
    ESPTOOL_PORT=$PORT start "$MNT" || return 1
    equal "Port: $PORT" "$(grep ^Port: "$MNT/info.txt")"
    fusermount3 -u "$MNT" && wait_until 20 driver_is_gone || return 1
    ESPTOOL_CHIP=esp8266 fails_to_start 1 'chip=esp8266 was asked for' "$PORT" "$MNT" || return 1
    ESPTOOL_CHIP=esp8266 prints '^Chip: ESP32' --probe --chip=esp32 "$PORT" || return 1
    ESPTOOL_BEFORE=never fails_to_start 2 'before=never' "$PORT" "$MNT" || return 1
    ESPTOOL_AFTER=no_reset ESPTOOL_BEFORE=no_reset ESPTOOL_BAUD=921600 \
        prints '^Chip: ESP32' --probe "$PORT"
}

# with_options NAME COMMAND OPTION...: a mount with them, on which the command is true.
with_options() {
    name=$1
    command=$2
    shift 2
    check "$name: mounts" mount_board "$@"
    check "$name" "$command"
    check "$name: unmounts" unmount_board
}

new_board 1M --chip esp32
check '--help names every option' help_is_complete
check '--help tells of FUSE'"'"'s options' prints allow_other --help
check '--version' prints '^espflashfs [0-9]+\.[0-9]+\.[0-9]+ \(libfuse 3' --version
check '--probe prints info.txt' probe_prints_info
with_options 'info.txt is what --probe printed' info_is_alike
with_options 'info.txt has its lines' info_lines -o after=no-reset
with_options 'a second mount, of the running stub' as_expected -o before=no_reset,after=no_reset
with_options 'ro' read_only -o ro
with_options 'log=FILE' log_file_tells --log "$WORK/log"
with_options 'size=512k' half_size --size=512k
with_options 'debug' as_expected -o debug
with_options 'allow_other, umask, uid, gid' for_others -o allow_other,umask=027,uid=1234,gid=5678
check 'in the background, and away again' in_the_background
check 'the variables ESPTOOL_*' variables
