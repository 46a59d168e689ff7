#!/bin/sh
# Files stay small, the top level stays tidy, and nothing names one machine or one registry.
. "$(dirname "$0")/../lib/lint.sh"

long_files() {
    sources '*.c' '*.h' '*.sh' 'tests/run' 'mount-helpers/*' | while read -r file; do
        lines=$(wc -l <"$file")
        [ "$lines" -le 500 ] || echo "$file: $lines lines"
    done
}

big_files() {
    sources '*' | while read -r file; do
        bytes=$(wc -c <"$file")
        [ "$bytes" -le 262144 ] || echo "$file: $bytes bytes"
    done
}

strangers_at_the_top() {
    sources '*' | cut -d / -f 1 | sort -u |
        grep -v -x -E 'src|include|tests|mount-helpers|CMakeLists\.txt|README\.md|LICENSE|\..*' || :
}

# Brackets, so that this file does not hold the words itself.
machine_words() {
    sources '*' | xargs -d '\n' grep -n -I -E \
        '/(roo[t]|wor[k])/|regis[t]ry\.[a-z]|npmj[s]\.|deb\.debia[n]|pyp[i]\.org' || :
}

check 'no source file is longer than 500 lines' equal '' "$(long_files)"
check 'no file is bigger than 256 KiB' equal '' "$(big_files)"
check 'the top level holds only what belongs there' equal '' "$(strangers_at_the_top)"
check 'no file names a machine or a registry' equal '' "$(machine_words)"
finish_lint
