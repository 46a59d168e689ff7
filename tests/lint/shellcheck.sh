#!/bin/sh
# Every shell script is clean, and plain sh.
. "$(dirname "$0")/../lib/lint.sh"

scripts_are_clean() {
    shell_scripts | grep -v '^\.ci/' | xargs -d '\n' shellcheck -s sh -x -P SCRIPTDIR
}

check 'shellcheck is clean' scripts_are_clean
check 'shellcheck is clean on .ci/run' shellcheck .ci/run
finish_lint
