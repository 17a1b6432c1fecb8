#!/usr/bin/env bash
# demo.sh: a small multi-threaded program crashes; icecore captures it and says what happened, with
# every thread's stack by file and line. Needs what `make demo` has built.
set -euo pipefail
cd "$(dirname "$0")/../build/release"

dump=$(mktemp -d)
trap 'rm -rf "$dump"' EXIT

show() { printf '\n$ %s\n' "${*/$dump\//}"; "$@"; }

# Started by icecore, so that it is there when the signal arrives.
show ./icecore dump --signal SEGV --type full -o "$dump/crasher.core" -x ./targets/crasher
show ./icecore analyze "$dump/crasher.core"
