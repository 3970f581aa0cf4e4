"""Clients of the scoring service while it is harmed: they ask every few milliseconds and write down what they get.

Usage: fault_client.py FILE HOST:PORT,HOST:PORT SIREN... Until it is stopped. Each line of FILE is one request: when it ended (seconds since
1970), how long it took, what was asked, the status, whether the answer was stale, and the answer itself in short.
"""

import hashlib
import json
import sys
import threading
import time

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

path, addresses, *sirens = sys.argv[1:]
out, lock = open(path, "a", buffering=1), threading.Lock()
OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    # That of several addresses would be none that a server accepts.
    ("grpc.default_authority", "localhost"),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 1000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
]
METHODS = {
    "score": ("signauxfaibles.scoring.v1.ScoringService", "ScoreCompany"),
    "page": ("signauxfaibles.lists.v1.ListService", "GetRankedList"),
    "sheet": ("signauxfaibles.companies.v1.CompanyService", "GetCompany"),
}


def short(what: str, reply) -> tuple[bool, str]:
    if what == "score":
        return reply.score.stale, f"{reply.score.model_id} {reply.score.batch} {reply.score.siren} {reply.score.probability!r}"
    if what == "page":
        rows = " ".join(f"{entry.siren}={entry.probability!r}" for entry in reply.entries)
        digest = hashlib.sha256(rows.encode()).hexdigest()[:16]
        return reply.list.stale, f"{reply.list.id} {reply.list.generation} {reply.list.model_id} {digest}"
    return reply.stale, f"{reply.company.siren} sheet"


def ask(what: str) -> None:
    service, name = METHODS[what]
    with grpc.insecure_channel(addresses.split(",")[0]) as one:
        descriptor = DescriptorPool(ProtoReflectionDescriptorDatabase(one)).FindServiceByName(service).FindMethodByName(name)
    request, reply = GetMessageClass(descriptor.input_type), GetMessageClass(descriptor.output_type)
    channel = grpc.insecure_channel("ipv4:" + addresses, options=OPTIONS)
    call = channel.unary_unary(f"/{service}/{name}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString)
    number = 0
    while True:
        siren = sirens[number % len(sirens)]
        number += 1
        fields = {"id": "latest", "page_size": 50} if what == "page" else {"siren": siren}
        start = time.time()
        try:
            stale, answer = short(what, call(request(**fields), timeout=12))
            status = "OK"
        except grpc.RpcError as error:
            stale, answer, status = False, error.details(), error.code().name
        end = time.time()
        line = {"at": end, "took": end - start, "what": what, "status": status, "stale": stale, "answer": answer}
        with lock:
            out.write(json.dumps(line) + "\n")
        time.sleep(0.03)


threads = [threading.Thread(target=ask, args=(what,), daemon=True) for what in METHODS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
