#!/bin/sh
# No program is run by the driver, with a shell or without: what users and devices name is never
# part of a command.
. "$(dirname "$0")/../lib/lint.sh"

# Brackets, so that a word in a comment or a longer name is none.
commands() {
    sources 'src/*.c' 'include/*.h' |
        xargs grep -n -E '(^|[^a-zA-Z0-9_])(system|popen|posix_spawnp?|exec[lv]p?e?|fexecve|wordexp)[[:space:]]*\(' || :
}

check 'the driver runs no other program' equal '' "$(commands)"
finish_lint
