# shellcheck shell=sh
# Sourced by what fills the guest's root, the folder $root.

: "${root:?the folder that becomes the root of the guest}"

# program PATH-HERE PATH-THERE: with its shared libraries, at the same paths as here.
program() {
    mkdir -p "$root$(dirname "$2")"
    cp -L "$1" "$root$2"
    ldd "$1" | sed -n -E 's/^.*[[:space:]](\/[^ ]+) \(0x.*/\1/p' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
}
