#!/bin/sh
# Every C file is as clang-format would write it.
. "$(dirname "$0")/../lib/lint.sh"

format_is_clean() {
    sources '*.c' '*.h' | xargs -d '\n' clang-format --dry-run -Werror
}

check 'clang-format is clean' format_is_clean
finish_lint
