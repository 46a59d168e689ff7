#!/bin/sh
# The simulated board against a client that shares no code with it: esptool-js.
# timeout: 600
set -eu

ESPTOOL_JS_DIR=$(dirname "$EF_NODE_MODULES")
export ESPTOOL_JS_DIR
exec node "$(dirname "$0")/client.mjs" "$EF_BUILD/espboard"
