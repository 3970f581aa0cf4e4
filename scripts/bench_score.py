"""What one core serves of scores and list pages: `make bench-score`.

Usage: bench_score.py SF DELIVERY WORK COMPANIES

The whole chain runs once on an invented delivery, with a Redis of its own; `sf up` then serves on the first core, and `sf load`
asks from the second, where Redis is too. The load is an open loop: requests are sent when due, and a latency counts from then.
Scores: the largest rate with a 99th percentile of at most 5 ms and no error, and the latencies at half of it. Pages: 50 entries of a
department of the published list, at fixed rates. Beside them, when it can be installed, MLServer serves the same model on the same core, and
is asked for rows (no store, no company) by the Open Inference Protocol.
"""

import importlib.util
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench_serving import BATCH, Serving, cores

SECONDS = 6


def asked(port, row):
    """Requests a second for one row by the Open Inference Protocol: as many Python clients as it takes, each waiting for its answer."""
    import grpc
    from mlserver.grpc import dataplane_pb2 as pb
    from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

    stub = GRPCInferenceServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
    contents = pb.InferTensorContents(fp32_contents=row)
    tensor = pb.ModelInferRequest.InferInputTensor(name="features", datatype="FP32", shape=[1, len(row)], contents=contents)
    request = pb.ModelInferRequest(model_name="champion", inputs=[tensor])
    deadline = time.monotonic() + 60
    while True:
        try:
            stub.ModelInfer(request, timeout=5)
            break
        except grpc.RpcError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    count, stop = [0] * 16, time.monotonic() + SECONDS

    def ask(client):
        while time.monotonic() < stop:
            stub.ModelInfer(request, timeout=5)
            count[client] += 1

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(len(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(count) / SECONDS


def champion(serving):
    """The text of the champion, and how many features it reads."""
    lake = serving.data / "lake"
    identifier = json.loads((lake / "pointers" / "champion").read_text())["id"]
    text = (lake / "models" / identifier / "model.txt").read_text()
    names = next(line for line in text.splitlines() if line.startswith("feature_names="))
    return text, len(names.split("=", 1)[1].split(" "))


def start_mlserver(serving, work, text):
    folder = work / "mlserver-model"
    folder.mkdir(exist_ok=True)
    (folder / "model.bst").write_text(text)
    settings = {"name": "champion", "implementation": "mlserver_lightgbm.LightGBMModel", "parameters": {"uri": "./model.bst"}}
    (folder / "model-settings.json").write_text(json.dumps(settings))
    ports = {"http_port": serving.http_port, "grpc_port": serving.other_port, "metrics_port": serving.metrics_port}
    # A worker in the server's own process: on one core, others only pass messages.
    (folder / "settings.json").write_text(json.dumps({"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}))
    serving.start(cores()[0], Path(sys.executable).with_name("mlserver"), "start", folder)


def main():
    sf, delivery, work, companies = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    serving = Serving(sf, work / f"score-{companies}", work)
    try:
        serving.start_redis()
        if not serving.data.exists():
            serving.run_sf("--data", serving.data, "run", delivery, "--batch", BATCH)
        else:
            serving.sf_json("--data", serving.data, "features", "build", "--batch", BATCH)
        serving.serve()
        best = serving.largest("scores", 1, 5.0, 2_000)
        if best is None:
            print("ScoreCompany keeps a 99th percentile of 5 ms at no rate from 2,000/s on")
            return
        half = serving.load("scores", 1, best["rate"] / 2)
        print(f"ScoreCompany: {best['rate']:,.0f}/s with p50 {best['p50_ms']:.2f} ms, p99 {best['p99_ms']:.2f} ms")
        print(f"  at half of it: p50 {half['p50_ms']:.2f} ms, p99 {half['p99_ms']:.2f} ms, {half['errors']} errors")
        for rate in (50, 200, 800):
            page = serving.load("lists", 1, rate)
            print(f"list page at {rate}/s: p50 {page['p50_ms']:.2f} ms, p99 {page['p99_ms']:.2f} ms, {page['errors']} errors", flush=True)
        if importlib.util.find_spec("mlserver") is None:
            print("MLServer is not installed: not compared")
            return
        text, width = champion(serving)
        ours = asked(serving.port, [0.0] * width)
        serving.stop_server()
        start_mlserver(serving, work, text)
        theirs = asked(serving.other_port, [0.0] * width)
        print(f"the same model by MLServer: {theirs:,.0f}/s; ScoreCompany serves {best['rate'] / theirs:.1f} times as many")
        print(f"  asked by the same Python clients, which are then the limit: {ours:,.0f}/s, {ours / theirs:.1f} times as many")
    finally:
        serving.stop()


main()
