#!/usr/bin/env bash
# setup.sh GROUP…: installs, through apt, what is missing of the groups in packages.txt. Does nothing,
# and quickly, when all is there. Elsewhere it says what is needed and leaves the rest to CMake.
set -euo pipefail
cd "$(dirname "$0")"

wanted=()
for group in "$@"; do
    mapfile -t -O "${#wanted[@]}" wanted < <(awk -v g="$group" '$1 == g { print $2 }' packages.txt)
done

# What could not be had is told once per checkout, and not asked for again.
stamp=../build/.setup-told
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    if [[ ! -e $stamp ]]; then
        echo "icecore: no apt here; needed are (by their Debian names): ${wanted[*]}" >&2
        mkdir -p ../build && touch "$stamp"
    fi
    exit 0
fi

declare -A have
while read -r status package; do
    [[ $status == ii* ]] && have[$package]=1
done < <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n')

missing=()
for names in "${wanted[@]}"; do
    found=
    for name in ${names//|/ }; do
        [[ -n ${have[$name]:-} ]] && found=1
    done
    [[ -n $found ]] || grep -qxsF "$names" "$stamp" || missing+=("$names")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

echo "icecore: installing ${missing[*]}" >&2
as_root=()
if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
        echo "icecore: run as root: apt-get install ${missing[*]%%|*}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=600 "$@" </dev/null >&2
}

apt update
chosen=()
for names in "${missing[@]}"; do
    pick=
    for name in ${names//|/ }; do
        if [[ -n $(apt-cache policy "$name" | grep -v '(none)' | grep 'Candidate:') ]]; then
            pick=$name
            break
        fi
    done
    if [[ -n $pick ]]; then
        chosen+=("$pick")
    else
        echo "icecore: this system does not offer $names; what needs it is left out" >&2
        mkdir -p ../build && echo "$names" >>"$stamp"
    fi
done
[[ ${#chosen[@]} -eq 0 ]] || apt install --no-install-recommends "${chosen[@]}"
