#!/bin/sh
# The first case, and the pattern for others: a backup, a restore, an unmount.
# tsan
# valgrind
. "$(dirname "$0")/../lib/mount.sh"

random_bytes 1M >"$FLASH"
cp "$FLASH" "$WORK/before.bin"
random_bytes 1M >"$WORK/new.bin"

start_board --chip esp8266 --size 1M
mount_board

check 'info.txt names the chip' grep -i esp8266 "$MNT/info.txt"
check 'flash.bin has the size of the flash' equal 1048576 "$(stat -c %s "$MNT/flash.bin")"
check 'a backup with cp ends 0' cp "$MNT/flash.bin" "$WORK/backup.bin"
check 'the backup equals the flash' same_bytes "$WORK/before.bin" "$WORK/backup.bin"
check 'a restore with cp ends 0' cp "$WORK/new.bin" "$MNT/flash.bin"
check 'the board holds the restored image when cp has ended' same_bytes "$WORK/new.bin" "$FLASH"
check 'unmount is clean' unmount_board
check 'the board still holds it afterwards' same_bytes "$WORK/new.bin" "$FLASH"
