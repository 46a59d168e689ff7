# shellcheck shell=sh
# Sourced by run: what is on the board, what is done with it. 4 MiB boards are spoken of; all
# scales with BENCH_SIZE.
#   read_random, read_random_16ms   contents that nothing is known of
#   read_typical     a quarter code, a little NVS, the rest blank
#   read_again       the same, mounted a second time
#   read_changed     the same, 64 KiB of it changed between the two mounts
#   read_two_slots   a board whose second OTA slot equals its first
#   read_rom         a quarter of random contents, by the ROM alone (not on the ESP8266, which
#                    has no command for it; nor has esptool-js: see peer.mjs)
#   read_beside      readers at random places beside a cp: beside.sh, whose lines follow the table
#   write_same       the image that the board holds
#   write_changed    that one with 64 KiB changed
#   write_typical_to_blank, write_typical_to_full, write_random

: "${here:?}" "${size:?}" "${notes:?}"

all_scenarios() {
    sed -n 's/^scenario_\([a-z0-9_]*\)() {$/\1/p' "$here/scenarios.sh"
}

blank() {
    tr '\000' '\377' </dev/zero | head -c "$1"
}

# Real machine code packs as firmware does.
code() {
    cat "$EF_BUILD/espflashfs" "$EF_BUILD/espboard" "$EF_BUILD"/unit/test_* | head -c "$1"
}

# put FILE BYTES OFFSET: BYTES of standard input at OFFSET.
put() {
    head -c "$2" | dd of="$1" bs=64k seek="$3" oflag=seek_bytes conv=notrunc status=none
}

random() {
    random_bytes "$board_size" >"$1"
}

typical() {
    blank "$size" >"$1"
    code $((size / 4)) | put "$1" $((size / 4)) $((size / 64))
    random_bytes $((size / 256)) | put "$1" $((size / 256)) $((size / 128))
}

two_slots() {
    typical "$1"
    code $((size / 4)) | put "$1" $((size / 4)) $((size / 64 + size / 2))
}

# change FILE: a 64th of it (64 KiB of 4 MiB), in the middle of the code.
change() {
    random_bytes $((size / 64)) | put "$1" $((size / 64)) $((size / 8))
}

# run_scenario CHIP SCENARIO
run_scenario() {
    chip=$1
    scenario=$2
    latency=$BENCH_LATENCY
    [ "$BENCH_LINE" = real ] || latency=0
    board_size=$size
    limit=crossed
    rm -rf "$XDG_CACHE_HOME"
    "scenario_$scenario"
}

read_by_all() {
    peers read
    ours read
}

# write_by_all: $IMAGE onto what $FLASH holds.
write_by_all() {
    limit=$(node "$here/limit.mjs" "$FLASH" "$IMAGE" "$BENCH_BAUD")
    say "$chip $scenario: wire and flash need (s, bytes, erases, sectors, pages): $limit"
    limit=${limit%% *}
    [ "$limit" != 0.000 ] || limit=-
    peers write
    ours write
}

scenario_read_random() {
    limit=whole
    random "$FLASH"
    read_by_all
}

scenario_read_random_16ms() {
    [ "$latency" = 0 ] || latency=16
    scenario_read_random
}

scenario_read_typical() {
    typical "$FLASH"
    read_by_all
}

scenario_read_again() {
    typical "$FLASH"
    peers read
    ours_before read
    ours read
}

scenario_read_changed() {
    typical "$FLASH"
    peers read
    ours_before read
    change "$FLASH"
    ours read
}

scenario_read_two_slots() {
    two_slots "$FLASH"
    read_by_all
}

scenario_read_rom() {
    [ "$chip" != esp8266 ] || return 0
    board_size=$((size / 4))
    # No flash id tells of less.
    [ "$board_size" -ge 262144 ] || board_size=262144
    limit=whole
    random "$FLASH"
    peers read_rom
    ours read_rom -o stub=rom
}

scenario_read_beside() {
    [ "$BENCH_LINE" = real ] || return 0
    # So many that they are done before the cp is.
    places=$((size / 40960))
    [ "$places" -le 100 ] || places=100
    if BENCH_CHIPS=$chip BENCH_LATENCY=$latency BESIDE_READS=$places sh "$here/beside.sh" \
        >"$WORK/beside"; then
        cat "$WORK/beside"
        cat "$WORK/beside" >>"$notes"
    else
        wrong espflashfs "readers beside a cp: $(cat "$WORK/beside")"
    fi
}

scenario_write_same() {
    random "$FLASH"
    cp "$FLASH" "$IMAGE"
    write_by_all
}

scenario_write_changed() {
    random "$FLASH"
    cp "$FLASH" "$IMAGE"
    change "$IMAGE"
    write_by_all
}

scenario_write_typical_to_blank() {
    blank "$size" >"$FLASH"
    typical "$IMAGE"
    write_by_all
}

scenario_write_typical_to_full() {
    random "$FLASH"
    typical "$IMAGE"
    write_by_all
}

scenario_write_random() {
    random "$FLASH"
    random "$IMAGE"
    write_by_all
}
