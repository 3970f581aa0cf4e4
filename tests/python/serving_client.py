"""Clients that score companies and walk through the published list, again and again, and say what was wrong.

Usage: serving_client.py HOST:PORT SECONDS SIREN... Prints one JSON object: what was asked, what failed, which models and lists were
seen, and answers that mix two of them: two probabilities of one company by one model, or a walk through pages whose rows are not
those of the list that the pages name.
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

SCORING = "signauxfaibles.scoring.v1.ScoringService"
LISTS = "signauxfaibles.lists.v1.ListService"


def main() -> None:
    address, seconds, *sirens = sys.argv[1:]
    end = time.monotonic() + float(seconds)
    lock, counts, failures, mixed = threading.Lock(), Counter(), Counter(), []
    known_scores: dict[tuple[str, str], float] = {}
    known_lists: dict[tuple[str, int], tuple[str, ...]] = {}

    def client():
        channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))

        def method(service: str, name: str):
            descriptor = pool.FindServiceByName(service).FindMethodByName(name)
            request, reply = GetMessageClass(descriptor.input_type), GetMessageClass(descriptor.output_type)
            call = channel.unary_unary(
                f"/{service}/{name}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString
            )
            return lambda **fields: call(request(**fields), timeout=30)

        return method

    def failed(error: grpc.RpcError) -> None:
        with lock:
            failures[f"{error.code().name}: {error.details()}"] += 1

    def score() -> None:
        call = client()(SCORING, "ScoreCompany")
        number = 0
        while time.monotonic() < end:
            siren = sirens[number % len(sirens)]
            number += 1
            try:
                found = call(siren=siren).score
            except grpc.RpcError as error:
                failed(error)
                continue
            with lock:
                counts["scores"] += 1
                counts["stale scores"] += found.stale
                before = known_scores.setdefault((found.model_id, siren), found.probability)
            if before != found.probability:
                mixed.append(f"{siren} by {found.model_id}: {before} and {found.probability}")

    def walk() -> None:
        call = client()(LISTS, "GetRankedList")
        while time.monotonic() < end:
            rows, token, identity = [], "", None
            while True:
                try:
                    page = call(id="latest", page_size=100, page_token=token)
                except grpc.RpcError as error:
                    # Another list was published between two pages: the client is told, and begins again.
                    if error.code() == grpc.StatusCode.ABORTED:
                        counts["walks begun again"] += 1
                    else:
                        failed(error)
                    break
                counts["pages"] += 1
                counts["stale pages"] += page.list.stale
                found = (page.list.id, page.list.generation, page.list.model_id)
                if identity not in (None, found):
                    mixed.append(f"a walk of {identity} and {found}")
                identity = found
                rows.extend(entry.siren for entry in page.entries)
                token = page.next_page_token
                if not token:
                    with lock:
                        counts["walks"] += 1
                        before = known_lists.setdefault(identity, tuple(rows))
                    if before != tuple(rows):
                        mixed.append(f"two walks through {identity} differ")
                    break

    threads = [threading.Thread(target=target) for target in (score, score, walk, walk)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    models = {model for model, _ in known_scores}
    print(
        json.dumps(
            {
                "counts": counts,
                "failures": failures,
                "mixed": mixed[:10],
                "models": len(models),
                "lists": len(known_lists),
            }
        )
    )


main()
