#!/bin/sh
# mount(8), umount(8) and fstab(5) with a board, by mount.espflashfs and umount.espflashfs: as root
# and as an ordinary user; what umount tells of a board that is not safe.
#
# mount(8) looks for its helpers in /sbin only, and reads /etc/fstab for an ordinary user: both are
# this case's own, in a mount name space.
# timeout: 400
if [ "$(id -u)" != 0 ]; then
    echo "skip ${0##*/} only root can put a helper into /sbin"
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

source_root=$(cd "$(dirname "$0")/../.." && pwd)
USER_ID=$(id -u nobody)
STRANGER_ID=$(id -u daemon)
FSTAB=$WORK/fstab
SAID=$WORK/said

as() {
    as_id=$1
    shift
    setpriv --reuid="$as_id" --regid="$as_id" --clear-groups "$@"
}

# An installation as under /usr, where everybody may run it, and links to it in a /sbin of our own:
# a copy on a file system of its own, so that nothing that clears $WORK can reach the system's.
install_helpers() {
    [ "$(stat -c %a "${WORK%/*}")" != 700 ] || chmod 711 "${WORK%/*}" || return 1
    chmod 711 "$WORK"
    mkdir -p "$WORK/usr/bin" "$WORK/usr/sbin" "$WORK/sbin"
    cp "$EF_BUILD/espflashfs" "$WORK/usr/bin/" && cp -rL "$EF_BUILD/stubs" "$WORK/usr/bin/stubs" &&
        cp "$source_root/mount-helpers/mount.espflashfs" \
            "$source_root/mount-helpers/umount.espflashfs" "$WORK/usr/sbin/" || return 1
    chmod -R a+rX "$WORK/usr" "$WORK/esptool.cfg"
    sbin=$(readlink -f /sbin)
    mount -t tmpfs -o mode=755 none "$WORK/sbin" && cp -a "$sbin/." "$WORK/sbin/" &&
        mount --bind "$WORK/sbin" "$sbin" || return 1
    rm -f "$sbin"/*mount.*espflashfs
    ln -s "$WORK/usr/sbin/mount.espflashfs" "$sbin/mount.espflashfs"
    ln -s "$WORK/usr/sbin/umount.espflashfs" "$sbin/umount.fuse.espflashfs"
}

# /dev/fuse as udev makes it; places of the system that a mount by root writes to.
make_room() {
    mkdir "$WORK/dev"
    mount -t tmpfs none "$WORK/dev" && mknod "$WORK/dev/fuse" c 10 229 &&
        chmod 666 "$WORK/dev/fuse" && mount --bind "$WORK/dev/fuse" /dev/fuse || return 1
    : >"$FSTAB"
    chmod 644 "$FSTAB"
    mkdir -p /run/mount
    mount --bind "$FSTAB" /etc/fstab && for place in /run/mount /var/lib /var/cache; do
        mount -n -t tmpfs none "$place" || return 1
    done
}

# fstab LINE...
fstab() {
    printf '%s\n' "$@" >"$FSTAB"
}

# record_of DIR: the driver's record of a mount, whoever's it is.
record_of() {
    find /run/espflashfs /run/user/*/espflashfs /tmp/espflashfs-* -name 'mount.*' \
        -exec grep -l -x -F "mountpoint $1" {} + 2>/dev/null | grep .
}

# driver_of DIR: its process, which it writes down after mount(8) has returned.
driver_of() {
    driver_record=$(record_of "$1") && wait_until 10 grep -q '^process' "$driver_record" &&
        sed -n 's/^process //p' "$driver_record"
}

# takes command...: mounts, with what was said in $SAID.
takes() {
    "$@" >"$SAID" 2>&1 || {
        cat "$SAID"
        return 1
    }
    mounted "$MNT"
}

# is_over PID: its driver has ended, and let go of everything.
is_over() {
    ! mounted "$MNT" && fails record_of "$MNT" && ended "$1"
}

unmounts() {
    unmounts_pid=$(driver_of "$MNT")
    "$@" umount "$MNT" && wait_until 5 is_over "$unmounts_pid"
}

# has_said MESSAGE: what is in $SAID (an extended expression).
has_said() {
    grep -q -E -e "$1" "$SAID" || {
        cat "$SAID"
        return 1
    }
}

# says STATUS MESSAGE command...: ends so, and says MESSAGE (an extended expression).
says() {
    says_status=$1
    says_message=$2
    shift 2
    says_got=0
    "$@" >"$SAID" 2>&1 </dev/null || says_got=$?
    equal "$says_status" "$says_got" && has_said "$says_message"
}

test_root() {
    check 'root mounts by type' takes mount -t espflashfs "$PORT" "$MNT" -o ro,nosuid,nodev
    check 'it is there' grep '^Chip: ' "$MNT/info.txt"
    check 'it is read-only' equal 400 "$(stat -c %a "$MNT/flash.bin")"
    check 'it is listed by its port' equal "$PORT fuse.espflashfs" \
        "$(findmnt -n -o SOURCE,FSTYPE -M "$MNT")"
    check 'it is unmounted, and its driver has ended' unmounts
    check 'relatively too' takes mount -t espflashfs "$PORT" "$MNT"
    check 'by hand, in its folder' by_hand
    fstab "$PORT $MNT espflashfs noauto,_netdev,nofail,x-systemd.automount,comment=rack 0 0"
    check 'root mounts by fstab' takes mount "$MNT"
    check 'what is kept is where a boot keeps it' kept_by_the_system
    check 'root unmounts' unmounts
    fstab "$PORT $MNT espflashfs defaults 0 0"
    check 'mount -a mounts' takes mount -a
    check 'mount -a knows that it is mounted' says 0 'already mounted' mount -a -v
    check 'umount knows it by its port' umount "$PORT"
}

by_hand() {
    (cd "${MNT%/*}" && "$WORK/usr/sbin/umount.espflashfs" "${MNT##*/}/") && fails mounted "$MNT"
}

kept_by_the_system() (
    dd if="$WORK/new" of="$MNT/flash.bin" bs=4k count=1 conv=notrunc status=none &&
        test -d /var/lib/espflashfs && test -d /var/cache && fails test -e "$WORK/state"
)

# Each in the one place that is asked for.
test_user() {
    chown "$USER_ID" "$MNT"
    mkdir -p "$WORK/home" && chown "$USER_ID" "$WORK/home"
    fstab "$PORT $MNT espflashfs noauto,user,cache=none,journal=$WORK/home 0 0"
    check 'an ordinary user mounts by fstab' takes as "$USER_ID" mount "$MNT"
    check 'the user has it' as "$USER_ID" cmp "$FLASH" "$MNT/flash.bin"
    check 'another user has nothing of it' fails as "$STRANGER_ID" ls "$MNT"
    check 'nor has root' fails ls "$MNT"
    check 'another user does not unmount it' says 32 'user nobody has mounted it' \
        as "$STRANGER_ID" umount "$MNT"
    check 'the user unmounts' unmounts as "$USER_ID"
    check 'the user mounts again' takes as "$USER_ID" mount "$MNT"
    check 'root unmounts it' unmounts
    check 'a mount of their own' takes as "$USER_ID" "$WORK/usr/bin/espflashfs" \
        -o cache=none,journal=none "$PORT" "$MNT"
    check 'is unmounted by umount too' unmounts as "$USER_ID"
    chown 0 "$MNT"
}

# tells STATUS MESSAGE OPTION [ARGUMENT...]: of mount, with the options.
tells() {
    tells_status=$1
    tells_message=$2
    tells_options=$3
    shift 3
    says "$tells_status" "$tells_message" mount -t espflashfs "$@" "$PORT" "$MNT" -o "$tells_options"
}

test_words() {
    all=defaults,auto,noauto,user,users,nouser,owner,group,_netdev,nofail,exec,suid,dev,async,atime
    all=$all,noatime,diratime,nodiratime,relatime,norelatime,strictatime,nostrictatime,lazytime
    all=$all,nolazytime,iversion,noiversion,silent,loud,mand,nomand,dirsync,comment=a,x-a.b=c,X-a=b
    all=$all,uhelper=a,user=me,context=a:b:c,rw
    check 'mount'\''s own words are no hindrance' takes "$WORK/usr/sbin/mount.espflashfs" "$PORT" \
        "$MNT" -n -t fuse.espflashfs -N /proc/1/ns/mnt -o "ro,$all"
    check 'the last of ro and rw counts' equal 600 "$(stat -c %a "$MNT/flash.bin")"
    check 'remount is refused' says 1 'umount .* then mount it anew' mount -o remount,ro "$MNT"
    check 'unmounts' unmounts
    check 'a wrong value' tells 1 'chip=esp33' chip=esp33
    check 'a wrong word' tells 1 'unknown option' sponge
    check 'a wrong word, sloppily' takes mount -s -t espflashfs "$PORT" "$MNT" -o sponge,chip=esp32
    check 'unmounts again' unmounts
    check 'the other chip' tells 32 'esp32s3' chip=esp32s3
    check 'a comma in quotes' says 0 'sequence=U1\\,0\|W0.1,baud=115200,fsname=' mount -f -v \
        -t espflashfs auto "$MNT" -o 'custom_reset_sequence="U1,0|W0.1",baud=115200'
    check 'a comma as FUSE has it' says 0 'sequence=U1\\,0\|W0.1,baud=115200,fsname=' mount -f -v \
        -t espflashfs auto "$MNT" -o 'custom_reset_sequence=U1\,0|W0.1,baud=115200'
    check 'it mounts nothing, to check' fails mounted "$MNT"
    check 'no such folder' says 32 'no such directory' "$WORK/usr/sbin/mount.espflashfs" -f auto "$WORK/no"
    check 'nothing where it is to be' says 1 'usage' "$WORK/usr/sbin/mount.espflashfs"
    check 'nothing is mounted there' says 32 'no board is mounted' \
        "$WORK/usr/sbin/umount.espflashfs" "$MNT"
    check 'without a program' says 2 'install it' env -i PATH="$WORK" \
        /bin/sh "$WORK/alone/mount.espflashfs" "$PORT" "$MNT"
}

# examples PAGE [HEAD]: the first lines of its EXAMPLES that stand as they are to be typed.
examples() {
    sed -n '/^\.SH EXAMPLES/,$p' "$source_root/mount-helpers/$1" |
        awk '/^\.fi/ { exit } inside; /^\.nf/ { inside = 1 }' | sed 's/\\//g'
}

# With the board of this case in place of the page's, where a new user would be.
run_examples() (
    lines=$(examples "$1" | sed -e "s|/dev/ttyUSB0|$PORT|" -e "s|/mnt|$MNT|")
    test "$(echo "$lines" | wc -l)" -ge "$2" && rm -rf "$WORK/page" && mkdir "$WORK/page" &&
        cd "$WORK/page" && random_bytes 5000 >app.bin && PATH=$WORK/usr/bin:$PATH sh -eux -c "$lines"
)

files_missing() {
    takes mount -t espflashfs "$PORT" "$MNT" || return 1
    for file in "$MNT"/*; do
        name=${file##*/}
        grep -q -F "$name" "$source_root/mount-helpers/espflashfs.1" || echo "$name: page"
        "$WORK/usr/bin/espflashfs" --help | grep -q -F "$name" || echo "$name: --help"
    done
    umount "$MNT"
}

test_pages() {
    check 'espflashfs(1)'\''s examples run' run_examples espflashfs.1 8
    check 'they leave the board as it was' same_bytes "$FLASH" "$WORK/page/backup.bin"
    check 'mount.espflashfs(8)'\''s examples run' run_examples mount.espflashfs.8 2
    check 'they leave nothing mounted' fails grep -F "$WORK/page" /proc/self/mountinfo
    check 'every file is named in the page and in --help' equal '' "$(files_missing)"
}

test_names() {
    mkdir "$WORK/a b#c" "$WORK/j,k"
    fstab "auto $WORK/a\\040b#c espflashfs log=$WORK/the\\040log#,journal=\"$WORK/j,k\" 0 0"
    plain=$MNT
    MNT=$WORK/a\ b#c
    check 'a board is looked for; names with spaces and #' env \
        ESPFLASHFS_PORTS="$PORT" mount "$MNT"
    check 'it is there' cmp "$FLASH" "$MNT/flash.bin"
    check 'its log is where it was to be' test -s "$WORK/the log#"
    # mount(8) lists a space as \040.
    check 'unmounts there' umount "$MNT"
    MNT=$plain
    check 'nothing is left there' fails grep -F 'b#c' /proc/self/mountinfo
}

# Data that is in memory only: the writer is killed before it closes, while the board is deaf. All is
# read before, lest the kernel, in umount(2), wait for what it reads ahead.
lose_writer() {
    cat "$MNT/flash.bin" >/dev/null && leave_dirty && kill -STOP "$BOARD_PID" &&
        kill -KILL "$WRITER" && writer_ends 2>/dev/null
}

is_writing() {
    grep -q '^writing' "$1"
}

starts_to_umount() {
    umount "$MNT" >"$SAID" 2>&1 &
    UMOUNT_PID=$!
    wait_until 10 is_writing "$1" && wait_until 10 has_said 'do not unplug'
}

ends_with() {
    ends_status=0
    end_process "$UMOUNT_PID" 60 || ends_status=$?
    equal "$1" "$ends_status" && has_said "$2"
}

test_waits() {
    check 'mounted, to be written to' takes mount -t espflashfs "$PORT" "$MNT" -o "cache=none,log=$DRIVER_LOG"
    check 'something is not on the board' lose_writer
    record=$(record_of "$MNT")
    exec 5<"$record"
    check 'umount waits for it' starts_to_umount /proc/self/fd/5
    check 'it waits as long as it takes' running "$UMOUNT_PID"
    check 'it is not there yet' fails cmp -s "$EXPECTED" "$FLASH"
    kill -CONT "$BOARD_PID"
    check 'umount ends when it is done' ends_with 0 'sectors not on the board yet: 1;'
    exec 5<&-
    check 'it is there' same_bytes "$EXPECTED" "$FLASH"
}

test_gives_up() {
    check 'mounted, for a board that hangs' takes mount -t espflashfs "$PORT" "$MNT" -o "cache=none,log=$DRIVER_LOG"
    check 'something waits for it' lose_writer
    hung=$(driver_of "$MNT")
    check 'umount gives up' says 3 'is not done after 2 s: leave the board plugged in' \
        env ESPFLASHFS_UMOUNT_SECONDS=2 umount "$MNT"
    kill -CONT "$BOARD_PID"
    check 'the driver ends by itself' wait_until 20 ended "$hung"
    check 'it is there after all' same_bytes "$EXPECTED" "$FLASH"
    check 'mounted, to be killed' takes mount -t espflashfs "$PORT" "$MNT"
    kill -KILL "$(driver_of "$MNT")"
    check 'of a driver that was killed' says 3 'its driver had ended before' \
        "$WORK/usr/sbin/umount.espflashfs" "$MNT"
    check 'nothing is mounted' fails mounted "$MNT"
}

test_lost() {
    check 'mounted, to be lost' takes mount -t espflashfs "$PORT" "$MNT" -o "reconnect=0,cache=none,log=$DRIVER_LOG"
    check 'something is in memory' lose_writer
    kill -KILL "$BOARD_PID"
    end_process "$BOARD_PID" 10 2>/dev/null || :
    BOARD_PID=
    check 'umount tells that it was lost' says 3 'could not be written' umount "$MNT"
    check 'it is unmounted' fails mounted "$MNT"
    check 'no board' says 32 'refused|gone|no answer|socket' mount -t espflashfs "$PORT" "$MNT"
}

leave() {
    leave_status=$?
    umount -l "$WORK/dev" "$WORK/sbin" || :
    (exit "$leave_status")
    finish
}

trap leave EXIT
umask 022
unset HOME XDG_STATE_HOME XDG_CACHE_HOME
check 'room' make_room
check 'helpers' install_helpers
mkdir "$WORK/alone"
cp "$source_root/mount-helpers/mount.espflashfs" "$WORK/alone/"
random_bytes 8192 >"$WORK/new"
check 'a board' new_board 1M --chip esp32
test_root
cp "$FLASH" "$EXPECTED"
test_user
test_words
test_pages
test_names
test_waits
test_gives_up
test_lost
