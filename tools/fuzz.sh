#!/usr/bin/env bash
# fuzz.sh [NAME…]: runs every libFuzzer program of build/fuzz (or the named ones) for FUZZ_SECONDS
# each. New inputs go to build/fuzz/corpus, what crashed to build/fuzz/crashes; add the ones worth
# keeping to fuzz/corpus/NAME, where `make test` replays them.
set -euo pipefail
cd "$(dirname "$0")/.."

built=build/fuzz/fuzz
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
    mapfile -t names < <(find "$built" -maxdepth 1 -type f -executable -printf '%f\n' 2>/dev/null | sort)
fi
failed=()
for name in "${names[@]}"; do
    grown=build/fuzz/corpus/$name
    mkdir -p "$grown" build/fuzz/crashes "fuzz/corpus/$name"
    more=()
    [[ -f fuzz/$name.dict ]] && more+=("-dict=fuzz/$name.dict")
    echo "== $name, ${FUZZ_SECONDS:-30} s"
    "$built/$name" -max_total_time="${FUZZ_SECONDS:-30}" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build/fuzz/crashes/$name-" "${more[@]}" \
        "$grown" "fuzz/corpus/$name" 2>&1 | grep -vE '^#[0-9]+\s+(REDUCE|NEW|pulse)' || failed+=("$name")
    rmdir "fuzz/corpus/$name" 2>/dev/null || true
done
echo "${#names[@]} fuzzers, ${#failed[@]} failed ${failed[*]}"
[[ ${#failed[@]} -eq 0 ]]
