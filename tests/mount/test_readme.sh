#!/bin/sh
# The README's examples do what it says. A mark stands before each fenced block of them:
#   <!-- run: WORD... -->     run by this case, in a folder of its own, with a simulated board
#       mounted    on `board`
#       plugged    the block mounts the board by itself
#       esp32      such a board, with partitions, in place of an ESP8266
#       blank      an ESP32 whose flash is blank
#       loop       skipped where there are no loop devices to be had
#       installed  what is done with sudo is done already
#       two        two boards that are plugged in; $PORTS names them
#   <!-- file: NAME -->       what is in it is the file NAME of the blocks behind it
#   <!-- not run: why -->
# In a block of `console` a line behind `$ ` is a command (`> ` goes on with it), and the lines
# below are what it prints, in which `…` stands for anything. A block of `sh` is one command.
# /dev/ttyUSB0 is the board, /home/me the folder; app.bin, firmware.bin, bootloader.bin and
# partition-table.bin are there.
# timeout: 600
. "$(dirname "$0")/../lib/mount.sh"

readme=$PWD/README.md
helper=$PWD/mount-helpers/umount.espflashfs
blocks=$WORK/blocks
home=$WORK/home

# split_blocks: each marked block into files: N.mark, and N.text or (console) N.K.command and
# N.K.wanted.
split_blocks() {
    mkdir "$blocks"
    awk -v to="$blocks/" '
        /^```/ && inside { inside = 0; mark = ""; next }
        /^```/ {
            inside = 1
            kind = substr($0, 4)
            file = to sprintf("%03d", ++n)
            print mark > (file ".mark")
            k = 0
            if (kind == "console" || kind == "sh") print kind > (file ".kind")
            next
        }
        !inside { if ($0 != "") mark = /^<!-- .* -->$/ ? substr($0, 6, length($0) - 9) : ""; next }
        kind != "console" { print > (file ".text"); next }
        /^[$] / { ++k; out = file "." sprintf("%02d", k); print substr($0, 3) > (out ".command")
                  printf "" > (out ".wanted"); next }
        /^> / { print substr($0, 3) > (out ".command"); next }
        { print > (out ".wanted") }' "$readme"
}

unmarked_blocks() {
    for kind_file in "$blocks"/*.kind; do
        grep -q -E '^(run|not run|file): .' "${kind_file%.kind}.mark" ||
            head -n 1 "${kind_file%.kind}".text "${kind_file%.kind}".01.command 2>/dev/null
    done
}

# headings: as the anchors that a web page makes of them.
headings() {
    awk '
        /^```/ { inside = !inside }
        !inside && sub(/^#+ /, "") {
            $0 = tolower($0)
            gsub(/[^a-z0-9_ -]/, "")
            gsub(/ /, "-")
            print
        }' "$readme"
}

dead_links() {
    grep -o '](#[^)]*)' "$readme" | sed 's/](#\(.*\))/\1/' | sort -u |
        while read -r anchor; do
            headings | grep -q -x -e "$anchor" || echo "$anchor"
        done
}

# firmware: 4 MiB with the look of a firmware.
firmware() {
    printf '\351\004\002\040'
    random_bytes 36860
    tr '\000' '\377' </dev/zero | head -c 28672
    random_bytes 400000
    tr '\000' '\377' </dev/zero | head -c 3728768
}

# partitions: IMAGE: lays a table of ESP-IDF's into it, and a file system into one of them.
partitions() {
    mkdir "$WORK/tree"
    echo 'Hello.' >"$WORK/tree/hello.txt"
    mke2fs -q -t ext2 -d "$WORK/tree" "$WORK/ext2" 1M >&2
    python3 - "$WORK/ext2" "$1" <<'EOF'
import hashlib
import struct
import sys

rows = (
    (1, 2, 0x9000, 0x6000, b"nvs"),
    (1, 1, 0xF000, 0x1000, b"phy_init"),
    (0, 0, 0x10000, 0x100000, b"factory"),
    (1, 0x82, 0x110000, 0x100000, b"storage"),
)
table = b"".join(
    struct.pack("<2sBBII16sI", b"\xaa\x50", kind, sub, at, size, label, 0)
    for kind, sub, at, size, label in rows
)
table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
with open(sys.argv[2], "r+b") as image:
    image.seek(0x8000)
    image.write(table.ljust(0x1000, b"\xff"))
    image.seek(0x110000)
    image.write(open(sys.argv[1], "rb").read())
EOF
}

loop_works() {
    [ "$(id -u)" = 0 ] && losetup -f >/dev/null && grep -q -w ext2 /proc/filesystems
}

# plug IMAGE NUMBER OPTION...: one more board.
plug() {
    plug_image=$1
    plug_n=$2
    shift 2
    FLASH=$WORK/flash$plug_n.bin
    # shellcheck disable=SC2034 # start_board reads it
    BOARD_LISTEN=pty:$WORK/tty$plug_n
    cp "$plug_image" "$FLASH"
    start_board --size 4M --mac "5c:cf:7f:11:22:0$plug_n" "$@"
}

# drivers: of this case, which went to the background.
drivers() {
    for comm in /proc/[0-9]*/comm; do
        grep -q -x espflashfs "$comm" 2>/dev/null || continue
        ! grep -q -s -z -F -x "XDG_STATE_HOME=$XDG_STATE_HOME" "${comm%/comm}/environ" ||
            echo "$comm"
    done
}

no_driver() {
    [ -z "$(drivers)" ]
}

# leave: whatever a block left mounted.
leave() {
    sed -n "s|^[^ ]* \($home/[^ ]*\) fuse.espflashfs .*|\1|p" /proc/mounts |
        while read -r folder; do fusermount3 -u "$folder"; done
    wait_until 30 no_driver
}

# umount FOLDER: of an installed espflashfs umount(8) calls this helper.
umount_of_board() {
    cat <<EOF
umount() {
    if grep -q " \$(realpath "\$1") fuse.espflashfs " /proc/mounts; then
        sh '$helper' "\$1"
    else
        command umount "\$1"
    fi
}
EOF
}

# script N: the shell script of block N. Each command's output goes to N.K.got.
script() {
    echo 'set -e'
    umount_of_board
    if grep -q -w installed "$blocks/$1.mark"; then
        echo 'sudo() { :; }'
    elif [ "$(id -u)" = 0 ]; then
        echo 'sudo() { "$@"; }'
    fi
    if [ -e "$blocks/$1.text" ]; then
        cat "$blocks/$1.text"
        return
    fi
    for command in "$blocks/$1".*.command; do
        echo '{'
        cat "$command"
        echo "} >'${command%.command}.got' 2>&1"
    done
}

# as_written FILE: what was printed, as the README would have it.
as_written() {
    sed -e "s|$PORT|/dev/ttyUSB0|g" -e "s|$home|/home/me|g" "$1"
}

# prints_as_told FILE: FILE.got matches FILE.wanted.
prints_as_told() {
    got=$(as_written "$1.got")
    pattern=$(sed -e 's/[][*?\]/[&]/g' -e 's/…/*/g' "$1.wanted")
    # Unquoted on purpose: it is a pattern.
    # shellcheck disable=SC2254
    case $got in
    $pattern) return ;;
    esac
    say "wanted: $(cat "$1.wanted")"
    say "got: $got"
    return 1
}

run_script() {
    script "$1" | sed "s|/dev/ttyUSB0|$PORT|g" >"$WORK/script"
    (cd "$home" && sh "$WORK/script" >"$WORK/printed" 2>&1) || {
        say "status $?; the last output of:"
        cat "$WORK/script" "$WORK/printed" >&2
        cat "$blocks/$1".*.got >&2 2>/dev/null || :
        return 1
    }
    for wanted in "$blocks/$1".*.wanted; do
        [ ! -e "$wanted" ] || prints_as_told "${wanted%.wanted}" || return 1
    done
}

# prepare WORD...: what the mark asks for.
prepare() {
    chip=esp8266 number=1 mount='' image=$WORK/image
    for word; do
        case $word in
        plugged | installed) ;;
        mounted) mount=yes ;;
        loop) ;;
        esp32) chip=esp32 image=$WORK/image32 ;;
        blank) chip=esp32 image=$WORK/blank ;;
        two) number=2 ;;
        *)
            say "unknown word in a mark: $word"
            return 1
            ;;
        esac
    done
    PORTS=
    for i in $(seq "$number"); do
        SERVER_PID=$BOARD_PID
        plug "$image" "$i" --chip "$chip" || return 1
        PORTS="$PORTS $PORT"
    done
    export PORTS ESPFLASHFS_PORTS="$PORTS"
    [ -z "$mount" ] || (cd "$home" && mkdir board && espflashfs board >"$WORK/printed" 2>&1)
}

run_block() {
    # Unquoted on purpose: the mark's words.
    # shellcheck disable=SC2046
    prepare $(sed 's/^run: //' "$blocks/$1.mark") && run_script "$1"
}

end_block() {
    leave
    for pid in $SERVER_PID $BOARD_PID; do
        kill "$pid" 2>/dev/null
        end_process "$pid" 10 || :
    done
    SERVER_PID='' BOARD_PID=''
    rm -rf --one-file-system "$home" "$XDG_STATE_HOME" "$XDG_CACHE_HOME"
}

# title N: how a block begins.
title() {
    head -q -n 2 "$blocks/$1".text "$blocks/$1".*.command 2>/dev/null | head -n 2 |
        sed 's/ *#.*//' | paste -s -d ' ' | cut -c 1-70
}

# An installation has it in /sbin, where scripts call it by its name.
mkdir "$WORK/bin"
printf '#!/bin/sh\nexec sh "%s" "$@"\n' "$helper" >"$WORK/bin/umount.espflashfs"
chmod +x "$WORK/bin/umount.espflashfs"
PATH=$EF_BUILD:$WORK/bin:$PATH:/usr/sbin:/sbin # mke2fs, losetup
require mke2fs losetup python3 xxd
firmware >"$WORK/image"
cp "$WORK/image" "$WORK/image32"
partitions "$WORK/image32"
head -c 4M /dev/zero | tr '\000' '\377' >"$WORK/blank"
dd if="$WORK/image32" of="$WORK/partition-table.bin" bs=4k skip=8 count=1 status=none
random_bytes 20000 >"$WORK/bootloader.bin"
random_bytes 300000 >"$WORK/app.bin"
{ printf '\351\004\002\040' && random_bytes 1048572; } >"$WORK/firmware.bin"
split_blocks
check 'each example is marked: run, not run, file' equal '' "$(unmarked_blocks)"
check 'each link within the README leads to a heading' equal '' "$(dead_links)"
ran=0
for mark in "$blocks"/*.mark; do
    n=$(basename "$mark" .mark)
    case $(cat "$mark") in
    'file: '*) cp "$blocks/$n.text" "$WORK/$(sed 's/^file: //' "$mark").file" ;;
    'run: '*)
        if grep -q -w loop "$mark" && ! loop_works; then
            skip "$(title "$n")" 'no loop devices here'
            continue
        fi
        mkdir "$home"
        cp "$WORK"/*.bin "$home"
        rm -f "$home"/flash*.bin
        for file in "$WORK"/*.file; do
            [ ! -e "$file" ] || cp "$file" "$home/$(basename "$file" .file)"
        done
        check "$(title "$n")" run_block "$n"
        check '... and it can be left' end_block
        ran=$((ran + 1))
        ;;
    esac
done
check 'there are examples to run' [ "$ran" -ge 6 ]
