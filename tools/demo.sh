#!/usr/bin/env bash
# demo.sh: a small multi-threaded program crashes; icecore captures it and says what happened, with
# every thread's stack by file and line. Needs what `make demo` has built.
set -euo pipefail
cd "$(dirname "$0")/../build/release"

built=$PWD
icecore() { "$built/icecore" "$@"; }
crasher() { exec "$built/targets/crasher" "$@"; }

folder=$(mktemp -d)
victim=
cleanup() {
    if [[ -n $victim ]]; then kill -KILL "$victim"; wait "$victim"; fi 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi
show() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; }

# The program catches its own crash and stands still with it, as many servers do.
show crasher --wait '&'
mkfifo said
crasher --wait >said &
victim=$!
head -n 1 said

echo
show icecore dump --type full -o crasher.core "$victim"
icecore dump --type full -o crasher.core "$victim"

echo
show icecore analyze crasher.core
icecore analyze crasher.core
