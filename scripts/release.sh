#!/usr/bin/env bash
# What is published of a version: the image as an archive, the chart as a package, the list of components, the change log, and the digests of
# all of them. `make release` builds the image before.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
OUT=$TARGET/release-files
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")

# One version everywhere.
for place in version appVersion; do
    grep -qx "$place: \"\{0,1\}$VERSION\"\{0,1\}" "$ROOT/helm/signaux-faibles/Chart.yaml" || die "$place of the chart is not $VERSION"
done
grep -q "^## $VERSION" "$ROOT/CHANGELOG.md" || die "CHANGELOG.md says nothing of $VERSION"

rm -rf "$OUT"
mkdir -p "$OUT"
"$ROOT/scripts/image.sh" save "$OUT/signaux-faibles-$VERSION-image.tar"
helm package --destination "$OUT" "$ROOT/helm/signaux-faibles" >/dev/null
mv "$OUT/signaux-faibles-$VERSION.tgz" "$OUT/signaux-faibles-$VERSION-chart.tgz"
python3 "$ROOT/scripts/sbom.py" "$OUT/signaux-faibles-$VERSION-sbom.cdx.json" >/dev/null
cp "$ROOT/CHANGELOG.md" "$OUT/"
(cd "$OUT" && sha256sum -- * >SHA256SUMS)
say "files of $VERSION are in $OUT:"
(cd "$OUT" && stat --format '  %s %n' -- *)
