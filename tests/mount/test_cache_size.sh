#!/bin/sh
# A cache smaller than the flash: what is read and written is right, the memory bounded.
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

SIZE=8388608

# resident_kib: what the driver holds of the flash's contents: of the pieces of memory that are as
# large as the flash, or with a neighbour a little larger, the fullest. A sanitizer's own are larger.
resident_kib() {
    awk '/^Size:/ { size = $2 }
        /^Rss:/ && size >= '$((SIZE / 1024))' && size < '$((SIZE / 1024 + 2048))' && $2 > most { most = $2 }
        END { print most + 0 }' "/proc/$DRIVER_PID/smaps"
}

bounded() {
    held=$(resident_kib)
    if [ "$held" -gt "$1" ]; then
        say "$held KiB of contents are held"
        return 1
    fi
}

backup() {
    cp "$MNT/flash.bin" "$WORK/copy" && same_bytes "$EXPECTED" "$WORK/copy"
}

restore() {
    random_bytes "$SIZE" >"$EXPECTED"
    cp "$EXPECTED" "$MNT/flash.bin" && same_bytes "$EXPECTED" "$FLASH"
}

# Its pages are the kernel's as well: those are dropped first.
random_reads() {
    echo 1 >/proc/sys/vm/drop_caches
    for at in 1 77 2047 1024 500 1500 3 2000 900; do
        dd if="$MNT/flash.bin" bs=4k count=1 skip="$at" status=none >"$WORK/a" &&
            dd if="$EXPECTED" bs=4k count=1 skip="$at" status=none | cmp - "$WORK/a" || return 1
    done
}

new_board "$SIZE" --chip esp32 --boot download
mount_board -o before=no-reset,cache_size=2M
check 'a backup of four times the cache is right' backup
check '... and leaves 2 MiB in memory' bounded 2304
check 'so is a restore' restore
check '... which leaves no more' bounded 2304
check 'what was forgotten is read again' random_reads
check 'unmounts' unmount_board
check 'nothing was kept on disk' equal '' "$(find "$WORK" -name image)"
mount_board -o before=no-reset
check 'by default, all of it is held' backup
check '... in memory' fails bounded $((SIZE / 1024 - 512))
check 'unmounts, too' unmount_board
stop_board
