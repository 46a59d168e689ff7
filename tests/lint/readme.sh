#!/bin/sh
# README, manual page and --help name the same options: the README in the first column of the
# table headed "option", the manual page in the tags of its OPTIONS. And no command line of the
# README uses an option that --help does not name.
. "$(dirname "$0")/../lib/lint.sh"

[ -e README.md ] || {
    skip 'README and --help agree' 'there is no README yet'
    exit 77
}

help_text() {
    "$EF_BUILD/espflashfs" --help
}

# option_names: the long names among words such as `-f`, `foreground`, `port=PORT`, `--probe`;
# one a line.
option_names() {
    tr -s ' ,"`' '\n' | sed -n -E 's/^(--)?([a-z][a-z0-9_-]+)(=.*)?$/\2/p' | sort -u
}

# The program's own; FUSE's follow under a heading of their own.
help_options() {
    help_text | sed -e '/^FUSE/,$d' | sed -n 's/^    //p' | sed 's/  .*//' | option_names
}

readme_options() {
    awk -F '|' '!/^\|/ { inside = 0 } /^\| option/ { inside = 1; next } inside { print $2 }' \
        README.md | option_names
}

man_options() {
    awk '/^\.SH/ { inside = $2 == "OPTIONS" } tag && inside { print } { tag = /^\.TP/ }' \
        mount-helpers/espflashfs.1 |
        sed -e 's/^\.[A-Z]* //' -e 's/\\//g' -e 's/= .*//' | option_names
}

unknown_in_commands() {
    grep -o -E 'espflashfs [^|&;#`]*' README.md |
        grep -o -E -e '--[a-z][a-z0-9-]+|-o [a-z][a-z0-9_]*' | sed 's/^-o //' | option_names |
        while read -r name; do
            help_text | grep -q -w -e "$name" || echo "$name"
        done
}

check 'README and --help name the same options' equal "$(help_options)" "$(readme_options)"
check 'manual page and --help name the same options' equal "$(help_options)" "$(man_options)"
check 'the README uses only options that there are' equal '' "$(unknown_in_commands)"
finish_lint
