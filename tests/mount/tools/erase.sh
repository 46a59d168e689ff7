#!/bin/sh
# erase.sh FILE WORDS...: writes the words to FILE, as a shell does.
set -eu
file=$1
shift
echo "$*" >"$file"
