"""MLServer's own client code for the Open Inference Protocol: it asks for the model and scores a company.

Usage: inference_client.py HOST:PORT SIREN. Prints one JSON object.
"""

import json
import sys

import grpc
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub


def main() -> None:
    address, siren = sys.argv[1:]
    stub = GRPCInferenceServiceStub(grpc.insecure_channel(address))
    assert stub.ServerLive(pb.ServerLiveRequest()).live
    metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name="champion"))
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="siren", datatype="BYTES", shape=[1], contents=pb.InferTensorContents(bytes_contents=[siren.encode()])
    )
    reply = stub.ModelInfer(pb.ModelInferRequest(model_name="champion", inputs=[tensor]), timeout=30)
    outputs = {output.name: list(output.contents.fp64_contents) for output in reply.outputs}
    print(json.dumps({"platform": metadata.platform, "model": reply.model_version, **outputs}))


main()
