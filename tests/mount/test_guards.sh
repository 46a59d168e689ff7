#!/bin/sh
# Guarded chips: every state, every operation, with and without force: what comes of it (the
# call that failed, and its errno), and what info.txt and the log say.
# timeout: 600
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

HIGH=131072 # past the boot loader

# outcome COMMAND...: `ok`, or the call that failed and its errno.
outcome() {
    if LC_ALL=C "$@" >/dev/null 2>"$WORK/said"; then
        echo ok
        return
    fi
    case $(cat "$WORK/said") in
    *'failed to open'*) call='open' ;;
    *'error reading'*) call='read' ;;
    *'error writing'*) call='write' ;;
    *'closing output'*) call='close' ;;
    *) call='?' ;;
    esac
    case $(cat "$WORK/said") in
    *'Operation not permitted'*) errno=EPERM ;;
    *'Permission denied'*) errno=EACCES ;;
    *'No such file'*) errno=ENOENT ;;
    *'Read-only'*) errno=EROFS ;;
    *'Invalid argument'*) errno=EINVAL ;;
    *) errno=$(cat "$WORK/said") ;;
    esac
    echo "$call:$errno"
}

read_at() {
    dd if="$MNT/flash.bin" of="$WORK/read" bs=4k skip="$1" iflag=skip_bytes count=2 &&
        dd if="$EXPECTED" bs=4k skip="$1" iflag=skip_bytes count=2 | cmp - "$WORK/read"
}

# write_at OFFSET: what was written is on the chip, and nothing else changed.
write_at() {
    random_bytes 8192 >"$WORK/image"
    dd if="$WORK/image" of="$MNT/flash.bin" bs=4k seek="$1" oflag=seek_bytes \
        conv=notrunc,nocreat,fsync && expect_patch "$WORK/image" "$1"
}

# erase_range WORDS...
erase_range() {
    echo "$*" >"$WORK/words"
    dd if="$WORK/words" of="$MNT/erase" conv=notrunc,nocreat
}

truncates() {
    dd if=/dev/null of="$MNT/flash.bin" conv=nocreat
}

mode_of() {
    if [ -e "$MNT/$1" ]; then stat -c %a "$MNT/$1"; else echo -; fi
}

# attempt_all: one row of the table, on stdout. What was done to the chip is done to $EXPECTED.
attempt_all() {
    row="$(mode_of flash.bin) $(mode_of erase)"
    row="$row $(outcome read_at 0) $(outcome write_at 4096) $(outcome write_at "$HIGH")"
    row="$row $(outcome erase_range 0x7000 0x2000) $(outcome erase_range 0x30000 4k)"
    row="$row $(outcome truncates) $(outcome erase_range all)"
    echo "$row"
}

TABLE=$WORK/table
# add_row STATE CHIP FORCE COLUMN...
add_row() {
    echo "# $1 on $2${3:+, $3}" >>"$TABLE"
    shift 3
    printf '#     %-5s %-5s %-11s %-11s %-11s %-11s %-11s %-11s %s\n' "$@" >>"$TABLE"
}

echo '# state on chip, options' >"$TABLE"
printf '#     %-5s %-5s %-11s %-11s %-11s %-11s %-11s %-11s %s\n' flash erase read write-low \
    write-high erase-low erase-high truncate erase-all >>"$TABLE"

info_says() {
    grep -q -E "$1" "$MNT/info.txt" || {
        cat "$MNT/info.txt"
        return 1
    }
}

# untouched_if_refused: where everything was refused the chip is as it was, and never worn.
untouched_if_refused() {
    case $1 in
    *ok*) return ;;
    esac
    same_bytes "$EXPECTED" "$FLASH" && equal 0 "$(counter erases)" && equal 0 "$(counter programs)"
}

# boot_loader_is_right: below 0x8000 the chip holds what was let through, and no more.
boot_loader_is_right() {
    case $1 in
    *ok) return ;; # erased as a whole
    esac
    same_bytes "$EXPECTED" "$FLASH" 32768
}

# guarded STATE CHIP OPTION SECURITY ACCESS LOG EXPECTED...: a mount in that state; the lines of
# info.txt (extended expressions), what the log says, and the row of the table.
guarded() {
    state=$1
    chip=$2
    option=$3
    name="$state on $chip${option:+, $option}"
    security=$4
    access=$5
    log=$6
    shift 6
    rm -f "$FLASH"
    : >"$DRIVER_LOG"
    new_board 256K --chip "$chip" --security "$state"
    # Unquoted on purpose: an option, or nothing.
    # shellcheck disable=SC2086
    check "$name: mounts" mount_board $option
    check "$name: Security" info_says "^Security: $security\$"
    check "$name: Flash access" info_says "^Flash access: $access"
    check "$name: the log" log_says "$log"
    got=$(attempt_all)
    # Unquoted on purpose: the columns.
    # shellcheck disable=SC2086
    add_row "$state" "$chip" "$option" $got
    grep -E '^(Security|Flash access):' "$MNT/info.txt" | sed 's/^/#     /' >>"$TABLE"
    check "$name: every operation" equal "$*" "$got"
    check "$name: what is refused touches nothing" untouched_if_refused "$got"
    check "$name: the boot loader" boot_loader_is_right "$got"
    check "$name: unmounts" unmount_board
    stop_board
}

# In Secure Download Mode, forced: whole images are written, sector by sector, and only those.
blind_image() {
    random_bytes 100K >"$WORK/image"
    head -c 8192 /dev/zero | tr '\0' '\377' | dd of="$WORK/image" bs=4k seek=5 conv=notrunc \
        status=none
    cp "$WORK/image" "$MNT/flash.bin" && expect_patch "$WORK/image" && same_bytes "$EXPECTED" "$FLASH"
}

blind_odd_image() {
    random_bytes 5000 >"$WORK/image"
    refused 'Invalid argument' dd if="$WORK/image" of="$MNT/flash.bin" bs=5000 conv=notrunc,nocreat &&
        refused 'Invalid argument' dd if="$WORK/image" of="$MNT/flash.bin" bs=1k count=4 \
            conv=notrunc,nocreat &&
        log_says 'are no whole sectors' && same_bytes "$EXPECTED" "$FLASH"
}

# What cannot be proven is not taken for known either: the same image again is written again.
blind_again() {
    mark_counters
    dd if="$EXPECTED" of="$MNT/flash.bin" bs=4k count=1 conv=notrunc,nocreat,fsync status=none &&
        equal 0 "$(sectors_since_mark programs)" && log_says '4096 bytes at 0x0: written, but unproven'
}

# A block that got no yes is written again, from the begin on; a board that stays silent is told.
blind_faults() {
    rm -f "$FLASH"
    : >"$DRIVER_LOG"
    new_board 256K --chip esp32c3 --security secure-download --fault reject-op:0x03:2 \
        --fault reject-op:0x02:3
    check 'faults, blind: mounts' mount_board -o force,size=256k
    check 'faults, blind: an image' blind_image
    check 'faults, blind: were repeated' log_says 'write of .* bytes at 0x.*attempt 1 of 5'
    check 'faults, blind: unmounts' unmount_board
    stop_board
}

# Forced or not, ro is ro; and --probe says what a mount would.
blind_read_only() {
    rm -f "$FLASH"
    new_board 256K --chip esp32c3 --security secure-download
    check 'ro, blind: mounts' mount_board -o force,size=256k,ro
    check 'ro, blind: nothing' equal '0 - open:EPERM open:EROFS' \
        "$(mode_of flash.bin) $(mode_of erase) $(outcome read_at 0) $(outcome write_at 0)"
    check 'ro, blind: info.txt' info_says '^Flash access: none: Secure Download Mode, and mounted'
    check 'ro, blind: unmounts' unmount_board
    check '--probe in Secure Download Mode' probe_says '^Flash access: none: Secure Download Mode'
    check '--probe: the size' probe_says '^Flash size in bytes: unknown$'
    stop_board
}

# A page that was written through a mapping stands in the kernel's memory before anybody is asked:
# what is refused then must not be read back as if the chip held it.
refused_mappings() {
    command -v python3 >/dev/null || {
        skip 'secure boot, mapped: what is refused' 'python3 is not installed'
        return
    }
    rm -f "$FLASH"
    new_board 256K --chip esp32 --security secure-boot-v1
    check 'secure boot, mapped: mounts' mount_board
    for offset in 4096 32000; do
        random_bytes 2000 >"$WORK/image"
        check "secure boot, mapped: a write at $offset is refused" refused 'PermissionError' \
            python3 "${0%/*}/tools/mapped.py" write "$MNT/flash.bin" "$offset" <"$WORK/image"
        check "secure boot, mapped: nobody reads it back, $offset" as_expected
    done
    check 'secure boot, mapped: unmounts' unmount_board
    stop_board
}

probe_says() {
    "$EF_BUILD/espflashfs" --probe "$PORT" 2>>"$DRIVER_LOG" | grep -q -E "$1"
}

blind_details() {
    rm -f "$FLASH"
    : >"$DRIVER_LOG"
    new_board 256K --chip "$1" --security secure-download
    check "$1, blind: mounts" mount_board -o force,size=256k
    check "$1, blind: an image" blind_image
    check "$1, blind: no whole sectors" blind_odd_image
    check "$1, blind: the same again" blind_again
    check "$1, blind: nothing was rejected but registers and reads" fails \
        grep -E 'REJECT (FLASH|SPI|SYNC)' "$BOARD_LOG"
    check "$1, blind: unmounts" unmount_board
    stop_board
}

P=EPERM
OPEN="open:$P"
WRITE="write:$P"
REFUSED="$OPEN $OPEN $OPEN $OPEN $OPEN $OPEN $OPEN"
ABSENT='open:ENOENT open:ENOENT open:ENOENT open:ENOENT open:ENOENT open:ENOENT open:ENOENT'
ALL='ok ok ok ok ok ok ok'
BOOT="ok $WRITE ok $WRITE ok ok $WRITE"
NOTHING='none: flash encryption is on: a read returns ciphertext'
RAW='read and write \(-o force\), raw ciphertext'
PARTLY='read; write from 0x8000 on'
UNSIGNED='read and write \(-o force\): unsigned images will not boot'

# words: the mode of flash.bin, of erase; read, write low, write high, erase low, erase high,
# truncate, erase all.
for chip in esp32 esp32c3; do
    guarded none "$chip" '' none 'read and write$' 'Flash: ' 600 600 "$ALL"
    guarded none "$chip" '-o force' none 'read and write$' 'Flash: ' 600 600 "$ALL"
    guarded flash-encryption-dev "$chip" '' 'flash encryption \(development mode\)' "$NOTHING" \
        'Security: flash encryption \(development' 0 400 "$REFUSED"
    guarded flash-encryption-release "$chip" '' 'flash encryption \(release mode\)' "$NOTHING" \
        'Security: flash encryption \(release' 0 400 "$REFUSED"
    guarded flash-encryption-release "$chip" '-o force' 'flash encryption \(release mode\)' "$RAW" \
        'FORCED: this chip has flash encryption \(release mode\)' 600 600 "$ALL"
done
guarded secure-boot-v1 esp32 '' 'secure boot v1' "$PARTLY" 'Security: secure boot v1' 600 600 "$BOOT"
guarded secure-boot-v1 esp32 '-o force' 'secure boot v1' "$UNSIGNED" 'FORCED: .* secure boot v1' \
    600 600 "$ALL"
guarded secure-boot esp32c3 '' 'secure boot v2' "$PARTLY" 'Security: secure boot v2' 600 600 "$BOOT"
guarded secure-boot esp32c3 '-o force' 'secure boot v2' "$UNSIGNED" 'FORCED: .* secure boot v2' \
    600 600 "$ALL"
guarded secure-boot+flash-encryption-release esp32c3 '' \
    'flash encryption \(release mode\), secure boot v2' "$NOTHING" 'Security: flash enc' 0 400 "$REFUSED"
guarded secure-download esp32c3 '' 'Secure Download Mode' 'none: Secure Download Mode: the chip' \
    'only info.txt is offered: Secure Download' - - "$ABSENT"
guarded secure-download esp32c3 '-o force' 'Secure Download Mode' \
    'none: Secure Download Mode hides the flash' 'with -o force, size= must be given' - - "$ABSENT"
BLIND="$OPEN ok ok open:ENOENT open:ENOENT ok open:ENOENT"
guarded secure-download esp32c3 '-o force,size=256k' 'Secure Download Mode' \
    'write only \(-o force\), whole sectors, written but unproven' 'chip proves nothing of it' \
    200 - "$BLIND"
guarded secure-download+flash-encryption-release+secure-boot esp32c3 '-o force,size=256k' \
    'flash encryption \(release mode\), secure boot v2, Secure Download Mode' \
    'write only .* unproven: raw ciphertext, plain images will not boot' \
    'FORCED: this chip has flash encryption .*, secure boot v2, Secure Download Mode' 200 - "$BLIND"
for chip in esp32s2 esp32s3 esp32c2 esp32c6; do
    blind_details "$chip"
done
blind_faults
blind_read_only
refused_mappings
cat "$TABLE"
