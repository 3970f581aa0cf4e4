"""A suite that serves, and the load on it: what `bench_online.py` and `bench_score.py` share.

`sf up` serves on the first core; `sf load` asks from the second, where Redis is too.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

BATCH = "2511"
SECONDS = 6
# Where the search for the largest rate ends (requests a second).
MOST = 40_000


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def on_core(core, command):
    return ["taskset", "-c", str(core), *map(str, command)]


def wait(probe, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return probe()
        except (OSError, subprocess.CalledProcessError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def cores():
    """The core that serves, and the one that asks."""
    return sorted(os.sched_getaffinity(0))[:2]


class Serving:
    def __init__(self, sf, data, work):
        self.sf, self.data, self.work, self.cores = sf, data, work, cores()
        self.redis_port, self.port, self.admin, self.other_port, self.http_port, self.metrics_port = free_ports(6)
        self.processes = []
        self.server = None
        self.environment = {**os.environ, "SF_ONLINE__REDIS_URL": f"redis://127.0.0.1:{self.redis_port}"}

    def start(self, core, *command):
        log = open(self.work / f"{Path(command[0]).name}.log", "w")
        process = subprocess.Popen(on_core(core, command), stdout=log, stderr=log, env=self.environment)
        self.processes.append(process)
        return process

    def start_redis(self):
        command = ["redis-server", "--bind", "127.0.0.1", "--port", self.redis_port, "--save", "", "--dir", self.work]
        self.start(self.cores[1], *command)
        return wait(self.memory)

    def redis(self, *command):
        run = subprocess.run(["redis-cli", "-p", str(self.redis_port), *command], check=True, capture_output=True, text=True)
        return run.stdout

    def memory(self):
        lines = dict(line.split(":", 1) for line in self.redis("info", "memory").splitlines() if ":" in line)
        return int(lines["used_memory"])

    def run_sf(self, *arguments):
        command = [self.sf, "--quiet", "--format", "json", *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=self.environment).stdout

    def sf_json(self, *arguments):
        return json.loads(self.run_sf(*arguments))

    def serve(self):
        core, _ = self.cores
        self.server = self.start(core, self.sf, "--data", self.data, "up", "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin}")
        wait(lambda: urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=2).read())

    def load(self, what, companies, rate, seconds=SECONDS):
        _, core = self.cores
        server = f"http://127.0.0.1:{self.port}"
        load = ["load", what, "--companies", companies, "--rate", rate, "--seconds", seconds, "--batch", BATCH]
        command = on_core(core, [self.sf, "--server", server, "--quiet", "--format", "json", *load])
        report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for failure in report["failures"]:
            print(f"  {what} at {rate:,.0f}/s, {report['errors']} of {report['requests']} failed: {failure}", flush=True)
        return report

    def largest(self, what, companies, allowed, rate):
        """The largest rate that keeps within the limit, to a twentieth, and its report."""
        def good(rate):
            # The best of three: a machine that is shared has hiccups of its own.
            runs = [run for run in (self.load(what, companies, rate) for _ in range(3)) if run["errors"] == 0]
            run = min(runs, key=lambda run: run["p99_ms"], default=None)
            return run if run and run["p99_ms"] <= allowed else None

        # Upwards until it is too much. A low rate may fail where a higher one does not: cores that sleep wake up late.
        low, best = 0, None
        while (run := good(rate)) or best is None and rate < MOST:
            if run:
                low, best = rate, run
            rate *= 2
        high = rate
        while best and high - low > high / 20:
            rate = (low + high) / 2
            if run := good(rate):
                low, best = rate, run
            else:
                high = rate
        return best

    def stop_server(self):
        self.server.terminate()
        self.server.wait()
        self.processes.remove(self.server)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
