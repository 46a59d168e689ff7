# shellcheck shell=sh
# Waiting for processes and mounts with deadlines. Nothing else in the tests sleeps.

# Valgrind and the thread sanitizer are slower by about this factor; deadlines stretch with it.
: "${EF_SLOW:=1}"

# wait_until SECONDS command...: true as soon as the command is; false when the time is over.
wait_until() {
    wait_rounds=$(($1 * EF_SLOW * 20))
    shift
    while ! "$@"; do
        [ "$wait_rounds" -gt 0 ] || return 1
        wait_rounds=$((wait_rounds - 1))
        sleep 0.05
    done
}

# running PID: false for a process that has ended, a zombie included.
running() {
    case $(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null) in
    '' | Z* | X*) return 1 ;;
    esac
}

ended() {
    ! running "$1"
}

# mounted FOLDER; asks no file system, so it cannot hang on a dead one.
mounted() {
    grep -qF " $1 " /proc/self/mountinfo
}

# end_process PID SECONDS: waits for a child to end, kills it when it does not; its exit status.
end_process() {
    wait_until "$2" ended "$1" || {
        echo "# process $1 did not end within $2 s: killed" >&2
        kill -KILL "$1"
    }
    wait "$1"
}
