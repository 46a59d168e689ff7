#!/bin/sh
# Nothing is lost by who is killed: a restore is cut off at a random moment, the board is mounted
# again, and then every sector is as before or as after, and what had been reported durable is as
# after. test_kills.sh [N]: so many kills and power losses, half as many of boards that are back while
# the driver lives, a quarter of both at once, and a tenth of what comes twice; else a sample.
# EF_KILLS=N says the same, EF_SEED=N repeats a run.
# timeout: 600
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/kills.sh"

COUNT=${1:-${EF_KILLS:-}}
FIRST_SEED=${EF_SEED:-$(($(date +%s) % 1000000 * 1000))}
echo "# EF_SEED=$FIRST_SEED"

: >"$RUNS"
check 'the judgement' judges
check 'without a journal sectors are torn' finds_torn_sectors
: >"$RUNS"
check 'kills of the driver' runs kill "${COUNT:-10}"
check 'a kill, and another one when all is written again' runs repeat "$(((${COUNT:-20} + 9) / 10))"
check 'power losses of the board' runs power "${COUNT:-10}"
check 'power losses of a board that is back soon' runs back "$(((${COUNT:-6} + 1) / 2))"
check 'and then a kill of the driver' runs twice "$(((${COUNT:-20} + 9) / 10))"
check 'both at once' runs both "$(((${COUNT:-20} + 3) / 4))"
check 'kills of a driver that finishes what another left' runs replay "$(((${COUNT:-30} + 9) / 10))"
table
