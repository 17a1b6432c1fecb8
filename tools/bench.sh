#!/usr/bin/env bash
# bench.sh [--quick] [NAME…]: runs the benchmark programs of build/release/bench one after another;
# figures need the machine to themselves. Each prints a table and writes
# build/release/bench-results/NAME.json. One program by hand takes more options: see its --help.
set -euo pipefail
cd "$(dirname "$0")/.."

built=build/release/bench
options=(--dir build/release)
names=()
for word in "$@"; do
    if [[ $word == -* ]]; then options+=("$word"); else names+=("$word"); fi
done
if [[ ${#names[@]} -eq 0 ]]; then
    mapfile -t names < <(find "$built" -maxdepth 1 -type f -executable -printf '%f\n' 2>/dev/null | sort)
fi
failed=0
for name in "${names[@]}"; do
    "$built/$name" "${options[@]}" || failed=$((failed + 1))
    echo
done
echo "${#names[@]} benchmarks, $failed could not measure everything"
[[ $failed -eq 0 ]]
