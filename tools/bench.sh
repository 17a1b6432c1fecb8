#!/usr/bin/env bash
# bench.sh [NAME…]: runs the benchmark programs of build/release/bench one after another, alone on
# the machine. Each prints a table; JSON goes to build/bench/NAME.json (its path is the program's
# one argument).
set -euo pipefail
cd "$(dirname "$0")/.."

built=build/release/bench
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
    mapfile -t names < <(find "$built" -maxdepth 1 -type f -executable -printf '%f\n' 2>/dev/null | sort)
fi
mkdir -p build/bench
for name in "${names[@]}"; do
    echo "== $name"
    "$built/$name" "build/bench/$name.json"
done
echo "${#names[@]} benchmarks"
