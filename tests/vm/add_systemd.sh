#!/bin/sh
# add_systemd.sh ROOT: Debian's systemd and udevd, with what they need to bring the guest up, autofs, and
# the project's rule, units, helpers and map as an installation puts them there; in the guest's root ROOT.
set -eu

root=$1
here=$(cd "$(dirname "$0")" && pwd)
helpers=$here/../../mount-helpers
# shellcheck source=tests/vm/program.sh
. "$here/program.sh"

units='basic.target sysinit.target sockets.target timers.target paths.target slices.target
    local-fs.target local-fs-pre.target shutdown.target umount.target final.target poweroff.target
    systemd-poweroff.service systemd-udevd.service systemd-udevd-control.socket
    systemd-udevd-kernel.socket autofs.service'
rules='50-udev-default.rules 60-serial.rules 99-systemd.rules'

for name in systemd systemd-udevd systemd-shutdown; do
    program "/lib/systemd/$name" "/lib/systemd/$name"
done
for name in systemctl udevadm; do
    rm -f "$root/bin/$name"
    program "$(command -v "$name")" "/bin/$name"
done
mkdir -p "$root/lib/systemd/system/sysinit.target.wants" "$root/lib/udev/rules.d" \
    "$root/etc/udev/rules.d" "$root/etc/systemd/system" "$root/etc/espflashfs" "$root/etc/default" \
    "$root/var/lib" "$root/var/cache" "$root/var/log"
for name in $units; do
    cp "/lib/systemd/system/$name" "$root/lib/systemd/system/"
done
for name in $rules; do
    cp "/lib/udev/rules.d/$name" "$root/lib/udev/rules.d/"
done
ln -s ../systemd-udevd.service "$root/lib/systemd/system/sysinit.target.wants/"

# There is no journal: what units say goes to the kernel's log, and so to the console.
printf '[Manager]\nLogTarget=kmsg\nDefaultStandardOutput=kmsg\nDefaultStandardError=kmsg\n' \
    >"$root/etc/systemd/system.conf"
cat >"$root/etc/systemd/system/channel.service" <<'UNIT'
[Unit]
Description=The commands of the tests
After=basic.target
[Service]
Environment=PATH=/bin:/sbin HOME=/tmp LC_ALL=C
ExecStart=/bin/sh /channel
StandardOutput=file:/dev/console
StandardError=file:/dev/console
KillMode=process
UNIT
cat >"$root/etc/systemd/system/default.target" <<'UNIT'
[Unit]
Requires=basic.target
Wants=channel.service
After=basic.target
AllowIsolate=yes
UNIT

# automount loads what its maps need by name.
program /usr/sbin/automount /usr/sbin/automount
modules=$(dirname "$(dpkg -L autofs | grep '/parse_sun\.so$')")
for name in lookup_file lookup_files parse_sun mount_generic mount_bind mount_nfs; do
    program "$modules/$name.so" "$modules/$name.so"
done
rm -f "$root/bin/mount"
program "$(command -v mount)" /bin/mount
echo 'automount: files' >"$root/etc/nsswitch.conf"
echo '/espflash /etc/auto.espflash --timeout=3' >"$root/etc/auto.master"
cp /etc/autofs.conf "$root/etc/"
cp "$helpers/autofs/auto.espflash" "$root/etc/auto.espflash"
install -m 755 "$helpers/mount.espflashfs" "$root/sbin/"

install -m 755 "$helpers/udev/espflashfs-plug" "$root/lib/udev/"
sed 's|@EF_LIBEXEC_DIR@|/usr/lib/udev|' "$helpers/udev/70-espflashfs.rules.in" \
    >"$root/lib/udev/rules.d/70-espflashfs.rules"
cp "$helpers/udev/boards" "$root/etc/espflashfs/boards"
cp "$helpers"/systemd/*.service "$root/lib/systemd/system/"
cp "$helpers/systemd/espflashfs.default" "$root/etc/default/espflashfs"
