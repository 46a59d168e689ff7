# shellcheck shell=sh
# Sourced by every tests/model/test_*.sh. EF_BUILD: the build tree; EF_SEED: of the run, random if
# not given, and printed with each result.

: "${EF_BUILD:?the build tree whose programs are tested}"
: "${EF_SEED:=$(od -A n -N 3 -t u4 /dev/urandom | tr -d ' ')}"
: "${EF_SLOW:=1}"
lib=$(cd "$(dirname "$0")/../lib" && pwd)
# shellcheck source=tests/lib/result.sh
. "$lib/result.sh"
export EF_BUILD EF_SLOW

# What an operation costs in this tree, compared with a plain one.
case $EF_BUILD in
*tsan*) EF_COST=12 ;;
*asan*) EF_COST=4 ;;
*) EF_COST=1 ;;
esac
export EF_COST

# A disk's syncs would take most of the time.
EF_FOLDER=${TMPDIR:-/tmp}
[ ! -w /dev/shm ] || EF_FOLDER=/dev/shm

# play OPTION...
play() {
    "$EF_BUILD/model/model" --folder "$EF_FOLDER" --seed "$EF_SEED" --patience $((60 * EF_SLOW)) "$@"
}

finish_model() {
    [ "$failures" = 0 ]
}
