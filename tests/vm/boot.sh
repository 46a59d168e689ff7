# shellcheck shell=sh
# Sourced by tests/vm/test_*.sh: simulated boards here, a guest with Debian's kernel, commands that
# run in it, and a clean end.
#   EF_BUILD  the build tree whose driver and board are tested
#   EF_LOGS   where the guest's log is left; may be missing
# Gives: WORK (gone afterwards), QEMU_PID, and the functions below.

: "${EF_BUILD:?the build tree whose programs are tested}"
: "${EF_LOGS:=$EF_BUILD/test-logs}"
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/result.sh
. "$here/../lib/result.sh"
# shellcheck source=tests/lib/process.sh
. "$here/../lib/process.sh"

WORK=$(mktemp -d "${TMPDIR:-/tmp}/espflashfs-vm.XXXXXX")
KERNEL=$EF_BUILD/vm
CONSOLE=$EF_LOGS/vm/$(basename "$0" .sh).guest.log
QEMU_PID=
BOARD_PIDS=
mkdir -p "$EF_LOGS/vm"

# start_board NAME SIZE OPTION...: espboard on $WORK/NAME.bin, filled with random bytes unless it is
# there. Sets BOARD_PID, and BOARD_PORT to the TCP port that it listens on.
start_board() {
    board=$WORK/$1
    [ -e "$board.bin" ] || head -c "$2" /dev/urandom >"$board.bin"
    board_size=$2
    shift 2
    # One that ran before has left its port there.
    : >"$board.out"
    "$EF_BUILD/espboard" --flash "$board.bin" --size "$board_size" --log "$board.log" \
        --counters "$board.counters" "$@" >"$board.out" 2>"$board.err" &
    BOARD_PID=$!
    BOARD_PIDS="$BOARD_PIDS $BOARD_PID"
    wait_until 10 grep -q '^listening on ' "$board.out" || {
        say "espboard did not start: $(cat "$board.err")"
        return 1
    }
    # shellcheck disable=SC2034 # for the cases
    BOARD_PORT=$(sed -n 's/^listening on .*:\([0-9]*\).*/\1/p' "$board.out")
}

# board_log NAME PATTERN: the board's log has such a line (an extended expression), printed.
board_log() {
    grep -E "$2" "$WORK/$1.log" || {
        say "the log of $1 lacks '$2': $(tail -n 20 "$WORK/$1.log")"
        return 1
    }
}

# board_value NAME KEY: what the board's counters have behind KEY.
board_value() {
    awk -v name="$2 " 'index($0, name) == 1 { n = $NF } END { print n + 0 }' "$WORK/$1.counters"
}

# same_md5 NAME FILE: the flash of the board NAME, here, and a FILE in the guest.
same_md5() {
    host_md5=$(md5sum <"$WORK/$1.bin" | cut -d ' ' -f 1)
    equal "$host_md5" "$(guest "md5_of $2")" && say "both are $host_md5"
}

# backup_and_restore DEVICE NAME: 1 MiB each way through /mnt, which shows the board NAME.
backup_and_restore() {
    check "$1: a backup with cp ends 0" guest 'time cp /mnt/flash.bin /tmp/copy'
    check "$1: the backup of 1 MiB equals the flash" same_md5 "$2" /tmp/copy
    check "$1: a restore with cp ends 0" guest \
        'head -c 1048576 /dev/urandom >/tmp/new && time cp /tmp/new /mnt/flash.bin'
    check "$1: the flash holds the restored 1 MiB" same_md5 "$2" /tmp/new
}

answer_is_whole_or_vm_ended() {
    ended "$answer_pid" || ended "$QEMU_PID"
}

# read_answer SECONDS: prints what the guest sent up to `== STATUS`; its status is the command's.
read_answer() {
    sed '/^== [0-9]*$/q' <&9 >"$WORK/answer" &
    answer_pid=$!
    wait_until "$1" answer_is_whole_or_vm_ended || say 'the guest does not answer'
    kill "$answer_pid" 2>/dev/null || :
    wait "$answer_pid" 2>/dev/null || :
    sed -e '/^== [0-9]*$/d' "$WORK/answer" | sed -e '${/^$/d}'
    answer_status=$(sed -n 's/^== \([0-9]*\)$/\1/p' "$WORK/answer")
    return "${answer_status:-99}"
}

# guest command...: runs a line of shell in the guest; prints what it printed, ends as it ended.
# The guest's log names the check that it belongs to.
guest() {
    printf '# %s\n%s\n' "${check_name:-}" "$(echo "$*" | tr '\n' ' ')" >&8
    read_answer 150
}

# start_vm OPTION...: the guest, with OPTIONs of qemu's in addition; returns when it takes commands.
# GUEST_ADDS names a script that adds to the guest's root, as add_systemd.sh does.
start_vm() {
    sh "$here/fetch_kernel.sh" "$KERNEL" || return 1
    sh "$here/make_initramfs.sh" "$KERNEL" "$EF_BUILD" "$WORK/root" "$WORK/initramfs" \
        ${GUEST_ADDS:+"$here/$GUEST_ADDS"} || return 1
    mkfifo "$WORK/channel.in" "$WORK/channel.out"
    exec 8<>"$WORK/channel.in" 9<>"$WORK/channel.out"
    qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -accel tcg -m 512 \
        -kernel "$KERNEL/vmlinuz" -initrd "$WORK/initramfs" \
        -append 'console=ttyS0 panic=-1 loglevel=6' -serial "file:$CONSOLE" \
        -chardev "pipe,id=channel,path=$WORK/channel" \
        -device virtio-serial-pci -device virtserialport,chardev=channel \
        -netdev user,id=net,restrict=off -device virtio-net-pci,netdev=net,romfile= \
        "$@" >"$WORK/qemu.out" 2>&1 &
    QEMU_PID=$!
    read_answer 180
}

stop_vm() {
    [ -n "$QEMU_PID" ] || return 0
    echo 'poweroff -f' >&8
    wait_until 30 ended "$QEMU_PID" || say 'the guest did not power off'
    kill "$QEMU_PID" 2>/dev/null || :
    end_process "$QEMU_PID" 10 || :
    QEMU_PID=
}

finish() {
    finish_status=$?
    trap - EXIT
    [ -z "$QEMU_PID" ] || stop_vm
    for pid in $BOARD_PIDS; do
        kill "$pid" 2>/dev/null || :
        end_process "$pid" 10 2>/dev/null || :
    done
    [ "$failures" = 0 ] || [ "$finish_status" != 0 ] || finish_status=1
    [ "$finish_status" = 0 ] || tail -n 80 "$CONSOLE" "$WORK"/*.log "$WORK/qemu.out" >&2
    for log in "$WORK"/*.log; do
        [ ! -e "$log" ] || cp "$log" "$EF_LOGS/vm/"
    done
    rm -rf --one-file-system "$WORK"
    exit "$finish_status"
}

trap finish EXIT
trap 'exit 130' HUP INT TERM
set -eu
