#!/bin/sh
# A driver that is killed in the middle of a restore leaves torn sectors; the next mount finishes
# them, unless it is told not to.
. "$(dirname "$0")/../lib/mount.sh"

journal=$XDG_STATE_HOME/espflashfs/240ac4000001/journal

boot() {
    start_board --chip esp32 --size 1M --mac 24:0a:c4:00:00:01 --flash-timing real
}

journal_is_there() {
    [ -s "$journal" ]
}

# Kills the driver as soon as it has begun to write.
kill_in_a_restore() {
    cp "$WORK/new" "$MNT/flash.bin" 2>/dev/null &
    copy=$!
    wait_until 20 journal_is_there || return 1
    kill -9 "$DRIVER_PID"
    end_process "$DRIVER_PID" 10
    end_process "$copy" 10
    fusermount3 -u -z "$MNT"
}

sectors_are_whole() {
    python3 - "$FLASH" "$WORK/old" "$WORK/new" <<'PYTHON'
import sys

flash, old, new = (open(name, "rb").read() for name in sys.argv[1:])
bad = [at for at in range(0, len(old), 4096)
       if flash[at:at + 4096] not in (old[at:at + 4096], new[at:at + 4096])]
print("torn:", [hex(at) for at in bad])
sys.exit(bool(bad) or len(flash) != len(old))
PYTHON
}

log_has() {
    grep -q "$1" "$DRIVER_LOG"
}

head -c 1048576 /dev/urandom >"$WORK/old"
head -c 1048576 /dev/urandom >"$WORK/new"
cp "$WORK/old" "$FLASH"
check 'a board' boot
check 'it is mounted' mount_board
check 'killed in the middle of a restore' kill_in_a_restore
check 'the journal is the user'\''s alone' equal 600 "$(stat -c %a "$journal")"
check 'and so is its folder' equal 700 "$(stat -c %a "${journal%/*}")"
cp "$journal" "$WORK/kept"

check 'mounted with -o ro' mount_board -o ro
check 'the log says that there is a journal' log_has 'with -o ro it is left as it is'
check 'unmounted' unmount_board
check 'it is left as it is' cmp "$journal" "$WORK/kept"

check 'mounted again' mount_board
check 'the log says what is done' wait_until 20 log_has 'as its journal tells'
check 'unmounted' unmount_board
check 'the driver ends well' equal 0 "$DRIVER_STATUS"
check 'no journal is left' [ ! -e "$journal" ]
check 'every sector is the old or the new one' sectors_are_whole
