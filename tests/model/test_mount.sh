#!/bin/sh
# The same operations as system calls, on a real mount of a board that is a process of its own.
# EF_SEED repeats a run; EF_OPS has it be longer.
# timeout: 300
# asan
# tsan
. "$(dirname "$0")/common.sh"

: "${EF_OPS:=$((3000 / EF_COST))}"

check "$EF_OPS operations on a mount from seed $EF_SEED" \
    play --mount --ops "$EF_OPS" --episode-ops 300 --faults no
check "operations on a mount with faults from seed $EF_SEED" \
    play --mount --ops $((EF_OPS / 10)) --episode-ops 150 --faults yes
finish_model
