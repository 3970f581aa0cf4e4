"""What one core serves of the latest vectors, from Redis through gRPC: `make bench-online`.

Usage: bench_online.py SF DELIVERY WORK COMPANIES

The features of an invented delivery are built into a Redis of its own; `sf up` serves them on the first core, and `sf load`
asks for companies at random from the second, where Redis is too. The load is an open loop: requests are sent when due, and a
latency counts from then. For requests of 1 and of 100 companies: the largest rate with a 99th percentile of at most 1 or 5 ms (10 ms
for 100 companies) and no error, and the latencies at a tenth of it. The baseline is Redis alone, asked for
values of the same size by redis-benchmark on the same core.
"""

import subprocess
import sys
from pathlib import Path

from bench_serving import BATCH, Serving, on_core

# Companies in a request, the 99th percentile allowed (ms), where the search begins (requests a second).
CASES = ((1, 1.0, 500), (1, 5.0, 2_000), (100, 10.0, 100))


def redis_alone(serving, size):
    """GETs a second of Redis, each client waiting for its answer."""
    _, core = serving.cores
    serving.redis("set", "bench", "x" * size)
    command = ["redis-benchmark", "-p", serving.redis_port, "-c", "50", "-n", "200000", "--csv", "get", "bench"]
    out = subprocess.run(on_core(core, command), check=True, capture_output=True, text=True).stdout
    serving.redis("del", "bench")
    return float(out.splitlines()[-1].split(",")[1].strip('"'))


def main():
    sf, delivery, work, companies = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    data = work / f"features-{companies}"
    serving = Serving(sf, data, work)
    try:
        before = serving.start_redis()
        if not data.exists():
            serving.sf_json("--data", data, "ingest", delivery, "--batch", BATCH)
        built = serving.sf_json("--data", data, "features", "build", "--batch", BATCH)
        vectors, features = int(built["companies"]), int(built["features"])
        # By key, not by company: when an older generation was there, the empty Redis was given it first.
        vector = (serving.memory() - before) // int(serving.redis("dbsize"))
        print(f"{vectors:,} companies x {features} features; Redis: {vector / features:.2f} bytes a feature, all in")
        alone = redis_alone(serving, vector)
        serving.serve()
        print(f"{'companies':>9}{'p99 allowed':>13}{'largest rate':>14}{'p50 ms':>8}{'p99 ms':>8}{'at a tenth: p50':>17}{'p99 ms':>8}{'of Redis alone':>16}")
        for size, allowed, rate in CASES:
            best = serving.largest("features", size, allowed, rate)
            if best is None:
                print(f"{size:>9}{allowed:>10.0f} ms  kept at no rate from {rate} requests a second on", flush=True)
                continue
            calm = serving.load("features", size, best["rate"] / 10)
            print(
                f"{size:>9}{allowed:>10.0f} ms{best['rate']:>12,.0f}/s{best['p50_ms']:>8.2f}{best['p99_ms']:>8.2f}"
                f"{calm['p50_ms']:>17.2f}{calm['p99_ms']:>8.2f}{best['rate'] * size / alone:>16.2f}",
                flush=True,
            )
        print(f"Redis alone: {alone:,.0f} values a second (redis-benchmark, 50 clients, on the core of Redis)")
    finally:
        serving.stop()


main()
