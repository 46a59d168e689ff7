#!/bin/sh
# Ways to lose data that no single fault of the line, the board or the disk leads to: what people
# and other programs do between one mount and the next, or beside a mount.
# timeout: 300
. "$(dirname "$0")/../lib/mount.sh"

SIZE=1048576
HALF=524288
state=$XDG_STATE_HOME
journal=$state/espflashfs/240ac4000001/journal

boot() {
    start_board --chip esp32 --size 1M --mac 24:0a:c4:00:00:01 "$@"
}

journal_is_there() {
    [ -s "$journal" ]
}

no_journal() {
    [ ! -e "$journal" ]
}

log_has() {
    grep -q "$1" "$DRIVER_LOG"
}

kill_driver() {
    kill -9 "$DRIVER_PID"
    wait_driver 2>/dev/null
    ! mounted "$MNT" || fusermount3 -u -z "$MNT"
}

# What is written to the flash, or erased, is cut off by the driver's end, as early as can be.
cut_off() {
    boot --flash-timing real && mount_board || return 1
    "$@" 2>/dev/null &
    cut_pid=$!
    wait_until 20 journal_is_there || return 1
    kill_driver
    end_process "$cut_pid" 10 || :
    stop_board
}

restore() {
    cp "$WORK/new" "$MNT/flash.bin"
}

write_application() {
    dd if="$WORK/new" of="$MNT/flash.bin" bs=64k skip=1 seek=1 count=12 conv=notrunc status=none
}

erase_most() {
    echo 0 960k >"$MNT/erase"
}

# another_tool FILE [KIB]: flashes that much of it from 64 KiB on, or all, while nothing is mounted.
another_tool() {
    if [ $# = 2 ]; then
        dd if="$1" of="$FLASH" bs=64k skip=1 seek=1 count=$(($2 / 64)) conv=notrunc status=none
    else
        cp "$1" "$FLASH"
    fi
    cp "$FLASH" "$WORK/wanted"
}

# mount_once OPTION...: a mount that does nothing but what it does by itself.
mount_once() {
    boot && mount_board "$@" && unmount_board && stop_board
}

flash_is() {
    cmp "$FLASH" "$1"
}

# Each sector of the flash is that of one of the files.
sectors_are_of() {
    python3 - "$FLASH" "$@" <<'PYTHON'
import sys

flash, *files = (open(name, "rb").read() for name in sys.argv[1:])
bad = [at for at in range(0, len(flash), 4096)
       if flash[at:at + 4096] not in [f[at:at + 4096] for f in files]]
print("torn:", [hex(at) for at in bad])
sys.exit(bool(bad) or any(len(f) != len(flash) for f in files))
PYTHON
}

fresh() {
    rm -rf "$state" "$XDG_CACHE_HOME"
    cp "$WORK/old" "$FLASH"
}

for name in old new other; do
    random_bytes $SIZE >"$WORK/$name"
done

# Between a mount that was killed and the next one.
fresh
check 'a restore is killed' cut_off restore
check 'another tool flashes the whole board' another_tool "$WORK/other"
check 'the next mount' mount_once
check 'does not write over that' flash_is "$WORK/wanted"
check 'and says why' log_has 'written to by something else since'

fresh
check 'the write of an application is killed' cut_off write_application
check 'another tool flashes one' another_tool "$WORK/other" 512
check 'the next mount' mount_once
check 'does not write over that' flash_is "$WORK/wanted"

fresh
check 'an erase is killed' cut_off erase_most
check 'another tool flashes the whole board' another_tool "$WORK/other"
check 'the next mount' mount_once
check 'does not go on erasing' flash_is "$WORK/wanted"

fresh
check 'an erase is killed, since it was a mistake' cut_off erase_most
cp "$WORK/new" "$FLASH"
dd if=/dev/zero bs=64k count=2 status=none | tr '\0' '\377' |
    dd of="$FLASH" conv=notrunc status=none
cp "$FLASH" "$WORK/wanted"
check 'a mount with journal=none' mount_once -o journal=none
check 'does not go on with it' flash_is "$WORK/wanted"

fresh
check 'a restore is killed' cut_off restore
printf 'settings' | dd of="$FLASH" bs=1 seek=$((SIZE - 4096)) conv=notrunc status=none
tail -c 4096 "$FLASH" >"$WORK/settings"
check 'its firmware writes settings, then a mount' mount_once
check 'which the settings survive' cmp "$WORK/settings" "$FLASH" 0 $((SIZE - 4096))
cat "$WORK/old" >"$WORK/old.changed"
dd if="$WORK/settings" of="$WORK/old.changed" bs=4096 seek=255 conv=notrunc status=none
check 'and no sector is torn' sectors_are_of "$WORK/old.changed" "$WORK/new"
check 'nor work left over' no_journal

# Two users of one board, each with a state folder of their own.
fresh
check 'the write of an application by one user is killed' cut_off write_application
XDG_STATE_HOME=$WORK/state.other
boot && check 'another user mounts' mount_board
check 'and writes an application' \
    dd if="$WORK/other" of="$MNT/flash.bin" bs=64k seek=1 skip=1 count=8 conv=notrunc status=none
check 'to the end' unmount_board
cp "$FLASH" "$WORK/wanted"
stop_board
XDG_STATE_HOME=$state
check 'the first one mounts' mount_once
check 'and does not write over that' flash_is "$WORK/wanted"

# Two boards that say they are the same.
fresh
check 'a restore is killed' cut_off restore
cp "$FLASH" "$WORK/torn"
cp "$WORK/other" "$FLASH"
check 'another board of the same MAC is mounted' mount_once
check 'and is not written to' flash_is "$WORK/other"
cp "$WORK/torn" "$FLASH"
check 'the board itself is mounted' mount_once
check 'and no sector is torn' sectors_are_of "$WORK/old" "$WORK/new"

# A mount that offers less of the flash than the one that was killed.
restore_end() {
    dd if="$WORK/new" of="$MNT/flash.bin" bs=64k skip=8 seek=8 conv=notrunc status=none
}
fresh
check 'a restore of the upper half is killed' cut_off restore_end
check 'a mount of the lower half' mount_once -o size=512K
check 'leaves that alone' journal_is_there
check 'one of all' mount_once
check 'has no sector torn' sectors_are_of "$WORK/old" "$WORK/new"
check 'and finishes it' no_journal

# A record that comes back although its work was finished, as from a backup of the home folder.
fresh
check 'a restore is killed' cut_off restore
cp -r "$state" "$WORK/backup"
check 'it is finished' mount_once
boot && check 'mounted' mount_board
check 'something else is written there' cp "$WORK/other" "$MNT/flash.bin"
check 'unmounted' unmount_board
stop_board
rm -rf "$state"
cp -r "$WORK/backup" "$state"
check 'the old record is back, then a mount' mount_once
check 'and what was written later stays' flash_is "$WORK/other"

# Beside a mount.
fresh
boot && check 'mounted' mount_board
check 'mv fails' fails mv "$WORK/new" "$MNT/flash.bin"
check 'and keeps its file' [ -s "$WORK/new" ]
check 'an editor that saves by renaming fails' fails sed -i s/a/b/ "$MNT/flash.bin"
check 'cp --remove-destination fails' fails cp --remove-destination "$WORK/new" "$MNT/flash.bin"
if command -v rsync >/dev/null; then
    check 'rsync without --inplace fails' fails rsync "$WORK/new" "$MNT/flash.bin"
fi
check 'nothing of it was written' flash_is "$WORK/old"
cat "$WORK/new" "$WORK/old" >"$WORK/long"
check 'an image that is too long fails' fails cp "$WORK/long" "$MNT/flash.bin"
head -c $HALF "$WORK/other" >"$WORK/short"
check 'one that is too short' cp "$WORK/short" "$MNT/flash.bin"
check 'leaves the rest' same_bytes "$MNT/flash.bin" "$WORK/short" $HALF
tail -c $HALF "$WORK/new" >"$WORK/rest"
check 'as it was' cmp "$MNT/flash.bin" "$WORK/rest" $HALF 0
cp "$FLASH" "$WORK/wanted"
true >"$MNT/flash.bin"
check 'killed after > flash.bin' kill_driver
check 'nothing is erased' flash_is "$WORK/wanted"
stop_board

fresh
boot && check 'mounted' mount_board
check 'one handle writes, another syncs' python3 - "$MNT/flash.bin" "$WORK/new" <<'PYTHON'
import os, sys

new = open(sys.argv[2], "rb").read()
one = os.open(sys.argv[1], os.O_WRONLY)
two = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(one, new[:70000], 0)
os.fsync(two)
PYTHON
check 'killed' kill_driver
check 'it is there' same_bytes "$FLASH" "$WORK/new" 70000
check 'mounted' mount_board
check 'one that maps it writes and syncs' python3 - "$MNT/flash.bin" "$WORK/other" <<'PYTHON'
import mmap, sys

other = open(sys.argv[2], "rb").read()
with open(sys.argv[1], "r+b") as f:
    m = mmap.mmap(f.fileno(), 0)
    m[:70000] = other[:70000]
    m.flush()
PYTHON
check 'killed' kill_driver
check 'it is there' same_bytes "$FLASH" "$WORK/other" 70000
mkdir "$WORK/dead"
check 'mounted' mount_board
kill -9 "$DRIVER_PID"
wait_driver 2>/dev/null
check 'cp to a mount whose driver is gone fails' fails cp "$WORK/new" "$MNT/flash.bin"
fusermount3 -u -z "$MNT"

# The same board by two ports at once.
check 'mounted' mount_board
first_pid=$DRIVER_PID first_mnt=$MNT first_board=$BOARD_PID
cp "$FLASH" "$WORK/second.bin"
FLASH=$WORK/second.bin MNT=$WORK/dead
check 'its twin' boot
check 'is mounted too' mount_board
check 'a write through that fails' fails cp "$WORK/new" "$MNT/flash.bin"
check 'and writes nothing' same_bytes "$FLASH" "$WORK/other" 70000
check 'the log says whose it is' log_has 'unmount the board there first'
check 'unmounted, with its data lost' unmount_board 3
stop_board
DRIVER_PID=$first_pid MNT=$first_mnt BOARD_PID=$first_board FLASH=$WORK/flash.bin
check 'the first is unmounted' unmount_board
