#!/usr/bin/env bash
# Benchmarks on an invented delivery. They print ratios against a named baseline, and judge nothing. Usage: bench.sh ingest
#
# COMPANIES and RUNS in the environment change the size and how often each thing is timed; PROFILE is that of the build.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

COMPANIES=${COMPANIES:-40000}
RUNS=${RUNS:-3}

sf=${CARGO_TARGET_DIR:-$ROOT/target}/${PROFILE:-release}/sf
work=$ROOT/.run/bench
delivery=$work/delivery-$COMPANIES
mkdir -p "$work"
[ -d "$delivery" ] || "$sf" datagen --out "$delivery" --companies "$COMPANIES" --seed 1 --batch 2511
case ${1:-} in
ingest)
    heading "Import, beside DuckDB: $COMPANIES companies, median of $RUNS runs"
    "$TOOLS/bin/python" "$ROOT/scripts/bench_ingest.py" "$sf" "$delivery" "$work" "$RUNS"
    ;;
*) die "there is no benchmark '${1:-}'; there is: ingest" ;;
esac
