#!/bin/sh
# Clang, too, compiles everything without a warning (the build makes them errors).
# timeout: 900
. "$(dirname "$0")/../lib/lint.sh"

log=$(mktemp "${TMPDIR:-/tmp}/espflashfs-clang.XXXXXX")
trap 'rm -f "$log"' EXIT

clang_builds() {
    { CC=clang cmake -S . -B build-clang && cmake --build build-clang --parallel "$(nproc)"; } \
        >"$log" 2>&1 || {
        grep -A 6 -E 'error|warning:' "$log"
        return 1
    }
}

check 'clang builds without a warning' clang_builds
finish_lint
