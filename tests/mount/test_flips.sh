#!/bin/sh
# The line flips one bit at each of EF_FLIPS (40) random places of a backup, and of a restore: the
# copy is right, or cp fails. EF_SEED repeats a run.
# timeout: 900
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

: "${EF_FLIPS:=40}"
: "${EF_SEED:=$(od -A n -N 3 -t u4 /dev/urandom | tr -d ' ')}"
SHARDS=4
SIZE=262144
TOP=$WORK
IMAGE=$WORK/image

# The rest behind the image must stay; part of the image is there already, part is blank.
make_image() {
    random_bytes "$SIZE" >"$TOP/before"
    {
        random_bytes 60001
        head -c 30000 /dev/zero | tr '\000' '\377'
        tail -c +90002 "$TOP/before" | head -c 20000
        random_bytes 50000
    } >"$IMAGE"
    cp "$TOP/before" "$EXPECTED"
    expect_patch "$IMAGE"
    cp "$EXPECTED" "$TOP/after"
}

# backup, restore: `right`, `failed`, or `wrong` for the board's file and the copy.
backup() {
    if ! cp "$MNT/flash.bin" "$WORK/copy" 2>/dev/null; then
        echo failed
    elif cmp -s "$TOP/before" "$WORK/copy"; then
        echo right
    else
        echo wrong
    fi
}

restore() {
    if ! cp "$IMAGE" "$MNT/flash.bin" 2>/dev/null; then
        echo failed
    elif cmp -s "$TOP/after" "$FLASH"; then
        echo right
    else
        echo wrong
    fi
}

# A backup never changes the board, a failed start neither.
left_alone() {
    if [ "$1" = restore ] && [ "$2" != unmounted ]; then
        return 0
    fi
    cmp -s "$TOP/before" "$FLASH"
}

# run_job JOB LOADER BOARD-OPTION...: mounts, does the job, prints its result.
run_job() {
    job=$1
    loader=$2
    shift 2
    cp "$TOP/before" "$FLASH"
    : >"$DRIVER_LOG"
    start_board --chip esp32 --size "$SIZE" "$@" || return 1
    result=unmounted
    if mount_board -o stub="$loader"; then
        result=$($job)
        fresh_counters
        fusermount3 -u "$MNT" && wait_driver
    fi
    stop_board
    left_alone "$job" "$result" && no_reports || result=wrong
    echo "$result"
}

# places SEED BYTES-IN BYTES-OUT COUNT: a line each, `flip:DIR:BYTE:BIT`.
places() {
    awk -v seed="$1" -v in_bytes="$2" -v out_bytes="$3" -v count="$4" 'BEGIN {
        srand(seed)
        for (i = 0; i < count; i++) {
            dir = i % 2 ? "in" : "out"
            bytes = i % 2 ? in_bytes : out_bytes
            printf "flip:%s:%d:%d\n", dir, int(rand() * bytes), int(rand() * 8)
        }
    }'
}

# The clean run tells how many bytes there are to choose from.
clean_run() {
    equal right "$(run_job "$1" "$2")"
}

# own_folder NAME: boards and mounts of this shell, a background one, stand beside the others'.
own_folder() {
    WORK=$TOP/$1
    FLASH=$WORK/flash.bin
    MNT=$WORK/board
    BOARD_LOG=$WORK/board.log
    BOARD_OUT=$WORK/board.out
    COUNTERS=$WORK/counters
    DRIVER_LOG=$WORK/driver.log
    XDG_STATE_HOME=$WORK/state
    mkdir -p "$MNT"
    trap finish EXIT
}

# run_places JOB LOADER: a line of results for each line of places: what came of it, whether the
# driver said that something was wrong, and the place.
run_places() {
    while read -r place; do
        result=$(run_job "$1" "$2" --fault "$place") || result=wrong
        noticed=unnoticed
        ! grep -q 'attempt\|damaged\|differ' "$DRIVER_LOG" || noticed=noticed
        echo "$result $noticed $place"
        [ "$result" = right ] || say "$1, $2, $place: $result: $(tail -n 3 "$DRIVER_LOG")"
    done
}

run_shards() {
    shards=
    for shard in $(seq $SHARDS); do
        (
            own_folder "shard.$shard"
            awk -v n="$shard" -v of=$SHARDS 'NR % of == n % of' "$TOP/places" |
                run_places "$1" "$2" >"$TOP/results.$shard"
        ) &
        shards="$shards $!"
    done
    for shard in $shards; do
        wait "$shard" || return 1
    done
    cat "$TOP"/results.* >"$TOP/results"
}

# tally COUNT: the sums of all results, as a sentence. False if one is wrong or missing.
tally() {
    awk -v count="$1" '
        { n[$1]++; n[$2]++ }
        END {
            printf "right %d, failed %d, not mounted %d, wrong %d; %d were noticed", n["right"],
                n["failed"], n["unmounted"], n["wrong"], n["noticed"]
            exit n["wrong"] > 0 || NR != count
        }' "$TOP/results"
}

# flips JOB LOADER COUNT
flips() {
    check "$1, $2: a clean line" clean_run "$1" "$2"
    places "$EF_SEED" "$(value bytes_in "$COUNTERS")" "$(value bytes_out "$COUNTERS")" "$3" \
        >"$TOP/places"
    check "$1, $2: $3 flips run" run_shards "$1" "$2"
    verdict=true
    summary=$(tally "$3") || verdict=false
    say "seed $EF_SEED: $1, $2: $3 flips: $summary"
    check "$1, $2, $3 flips: $summary" "$verdict"
}

say "EF_SEED=$EF_SEED EF_FLIPS=$EF_FLIPS"
make_image
flips backup auto "$EF_FLIPS"
flips restore auto "$EF_FLIPS"
flips backup rom $((EF_FLIPS / 4))
flips restore rom $((EF_FLIPS / 4))
