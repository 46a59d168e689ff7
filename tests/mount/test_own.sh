#!/bin/sh
# Who has written reads what he wrote, whoever reads and writes beside him, through which file ever.
# tsan
. "$(dirname "$0")/../lib/mount.sh"
. "$(dirname "$0")/tools/common.sh"

tools=$(dirname "$0")/tools

new_board 512K --chip esp32 --line-rate none
check 'mounts' mount_board -o cache=none
check 'each reads what he wrote' python3 "$tools/own.py" "$MNT" $((16000 / EF_SLOW))
check 'unmounts' unmount_board
