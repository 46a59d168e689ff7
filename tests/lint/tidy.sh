#!/bin/sh
# clang-tidy has nothing to say about any C file of the build.
# timeout: 1200
. "$(dirname "$0")/../lib/lint.sh"

tidy_is_clean() {
    sources 'src/*.c' 'tests/*.c' |
        xargs -d '\n' -n 1 -P "$(nproc)" clang-tidy -p "$EF_BUILD" --quiet 2>&1 |
        fails grep -v -E '^[0-9]+ warnings? (and [0-9]+ errors? )?generated|^$'
}

check 'clang-tidy is clean' tidy_is_clean
finish_lint
