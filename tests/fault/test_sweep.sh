#!/bin/sh
# Every scenario under every kind of fault, at some steps of each: the seed is in the table's first
# line. All steps, for a night: tests/fault/run.
# asan
# tsan
# timeout: 600
. "$(dirname "$0")/../lib/result.sh"

sweep=$EF_BUILD/fault/sweep
table=$TMPDIR/table

# A few minutes of one core in all.
case $EF_BUILD in
*tsan*) sample=1 ;;
*asan*) sample=3 ;;
*) sample=12 ;;
esac

# On standard error the table is kept by tests/lib/run_one.sh.
nothing_goes_wrong() {
    "$sweep" --sample "$sample" >"$table"
    status=$?
    cat "$table"
    return "$status"
}

# Without the layer that proves what the chip says, a chip that lies is believed.
broken_is_seen() {
    expect_status 1 "$sweep" --broken --all --seed 1 --chip esp32 --loader stub --line serial \
        --scenario erase --fault lie >"$table"
    grep 'WRONG erase said 0' "$table"
}

check 'no fault makes anything go wrong' nothing_goes_wrong
check 'a program that proves nothing fails the sweep' broken_is_seen
[ "$failures" = 0 ]
