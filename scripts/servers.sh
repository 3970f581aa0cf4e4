#!/usr/bin/env bash
# The real thing on loopback: SeaweedFS for S3, Redis, and the four services, each a process on free ports.
#
# Usage: servers.sh up | down
# State, logs and addresses are under .run/up; `down` keeps the data.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RUN=$ROOT/.run/up
SERVICES=(ingestion feature-store training scoring)
# In the order in which they stop.
PROCESSES=("${SERVICES[@]}" redis seaweedfs)

# When a process started, in clock ticks since boot: with its number, what makes it that process and no later one.
# Nothing for a process that has ended, even if nobody has collected it yet (state Z).
start_time() { sed -n 's/.*) \([^Z].*\)/\1/p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# The number of a process of ours that is alive.
running() {
    local pid started
    read -r pid started 2>/dev/null <"$RUN/$1.pid" || return 1
    [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

# Starts a program that outlives this script. Usage: start NAME PROGRAM ARGUMENT…
start() {
    local name=$1
    shift
    setsid "$@" >"$RUN/$name.log" 2>&1 </dev/null &
    echo "$! $(start_time $!)" >"$RUN/$name.pid"
}

# Waits for a command to succeed. Usage: await NAME COMMAND…
await() {
    local name=$1 deadline=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        if ! running "$name" >/dev/null || [ $SECONDS -ge $deadline ]; then
            tail -n 20 "$RUN/$name.log" >&2
            down
            die "$name did not start; the end of its log is above, the whole in $RUN/$name.log"
        fi
        sleep 0.1
    done
}

await_http() { await "$1" curl --silent --fail --max-time 2 "http://127.0.0.1:$2"; }

free_ports() {
    "$TOOLS/bin/python" - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets))
PYTHON
}

start_seaweedfs() {
    local ports flags=() flag index=0
    read -ra ports <<<"$(free_ports 7)"
    for flag in master.port master.port.grpc volume.port volume.port.grpc filer.port filer.port.grpc s3.port.grpc; do
        flags+=("-$flag=${ports[index++]}")
    done
    cat >"$RUN/s3.json" <<JSON
{"identities": [{"name": "sf", "credentials": [{"accessKey": "$SF_LAKE__S3__ACCESS_KEY_ID", "secretKey": "$SF_LAKE__S3__SECRET_ACCESS_KEY"}],
  "actions": ["Admin", "Read", "Write", "List"]}]}
JSON
    mkdir -p "$RUN/s3"
    start seaweedfs weed -logtostderr=true server -dir="$RUN/s3" -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.telemetry=false \
        -volume.max=200 -master.volumeSizeLimitMB=64 -filer -s3 -s3.port="$1" -s3.config="$RUN/s3.json" "${flags[@]}"
    await_http seaweedfs "$1/healthz"
    make_bucket
}

# Creates the bucket; 409 says that an earlier `up` did.
make_bucket() {
    local bucket status
    bucket=$(cut -d/ -f3 <<<"$SF_LAKE__ROOT")
    status=$(curl --silent --output /dev/null --write-out '%{http_code}' --request PUT --aws-sigv4 aws:amz:us-east-1:s3 \
        --user "$SF_LAKE__S3__ACCESS_KEY_ID:$SF_LAKE__S3__SECRET_ACCESS_KEY" "$SF_LAKE__S3__ENDPOINT/$bucket")
    case $status in
    200 | 409) ;;
    *) die "the bucket $bucket could not be created: S3 answered $status" ;;
    esac
}

start_redis() {
    mkdir -p "$RUN/redis"
    start redis redis-server --bind 127.0.0.1 --port "$1" --dir "$RUN/redis" --save "60 1" --appendonly no
    await redis redis-cli -p "$1" ping
}

# Writes addresses and keys where `up`, a person and `sf` find them. Usage: write_env SECRET S3 REDIS LISTEN×4
write_env() {
    local secret=$1 s3=$2 redis=$3
    shift 3
    cat >"$RUN/env" <<ENV
export SF_SERVER=ingestion=http://127.0.0.1:$1,features=http://127.0.0.1:$2,training=http://127.0.0.1:$3,scoring=http://127.0.0.1:$4
export SF_LAKE__ROOT=s3://signaux-faibles/up
export SF_LAKE__S3__ENDPOINT=http://127.0.0.1:$s3
export SF_LAKE__S3__ACCESS_KEY_ID=sf
export SF_LAKE__S3__SECRET_ACCESS_KEY=$secret
export SF_LAKE__S3__ALLOW_HTTP=true
export SF_SERVER__REFLECTION=true
export SF_ONLINE__REDIS_URL=redis://127.0.0.1:$redis
ENV
}

# The key made by the first `up`, kept because the data outlives the servers.
secret() {
    [ -s "$RUN/secret" ] || "$TOOLS/bin/python" -c 'import secrets; print("sf-" + secrets.token_hex(16))' >"$RUN/secret"
    cat "$RUN/secret"
}

up() {
    local name ports index
    umask 077
    mkdir -p "$RUN"
    for name in "${PROCESSES[@]}"; do
        if running "$name" >/dev/null; then die "$name is already running; stop it with: make down"; fi
    done
    for name in "${SERVICES[@]}"; do
        [ -x "$PROGRAMS/$name" ] || die "$PROGRAMS/$name is missing: make build"
    done
    # S3, Redis, then gRPC and HTTP of each service.
    read -ra ports <<<"$(free_ports 10)"
    write_env "$(secret)" "${ports[@]:0:6}"
    # shellcheck source=/dev/null
    source "$RUN/env"
    start_seaweedfs "${ports[0]}"
    start_redis "${ports[1]}"
    for index in "${!SERVICES[@]}"; do
        start "${SERVICES[index]}" "$PROGRAMS/${SERVICES[index]}" \
            --listen "127.0.0.1:${ports[2 + index]}" --admin "127.0.0.1:${ports[6 + index]}"
    done
    for index in "${!SERVICES[@]}"; do
        await_http "${SERVICES[index]}" "${ports[6 + index]}/readyz"
    done

    say "All is up; logs and data are in $RUN"
    printf '  %-14s %-28s %s\n' what address "health and metrics" \
        seaweedfs "$SF_LAKE__S3__ENDPOINT" /healthz redis "$SF_ONLINE__REDIS_URL" ""
    for index in "${!SERVICES[@]}"; do
        printf '  %-14s %-28s %s\n' "${SERVICES[index]}" "http://127.0.0.1:${ports[2 + index]}" \
            "http://127.0.0.1:${ports[6 + index]}/readyz, /metrics"
    done
    cat <<TEXT
Try:
  source $RUN/env
  $PROGRAMS/sf --server \$SF_SERVER run DELIVERY --batch 2511
  $PROGRAMS/sf --server \$SF_SERVER lists show latest --limit 20
Stop with: make down
TEXT
}

# Asks each process to stop, waits, insists.
down() {
    local name pid deadline stopped=0
    for name in "${PROCESSES[@]}"; do
        if pid=$(running "$name"); then
            # SeaweedFS takes about 25 s to finish with its clients.
            say "stopping $name"
            kill "$pid"
            deadline=$((SECONDS + 40))
            while running "$name" >/dev/null; do
                if [ $SECONDS -ge $deadline ]; then kill -9 "$pid" 2>/dev/null || true; fi
                sleep 0.1
            done
            stopped=1
        fi
        rm -f "$RUN/$name.pid"
    done
    [ $stopped = 1 ] || say "nothing was running"
}

case ${1:-} in
up) up ;;
down) down ;;
*) die "usage: servers.sh up | down" ;;
esac
