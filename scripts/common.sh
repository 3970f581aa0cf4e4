# Sourced by the other scripts, and by .ci/run: where things are, and how to speak.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export SF_CACHE=${SF_CACHE:-$HOME/.cache/signaux-faibles}
TOOLS=$SF_CACHE/tools
export PATH="$TOOLS/bin:$PATH:$HOME/.cargo/bin"
# shellcheck disable=SC2034 # used by those who source this file
PROGRAMS=${CARGO_TARGET_DIR:-$ROOT/target}/debug

say() { printf '%s\n' "$*"; }
heading() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command under a heading and says how long it took.
timed() {
    local title=$1 start=$SECONDS
    shift
    heading "$title"
    "$@"
    say "-- $title: $((SECONDS - start)) s"
}
