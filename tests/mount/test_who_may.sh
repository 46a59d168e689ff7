#!/bin/sh
# Who may see a board, and who may have the driver touch what: an ordinary user mounts, others are
# kept out, and links, FIFOs and folders that somebody else laid in the way lead nowhere.
#
# Root alone can play several users. A mount name space of its own gives them a /dev/fuse that they
# may open, as every desktop has it, and keeps the rest of the machine out of this.
if [ "$(id -u)" != 0 ]; then
    echo "skip ${0##*/} only root can become other users"
    exit 77
fi
if [ -z "${EF_OWN_MOUNTS:-}" ]; then
    if ! unshare -m setpriv --reuid=nobody true 2>/dev/null; then
        echo "skip ${0##*/} no mount name space, or no setpriv"
        exit 77
    fi
    exec env EF_OWN_MOUNTS=1 unshare -m sh "$0"
fi
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

# fusermount3 wants a user that has a name.
USER_ID=$(id -u nobody)
STRANGER_ID=$(id -u daemon)
BIN=$WORK/bin

as() {
    as_id=$1
    shift
    setpriv --reuid="$as_id" --regid="$as_id" --clear-groups "$@"
}

# /dev/fuse as udev makes it, and the driver where all may run it. What belongs to a build tree is
# beside it.
make_room() {
    mount -t tmpfs none "$WORK/dev" && mknod "$WORK/dev/fuse" c 10 229 &&
        chmod 666 "$WORK/dev/fuse" && mount --bind "$WORK/dev/fuse" /dev/fuse || return 1
    # The folder that it lies in may be one of this test's own, and as private.
    [ "$(stat -c %a "${WORK%/*}")" != 700 ] || chmod 711 "${WORK%/*}" || return 1
    chmod 711 "$WORK" && cp "$EF_BUILD/espflashfs" "$BIN" && chmod 755 "$BIN/espflashfs" &&
        cp -rL "$EF_BUILD/stubs" "$BIN/stubs" && chmod -R a+rX "$BIN" "$WORK/esptool.cfg"
}

# mount_as ID OPTION...: in a home and on a folder of that user's.
mount_as() {
    mount_id=$1
    shift
    rm -rf "${WORK:?}/home" && mkdir "$WORK/home" && chown "$mount_id" "$WORK/home" "$MNT" || return 1
    as "$mount_id" env XDG_STATE_HOME="$WORK/home/state" XDG_CACHE_HOME="$WORK/home/cache" \
        HOME="$WORK/home" "$BIN/espflashfs" -f "$@" "$PORT" "$MNT" >>"$DRIVER_LOG" 2>&1 &
    DRIVER_PID=$!
    wait_until 30 driver_is_mounted_or_ended
    mounted "$MNT"
}

unmount_as() {
    as "$1" fusermount3 -u "$MNT" || return 1
    wait_driver
    equal 0 "$DRIVER_STATUS" && no_reports
}

# modes: of the folder and its files, by who may ask.
modes() {
    # shellcheck disable=SC2016
    as "$1" sh -c 'cd "$1" && stat -c "%n %a %u" . *' - "$MNT" | tr '\n' ' '
}

# modes_are MODE: the same, where what can be written has this mode.
modes_are() {
    printf '%s ' . 500 "$USER_ID" \
        erase "$1" "$USER_ID" \
        flash.bin "$1" "$USER_ID" \
        flash.md5 400 "$USER_ID" \
        info.txt 400 "$USER_ID" \
        map.txt 400 "$USER_ID" \
        partitions 500 "$USER_ID" \
        partitions.csv 400 "$USER_ID" \
        status.txt 400 "$USER_ID"
}

user_has_it() {
    as "$USER_ID" cmp "$FLASH.user" "$MNT/flash.bin" &&
        equal "$(modes_are 600)" "$(modes "$USER_ID")"
}

# not_for ID: neither its names nor its contents, root's included.
not_for() {
    fails as "$1" ls "$MNT" && fails as "$1" stat "$MNT/flash.bin" &&
        fails as "$1" cat "$MNT/info.txt" && fails as "$1" dd if=/dev/zero of="$MNT/flash.bin" count=1
}

test_user() {
    check 'an ordinary user mounts' mount_as "$USER_ID"
    check 'the user has it, with honest modes' user_has_it
    check 'another user has nothing of it' not_for "$STRANGER_ID"
    check 'nor has root' not_for 0
    check 'what is kept is the user'\''s alone' kept_is_private
    check 'the user unmounts' unmount_as "$USER_ID"
    check 'what was kept is the user'\''s alone' kept_is_private
    check 'read-only: an ordinary user mounts' mount_as "$USER_ID" -o ro
    check 'read-only: no mode lets write' equal "$(modes_are 400)" "$(modes "$USER_ID")"
    check 'read-only: unmounts' unmount_as "$USER_ID"
    check 'allow_other is refused where the system does not allow it' \
        not_mounted 'allow_other' "$USER_ID" -o allow_other
}

kept_is_private() {
    find "$WORK/home/state" "$WORK/home/cache" | grep -q . &&
        equal '' "$(find "$WORK/home/state" "$WORK/home/cache" \
            \( -type d ! -perm 700 \) -o \( -type f ! -perm 600 \) -o ! -user "$USER_ID")"
}

# not_mounted MESSAGE ID OPTION...
not_mounted() {
    not_message=$1
    shift
    : >"$DRIVER_LOG.part"
    whole=$DRIVER_LOG
    DRIVER_LOG=$DRIVER_LOG.part
    was_mounted=false
    mount_as "$@" && was_mounted=true
    DRIVER_LOG=$whole
    cat "$DRIVER_LOG.part" >>"$DRIVER_LOG"
    $was_mounted || end_process "$DRIVER_PID" 30 || :
    ! $was_mounted && grep -q -E "$not_message" "$DRIVER_LOG.part"
}

# With allow_other the modes are what keeps the others out.
allowed_others_see_modes() {
    as "$STRANGER_ID" stat "$MNT" >/dev/null && fails as "$STRANGER_ID" ls "$MNT" &&
        fails as "$STRANGER_ID" cat "$MNT/info.txt" && fails as "$STRANGER_ID" cat "$MNT/flash.bin" &&
        fails as "$STRANGER_ID" sh -c "echo all >'$MNT/erase'"
}

test_others() {
    check 'root mounts with allow_other' mount_as 0 -o allow_other
    check 'others are kept out by the modes' allowed_others_see_modes
    check 'root unmounts' unmount_as 0
    check 'a folder of another user is none to mount on' foreign_folder
    check 'set-user-ID is refused' borrowed 4755
    check 'set-group-ID is refused' borrowed 2755
}

foreign_folder() {
    chown 0 "$MNT" && chmod 755 "$MNT"
    expect_status 2 as "$STRANGER_ID" "$BIN/espflashfs" -f "$PORT" "$MNT" 2>"$WORK/said"
    grep 'no permission to mount there' "$WORK/said"
}

# borrowed MODE: on a file system where such bits count.
borrowed() {
    cp "$BIN/espflashfs" "$WORK/dev/borrowed" && chown "$USER_ID:$USER_ID" "$WORK/dev/borrowed" &&
        chmod "$1" "$WORK/dev/borrowed" || return 1
    # 2, but a sanitizer that may not look at such a process says 1 at its end.
    fails as "$STRANGER_ID" "$WORK/dev/borrowed" -f "$PORT" "$MNT" 2>"$WORK/said" &&
        fails mounted "$MNT" && grep 'neither needed nor safe' "$WORK/said"
}

# A folder that the stranger laid out for root: everything in it is the stranger's.
lay_traps() {
    rm -rf "$WORK/trap" "$WORK/victim"
    mkdir "$WORK/trap" "$WORK/victim"
    echo precious >"$WORK/victim/file"
    chmod 700 "$WORK/victim"
    chown "$STRANGER_ID" "$WORK/trap"
    chmod 755 "$WORK/trap"
}

victim_is_as_it_was() {
    equal file "$(ls -A "$WORK/victim")" && equal precious "$(cat "$WORK/victim/file")" &&
        equal 700 "$(stat -c %a "$WORK/victim")"
}

# mounts_beside_traps: as root, with state and cache in the stranger's folder.
mounts_beside_traps() {
    chown 0 "$MNT"
    "$BIN/espflashfs" -f "$PORT" "$MNT" >>"$DRIVER_LOG" 2>&1 &
    DRIVER_PID=$!
    wait_until 30 driver_is_mounted_or_ended
    if mounted "$MNT"; then
        cat "$MNT/flash.bin" >/dev/null && unmount_board
    else
        wait_driver
    fi
    victim_is_as_it_was
}

# trapped COMMAND: the stranger's, in the trap.
trapped() {
    lay_traps
    as "$STRANGER_ID" sh -c "cd '$WORK/trap' && $1" || return 1
    (
        export XDG_STATE_HOME="$WORK/trap" XDG_CACHE_HOME="$WORK/trap"
        mounts_beside_traps
    )
}

# log_refused COMMAND: so that `log` in a folder like /tmp is not to be written to.
log_refused() {
    lay_traps
    mkdir "$WORK/trap/tmp" && chmod 1777 "$WORK/trap/tmp"
    chown 0 "$WORK/trap"
    (cd "$WORK/trap/tmp" && eval "$1") || return 1
    expect_status 2 timeout 20 "$BIN/espflashfs" -f -o log="$WORK/trap/tmp/log" "$PORT" "$MNT" \
        2>"$WORK/said"
    grep "log=$WORK/trap/tmp/log: " "$WORK/said" && victim_is_as_it_was
}

# One's own link is one's own business.
log_through_own_link() {
    lay_traps
    ln -s "$WORK/own.log" "$WORK/trap/log"
    (
        expect_status 1 "$BIN/espflashfs" -o log="$WORK/trap/log" socket://127.0.0.1:1 "$MNT"
    ) 2>/dev/null && grep -q 'Connection refused' "$WORK/own.log"
}

test_traps() {
    state=espflashfs
    check 'state is a link to another folder' trapped "ln -s '$WORK/victim' $state"
    check 'state is a folder of the stranger' trapped "mkdir $state && chmod 777 $state"
    check 'state is the stranger'\''s, with links in it' \
        trapped "mkdir $state && ln -s '$WORK/victim/file' $state/rates &&
            ln -s '$WORK/victim' $state/240ac4000110 && ln -s '$WORK/victim' $state/24-0a-c4-00-01-10"
    check 'state is a FIFO' trapped "mkfifo $state"
    stranger="setpriv --reuid=$STRANGER_ID --regid=$STRANGER_ID --clear-groups"
    check 'the log is a link of the stranger' log_refused "$stranger ln -s '$WORK/victim/file' log"
    check 'the log is a file of the stranger' log_refused "$stranger touch log"
    check 'the log is a FIFO of the stranger' log_refused "$stranger mkfifo log"
    check 'the log is a second name of a file' log_refused "ln '$WORK/victim/file' log"
    check 'the log is a link of one'\''s own' log_through_own_link
}

# Of a file in a folder that all may write to, nothing counts.
config_of_a_stranger() {
    lay_traps
    mkdir "$WORK/trap/tmp" && chmod 1777 "$WORK/trap/tmp"
    as "$STRANGER_ID" sh -c "printf '[esptool]\ncustom_reset_sequence = X9\n' \
        >'$WORK/trap/tmp/esptool.cfg'"
    (
        unset ESPTOOL_CFGFILE
        cd "$WORK/trap/tmp" && HOME=$WORK/home expect_status 1 "$BIN/espflashfs" \
            socket://127.0.0.1:1 "$MNT" 2>"$WORK/said"
    ) && grep 'esptool.cfg is not read: it is another user' "$WORK/said" && victim_is_as_it_was
}

# No word of an option is a command.
no_shell() {
    for word in "\$(touch $WORK/ran)" "\`touch $WORK/ran\`" ";touch $WORK/ran;" "|touch $WORK/ran"; do
        for option in port log stub cache journal; do
            "$BIN/espflashfs" -f -o "$option=$word" "$word" "$MNT" >/dev/null 2>&1 && return 1
        done
    done
    fails test -e "$WORK/ran"
}

mkdir "$WORK/dev" "$BIN"
check 'there is a /dev/fuse for all' make_room
new_board 256K --chip esp32
cp "$FLASH" "$FLASH.user"
chmod 644 "$FLASH.user"
test_user
test_others
test_traps
check 'an esptool.cfg of the stranger does not count' config_of_a_stranger
check 'no word of an option is run' no_shell
check 'the board is as it was' same_bytes "$EXPECTED" "$FLASH"
umount /dev/fuse
umount "$WORK/dev"
