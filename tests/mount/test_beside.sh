#!/bin/sh
# Who reads here and there, without a pause, beside a cp of all of flash.bin: both get the chip's
# bytes, the one at once, and the other at last.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

SIZE=262144
BOARD_LISTEN=pty:$WORK/tty
BIN=$MNT/flash.bin

# place_is_right SECTOR: asked of the driver, not of the page cache.
place_is_right() {
    dd if="$BIN" of="$WORK/got" iflag=direct bs=4k count=1 skip="$1" status=none &&
        dd if="$EXPECTED" of="$WORK/wanted" bs=4k count=1 skip="$1" status=none &&
        same_bytes "$WORK/wanted" "$WORK/got"
}

stream_began() {
    [ "$(counter_since_mark reads)" -gt 0 ]
}

# The copy's own bytes may come late: of the kernel's requests the second one can be the first.
reads_beside_a_cp() {
    rm -f "$WORK/copy"
    mark_counters || return 1
    cp "$BIN" "$WORK/copy" &
    copy=$!
    wait_until 30 stream_began || return 1
    rounds=0
    for place in $(seq $((SIZE / 4096 - 1)) -1 $((SIZE / 8192))); do
        running "$copy" || break
        place_is_right "$place" || return 1
        rounds=$((rounds + 1))
    done
    say "$rounds places read beside it"
    wait "$copy" && same_bytes "$EXPECTED" "$WORK/copy" && [ "$rounds" -ge 5 ]
}

# The board notes each READ_FLASH that was cut short.
was_cut_short() {
    [ "$1" = rom ] || grep -q 'READ stopped' "$BOARD_LOG"
}

no_rejects() {
    equal 0 "$(counter rejects)"
}

for what in 'esp8266 auto' 'esp32 auto' 'esp32 rom' 'esp32c3 rom'; do
    chip=${what% *}
    loader=${what#* }
    new_board "$SIZE" --chip "$chip" --line-rate real --flash-timing real --latency 2
    check "$chip, $loader: mounts" mount_board -o "stub=$loader,baud=921600"
    check "$chip, $loader: both get the chip's bytes" reads_beside_a_cp
    check "$chip, $loader: the stream was cut short" was_cut_short "$loader"
    check "$chip, $loader: the board rejected nothing" no_rejects
    check "$chip, $loader: unmounts" unmount_board
    stop_board
done
