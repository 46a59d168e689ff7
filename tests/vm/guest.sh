# shellcheck shell=sh
# What the tests' commands find in the guest; busybox runs it.

MNT=/mnt

# wait_for SECONDS command...: true as soon as the command is.
wait_for() {
    rounds=$(($1 * 20))
    shift
    until "$@"; do
        [ "$rounds" -gt 0 ] || return 1
        rounds=$((rounds - 1))
        usleep 50000
    done
}

driver_is_gone() {
    ! pidof espflashfs >/dev/null
}

# unmount: ends when the driver has let go of the port.
unmount() {
    umount "$MNT" && wait_for 20 driver_is_gone
}

md5_of() {
    md5sum <"$1" | cut -d ' ' -f 1
}
