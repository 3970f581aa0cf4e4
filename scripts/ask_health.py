"""Asks a server for its health, as the kubelet does. (Not called grpc_health: grpc would import it.) Usage: ask_health.py HOST:PORT. The exit code is 0 for SERVING."""

import sys

import grpc

# grpc.health.v1.HealthCheckResponse{status: SERVING}: field 1, value 1.
SERVING = b"\x08\x01"

with grpc.insecure_channel(sys.argv[1]) as channel:
    check = channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes)
    sys.exit(0 if check(b"", timeout=5) == SERVING else 1)
