"""A client that knows nothing of our protos: it asks the server for them, then scores, explains and reads a list.

Usage: reflection_client.py HOST:PORT SIREN. Prints one JSON object.
"""

import json
import sys
from base64 import b64encode

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


def main() -> None:
    address, siren = sys.argv[1:]
    channel = grpc.insecure_channel(address)
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)

    def call(service: str, method: str, request: dict) -> dict:
        descriptor = pool.FindServiceByName(service).FindMethodByName(method)
        request_class = GetMessageClass(descriptor.input_type)
        reply_class = GetMessageClass(descriptor.output_type)
        rpc = channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=request_class.SerializeToString,
            response_deserializer=reply_class.FromString,
        )
        message = json_format.ParseDict(request, request_class())
        return json_format.MessageToDict(rpc(message, timeout=30), preserving_proto_field_name=True)

    scoring = "signauxfaibles.scoring.v1.ScoringService"
    lists = "signauxfaibles.lists.v1.ListService"
    inference = "inference.GRPCInferenceService"
    tensor = {"name": "siren", "datatype": "BYTES", "shape": [1], "contents": {"bytes_contents": [b64encode(siren.encode()).decode()]}}
    print(
        json.dumps(
            {
                "services": sorted(database.get_services()),
                "score": call(scoring, "ScoreCompany", {"siren": siren}),
                "explanation": call(scoring, "ExplainScore", {"siren": siren}),
                "model": call(inference, "ModelMetadata", {"name": "champion"}),
                "inferred": call(inference, "ModelInfer", {"model_name": "champion", "inputs": [tensor]}),
                "list": call(lists, "GetRankedList", {"id": "latest", "page_size": 5}),
            }
        )
    )


main()
