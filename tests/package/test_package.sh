#!/bin/sh
# The Debian package, as one who has nothing else: made, judged by lintian, installed on a fresh
# Debian 12, used by root, by a user of the group dialout and by a stranger, and purged.
# Takes Debian from where apt has it from. In namespaces of its own, with which all that was
# mounted or started in them ends.
# timeout: 600
[ "$(id -u)" = 0 ] || {
    echo 'not ok the package is tested as root'
    echo '# run this as root: only root may make a system of its own' >&2
    exit 1
}
[ "${EF_OWN_NAMESPACES:-}" ] || {
    TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/espflashfs-package.XXXXXX")
    export TMPDIR
    status=0
    EF_OWN_NAMESPACES=yes unshare --mount --pid --fork --kill-child --mount-proc sh "$0" || status=$?
    # Only now that the mounts in it have gone with the namespaces.
    rm -rf --one-file-system "$TMPDIR"
    exit "$status"
}
. "$(dirname "$0")/../lib/mount.sh"

top=$(cd "$lib/../.." && pwd)
# Not in WORK, which is cleared while things are mounted here.
debian=$TMPDIR/debian

make_package() {
    (cd "$EF_BUILD" && cpack -G DEB -B "$WORK/package") &&
        deb=$(find "$WORK/package" -maxdepth 1 -name 'espflashfs_*.deb' | grep .)
}

# It holds what is installed on purpose, and none of the tests' programs.
programs_in_package() {
    dpkg-deb --contents "$deb" | awk '/^-rwx/ { print $6 }' | sort | tr '\n' ' '
}

package_without_stubs() {
    cmake -D "source=$top" -D "stubs=$WORK/none" -P "$top/mount-helpers/package/debian.cmake" 2>&1
}

says_to_fetch_the_stubs() {
    said=$(package_without_stubs) && return 1
    echo "$said" | tr -s ' \n' '  ' | grep -F "fetch-stubs $WORK/none"
}

make_debian() {
    # apt's own words for what it knows of a source.
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Identifier: Packages' |
        sed -n 's/^bookworm //p' | head -n 1)
    [ -n "$mirror" ] || {
        say "apt has no bookworm in its lists; run: apt-get update"
        return 1
    }
    debootstrap --variant=minbase --include=man-db bookworm "$debian" "$mirror" \
        >"$WORK/debootstrap.log" 2>&1 || {
        tail -n 20 "$WORK/debootstrap.log" >&2
        return 1
    }
    apt-config dump | grep -E '^Acquire::(https?|Check|Retries)' >"$debian/etc/apt/apt.conf.d/90host" || :
    mount -t proc proc "$debian/proc"
    mount --bind /dev/pts "$debian/dev/pts"
    : >"$debian/dev/fuse"
    mount --bind /dev/fuse "$debian/dev/fuse"
    # As systemd makes it at boot.
    ln -sf ../proc/self/mounts "$debian/etc/mtab"
    in_debian useradd -m -s /bin/sh -G dialout maker
    in_debian useradd -m -s /bin/sh stranger
    # So that nothing but the mount itself keeps a stranger out.
    chmod 755 "$debian/home/maker"
}

in_debian() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive chroot "$debian" "$@"
}

# as_user NAME command line
as_user() {
    in_debian runuser -l "$1" -c "$2"
}

# Without what each run of apt, man and mount leaves.
files_of_debian() {
    find "$debian" -xdev ! -path "$debian/var/lib/dpkg/*" ! -path "$debian/var/lib/apt/*" \
        ! -path "$debian/var/cache/*" ! -path "$debian/var/log/*" ! -path "$debian/tmp/*" \
        ! -path "$debian/run/mount/*" | sort
}

install_package() {
    cp "$deb" "$debian/home/" && in_debian apt-get -q update &&
        in_debian sh -c 'cd /home && apt install -y -q ./espflashfs_*.deb'
}

# shows_page NAME WORDS
shows_page() {
    in_debian env MANPAGER=cat man "$1" | grep -F "$2"
}

doc_is_there() {
    zcat "$debian/usr/share/doc/espflashfs/changelog.gz" | grep -q '^espflashfs (' &&
        grep 'License: Apache-2.0' "$debian/usr/share/doc/espflashfs/copyright" &&
        grep 'Apache License' "$debian/usr/share/espflashfs/stubs/LICENSE"
}

# denied command...: the command fails, for want of a permission.
denied() {
    said=$("$@" 2>&1) && return 1
    echo "$said" | grep -i 'permission denied'
}

mounted_in_debian() {
    mounted "$debian$1"
}

# flash_is FILE: what the simulated chip holds.
flash_is() {
    cmp "$1" "$FLASH"
}

# Of the board on its serial port.
let_dialout_use_the_port() {
    BOARD_LISTEN=pty:$WORK/tty
    start_board --chip esp8266 --size 1M
    serial_port=$(readlink -f "$WORK/tty")
    chgrp "$(in_debian getent group dialout | cut -d : -f 3)" "$serial_port"
    chmod 660 "$serial_port"
}

random_bytes 1M >"$FLASH"
random_bytes 1M >"$WORK/new.bin"

check 'cpack makes a package' make_package
check 'the package has these programs' equal \
    './usr/bin/espflashfs ./usr/lib/udev/espflashfs-plug ./usr/sbin/mount.espflashfs ./usr/sbin/umount.espflashfs ' \
    "$(programs_in_package)"
check 'without stubs there is no package, and a word how to get them' says_to_fetch_the_stubs
check 'lintian has neither errors nor warnings' lintian --allow-root --fail-on error,warning "$deb"

check 'a fresh Debian 12' make_debian
files_of_debian >"$WORK/files.before"
check 'apt installs the package' install_package
check 'the program is the package'"'"'s, and runs' in_debian espflashfs --version
check 'man espflashfs shows' shows_page espflashfs 'flash as a directory'
check 'man mount.espflashfs shows' shows_page mount.espflashfs 'umount'
check 'man umount.fuse.espflashfs shows' shows_page umount.fuse.espflashfs 'mount.espflashfs'
check 'changelog and licences are there' doc_is_there

start_board --chip esp8266 --size 1M
check 'root mounts with mount -t espflashfs' \
    in_debian mount -t espflashfs "$PORT" /mnt -o ro,cache=none
check 'the stub is the package'"'"'s' grep '^Loader: stub (/usr/share/espflashfs/stubs/' "$debian/mnt/info.txt"
check 'a backup is the flash' flash_is "$debian/mnt/flash.bin"
check 'umount ends 0' in_debian umount /mnt
check 'nothing is mounted then' fails mounted_in_debian /mnt

mkdir "$debian/srv/board" "$debian/srv/user"
in_debian chown maker: /srv/user
cat >>"$debian/etc/fstab" <<LINES
$PORT /srv/board espflashfs noauto,_netdev 0 0
$PORT /srv/user espflashfs noauto,user 0 0
LINES
check 'root mounts by the line of fstab' in_debian mount /srv/board
check 'a restore ends 0' cp "$WORK/new.bin" "$debian/srv/board/flash.bin"
check 'and unmounts' in_debian umount /srv/board
check 'the board holds what was restored' flash_is "$WORK/new.bin"

check 'a user mounts by the line of fstab' as_user maker 'mount /srv/user'
check 'and reads' as_user maker 'cmp -n 65536 /srv/user/flash.bin /dev/stdin' <"$WORK/new.bin"
check 'a stranger sees nothing of it' denied as_user stranger 'ls /srv/user'
check 'nor may unmount it' fails as_user stranger 'umount /srv/user'
check 'the user unmounts' as_user maker 'umount /srv/user'
check 'a stranger mounts nothing over a folder of others' fails as_user stranger 'mount /srv/user'
check 'nothing is mounted there' fails mounted_in_debian /srv/user
stop_board

let_dialout_use_the_port
check 'a member of dialout mounts with espflashfs' \
    as_user maker "mkdir board && espflashfs $serial_port board"
check 'and reads the port' as_user maker 'cat board/info.txt'
check 'a stranger sees nothing of that either' denied as_user stranger 'cat /home/maker/board/info.txt'
check 'the member unmounts' as_user maker 'umount ~/board'
check 'who is not of dialout is refused the port' denied as_user stranger \
    "mkdir board; espflashfs $serial_port board"

check 'apt purges the package and what came with it' in_debian apt purge -y -q --autoremove espflashfs
files_of_debian >"$WORK/files.after"
check 'nothing is left of it' equal '' \
    "$(comm -13 "$WORK/files.before" "$WORK/files.after" | grep -v -E '/(home|srv)/' || :)"
