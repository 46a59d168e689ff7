#!/bin/sh
# A short fuzz of every target, from a printed seed: FUZZ_SEED repeats it.
# timeout: 1500
lib=$(cd "$(dirname "$0")/../lib" && pwd)
# shellcheck source=tests/lib/result.sh
. "$lib/result.sh"
require clang
cd "$lib/../.."
set -eu

# Of the whole program at each execution: slower by far than a parser.
SLOW='board device'
out=$(mktemp "${TMPDIR:-/tmp}/espflashfs-fuzz.XXXXXX")
trap 'rm -f "$out"' EXIT

# run_some RUNS TARGET...
run_some() {
    FUZZ_RUNS=$1
    shift
    FUZZ_RUNS=$FUZZ_RUNS sh tests/fuzz/run "$@" >"$out" || say "tests/fuzz/run ended with $?"
    cat "$out" >&2
}

# True if the target's row of the table ends well.
went_well() {
    grep -q "^$1 .* ok\$" "$out"
}

fast=$(for source in tests/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    case " $SLOW " in
    *" ${target#fuzz_} "*) ;;
    *) echo "${target#fuzz_}" ;;
    esac
done)
# Unquoted on purpose: names without blanks.
# shellcheck disable=SC2086
run_some 20000 $fast
for target in $fast; do
    check "$target" went_well "$target"
done
# shellcheck disable=SC2086
run_some 3000 $SLOW
for target in $SLOW; do
    check "$target" went_well "$target"
done
[ "$failures" = 0 ]
