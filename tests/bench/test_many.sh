#!/bin/sh
# Sixteen boards mounted and backed up at once by README.md's loop: each backup is its own board's.
set -u

here=$(cd "$(dirname "$0")" && pwd)
: "${EF_BUILD:?the build tree whose programs are tested}"
# shellcheck source=tests/lib/result.sh
. "$here/../lib/result.sh"

BOARDS=16
TABLE=$(mktemp "${TMPDIR:-/tmp}/espflashfs-many.XXXXXX")
trap 'rm -f "$TABLE"' EXIT

# many SIZE: the table of a run.
many() {
    MANY_BOARDS=$BOARDS MANY_SIZE=$1 MANY_LINES=none sh "$here/many.sh" >"$TABLE"
}

rows_with() {
    grep -c -E "$1" "$TABLE"
}

check 'all are mounted, backed up and unmounted' many 256K
check 'each backup is right' equal "$BOARDS" "$(rows_with '^\| `socket:.* \| ok \|')"
check 'each mount has memory, threads and CPU of its own' equal "$BOARDS" \
    "$(rows_with '^\| `socket:.*ok \| [1-9][0-9]* \| [1-9][0-9]* \| [1-9][0-9]* \| [0-9.]+ \|$')"
check 'the totals' rows_with "^\| all $BOARDS, .* \| $BOARDS ok \|"
[ "$failures" = 0 ]
