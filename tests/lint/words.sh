#!/bin/sh
# What is said of the program beside --help is what the program says itself: the completions' options
# and values, the manual pages' errors, variables and exit statuses. (Options of the manual page and
# the README: readme.sh. Examples: tests/mount/test_readme.sh, test_mount_helper.sh.)
. "$(dirname "$0")/../lib/lint.sh"

man=mount-helpers/espflashfs.1
bash_file=$PWD/mount-helpers/completions/espflashfs.bash
zsh_file=mount-helpers/completions/_espflashfs

help_text() {
    "$EF_BUILD/espflashfs" --help
}

# The long names in what --help has before FUSE's own, one a line.
help_options() {
    help_text | sed -e '/^FUSE/,$d' -e 's/^    //' -e t -e d | sed 's/  .*//' | tr -s ' ,' '\n' |
        sed -n -E 's/^(--)?([a-z][a-z0-9_-]+)(=.*)?$/\2/p' | sort -u
}

# Those that make no sense behind -o.
mount_options() {
    help_options | grep -v -x -E 'probe|list|help|version'
}

# completes LINE: what bash offers there, one a line.
completes() {
    # shellcheck disable=SC2016
    bash --norc -c '. "$1" && COMP_LINE=$2 COMP_POINT=${#2}
        COMP_WORDBREAKS=$3
        _espflashfs
        printf "%s\n" "${COMPREPLY[@]}"' - "$bash_file" "$1" "${2-}"
}

plain_names() {
    sed -e 's/^--//' -e 's/=.*//' | grep -v '^-' | sort -u
}

# FUSE's, which are not all offered, are left out.
without_fuse() {
    grep -v -x -E 'allow_other|allow_root|auto_unmount|umask|uid|gid|noexec'
}

zsh_options() {
    sed -n '/^_arguments/,$p' "$zsh_file" | grep -o -E -e '--[a-z][a-z_]+' | sed 's/^--//' | sort -u
}

zsh_mount_options() {
    sed -n '/_values -s/,/^}/p' "$zsh_file" | sed -n -E "s/^ *['\"]([a-z_]+)\[.*/\1/p" | sort -u
}

# expected_words OPTION: those that the program tells, one a line, when it is given another.
expected_words() {
    "$EF_BUILD/espflashfs" --probe "--$1=no-such-word" socket://127.0.0.1:1 2>&1 |
        sed -e "s/^espflashfs: $1=no-such-word: //" -e 's/ is expected//' -e 's/one of//' |
        tr -s ' ,' '\n' | grep -v -x -E 'or|' | sort -u
}

bash_words() {
    completes "espflashfs --$1=" | sed "s/^--$1=//" | sort -u
}

# zsh_words NAME: of the variable that lists them.
zsh_words() {
    tr '\n' ' ' <"$zsh_file" | grep -o "_espflashfs_$1='([^)]*" | sed 's/.*(//' | tr -s ' ' '\n' |
        grep . | sort -u
}

check_words() {
    check "bash completes $1 with the words there are" equal "$(expected_words "$1")" \
        "$(bash_words "$1")"
    check "zsh completes $1 with the words there are" equal "$(expected_words "$1")" \
        "$(zsh_words "$2")"
}

# Where = and : cut words, what is offered takes the place of what is behind the cut alone.
cuts() {
    equal 'esp8266' "$(completes 'espflashfs --chip=esp8' '=:')" &&
        equal '//' "$(completes 'espflashfs rfc2217:' '=:')" &&
        equal 'ro,chip=esp32h2' "$(completes 'espflashfs -o ro,chip=esp32h')" &&
        equal 'hard-reset' "$(completes 'espflashfs -o baud=auto,after=h' '=:')" &&
        equal '921600' "$(completes 'espflashfs -b 92')" &&
        equal '' "$(completes 'espflashfs --chip=zz')"
}

folders() (
    mkdir "$room/a b" "$room/ac" && touch "$room/ad" && cd "$room" || return 1
    equal "a b
ac" "$(completes 'espflashfs socket://h:1 a')" &&
        equal "$room/ac" "$(completes "espflashfs --journal=$room/ac" = | sort)" &&
        equal "--log=$room/ad" "$(completes "espflashfs --log=$room/ad")"
)

# The ports of a machine that has some: in a /dev of its own.
ports() {
    mkdir -p "$room/dev/serial/by-id"
    touch "$room/dev/null" "$room/dev/ttyUSB0" "$room/dev/ttyACM1" "$room/dev/ttyS0" \
        "$room/dev/serial/by-id/x"
    ln -s /proc/self/fd "$room/dev/fd"
    # shellcheck disable=SC2016
    equal "/dev/serial/by-id/x
/dev/ttyUSB0
/dev/ttyACM1" "$(unshare -rm sh -c 'mount --bind /dev/null "$1/dev/null" &&
        mount --rbind "$1/dev" /dev && bash --norc -c ". \"\$1\"
            COMP_LINE=\"espflashfs /dev/\" COMP_POINT=16
            _espflashfs
            printf \"%s\\n\" \"\${COMPREPLY[@]}\"" - "$2"' - "$room" "$bash_file" | grep -E 'tty|by-id')"
}

# What file systems' calls of ours can return: written as negative numbers, or made of an ef_err.
errors_returned() {
    { grep -h -o -E -e '-E[A-Z0-9]{3,}\b' src/fs/*.c && grep -o -E 'return E[A-Z0-9]+;' src/base/error.c; } |
        grep -o -E 'E[A-Z0-9]{3,}' | sort -u
}

man_section() {
    sed -n "/^\.SH \"*$1/,/^\.SH/p" "$man"
}

errors_missing() {
    errors_returned | while read -r name; do
        man_section ERRORS | grep -q -E "^\.(B|BR) (.*[ \",])?$name\b" || echo "$name"
    done
}

variables_missing() {
    grep -h -o -E '(getenv|use_variable|find_folder|VARIABLE)\(?.*"[A-Z][A-Z_]+"' -r src include |
        grep -o -E '"[A-Z][A-Z_]+"' | tr -d '"' | sort -u | while read -r name; do
        grep -q -w "$name" "$man" || echo "$name"
    done
}

# EXIT_NAME = NUMBER of main.c, and 0.
statuses_missing() {
    { echo 0 && grep -o -E 'EXIT_[A-Z_]+ = [0-9]+' src/program/main.c | grep -o '[0-9]*$'; } |
        while read -r number; do
            man_section 'EXIT STATUS' | grep -q -x "\.B $number" || echo "$number"
        done
}

# The exit statuses that the helpers give.
helper_statuses_missing() {
    grep -h -o -E '\b[a-z]+_(error|failure|lost)=[0-9]+' mount-helpers/*mount.espflashfs |
        grep -o '[0-9]*$' | sort -u | while read -r number; do
        grep -q -x "\.B $number" mount-helpers/mount.espflashfs.8 || echo "$number"
    done
}

page_is_clean() {
    LC_ALL=C.UTF-8 MANWIDTH=80 man -l --warnings "$1" 2>"$room/said" >"$room/page"
    test -s "$room/page" && equal '' "$(cat "$room/said")"
}

room=$(mktemp -d "${TMPDIR:-/tmp}/espflashfs-words.XXXXXX")
trap 'rm -rf "$room"' EXIT

check 'bash completes the options that there are' equal "$(help_options)" \
    "$(completes 'espflashfs --' | plain_names)"
check 'bash completes those behind -o' equal "$(mount_options)" \
    "$(completes 'espflashfs -o ' | plain_names | without_fuse)"
check 'zsh completes the options that there are' equal "$(help_options)" "$(zsh_options)"
check 'zsh completes those behind -o' equal "$(mount_options)" \
    "$(zsh_mount_options | without_fuse)"
check_words chip chips
check_words before befores
check_words after afters
check 'bash: words that are cut up' cuts
check 'bash: folders and files' folders
if unshare -rm true 2>/dev/null; then
    check 'bash: ports' ports
else
    skip 'bash: ports' 'no name space of its own for /dev'
fi
check 'shellcheck is clean on the completion' shellcheck -s bash "$bash_file"
if command -v zsh >/dev/null; then
    check 'zsh takes its file' zsh -n "$zsh_file"
else
    skip 'zsh takes its file' 'zsh is not installed'
fi
check 'the manual page has every error that a call can return' equal '' "$(errors_missing)"
check 'the manual page has every variable that is asked for' equal '' "$(variables_missing)"
check 'the manual page has every exit status' equal '' "$(statuses_missing)"
check 'the helpers'\'' manual page has theirs' equal '' "$(helper_statuses_missing)"
if command -v man >/dev/null; then
    for page in mount-helpers/*.[1-8]; do
        check "${page##*/} is clean" page_is_clean "$page"
    done
else
    skip 'manual pages are clean' 'man is not installed'
fi
finish_lint
