#!/usr/bin/env bash
# The Helm chart: lint, refusals of the schema, rendering with strict types, the rendered examples, alerts, and the life of a release.
#
# Usage: chart.sh check | render | scan | life      `render` writes the examples anew instead of comparing them; `life` installs, upgrades, rolls
#                                            back and removes a release with the real Helm, against a stand-in for the API server.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CHART=$ROOT/helm/signaux-faibles
KUBERNETES=1.34

render() { helm template signaux-faibles "$CHART" --namespace signaux-faibles --kube-version "$KUBERNETES.0" "$@"; }

# Kinds that others define are checked by who defines them.
validate() {
    python "$ROOT/scripts/without_custom_kinds.py" "$1" | kubernetes-validate --kubernetes-version "$KUBERNETES" --strict --quiet /dev/stdin
}

# Mistyped, missing or senseless values, which must be refused and not ignored.
REFUSED=(
    services.scorin.replicas=2
    services.scoring.replica=2
    services.scoring.replicas=-1
    services.scoring.replicas=two
    services.scoring.autoscaling.cpu=0
    services.scoring.resources.limits.memory=2GB
    services.scoring.env.lower-case=x
    monthlyRun.enabled=true
    monthlyRun.batch=november
    auth.issuer=https://id.example
    'auth.certificates.scoring={svc.features}'
    lake.root=/var/lib/lake
    lake.s3.endpoint=seaweedfs:8333
    image.pullPolicy=Sometimes
    telemetry.sampledShare=2
    telemetry.format=xml
    tls.certManager.issuer.kind=Authority
    tls.certManager.duration=30d
    limits.inFlight=0
    'networkPolicy.allow.s3.ports={}'
    networkPolicy.allow.clients[0].namespace=tools
    trainingWorkers.replicas=1000
    graceSeconds=0
    services.training.secretFolders.my-signing=relative
    'trainingWorkers.replicas=2,services.training.replicas=2'
)

refusals() {
    local value
    for value in "${REFUSED[@]}"; do
        if helm template x "$CHART" --set "$value" >/dev/null 2>&1; then die "the chart's schema accepts $value"; fi
    done
    say "${#REFUSED[@]} bad values are refused"
}

# Value files of an example: those of its size first.
values_of() {
    case $(basename "$1") in
    national) printf '%s\n' --values "$CHART/sizes/national.yaml" --values "$1/values.yaml" ;;
    *) printf '%s\n' --values "$1/values.yaml" ;;
    esac
}

check() {
    local mode=$1 example rendered size values work
    work=$(mktemp -d)
    helm lint --strict --quiet "$CHART"
    render >"$work/default.yaml"
    validate "$work/default.yaml"
    refusals
    for size in "$CHART"/sizes/*.yaml; do
        render --values "$size" >"$work/size.yaml"
        validate "$work/size.yaml"
    done
    for example in "$CHART"/examples/*/; do
        example=${example%/}
        rendered=$example/rendered.yaml
        mapfile -t values < <(values_of "$example")
        render "${values[@]}" >"$work/rendered.yaml"
        if [ "$mode" = render ]; then
            cp "$work/rendered.yaml" "$rendered"
        elif ! diff -u "$rendered" "$work/rendered.yaml"; then
            die "$rendered is not what the chart renders: run make helm"
        fi
        helm lint --strict --quiet "${values[@]}" "$CHART"
        validate "$rendered"
    done
    rm -r "$work"
    alerts
    say "chart ok"
}

# What a scanner finds, but for what helm/checkov.yaml explains.
scan() {
    local example
    for example in "$CHART"/examples/*/; do
        "$TOOLS/checkov/bin/checkov" --config-file "$ROOT/helm/checkov.yaml" --file "${example}rendered.yaml" 2>/dev/null ||
            die "checkov finds something in ${example}rendered.yaml that helm/checkov.yaml does not explain"
    done
}

# The alerts fire when they should, and each has its page.
alerts() {
    local name
    while read -r name; do
        [ -f "$ROOT/docs/runbooks/$name.md" ] || die "the alert $name has no page in docs/runbooks"
    done < <(sed -n 's/^ *- alert: //p' "$CHART/monitoring/alerts.yaml")
    if have promtool; then
        (cd "$CHART/monitoring" && promtool check rules alerts.yaml >/dev/null && promtool test rules alerts_test.yaml >/dev/null) ||
            die "the alerts are wrong: promtool test rules helm/signaux-faibles/monitoring/alerts_test.yaml"
    else
        say "alerts not tested: promtool is not installed (Debian: prometheus)"
    fi
}

# The life of a release. The stand-in checks types and keeps objects; readiness is immediate, so that this proves the flow and nothing more.
life() {
    local stub=${SF_SHARED:-$ROOT/../shared}/tools/kube_api_stub.py port work
    if [ ! -f "$stub" ]; then
        [ -z "${SF_SHARED:-}" ] || die "$stub is missing"
        say "life of a release SKIPPED: no shared tools beside this clone; say where they are with SF_SHARED"
        return
    fi
    port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    work=$(mktemp -d)
    python "$stub" "$port" >"$work/stub.log" 2>&1 &
    local server=$!
    # shellcheck disable=SC2064 # as they are now
    trap "kill $server 2>/dev/null; rm -rf $work" EXIT
    export KUBECONFIG=$work/kubeconfig HELM_CACHE_HOME=$work/cache HELM_CONFIG_HOME=$work/config HELM_DATA_HOME=$work/data
    kubectl config set-cluster stub --server "http://127.0.0.1:$port" >/dev/null
    kubectl config set-context stub --cluster stub --namespace default >/dev/null
    kubectl config use-context stub >/dev/null
    for _ in $(seq 50); do if kubectl version >/dev/null 2>&1; then break; fi && sleep 0.1; done

    local values=(--values "$CHART/examples/default/values.yaml" --wait --timeout 60s)
    helm upgrade --install sf "$CHART" "${values[@]}" >/dev/null
    expect deployments 4 "after the installation"
    local before
    before=$(checksum)
    helm upgrade sf "$CHART" "${values[@]}" --set graceSeconds=60 --set services.scoring.replicas=3 >/dev/null
    [ "$(checksum)" != "$before" ] || die "a changed configuration rolls nothing out"
    if helm upgrade sf "$CHART" "${values[@]}" --set services.scoring.replicas=many >/dev/null 2>&1; then die "a bad upgrade is accepted"; fi
    # One that only the API server can see is wrong.
    if helm upgrade sf "$CHART" "${values[@]}" --set services.scoring.affinity.nodeAffinity=none >/dev/null 2>&1; then
        die "an upgrade that the API server refuses is said to be done"
    fi
    expect deployments 4 "after a refused upgrade"
    helm rollback sf 1 --wait --timeout 60s >/dev/null
    [ "$(checksum)" = "$before" ] || die "the rollback does not bring the first configuration back"
    helm history sf --max 20
    helm uninstall sf --wait --timeout 60s >/dev/null
    expect deployments 0 "after the removal"
    expect configmaps 0 "after the removal"
    say "life of a release ok: installed, upgraded, a bad upgrade refused, rolled back, removed"
}

expect() {
    local found
    found=$(kubectl get "$1" --selector app.kubernetes.io/name=signaux-faibles --output name | wc -l)
    [ "$found" = "$2" ] || die "$found $1 $3, not $2"
}

checksum() {
    kubectl get deployment sf-signaux-faibles-scoring --output 'jsonpath={.spec.template.metadata.annotations.checksum/config}'
}

case ${1:-} in
check | render) check "$1" ;;
scan) scan ;;
life) life ;;
*) die "usage: chart.sh check | render | scan | life" ;;
esac
