"""How fast files are imported, beside DuckDB reading the same files into Parquet: `make bench-ingest`.

Usage: bench_ingest.py SF DELIVERY WORK [RUNS]

Each file is imported by `sf ingest` (copied, parsed, checked, sorted, committed) and read by DuckDB with typed columns into one
zstd Parquet file, on the same two cores, taking turns. The median of the runs counts; the ratio is ours against DuckDB,
above 1 when we are faster. Peaks of memory are those of the processes.
"""

import gzip
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

# File, the query of DuckDB. It converts what it can by itself; Urssaf's dates and periods stay integers.
CASES = {
    "sigfaible_debits.csv": ";",
    "sigfaible_cotisdues.csv": ";",
    "StockEtablissement_utf8_geo.csv": ",",
}
THREADS = 2
DUCKDB = """
import sys, duckdb
source, delimiter, out = sys.argv[1:]
duckdb.sql("set threads = %d")
query = f"select * from read_csv('{source}', delim='{delimiter}', header=true, ignore_errors=true, null_padding=false, sample_size=100000)"
duckdb.sql(f"copy ({query}) to '{out}' (format parquet, compression zstd)")
""" % THREADS


def timed(command):
    """Seconds and peak memory (MiB) of a process."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed\n{process.stderr.read().decode()}")
    return seconds, usage.ru_maxrss / 1024


def plain(delivery, name, work):
    """The file uncompressed and compressed, each alone in a folder. Piece by piece: a process starts with the peak of memory
    of the one that starts it."""
    folders = {"plain": work / "plain" / name, "gzip": work / "gzip" / name}
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    source = delivery / name
    lines, size = -1, 0
    with (
        open(source, "rb") if source.exists() else gzip.open(f"{source}.gz", "rb") as text,
        open(folders["plain"] / name, "wb") as plain,
        gzip.open(folders["gzip"] / f"{name}.gz", "wb", compresslevel=6) as packed,
    ):
        while piece := text.read(1 << 20):
            lines, size = lines + piece.count(b"\n"), size + len(piece)
            plain.write(piece)
            packed.write(piece)
    return folders, lines, size


def main():
    sf, delivery, work = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    head = ("file", "form", "lines", "ours lines/s", "ours MB/s", "peak MiB", "DuckDB lines/s", "peak MiB", "ratio")
    print("{:<34}{:<7}{:>11}{:>14}{:>11}{:>10}{:>16}{:>10}{:>8}".format(*head))
    for name, delimiter in CASES.items():
        folders, lines, size = plain(delivery, name, work)
        for form, folder in folders.items():
            [file] = folder.iterdir()
            ours, theirs = [], []
            for _ in range(runs):
                data, out = work / "data", work / "out.parquet"
                shutil.rmtree(data, ignore_errors=True)
                ours.append(timed([sf, "--data", str(data), "--quiet", "ingest", str(folder), "--batch", "2511"]))
                theirs.append(timed([sys.executable, "-c", DUCKDB, str(file), delimiter, str(out)]))
            (us, our_peak), (them, their_peak) = ([statistics.median(column) for column in zip(*side)] for side in (ours, theirs))
            print(
                f"{name:<34}{form:<7}{lines:>11,}{lines / us:>14,.0f}{size / us / 1e6:>11.0f}{our_peak:>10.0f}"
                f"{lines / them:>16,.0f}{their_peak:>10.0f}{them / us:>8.2f}",
                flush=True,
            )


main()
