#!/bin/sh
# clang-tidy has nothing to say about any C file of the build.
# timeout: 1200
. "$(dirname "$0")/../lib/lint.sh"

# Each file's words in one piece: two at once would mix the counts that are passed over.
# shellcheck disable=SC2016 # the inner shell's
tidy_is_clean() {
    sources 'src/*.c' 'tests/*.c' |
        xargs -d '\n' -n 1 -P "$(nproc)" sh -c 'said=$(clang-tidy -p "$EF_BUILD" --quiet "$1" 2>&1); echo "$said"' tidy |
        fails grep -v -E '^[0-9]+ warnings? (and [0-9]+ errors? )?generated|^$'
}

check 'clang-tidy is clean' tidy_is_clean
finish_lint
