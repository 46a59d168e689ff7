#!/bin/sh
# Dependencies run down only: a file includes headers of its own layer and of those below it;
# only the FUSE front knows fuse.h, only serialport.c knows libserialport.h.
. "$(dirname "$0")/../lib/lint.sh"

layers='base line esp flash cache fs program'

# Headers of an interface that no file of the same name implements.
interface_layer() {
    case $1 in
    log | error | bytes | clock | text) echo base ;;
    line | link | ports | slip) echo line ;;
    command | chip | guard | stub | session | reset) echo esp ;;
    flash | worker | digest) echo flash ;;
    cache) echo cache ;;
    node | front) echo fs ;;
    esac
}

# header_layer NAME: the layer of include/espflashfs/NAME.h.
header_layer() {
    for layer in $layers; do
        if [ -e "src/$layer/$1.c" ]; then
            echo "$layer"
            return
        fi
    done
    interface_layer "$1"
}

rank() {
    rank_n=0
    for layer in $layers; do
        rank_n=$((rank_n + 1))
        [ "$layer" != "$1" ] || break
    done
    echo "$rank_n"
}

file_layer() {
    case $1 in
    src/*) echo "$1" | cut -d / -f 2 ;;
    include/*) header_layer "$(basename "$1" .h)" ;;
    esac
}

# includes FILE: what it includes, <> as well as "".
includes() {
    sed -n 's/^#[[:space:]]*include[[:space:]]*[<"]\([^>"]*\)[>"].*/\1/p' "$1"
}

# judge FILE LAYER HEADER: says what is wrong, or nothing.
judge() {
    case $3 in
    espflashfs/*)
        other=$(header_layer "$(basename "$3" .h)")
        if [ -z "$other" ]; then
            echo "$1: which layer is $3 of? Name it in ${0##*/}"
        elif [ "$(rank "$other")" -gt "$(rank "$2")" ]; then
            echo "$1: $2 reaches up to $3 of $other"
        fi
        ;;
    fuse.h | fuse_*.h)
        # fuse_opt.h only splits command lines.
        case $1:$3 in
        src/fs/front*:* | src/program/options*:fuse_opt.h) ;;
        *) echo "$1: only src/fs/front* may include $3" ;;
        esac
        ;;
    libserialport.h)
        [ "$1" = src/line/serialport.c ] || echo "$1: only src/line/serialport.c may include $3"
        ;;
    */*)
        [ "${3%%/*}" = "$2" ] || [ ! -e "src/$3" ] || echo "$1: $3 is private to another layer"
        ;;
    esac
}

wrong_includes() {
    sources 'src/*.c' 'src/*.h' 'include/*.h' | while read -r file; do
        layer=$(file_layer "$file")
        if [ -z "$layer" ]; then
            echo "$file: which layer is it of? Name it in ${0##*/}"
            continue
        fi
        for header in $(includes "$file"); do
            judge "$file" "$layer" "$header"
        done
    done
}

check 'dependencies run down only' equal '' "$(wrong_includes)"
finish_lint
