"""Clients of all services, each with all replicas to choose from, that ask again and again and say what failed.

Usage: restart_client.py SECONDS SERVICE=HOST:PORT,HOST:PORT... Prints "asking" when all do, and at the end one JSON object: requests and
failures by service. The clients are those of gRPC, with its round-robin over addresses; they send again what a server says that it never began, as gRPC does by itself, and
nothing else.
"""

import json
import sys
import threading
import time
from collections import Counter

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

METHODS = {
    "ingestion": ("signauxfaibles.ingestion.v1.IngestionService", "ListBatches", {}),
    "feature-store": ("signauxfaibles.features.v1.FeatureService", "ListFeatures", {}),
    "training": ("signauxfaibles.training.v1.TrainingService", "ListModels", {}),
    "scoring": ("signauxfaibles.lists.v1.ListService", "GetRankedList", {"id": "latest", "page_size": 20}),
}
OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    # A replica that comes back is found again before the other one goes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
    # That of several addresses would be none that a server accepts.
    ("grpc.default_authority", "localhost"),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
]


def main() -> None:
    seconds, *services = sys.argv[1:]
    counts, failures, lock = Counter(), Counter(), threading.Lock()
    begun = threading.Barrier(2 * len(services) + 1)

    def ask(name: str, addresses: str) -> None:
        service, method, fields = METHODS[name]
        with grpc.insecure_channel(addresses.split(",")[0]) as one:
            descriptor = DescriptorPool(ProtoReflectionDescriptorDatabase(one)).FindServiceByName(service).FindMethodByName(method)
            request, reply = GetMessageClass(descriptor.input_type), GetMessageClass(descriptor.output_type)
        channel = grpc.insecure_channel("ipv4:" + addresses, options=OPTIONS)
        call = channel.unary_unary(f"/{service}/{method}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString)
        begun.wait(60)
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            try:
                call(request(**fields), timeout=20)
                with lock:
                    counts[name] += 1
            except grpc.RpcError as error:
                with lock:
                    failures[f"{name}: {error.code().name}: {error.details()}"] += 1

    threads = [threading.Thread(target=ask, args=service.split("=", 1)) for service in services for _ in range(2)]
    for thread in threads:
        thread.start()
    begun.wait(60)
    print("asking", flush=True)
    for thread in threads:
        thread.join()
    print(json.dumps({"counts": counts, "failures": failures}))


main()
