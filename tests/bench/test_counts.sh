#!/bin/sh
# What each of the bench's jobs costs, in bytes, commands, erases and programs: no seconds, since
# those are a machine's. The line and the flash are as fast as they can be.
# timeout: 600
set -u

here=$(cd "$(dirname "$0")" && pwd)
: "${EF_BUILD:?the build tree whose programs are tested}"
: "${EF_NODE_MODULES:=$EF_BUILD/node_modules}"
# shellcheck source=tests/lib/result.sh
. "$here/../lib/result.sh"

SIZE=262144
KIB=1024
# The typical board's sectors that are not blank: its first, with boot loader and NVS, and the code.
DATA_SECTORS=17
PAGES_A_SECTOR=16
ROWS=$(mktemp "${TMPDIR:-/tmp}/espflashfs-rows.XXXXXX")
trap 'rm -f "$ROWS"' EXIT

# bench PEERS CHIP SCENARIO...
bench() {
    bench_peers=$1
    bench_chip=$2
    shift 2
    BENCH_CHIPS=$bench_chip BENCH_SIZE=$SIZE BENCH_LINE=none BENCH_PEERS=$bench_peers \
        BENCH_ROWS=$ROWS ESPTOOL_JS_DIR=$(dirname "$EF_NODE_MODULES") sh "$here/run" "$@"
}

# count COLUMN [WHO]: of $scenario's row.
count() {
    awk -v scenario="$scenario" -v who="${2:-espflashfs}" -v column="$1" '
        BEGIN { split("chip scenario who is connect seconds limit to from commands digests " \
            "erases sectors programs", names); for (i in names) at[names[i]] = i }
        $2 == scenario && $3 == who { n = $at[column] } END { print n == "" ? "none" : n }' "$ROWS"
}

at_most() {
    [ "$2" -le "$1" ] || {
        say "$2 is more than $1"
        return 1
    }
}

# costs_at_most COLUMN LIMIT
costs_at_most() {
    check "$chip $scenario: $1 at most $2" at_most "$2" "$(count "$1")"
}

# costs COLUMN N
costs() {
    check "$chip $scenario: $1" equal "$2" "$(count "$1")"
}

wears() {
    costs sectors "$1"
    costs programs "$2"
}

# A job's scenario, so that what follows speaks of it.
of() {
    scenario=$1
}

reads() {
    of read_random
    costs_at_most from $((SIZE * 102 / 100))
    costs_at_most to $((2 * KIB))
    costs_at_most commands 16
    of read_typical
    costs_at_most from $((132 * KIB))
    costs_at_most commands 32
    of read_again
    costs_at_most from $((6 * KIB))
    of read_changed
    costs_at_most from $((24 * KIB))
    for scenario in read_random read_typical read_again read_changed read_two_slots; do
        wears 0 0
    done
}

# On a whole board, whose slots begin where the driver's pieces do, as partitions do.
whole_board_reads() {
    of read_typical
    typical_from=$(count from)
    costs_at_most from $(((1024 + 16 + 32) * KIB))
    of read_again
    costs_at_most from $((4 * KIB))
    of read_changed
    costs_at_most from $((64 * KIB + 8 * KIB))
    of read_two_slots
    costs_at_most from $((typical_from + 16 * KIB))
    for scenario in read_typical read_again read_changed read_two_slots; do
        costs_at_most commands 192
    done
}

# A command for each 64 bytes, which come with a header of 8, a status of 4 and two delimiters; and a
# digest, 46 bytes with those, of every 22 of them.
rom_reads() {
    of read_rom
    costs_at_most from $((SIZE * 83 / 64))
    costs_at_most commands $((SIZE / 64 + SIZE / 64 / 22 + 64))
}

writes() {
    of write_same
    wears 0 0
    costs_at_most to $((4 * KIB))
    costs_at_most from $((4 * KIB))
    of write_changed
    wears 1 $PAGES_A_SECTOR
    costs_at_most to $((4 * KIB + 4 * KIB))
    of write_typical_to_blank
    wears 0 $((DATA_SECTORS * PAGES_A_SECTOR))
    costs_at_most to $((SIZE / 4))
    of write_typical_to_full
    # A block that is mostly to be blank is erased whole; its one sector of data once more.
    costs_at_most sectors $((SIZE / 4096 + 1))
    costs programs $((DATA_SECTORS * PAGES_A_SECTOR))
    costs_at_most to $((SIZE / 4))
    costs_at_most erases 5
    of write_random
    wears $((SIZE / 4096)) $((SIZE / 256))
    costs erases 4
    costs_at_most to $((SIZE * 103 / 100))
}

for chip in esp8266 esp32; do
    check "$chip: every job ends well, and every byte is right" bench no "$chip"
    reads
    writes
done
rom_reads
chip=esp32
SIZE=4M
check 'a whole board: every job ends well, and every byte is right' bench no esp32 read_typical \
    read_again read_changed read_two_slots
whole_board_reads

SIZE=262144
of read_typical
check 'the bench runs its peer: reads' bench esptool-js esp32 read_typical read_rom
check "the peer's job is counted" at_most $((SIZE * 102 / 100)) "$(count from esptool-js)"
of write_typical_to_blank
check 'the bench runs its peer: writes' bench esptool-js esp8266 "$scenario"
check "the peer's programs are counted" equal $((SIZE / 256)) "$(count programs esptool-js)"

# A peer that says it has read, and has not.
fake=$(mktemp -d "${TMPDIR:-/tmp}/espflashfs-fake.XXXXXX")
trap 'rm -rf "$ROWS" "$fake"' EXIT
printf '#!/bin/sh\necho Changed.\necho Staying in bootloader.\n' >"$fake/esptool.py"
chmod +x "$fake/esptool.py"
of read_typical
check 'a job that brings other bytes fails the bench' expect_status 1 \
    env PATH="$fake:$PATH" BENCH_CHIPS=esp8266 BENCH_SIZE=$SIZE BENCH_LINE=none \
    BENCH_PEERS=esptool BENCH_ROWS="$ROWS" sh "$here/run" "$scenario"
check 'its row says so' equal WRONG "$(count is esptool)"
check 'an unknown scenario is refused' expect_status 2 bench no esp32 read_nothing
[ "$failures" = 0 ]
