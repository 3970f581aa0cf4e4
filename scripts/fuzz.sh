#!/usr/bin/env bash
# Fuzzes the parser of each source, or of those named, for SECONDS_EACH (60) seconds: any bytes, no panic, counts add up.
# Usage: fuzz.sh [SOURCE…]; JOBS of them at a time (1).
#
# Corpora begin with the first lines of an invented delivery and stay in $SF_CACHE/fuzz. The parsers have no unsafe code: no
# sanitizer is needed, and the stable compiler does, told to accept the flags of coverage.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

SECONDS_EACH=${SECONDS_EACH:-60}
sf=$PROGRAMS/sf
[ -x "$sf" ] || die "$sf is missing: make build"
export RUSTC_BOOTSTRAP=1

seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
"$sf" datagen --out "$seeds/full" --companies 20 --batch 2511 >/dev/null
"$sf" datagen --out "$seeds/public" --companies 20 --batch 2511 --profile open-data >/dev/null

# Puts the beginning of a file into the corpus of its source.
seed() {
    local file=$1 source
    source=$("$sf" parse "$file" 2>&1 >/dev/null | sed -n 's/^ *"source": "\(.*\)",$/\1/p')
    [ -n "$source" ] || return 0
    mkdir -p "$SF_CACHE/fuzz/$source"
    case $file in
    *.gz) { gzip -dc "$file" || true; } | head -c 4000 ;;
    *.zip) { unzip -p "$file" || true; } | head -c 4000 ;;
    *) head -c 4000 "$file" ;;
    esac >"$SF_CACHE/fuzz/$source/seed-$(basename "$file")" 2>/dev/null || true
}
for file in "$seeds"/*/*; do seed "$file"; done

CARGO_TARGET_DIR=$SF_CACHE/fuzz-target cargo fuzz build --sanitizer none --fuzz-dir fuzz parse
program=$(find "$SF_CACHE/fuzz-target" -path '*release/parse' -type f | head -1)
names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(grep -E '^## .[a-z_]+.$' docs/sources.md | tr -dc 'a-z_\n')

# Fuzzes one source; says how many inputs were tried, or what broke.
fuzz() {
    local source=$1 corpus=$SF_CACHE/fuzz/$1 log
    mkdir -p "$corpus"
    log=$(mktemp)
    if SF_FUZZ_SOURCE=$source "$program" "$corpus" -max_total_time="$SECONDS_EACH" -max_len=8192 -timeout=60 \
        -artifact_prefix="$SF_CACHE/fuzz/crash-$source-" -print_final_stats=1 >"$log" 2>&1; then
        printf '%-18s %6s s %12s inputs, no crash\n' "$source" "$SECONDS_EACH" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    else
        tail -40 "$log"
        say "$source: CRASHED"
        return 1
    fi
    rm "$log"
}
export -f fuzz say
export program SECONDS_EACH
printf '%s\n' "${names[@]}" | xargs -P "${JOBS:-1}" -I{} bash -c 'fuzz {}'
