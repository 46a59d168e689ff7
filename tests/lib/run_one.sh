#!/bin/sh
# Runs one test and counts what it printed: run_one.sh "KIND|LABEL|TIMEOUT|TREE|WRAP|FILE".
# Leaves LABEL.out, LABEL.err and LABEL.count (passed failed skipped) in $EF_LOGS/KIND.
set -u

IFS='|' read -r kind label limit tree wrap file <<LINE
$1
LINE
log=$EF_LOGS/$kind/$label
# A folder of its own, in which nothing may be left mounted.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/espflashfs-test.XXXXXX")
export TMPDIR

run_it() {
    # Where the address space is randomised by more than 28 bits, this era's sanitizers fail.
    personality=
    [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -le 28 ] || personality='setarch -R'
    case $file in
    *.sh) interpreter='sh' ;;
    *) interpreter='' ;;
    esac
    slow=1
    case $tree$wrap in
    *tsan* | *valgrind*) slow=4 ;;
    esac
    # Unquoted on purpose: commands with their arguments, or nothing.
    # shellcheck disable=SC2086
    EF_BUILD=$tree EF_WRAP=$wrap EF_SLOW=$slow CMOCKA_MESSAGE_OUTPUT=tap \
        timeout --kill-after=20 $((limit * slow)) $personality $interpreter "$file" \
        >"$log.out" 2>"$log.err" </dev/null
    status=$?
    [ "$status" != 124 ] || echo "# timed out after $((limit * slow)) s" >>"$log.err"
}

count_lines() {
    grep -c -E "$1" "$log.out"
}

# cmocka writes a skipped test as `not ok N # SKIP`.
count_results() {
    skipped=$(count_lines '^skip |^(not )?ok .*# SKIP')
    failed=$(($(count_lines '^not ok ') - $(count_lines '^not ok .*# SKIP')))
    passed=$(($(count_lines '^ok ') - $(count_lines '^ok .*# SKIP')))
    case $status:$((passed + failed + skipped)) in
    0:0)
        echo "# printed no result" >>"$log.err"
        failed=1
        ;;
    77:0) skipped=1 ;;
    0:* | 77:*) ;;
    *)
        echo "# exit status $status" >>"$log.err"
        [ "$failed" != 0 ] || failed=1
        ;;
    esac
}

check_mounts_left() {
    mounts=$(awk -v dir="$TMPDIR/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo)
    for folder in $mounts; do
        echo "# left mounted: $folder" >>"$log.err"
        failed=$((failed + 1))
        fusermount3 -u -z "$folder"
    done
}

report() {
    echo "$passed $failed $skipped" >"$log.count"
    if [ "$failed" = 0 ]; then
        echo "pass  $kind/$label ($passed passed, $skipped skipped)"
        return
    fi
    {
        echo "FAIL  $kind/$label ($passed passed, $failed failed, $skipped skipped)"
        grep -E '^not ok ' "$log.out" | grep -v '# SKIP'
        tail -n 80 "$log.err"
        echo "all of it: $log.out, $log.err"
    } | sed '2,$s/^/      /'
}

mkdir -p "$(dirname "$log")"
run_it
count_results
check_mounts_left
report
rm -rf --one-file-system "$TMPDIR"
