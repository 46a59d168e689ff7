# shellcheck shell=sh
# Sourced by run: what it prints. A row of $rows is
#   CHIP SCENARIO WHO ok|WRONG CONNECT SECONDS LIMIT TO FROM COMMANDS DIGESTS ERASES SECTORS PROGRAMS
# in which LIMIT is seconds, or - where nothing has to cross.

: "${rows:?}" "${notes:?}"

row_heading() {
    echo "$BENCH_SIZE, $BENCH_BAUD baud, $BENCH_LATENCY ms latency, line and flash: $BENCH_LINE"
    printf '%-8s %-23s %-11s %7s %8s %10s %10s %8s %7s %7s %7s %8s %6s\n' chip scenario who \
        connect seconds to-chip from-chip commands digests erases sectors programs share
}

# print_row: the last one of $rows.
print_row() {
    tail -n 1 "$rows" | awk '{
        share = $7 == "-" || $6 == 0 ? "-" : sprintf("%.1f%%", 100 * $7 / $6)
        printf "%-8s %-23s %-11s %7s %8s %10d %10d %8d %7d %7d %7d %8d %6s%s\n", $1, $2, $3,
            $5, $6, $8, $9, $10, $11, $12, $13, $14, share, $4 == "ok" ? "" : "  WRONG" }'
}

# versions: of the peers that ran.
versions() {
    ! wants_peer esptool-js || sed -n 's/^ *"version": "\(.*\)".*/esptool-js \1/p' \
        "$ESPTOOL_JS_DIR/node_modules/esptool-js/package.json"
    ! wants_peer esptool || ! esptool_program >/dev/null ||
        "$(esptool_program)" version | sed -n '$s/^/esptool /p'
}

# table: ours, each beside its peers, as Markdown; then what no column is for.
table() {
    [ ! -s "$rows" ] || jobs_table
    [ -s "$notes" ] || return 0
    echo
    echo '```'
    cat "$notes"
    echo '```'
}

jobs_table() {
    echo "Flash of $BENCH_SIZE, $BENCH_BAUD baud, a latency of $BENCH_LATENCY ms where no other is" \
        "named. Peers: $(versions | paste -s -d , | sed 's/,/, /;s/^$/none/')."
    echo
    echo "| chip | scenario | seconds | esptool-js | ratio | esptool | ratio | bytes to chip |" \
        "from chip | commands | digests | erases (sectors) | programs | share |"
    echo "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    awk '
        function beside(who) {
            if (!((key, who) in seconds))
                return " - | - |"
            peer = seconds[key, who]
            return sprintf(" %s | %.2f |", peer, peer > 0 ? $6 / peer : 0)
        }
        { key = $1 " " $2 }
        FNR == NR { seconds[key, $3] = $6; next }
        $3 != "espflashfs" { next }
        {
            scenario = $2
            gsub(/_/, " ", scenario)
            share = $7 == "-" || $6 == 0 ? "-" : sprintf("%.1f %%", 100 * $7 / $6)
            printf "| %s | %s | %s |%s%s %d | %d | %d | %d | %d (%d) | %d | %s |\n", $1,
                scenario, $6, beside("esptool-js"), beside("esptool"), $8, $9, $10, $11, $12,
                $13, $14, share
        }' "$rows" "$rows"
}

# put_table_into FILE: in place of what is between its marks.
put_table_into() {
    awk -v table="$WORK/table" '
        /^<!-- bench: end -->$/ { inside = 0 }
        !inside { print }
        /^<!-- bench: begin/ {
            inside = 1
            print ""
            while ((getline line < table) > 0)
                print line
            print ""
        }
    ' "$1" >"$WORK/readme"
    cat "$WORK/readme" >"$1"
}
