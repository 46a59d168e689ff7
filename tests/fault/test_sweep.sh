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
*tsan*) sample='1 --chip esp32 --loader stub --line serial' ;;
*asan*) sample=2 ;;
*) sample=12 ;;
esac

# On standard error the table is kept by tests/lib/run_one.sh.
nothing_goes_wrong() {
    # Unquoted on purpose: a number, and options.
    # shellcheck disable=SC2086
    "$sweep" --sample $sample >"$table"
    status=$?
    cat "$table"
    return "$status"
}

# left_out LAYER WRONG SCENARIO FAULT: without that layer the sweep prints what is wrong.
left_out() {
    expect_status 1 "$sweep" --without "$1" --all --seed 1 --chip esp32 --loader stub --line serial \
        --scenario "$3" --fault "$4" >"$table" && grep "^WRONG $2" "$table"
}

check 'no fault makes anything go wrong' nothing_goes_wrong
check 'a program that proves nothing fails the sweep' left_out proof 'erase said 0' erase lie
check 'a program without a journal fails it' left_out journal 'it was mounted again' partial power-hang-up
[ "$failures" = 0 ]
