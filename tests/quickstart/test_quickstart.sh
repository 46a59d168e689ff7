#!/bin/sh
# The quickstart ends 0, shows what it promises, leaves nothing behind, and works again.
# timeout: 600
. "$(dirname "$0")/../lib/result.sh"
set -eu

quickstart=$(dirname "$0")/../../mount-helpers/quickstart
output=$(mktemp "${TMPDIR:-/tmp}/quickstart.XXXXXX")
trap 'cat "$output" >&2; rm -f "$output"' EXIT

run_quickstart() {
    sh "$quickstart" --simulated >"$output" 2>&1
}

check 'quickstart ends 0' run_quickstart
check 'it shows info.txt' grep -q 'ESP8266' "$output"
check 'it compares the backup' grep -q 'cmp backup.bin chip.bin' "$output"
check 'it compares the restored image' grep -q 'cmp changed.bin chip.bin' "$output"
check 'it says that it is done' grep -q '^Done\.' "$output"
check 'a second quickstart ends 0' run_quickstart
[ "$failures" = 0 ]
