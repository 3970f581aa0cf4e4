#!/usr/bin/env bash
# Everything that can be judged without running the programs. Arguments go to cargo clippy.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

# Licences, banned crates and origins, from what is on this machine; advisories when their database can be reached.
dependencies() {
    cargo fetch --locked --quiet
    cargo deny --log-level error --offline check bans licenses sources
    local report
    if report=$(timeout 120 cargo deny --log-level error check advisories 2>&1); then
        say "advisories ok"
    elif grep --text --quiet 'failed to fetch advisory database' <<<"$report"; then
        say "advisories SKIPPED: the advisory database cannot be reached from this machine"
    else
        say "$report"
        return 1
    fi
}

# The protos: style, and no break with the last release.
protos() {
    buf lint proto
    local release
    if release=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null); then
        buf breaking proto --against ".git#tag=$release,subdir=proto"
    else
        say "no release yet: nothing that a change could break"
    fi
}

timed "Format" cargo fmt --all --check
timed "Clippy" cargo clippy "$@" --workspace --all-targets -- -D warnings
timed "Dependencies" dependencies
timed "Protos" protos
timed "Scripts" shellcheck --external-sources scripts/*.sh .ci/run
timed "Chart" scripts/chart.sh check
