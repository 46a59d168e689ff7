#!/bin/sh
# What is installed works where it was put: the program and the stubs.
. "$(dirname "$0")/../lib/lint.sh"

root=$(mktemp -d "${TMPDIR:-/tmp}/espflashfs-root.XXXXXX")
trap 'rm -rf "$root"' EXIT

installed_file() {
    find "$root" -type f -name "$1" | grep .
}

installed_version() {
    "$(find "$root" -path '*/bin/espflashfs')" --version
}

rule_is_whole() {
    plug=$(sed -n 's/^IMPORT{program}="\(.*\)"$/\1/p' "$(installed_file 70-espflashfs.rules)")
    echo "$plug" && test -x "$root$plug"
}

check 'cmake --install ends 0' env DESTDIR="$root" cmake --install "$EF_BUILD"
check 'the installed program shows its version' installed_version
check 'the stubs are installed' installed_file esp8266.json
check 'their licence is installed' installed_file LICENSE
check 'the manual is installed' installed_file espflashfs.1
check 'mount(8) has its helper' installed_file mount.espflashfs
check 'the udev rule names a program that is installed' rule_is_whole
check 'uninstall ends 0' env DESTDIR="$root" cmake --build "$EF_BUILD" --target uninstall
check 'nothing is left' fails installed_file '*'
check 'no folder of ours is left' equal '' "$(find "$root" -name espflashfs)"
check 'a second uninstall says that nothing is installed' fails \
    env DESTDIR="$root" cmake --build "$EF_BUILD" --target uninstall
finish_lint
