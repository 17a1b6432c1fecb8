#!/usr/bin/env bash
# format.sh [--check]: formats every C and C++ file of ours in place, or says which would change.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=(-i)
[[ ${1:-} == --check ]] && mode=(--dry-run --Werror)
find src tests fuzz bench \( -name '*.h' -o -name '*.cpp' -o -name '*.c' \) -not -path '*/data/*' \
    -print0 2>/dev/null | xargs -0 -r -n 50 -P "$(nproc)" clang-format-19 "${mode[@]}"
