#!/bin/sh
# What becomes of a write that another mount left torn, and of the next one, by what lies in the
# place of its journal and what the disk will take: a table. One mount each: it is asked to write
# one sector, and unmounted.
#   mount    mounted, or the exit status
#   write    ok, or what dd said
#   erased   0 or some sectors, in that mount
#   flash    torn: as the mount before left it; healed: as that would have ended; either may have
#            `+new`, the sector that this mount wrote
#   journal  same, another, empty, none, or what else it is; `+old`: what was there is journal.old
# timeout: 300
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/../mount/tools/common.sh"

SIZE=262144
FIRST=65536   # what was being written when power failed: one block, so one piece of work
LENGTH=65536
PROBE=32      # the sector that the mount after it is asked to write
CHIP=esp32
MAC=24:0a:c4:01:02:03
KEPT=$WORK/kept # that board's state folder, as it was left
JOURNAL=        # its journal, below XDG_STATE_HOME
DISK=$WORK/disk # a small one of its own
OTHER_PID=      # a second driver, and its board
OTHER_BOARD=
TABLE=$WORK/table
HOME_STATE=$XDG_STATE_HOME

leave() {
    for pid in $OTHER_PID $OTHER_BOARD; do
        kill "$pid" 2>/dev/null || :
    done
    ! mounted "$DISK" || umount -l "$DISK"
}

trap 'leave; finish' EXIT

board() {
    start_board --chip "$CHIP" --size "$SIZE" --mac "$MAC" "$@"
}

kill_driver() {
    kill -KILL "$DRIVER_PID"
    wait_driver 2>/dev/null
    fusermount3 -u -z "$MNT"
}

# A write that is torn, and its journal: $WORK/torn, $WORK/healed, $KEPT.
leave_torn() {
    random_bytes "$SIZE" >"$FLASH"
    cp "$FLASH" "$WORK/healed"
    random_bytes "$LENGTH" >"$WORK/image"
    dd if="$WORK/image" of="$WORK/healed" bs=4k seek=$((FIRST / 4096)) conv=notrunc status=none
    board --fault power:20 --seed 5 && mount_board || return 1
    dd if="$WORK/image" of="$MNT/flash.bin" bs=64k seek=$((FIRST / 65536)) conv=notrunc,fsync \
        status=none 2>"$WORK/said" &
    WRITER_PID=$!
    wait_until 30 ended "$BOARD_PID" || return 1
    end_process "$BOARD_PID" 10
    BOARD_PID=
    # It may wait for the board.
    kill_driver
    fails end_process "$WRITER_PID" 10 || return 1
    cp "$FLASH" "$WORK/torn"
    cp -a "$XDG_STATE_HOME" "$KEPT"
    JOURNAL=$(cd "$KEPT" && find . -name journal -size +0c)
    [ -n "$JOURNAL" ] && fails cmp -s "$WORK/torn" "$WORK/healed"
}

# again: flash and state as leave_torn left them; $XDG_STATE_HOME may be another folder now.
again() {
    cp "$WORK/torn" "$FLASH"
    rm -rf "$XDG_STATE_HOME"
    cp -a "$KEPT" "$XDG_STATE_HOME"
    remember
}

# What `same` means from here on.
remember() {
    rm -f "$WORK/before"
    [ ! -f "$XDG_STATE_HOME/$JOURNAL" ] || cp "$XDG_STATE_HOME/$JOURNAL" "$WORK/before"
}

# What dd says, without its name and what it was at.
try_write() {
    random_bytes 4096 >"$WORK/probe"
    if LC_ALL=C timeout 60 dd if="$WORK/probe" of="$MNT/flash.bin" bs=4k seek="$PROBE" \
        conv=notrunc,fsync status=none 2>"$WORK/said"; then
        echo ok
    else
        sed -n '1s/.*: //p' "$WORK/said"
    fi
}

flash_holds() {
    for image in torn healed; do
        cp "$WORK/$image" "$WORK/wanted"
        ! cmp -s "$WORK/wanted" "$FLASH" || echo "$image"
        dd if="$WORK/probe" of="$WORK/wanted" bs=4k seek="$PROBE" conv=notrunc status=none
        ! cmp -s "$WORK/wanted" "$FLASH" || echo "$image+new"
    done | head -n 1
}

journal_holds() {
    path=$XDG_STATE_HOME/$JOURNAL
    if [ -L "$path" ] || [ -p "$path" ] || [ -d "$path" ]; then
        state=$(LC_ALL=C stat -c %F "$path")
    elif [ -s "$path" ] && cmp -s "$WORK/before" "$path"; then
        state=same
    elif [ -s "$path" ]; then
        state=another
    elif [ -e "$path" ]; then
        state=empty
    else
        state=none
    fi
    if [ -e "$path.old" ]; then
        cmp -s "$WORK/before" "$path.old" && state=$state+old || state="$state+another old"
    fi
    echo "$state"
}

# outcome MOUNT-OPTION...: of one mount.
outcome() {
    : >"$DRIVER_LOG"
    : >"$WORK/probe"
    write=-
    board ${FLASH_ID:+--flash-id "$FLASH_ID"} || return 1
    if mount_board "$@"; then
        write=$(try_write)
        fusermount3 -u "$MNT"
        wait_driver
        result="mounted, $DRIVER_STATUS"
    else
        result="$DRIVER_STATUS"
    fi
    erased=$(counter sector_erases)
    stop_board
    holds=$(flash_holds)
    [ "$erased" = 0 ] || erased=some
    echo "$result | $write | $erased | ${holds:-OTHER} | $(journal_holds)"
}

# row NAME EXPECTED MESSAGE MOUNT-OPTION...: MESSAGE is of the driver's log, extended.
row() {
    row_name=$1
    row_expected=$2
    row_message=$3
    shift 3
    row_got=$(outcome "$@")
    echo "# $row_name | $row_got" >>"$TABLE"
    check "$row_name" equal "$row_expected" "$row_got"
    check "$row_name: said" log_says "$row_message"
}

# The board as it was before that write, with no journal.
calm() {
    cp "$WORK/healed" "$FLASH"
    rm -rf "$XDG_STATE_HOME"
    mkdir "$XDG_STATE_HOME"
    remember
}

# change OFFSET: one bit of the journal.
change() {
    python3 - "$XDG_STATE_HOME/$JOURNAL" "$1" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(-1, 1)
    file.write(bytes([byte ^ 4]))
PYTHON
    remember
}

test_whole() {
    again
    row 'pending' 'mounted, 0 | ok | some | healed+new | none' 'are written again now'
    again
    row 'pending, ro' 'mounted, 0 | Read-only file system | 0 | torn | same' \
        'with -o ro it is left as it is' -o ro
    again
    row 'pending, journal=none' 'mounted, 0 | ok | some | torn+new | none+old' \
        'it is not used: some sectors may be torn' -o journal=none
    again
    mkdir "$WORK/elsewhere"
    row 'pending, but journal=DIR is another' 'mounted, 0 | ok | some | torn+new | none+old' \
        'it is not used: some sectors may be torn' -o journal="$WORK/elsewhere"
    cp -a "$KEPT/espflashfs/." "$WORK/elsewhere"
    calm
    cp "$WORK/torn" "$FLASH"
    row 'pending in journal=DIR' 'mounted, 0 | ok | some | healed+new | none' \
        'are written again now' -o journal="$WORK/elsewhere"
    check 'and cleared there' fails [ -s "$WORK/elsewhere/${JOURNAL#./espflashfs/}" ]
    calm
    row 'journal=DIR that is not there' '2 | - | 0 | healed | none' 'journal=.*: no such folder' \
        -o journal="$WORK/no"
}

test_others() {
    again
    FLASH_ID=ef4012
    row 'of another flash' 'mounted, 0 | ok | some | torn+new | none+old' 'or of another flash'
    FLASH_ID=
    # Another board, to whose folder that journal was copied.
    again
    own=$MAC
    MAC=24:0a:c4:0a:0b:0c
    mv "$XDG_STATE_HOME/espflashfs/240ac4010203" "$XDG_STATE_HOME/espflashfs/240ac40a0b0c"
    pending_journal=$JOURNAL
    JOURNAL=./espflashfs/240ac40a0b0c/journal
    remember
    row 'of another board' 'mounted, 0 | ok | some | torn+new | none+old' "another board's"
    MAC=$own
    JOURNAL=$pending_journal
    again
    printf '\002' | dd of="$XDG_STATE_HOME/$JOURNAL" bs=1 seek=16 conv=notrunc status=none
    remember
    row 'of a newer version' 'mounted, 3 | Operation not permitted | 0 | torn | same' \
        'of a newer espflashfs'
    again
    printf '\002' | dd of="$XDG_STATE_HOME/$JOURNAL" bs=1 seek=16 conv=notrunc status=none
    remember
    row 'of a newer version, journal=none' 'mounted, 0 | ok | some | torn+new | none+old' \
        'it is kept as journal.old when' -o journal=none
}

test_damage() {
    length=$(stat -c %s "$KEPT/$JOURNAL")
    for size in 1 15 63 64 100 $((length / 2)) $((length - 1)); do
        again
        truncate -s "$size" "$XDG_STATE_HOME/$JOURNAL"
        remember
        row "the first $size bytes of $length" 'mounted, 0 | ok | some | torn+new | none+old' \
            'is damaged: if an earlier mount'
    done
    again
    : >"$XDG_STATE_HOME/$JOURNAL"
    remember
    row 'an empty one' 'mounted, 0 | ok | some | torn+new | none+old' 'is damaged'
    for at in 0 20 24 28 36 40 44 48 64 68 72 100 $((length / 2)) $((length - 1)); do
        again
        change "$at"
        row "a bit flipped at $at" 'mounted, 0 | ok | some | torn+new | none+old' \
            'is damaged: if an earlier mount'
    done
}

# disk: a small one, in which the state lies.
disk() {
    ! mounted "$DISK" || umount "$DISK"
    mkdir -p "$DISK"
    mount -t tmpfs -o size=1m,mode=700 tmpfs "$DISK"
    XDG_STATE_HOME=$DISK/state
}

fill() {
    fails dd if=/dev/zero of="$DISK/filler" bs=4k status=none 2>/dev/null
}

# Once there is room, the same mount writes.
room_is_made() {
    disk && calm && fill || return 1
    board && mount_board || return 1
    equal 'No space left on device' "$(try_write)" && equal 0 "$(counter sector_erases)" || return 1
    rm "$DISK/filler"
    equal ok "$(try_write)" && unmount_board && stop_board && equal healed+new "$(flash_holds)"
}

test_disks() {
    mkdir -p "$DISK"
    mount -t tmpfs tmpfs "$DISK" 2>/dev/null || {
        skip 'disks' 'nothing can be mounted here'
        return
    }
    disk && calm && fill
    row 'a full disk' 'mounted, 3 | No space left on device | 0 | healed | none' 'make room'
    disk && again && fill
    row 'a full disk, pending' 'mounted, 0 | ok | some | healed+new | none' 'are written again now'
    check 'a full disk on which room is made' room_is_made
    disk && calm
    mount -o remount,ro "$DISK"
    row 'a read-only disk' 'mounted, 3 | Read-only file system | 0 | healed | none' 'writable'
    disk && again
    mount -o remount,ro "$DISK"
    row 'a read-only disk, pending' 'mounted, 3 | Read-only file system | some | healed | same' \
        'are written again now'
    mount -o remount,rw "$DISK"
    again
    mount -o remount,ro "$DISK"
    row 'a read-only disk, pending, journal=none' 'mounted, 0 | ok | some | torn+new | same' \
        'mounted' -o journal=none
    umount "$DISK"
    XDG_STATE_HOME=$HOME_STATE
}

# in_its_place COMMAND...: what lies where the journal should; its own words are the command's.
in_its_place() {
    again
    mv "$XDG_STATE_HOME/$JOURNAL" "$WORK/target"
    cp "$WORK/target" "$WORK/target.before"
    "$@" "$XDG_STATE_HOME/$JOURNAL"
    rm -f "$WORK/before"
}

test_places() {
    in_its_place ln -s "$WORK/target"
    row 'a link' 'mounted, 3 | Permission denied | 0 | torn | symbolic link' \
        'symbolic links'
    check 'where it leads nothing changed' cmp "$WORK/target.before" "$WORK/target"
    in_its_place ln "$WORK/target"
    row 'a second name' 'mounted, 0 | ok | some | healed+new | none' 'are written again now'
    check 'under the other nothing changed' cmp "$WORK/target.before" "$WORK/target"
    in_its_place mkfifo
    row 'a fifo' 'mounted, 3 | Permission denied | 0 | torn | fifo' "is somebody else's"
    in_its_place mkdir
    row 'a folder' 'mounted, 3 | Permission denied | 0 | torn | directory' "is somebody else's"
    again
    chown nobody "$XDG_STATE_HOME/$JOURNAL"
    row "somebody else's file" 'mounted, 3 | Permission denied | 0 | torn | same' \
        "is somebody else's"
    again
    chown nobody "$(dirname "$XDG_STATE_HOME/$JOURNAL")"
    row "somebody else's folder of the board" 'mounted, 3 | Permission denied | 0 | torn | same' \
        "is somebody else's"
    again
    chown nobody "$XDG_STATE_HOME/espflashfs"
    row "somebody else's folder" 'mounted, 3 | Permission denied | 0 | torn | same' \
        "is somebody else's"
    again
    chmod 0777 "$XDG_STATE_HOME/espflashfs"
    row 'a folder that all may write to' \
        'mounted, 3 | Permission denied | 0 | torn | same' "is somebody else's"
    again
    chmod 0755 "$(dirname "$XDG_STATE_HOME/$JOURNAL")"
    row 'a folder that all may read' 'mounted, 0 | ok | some | healed+new | none' \
        'are written again now'
}

# The same board twice, as it were: two ports, one MAC.
test_two_mounts() {
    calm
    mkdir "$WORK/board2"
    cp "$FLASH" "$WORK/flash2"
    "$EF_BUILD/espboard" --flash "$WORK/flash2" --listen socket:0 --chip "$CHIP" --size "$SIZE" \
        --mac "$MAC" --log "$WORK/board2.log" >"$WORK/board2.out" 2>&1 &
    OTHER_BOARD=$!
    wait_until 10 grep -q '^listening' "$WORK/board2.out"
    "$EF_BUILD/espflashfs" -f "socket://$(sed -n 's/^listening on //p' "$WORK/board2.out")" \
        "$WORK/board2" >"$WORK/driver2.log" 2>&1 &
    OTHER_PID=$!
    wait_until 20 mounted "$WORK/board2"
    check 'the first of two mounts writes' \
        dd if="$WORK/image" of="$WORK/board2/flash.bin" bs=4k count=1 conv=notrunc,fsync status=none
    row 'another mount has it open' 'mounted, 3 | Device or resource busy | 0 | healed | none' \
        'another program has'
    check 'the first still writes' \
        dd if="$WORK/image" of="$WORK/board2/flash.bin" bs=4k count=2 conv=notrunc,fsync status=none
    fusermount3 -u "$WORK/board2"
    check 'and ends well' end_process "$OTHER_PID" 20
    OTHER_PID=
    kill "$OTHER_BOARD"
    end_process "$OTHER_BOARD" 10 || :
    OTHER_BOARD=
}

leave_torn
check 'a write is torn, and in the journal' [ -n "$JOURNAL" ]
test_whole
test_others
test_damage
test_disks
test_places
test_two_mounts
cat "$TABLE"
