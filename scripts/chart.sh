#!/usr/bin/env bash
# The Helm chart: lint, rendering, strict types, and the rendered examples.
#
# Usage: chart.sh check | render      `render` writes the examples anew instead of comparing them
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CHART=$ROOT/helm/signaux-faibles
KUBERNETES=1.34

render() { helm template signaux-faibles "$CHART" --namespace signaux-faibles --kube-version "$KUBERNETES.0" --values "$1"; }

validate() { kubernetes-validate --kubernetes-version "$KUBERNETES" --strict --quiet "$1"; }

# A mistyped or missing value must be refused, not ignored.
refuses() {
    if helm template x "$CHART" --set "$1" >/dev/null 2>&1; then die "the chart's schema accepts $1"; fi
}

mode=${1:-}
[ "$mode" = check ] || [ "$mode" = render ] || die "usage: chart.sh check | render"

helm lint --strict --quiet "$CHART"
validate <(render "$CHART/values.yaml")
refuses services.scorin.replicas=2
refuses monthlyRun.enabled=true
refuses auth.issuer=https://id.example
for example in "$CHART"/examples/*/; do
    rendered=${example}rendered.yaml
    if [ "$mode" = render ]; then
        render "${example}values.yaml" >"$rendered"
    elif ! diff -u "$rendered" <(render "${example}values.yaml"); then
        die "$rendered is not what the chart renders: run make helm"
    fi
    helm lint --strict --quiet --values "${example}values.yaml" "$CHART"
    validate "$rendered"
done
say "chart ok"
