# shellcheck shell=sh
# Sourced by every tests/lint/*.sh: goes to the top of the sources and knows their files.
#   EF_BUILD  the plain build tree

: "${EF_BUILD:=$(cd "$(dirname "$0")/../.." && pwd)/build}"
lib=$(cd "$(dirname "$0")/../lib" && pwd)
# shellcheck source=tests/lib/result.sh
. "$lib/result.sh"
cd "$lib/../.."
set -eu

# sources PATTERN...: the project's files, new ones that git does not ignore included.
sources() {
    git -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@" |
        while read -r source_file; do
            [ ! -e "$source_file" ] || echo "$source_file"
        done
}

[ -n "$(sources 'src/*.c')" ] || {
    not_ok 'git lists the sources'
    exit 1
}

# shell_scripts: by their first line, whatever their names.
shell_scripts() {
    sources '*' | while read -r source_file; do
        case $(head -n 1 "$source_file" | tr -d '\000') in
        '#!'*sh | '# shellcheck shell=sh') echo "$source_file" ;;
        esac
    done
}

finish_lint() {
    [ "$failures" = 0 ]
}
