#!/usr/bin/env bash
# Benchmarks on an invented delivery. They print ratios against a named baseline, and judge nothing. Usage: bench.sh ingest|features|online|score|lists|train|trees
#
# In the environment: COMPANIES, the size of `ingest`, `online` and `score`; RUNS, how often an import or a training is timed; SIZES of
# `features`; ROWS of `train`; PROFILE, that of the build.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

COMPANIES=${COMPANIES:-40000}
RUNS=${RUNS:-3}

sf=${CARGO_TARGET_DIR:-$ROOT/target}/${PROFILE:-release}/sf
work=$ROOT/.run/bench
delivery=$work/delivery-$COMPANIES
mkdir -p "$work"
invent() {
    [ -d "$delivery" ] || "$sf" datagen --out "$delivery" --companies "$COMPANIES" --seed 1 --batch 2511
}
case ${1:-} in
ingest)
    invent
    heading "Import, beside DuckDB: $COMPANIES companies, median of $RUNS runs"
    "$TOOLS/bin/python" "$ROOT/scripts/bench_ingest.py" "$sf" "$delivery" "$work" "$RUNS"
    ;;
features)
    heading "Features, beside DuckDB: ${SIZES:=5000 20000 80000} companies"
    # shellcheck disable=SC2086
    "$TOOLS/bin/python" "$ROOT/scripts/bench_features.py" "$sf" "$work/delivery-" "$work" $SIZES
    ;;
online)
    invent
    heading "Vectors served from Redis: $COMPANIES companies"
    "$TOOLS/bin/python" "$ROOT/scripts/bench_online.py" "$sf" "$delivery" "$work" "$COMPANIES"
    ;;
score)
    COMPANIES=${SCORE_COMPANIES:-8000}
    delivery=$work/delivery-$COMPANIES
    invent
    python=$work/mlserver/bin/python
    [ -x "$python" ] || python3 -m venv "$work/mlserver"
    "$python" -c 'import mlserver_lightgbm' 2>/dev/null ||
        "$python" -m pip install --quiet mlserver==1.7.1 mlserver-lightgbm==1.7.1 || say "MLServer cannot be installed"
    heading "Scores and list pages, served: $COMPANIES companies"
    "$python" "$ROOT/scripts/bench_score.py" "$sf" "$delivery" "$work" "$COMPANIES"
    ;;
train)
    "$TOOLS/bin/python" -c 'import lightgbm' 2>/dev/null || "$TOOLS/bin/pip" install --quiet lightgbm==4.7.0
    heading "Training, beside LightGBM's Python package"
    "$TOOLS/bin/python" "$ROOT/scripts/bench_train.py" "$sf" "$work" "${ROWS:-2000000}" "$RUNS"
    ;;
lists)
    heading "Answers about a list of the country"
    "$(dirname "$sf")/examples/bench_lists"
    ;;
trees)
    heading "Scores and reasons, beside LightGBM's C interface"
    "$(dirname "$sf")/examples/bench_trees" "$RUNS" "$work"
    python=$work/lleaves/bin/python
    [ -x "$python" ] || python3 -m venv "$work/lleaves"
    # The newest llvmlite that has what lleaves calls.
    if "$python" -c 'import lleaves' 2>/dev/null || "$python" -m pip install --quiet lleaves==1.3.0 llvmlite==0.43.0 numpy==2.2.6; then
        "$python" "$ROOT/scripts/bench_trees.py" "$work" "$RUNS"
    else
        say "lleaves cannot be installed"
    fi
    ;;
*) die "there is no benchmark '${1:-}'; there are: ingest, features, online, score, lists, train, trees" ;;
esac
