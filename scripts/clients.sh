#!/usr/bin/env bash
# Clients that others made, against our services: grpc-js with reflection, and MLServer's for the Open Inference Protocol.
# Invents a small world, serves it with `sf up` on a free port, and compares what each client gets with what `sf` says.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

MLSERVER=1.7.1
sf=$PROGRAMS/sf
clients=$SF_CACHE/clients
work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

[ -x "$sf" ] || die "$sf is missing: make build"
have npm || die "npm is missing: scripts/setup.sh clients"
heading "Installing the clients in $clients"
mkdir -p "$clients/js"
cp "$ROOT/tests/js/package.json" "$clients/js"
npm install --prefix "$clients/js" --no-audit --no-fund --ignore-scripts --silent
[ -d "$clients/python" ] || python3 -m venv "$clients/python"
"$clients/python/bin/pip" install -q --disable-pip-version-check "mlserver==$MLSERVER"

heading "A small world"
"$sf" datagen --out "$work/delivery" --companies 600 --seed 7 --batch 2511 >"$work/log"
"$sf" --data "$work/data" --quiet run "$work/delivery" --batch 2511 >>"$work/log"
SF_TELEMETRY__FORMAT=json SF_SERVER__REFLECTION=true "$sf" --data "$work/data" up --listen 127.0.0.1:0 >"$work/up.log" 2>&1 &
server=$!
address=
for _ in $(seq 100); do
    address=$(sed -n 's/.*"addr":"\([^"]*\)".*/\1/p' "$work/up.log" | head -1)
    [ -z "$address" ] || break
    sleep 0.2
done
[ -n "$address" ] || die "the server did not start: $(cat "$work/up.log")"
siren=$("$sf" --server "http://$address" --format json lists show latest --limit 1 | sed -n 's/.*"siren": "\([0-9]*\)".*/\1/p')
expected=$("$sf" --server "http://$address" --format json score "$siren")

heading "grpc-js $(node --version), with reflection"
NODE_PATH=$clients/js/node_modules node "$ROOT/tests/js/reflection_client.js" "$address" "$siren" | tee "$work/js.json"
heading "MLServer $MLSERVER's client"
"$clients/python/bin/python" "$ROOT/tests/python/inference_client.py" "$address" "$siren" | tee "$work/inference.json"

"$clients/python/bin/python" - "$work" "$siren" "$expected" <<'PYTHON'
import json
import sys

work, siren, expected = sys.argv[1:]
expected = json.loads(expected)[0]["probability"]
js, inference = (json.load(open(f"{work}/{name}.json")) for name in ("js", "inference"))
assert js["score"]["siren"] == js["first"] == siren and js["score"]["probability"] == expected, js
assert js["streamed"] == js["total"] > 5 and js["unknown"] == "INVALID_ARGUMENT", js
assert inference["probability"] == [expected], inference
print("\nthe clients get what `sf` gets")
PYTHON
