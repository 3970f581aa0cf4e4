#!/usr/bin/env bash
# Builds the version of a tag or commit, and this one, and tests them side by side. Usage: upgrade.sh [FROM]     (the last tag without it)
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

from=${1:-$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null)} || die "there is no release yet: name a commit, as in make upgrade FROM=HEAD~1"
commit=$(git rev-parse --verify --quiet "$from^{commit}") || die "there is no commit '$from'"
work=$ROOT/.run/upgrade
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-$ROOT/target}")
export CARGO_TARGET_DIR
previous=$work/sf-${commit:0:12}

if [ ! -x "$previous" ]; then
    heading "sf of $from"
    mkdir -p "$work"
    git worktree remove --force "$work/source" 2>/dev/null || true
    git worktree add --quiet --detach "$work/source" "$commit"
    # In the same folder, so that what both versions depend on is compiled once. Cargo tells crates of the same name and version apart by
    # their times alone: this one gets a version of its own.
    sed -i '0,/^version = /s/^version = .*/version = "0.0.0-before"/' "$work/source/Cargo.toml"
    (cd "$work/source" && cargo build --workspace --bin sf)
    cp "$CARGO_TARGET_DIR/debug/sf" "$previous.part"
    mv "$previous.part" "$previous"
    git worktree remove --force "$work/source"
fi
heading "sf of this tree, beside that of $from"
buf breaking proto --against ".git#ref=$commit,subdir=proto"
cargo build --workspace --bins
SF_PREVIOUS=$previous cargo nextest run --workspace --profile upgrade --no-capture
