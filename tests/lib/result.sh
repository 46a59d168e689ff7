# shellcheck shell=sh
# Results of a shell case, one line each on stdout: `ok NAME`, `not ok NAME`, `skip NAME why`.
# tests/lib/run_one.sh counts them. Everything else that a case says goes to stderr.

failures=0

ok() {
    echo "ok $1"
}

not_ok() {
    failures=$((failures + 1))
    echo "not ok $1"
}

# skip NAME why...
skip() {
    echo "skip $*"
}

say() {
    echo "# $*" >&2
}

# check NAME command...: one result from the exit status of a command, whose output goes to stderr.
check() {
    check_name=$1
    shift
    if "$@" >&2; then
        ok "$check_name"
    else
        say "status $? of: $(printf '%.200s' "$*" | head -n 1)"
        not_ok "$check_name"
    fi
}

# fails command...: true where the command's status is not 0.
fails() {
    if "$@"; then
        return 1
    fi
}

# expect_status N command...: true where the command ends with status N.
expect_status() {
    wanted_status=$1
    shift
    got_status=0
    "$@" || got_status=$?
    [ "$got_status" = "$wanted_status" ] || {
        say "status $got_status, not $wanted_status"
        return 1
    }
}

# equal WANTED GOT
equal() {
    [ "$1" = "$2" ] || {
        say "wanted '$1', got '$2'"
        return 1
    }
}

# require COMMAND...: the whole case is skipped where one of them is not installed.
require() {
    for required; do
        command -v "$required" >/dev/null || {
            skip "${0##*/}" "$required is not installed"
            exit 77
        }
    done
}
