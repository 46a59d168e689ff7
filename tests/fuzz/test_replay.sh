#!/bin/sh
# The seeds of every fuzz target, and each input that once found something, replayed without a
# fuzzer: EF_BUILD is a tree with sanitizers.
lib=$(cd "$(dirname "$0")/../lib" && pwd)
# shellcheck source=tests/lib/result.sh
. "$lib/result.sh"
: "${EF_BUILD:?the build tree whose programs are tested}"
cd "$lib/../.."
set -eu

for source in tests/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    target=${target#fuzz_}
    check "$target has seeds" test -d "tests/fuzz/corpus/$target"
    for input in "$PWD/tests/fuzz/corpus/$target"/*; do
        check "$target: $(basename "$input")" "$EF_BUILD/fuzz/replay_$target" "$input"
    done
done
[ "$failures" = 0 ]
