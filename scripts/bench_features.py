"""How fast features are built, beside DuckDB computing 60 of their kind on a ready panel: `make bench-features`.

Usage: bench_features.py SF DELIVERY_PREFIX WORK COMPANIES [COMPANIES...]

For each size, an invented delivery is imported once; then the build is timed, from the tables of the sources to the table of
the features, 142 months of each company. The figures of the sizes say whether time is linear and memory flat. DuckDB gets an
easier task: the monthly series are given to it as one sorted Parquet file, of the largest size, and it makes five features of
each of twelve series by window functions, into zstd Parquet, on the same two cores.
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path

from bench_ingest import THREADS, timed

BATCH, FROM, MONTHS = "2511", "2014-01", 142
SERIES = (
    "social_debt debt_employee debt_employer debt_ratio contribution_mean12 headcount payment_delay establishments_open "
    "months_in_debt debts_open payment_plan_remaining debt_per_employee"
).split()
PANEL = """
import sys, duckdb
from deltalake import DeltaTable
table, out = sys.argv[1:]
connection = duckdb.connect()
connection.execute("set enable_progress_bar = false")
connection.register("delta", DeltaTable(table).to_pyarrow_dataset())
connection.execute(f"copy (select siren, month, %s from delta) to '{out}' (format parquet, compression zstd)")
print(connection.execute("select count(*) from delta").fetchone()[0])
""" % ", ".join(SERIES)
WINDOWS = [
    "lag({0}, 1) over w",
    "lag({0}, 3) over w",
    "lag({0}, 12) over w",
    "avg({0}) over (w rows between 11 preceding and current row)",
    "max({0}) over (w rows between 11 preceding and current row)",
]
COLUMNS = ", ".join(f"{window.format(series)} as {series}_{index}" for series in SERIES for index, window in enumerate(WINDOWS))
DUCKDB = f"""
import sys, duckdb
panel, out = sys.argv[1:]
duckdb.sql("set threads = {THREADS}; set enable_progress_bar = false")
duckdb.sql(f"copy (select siren, month, {COLUMNS} from '{{panel}}' window w as (partition by siren order by month)) to '{{out}}' (format parquet, compression zstd)")
"""


def build(sf, data):
    """Seconds and peak memory of a build."""
    return timed([sf, "--data", str(data), "--quiet", "features", "build", "--batch", BATCH, "--from", FROM])


def main():
    sf, prefix, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    sizes = [int(size) for size in sys.argv[4:]]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    print(f"{'companies':>10}{'rows':>12}{'seconds':>9}{'rows/s':>10}{'us/company':>12}{'MiB':>7}", flush=True)
    for size in sizes:
        delivery, data = Path(f"{prefix}{size}"), work / f"features-{size}"
        if not delivery.exists():
            timed([sf, "datagen", "--out", str(delivery), "--companies", str(size), "--seed", "1", "--batch", BATCH])
        if not data.exists():
            timed([sf, "--data", str(data), "--quiet", "ingest", str(delivery), "--batch", BATCH])
        runs = [build(sf, data) for _ in range(3 if size <= 20_000 else 1)]
        seconds, peak = (statistics.median(column) for column in zip(*runs))
        panel = work / "panel.parquet"
        counted = subprocess.run([sys.executable, "-c", PANEL, str(data / "lake/tables/features"), str(panel)], check=True, capture_output=True)
        rows = int(counted.stdout)
        print(f"{size:>10,}{rows:>12,}{seconds:>9.1f}{rows / seconds:>10,.0f}{1e6 * seconds / size:>12,.0f}{peak:>7.0f}", flush=True)
    out = work / "out.parquet"
    theirs, memory = timed([sys.executable, "-c", DUCKDB, str(panel), str(out)])
    print(f"DuckDB, {len(SERIES) * len(WINDOWS)} columns of the last panel: {theirs:.1f} s, {rows / theirs:,.0f} rows/s, {memory:.0f} MiB")
    print(f"rows/s, ours against DuckDB's: {theirs / seconds:.2f}")


main()
