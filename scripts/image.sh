#!/usr/bin/env bash
# The image: `build` makes it, `check` runs a service from it under runc on a read-only root and asks for its health,
# `save FILE` writes it as an archive. PROFILE=release says how the program is optimised.
#
# Usage: image.sh build | check | save FILE
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PROFILE=${PROFILE:-release}
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
FOLDER=$TARGET/image
BASE=docker.io/library/debian:bookworm-slim
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
IMAGE=localhost/signaux-faibles:$VERSION
MOST_MEGABYTES=200

# The storage driver that needs nothing of the kernel.
export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} BUILDAH_ISOLATION=chroot

make_base() {
    buildah inspect --type image "$BASE" >/dev/null 2>&1 && return
    say "making the base from Debian's packages"
    mmdebstrap --quiet --variant=extract --include=libgomp1,libstdc++6,ca-certificates,dash,coreutils bookworm "$FOLDER/base.tar"
    local container
    container=$(buildah from scratch)
    buildah add -q "$container" "$FOLDER/base.tar" / >/dev/null
    buildah commit -q "$container" "$BASE" >/dev/null
    buildah rm "$container" >/dev/null
    rm "$FOLDER/base.tar"
}

build() {
    rm -rf "$FOLDER/context"
    mkdir -p "$FOLDER/context"
    make_base
    cp "$TARGET/${PROFILE/#dev/debug}/sf" "$FOLDER/context/sf"
    strip "$FOLDER/context/sf"
    python3 "$ROOT/scripts/sbom.py" "$FOLDER/context/sbom.cdx.json"
    cp /etc/ssl/certs/ca-certificates.crt "$ROOT/LICENSE" "$FOLDER/context/"
    local revision
    revision=$(git -C "$ROOT" rev-parse --short HEAD)
    buildah bud -q --pull=never --timestamp 0 --build-arg "VERSION=$VERSION" --build-arg "REVISION=$revision" \
        -t "$IMAGE" -f "$ROOT/Containerfile" "$FOLDER/context" >/dev/null
    local bytes megabytes
    bytes=$(stat -c %s "$FOLDER/context/sf")
    unpack
    megabytes=$(du -sm "$FOLDER/bundle/rootfs" | cut -f1)
    say "$IMAGE: $megabytes MB unpacked, of which the program $((bytes / 1000000)) MB"
    [ "$megabytes" -le "$MOST_MEGABYTES" ] || die "the image is larger than $MOST_MEGABYTES MB"
}

# The file system of the image, for runc.
unpack() {
    local container mount
    rm -rf "$FOLDER/bundle"
    mkdir -p "$FOLDER/bundle/rootfs"
    container=$(buildah from --pull=never "$IMAGE")
    mount=$(buildah mount "$container")
    cp -a "$mount/." "$FOLDER/bundle/rootfs/"
    buildah umount "$container" >/dev/null
    buildah rm "$container" >/dev/null
}

# Runs each service as a pod would: nobody, read-only root, no capabilities, a place for temporary files.
check() {
    [ -d "$FOLDER/bundle/rootfs" ] || die "there is no image: run make image"
    if compgen -G "$FOLDER/bundle/rootfs/bin/*sh" >/dev/null; then die "there is a shell in the image"; fi
    local service
    for service in ingestion feature-store training scoring; do check_service "$service"; done
}

check_service() {
    local service=$1 port admin id
    read -r port admin < <(python3 -c 'import socket
held = [socket.socket() for _ in "ab"]
for one in held: one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))')
    python3 "$ROOT/scripts/runc_config.py" "$FOLDER/bundle/config.json" "$service" "$port" "$admin"
    id=sf-$service-$$
    runc run --bundle "$FOLDER/bundle" "$id" >"$FOLDER/$service.log" 2>&1 &
    local process=$! ready=no
    for _ in $(seq 100); do
        if curl -fsS -o /dev/null "http://127.0.0.1:$admin/readyz" 2>/dev/null; then ready=yes && break; fi
        sleep 0.1
    done
    # gRPC's own question, as the kubelet asks it.
    [ "$ready" = no ] || "$TOOLS/bin/python" "$ROOT/scripts/ask_health.py" "127.0.0.1:$port" || ready=no
    runc kill "$id" TERM 2>/dev/null || true
    wait "$process" || true
    [ "$ready" = yes ] || { cat "$FOLDER/$service.log" >&2 && die "$service did not get ready"; }
    say "$service: ready on a read-only root, as user 65532, without capabilities"
}

case ${1:-} in
build) build ;;
check) check ;;
save) buildah push -q "$IMAGE" "oci-archive:${2:?a file}:$IMAGE" ;;
*) die "usage: image.sh build | check | save FILE" ;;
esac
