#!/bin/sh
# Random operations on nodes, cache, worker and flash stack over a board in this process, with and
# without faults, beside a plain array. EF_SEED repeats a run; EF_OPS has it be longer.
# timeout: 300
# asan
# tsan
. "$(dirname "$0")/common.sh"

: "${EF_OPS:=$((24000 / EF_COST))}"

check "$EF_OPS operations from seed $EF_SEED" play --ops "$EF_OPS" --seeds 4
check "$EF_OPS operations in turn from seed $EF_SEED" play --ops $((EF_OPS / 4)) --in-turn
finish_model
