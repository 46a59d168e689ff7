#!/bin/sh
# The model finds what is broken on purpose, and says it in few operations: a dirty sector that is
# dropped, a byte of the flash that changes after it was proven, a kill without a journal, and a
# run that hangs.
# timeout: 300
. "$(dirname "$0")/common.sh"

OUT=$(mktemp "${TMPDIR:-/tmp}/espflashfs-model.XXXXXX")
trap 'rm -f "$OUT"' EXIT

# finds WHAT OPTION...: the run fails, and its least list is a write or two and what shows it.
finds() {
    finds_what=$1
    shift
    expect_status 1 play --break "$finds_what" "$@" >"$OUT" || return 1
    cat "$OUT"
    grep -q '^the least of ' "$OUT" && grep -q '^seed [0-9]* FAILED' "$OUT" &&
        grep -q -- '--episode [0-9]* --episode-ops' "$OUT" || return 1
    finds_lines=$(grep -c -E '^  (t[0-9]|all) ' "$OUT")
    [ "$finds_lines" -ge 1 ] && [ "$finds_lines" -le 6 ]
}

# finds_torn: the moment of a kill is one of few that tear; fewer operations move it.
finds_torn() {
    expect_status 1 play --break torn --ops 60000 --faults no --in-turn >"$OUT" || return 1
    cat "$OUT"
    grep -q '^the least of ' "$OUT" && grep -q '  all  kill' "$OUT"
}

# repeats: the same seed leads to the same finding.
repeats() {
    finds drop --ops 5000 --faults no --in-turn >/dev/null || return 1
    sed -n '/^episode/p' "$OUT" >"$OUT.first"
    finds drop --ops 5000 --faults no --in-turn >/dev/null || return 1
    sed -n '/^episode/p' "$OUT" | cmp - "$OUT.first"
    repeats_status=$?
    rm -f "$OUT.first"
    return "$repeats_status"
}

check 'a dropped sector is found' finds drop --ops 5000 --faults no
check 'a byte that changed is found' finds change --ops 5000 --faults no
check 'a dropped sector is found in spite of faults' finds drop --ops 5000 --faults yes
check 'a byte that changed is found on a mount' \
    finds change --mount --ops 600 --episode-ops 60 --faults no --in-turn
check 'a torn sector is found' finds_torn
check 'a seed leads to the same finding' repeats
check 'a run in which nothing goes on is found' finds hang --ops 2000 --faults no --patience 1
finish_model
