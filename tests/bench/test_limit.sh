#!/bin/sh
# The least that a write can take, worked out for flashes of which it is known.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/result.sh
. "$here/../lib/result.sh"

WORK=$(mktemp -d "${TMPDIR:-/tmp}/espflashfs-limit.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
SIZE=131072

# filled FILE OCTAL: with one byte.
filled() {
    head -c "$SIZE" /dev/zero | tr '\000' "\\$2" >"$1"
}

# patch BYTES OFFSET OCTAL: of the image.
patch() {
    head -c "$1" /dev/zero | tr '\000' "\\$3" |
        dd of="$WORK/image" bs=1 seek="$2" conv=notrunc status=none
}

# flash OCTAL: one that is filled with that byte, and an image of the same.
flash() {
    filled "$WORK/before" "$1"
    filled "$WORK/image" "$1"
}

# needs SECONDS ERASES SECTORS PAGES: the bytes on the wire are zlib's affair.
needs() {
    equal "$*" "$(node "$here/limit.mjs" "$WORK/before" "$WORK/image" 921600 |
        awk '{ print $1, $3, $4, $5 }')"
}

flash 252
check 'what is there already needs nothing' needs 0.000 0 0 0
patch 4096 8192 377
check 'a sector to be blank is erased' needs 0.045 1 1 0
patch 65536 65536 377
check 'a block to be blank is erased at once' needs 0.195 2 17 0
patch 8192 4096 1
check 'a sector that gets ones is erased and programmed' needs 0.253 3 18 32
flash 377
patch 256 512 125
check 'a blank page is programmed only' needs 0.000 0 0 1
flash 125
patch 300 4096 0
check 'ones that go need no erase, and pages that stay no program' needs 0.001 0 0 2

# Random bytes do not deflate.
flash 377
head -c "$SIZE" /dev/urandom >"$WORK/image"
wire=$(node "$here/limit.mjs" "$WORK/before" "$WORK/image" 921600)
check 'the wire counts where it takes longer' equal yes \
    "$(echo "$wire" | awk '{ print ($1 > 1.42 && $1 < 1.44 && $2 > 131072 && $5 == 512) ? "yes" : $0 }')"
[ "$failures" = 0 ]
