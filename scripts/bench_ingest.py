"""How fast files are imported, beside DuckDB reading the same files into Parquet: `make bench-ingest`.

Usage: bench_ingest.py SF DELIVERY WORK [RUNS]

Each file is imported by `sf ingest` (copied, parsed, checked, sorted, committed) and read by DuckDB into one zstd Parquet file,
on the same two cores, taking turns. DuckDB does it twice: with the types that it guesses, which makes numbers of identifiers
and of Urssaf's dates; and into the columns that our table has. The median of the runs counts; the ratios are ours against
DuckDB's, above 1 when we are faster. Peaks of memory are those of the processes.
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

# An Urssaf period YYYYQM: a month, a quarter (M = 0) or a year (Q = 6, M = 2); its months as [first, last].
PERIOD = """
    try(make_date({0} // 100, case when {0} % 100 = 62 then 1 else ({0} // 10 % 10 - 1) * 3 + greatest({0} % 10, 1) end, 1)) as period_start,
    try(make_date({0} // 100, case when {0} % 100 = 62 then 12 when {0} % 10 = 0 then {0} // 10 % 10 * 3 else ({0} // 10 % 10 - 1) * 3 + {0} % 10 end, 1))
        as period_end"""
DAY = "try(make_date(1900 + {0} // 10000, {0} // 100 % 100, {0} % 100))"
# File, its delimiter, and the columns of our table: those that DuckDB must read as text, and what is made of them. Lines that
# we reject it leaves out or makes null.
CASES = {
    "sigfaible_debits.csv": (
        ";",
        "Siret num_cpte Num_Ecn Cd_pro_col Cd_op_ecn Motif_ecn",
        f"""Siret[1:9] as siren, Siret as siret, num_cpte as account, {PERIOD.format("Periode")}, Num_Ecn as gap_number,
        Num_Hist_Ecn::int as history_number, {DAY.format("Dt_trt_ecn")} as treated_on, Mt_PO::bigint as employee_cents,
        Mt_PP::bigint as employer_cents, Etat_cpte::int as account_state, Cd_pro_col as procol_code, Cd_op_ecn as operation_code,
        Motif_ecn as reason_code, Recours_en_cours = 1 as appeal, {DAY.format("Dt_trt_ecn")} as known_at""",
    ),
    "sigfaible_cotisdues.csv": (
        ";",
        "Siret Compte enc_direct cotis_due",
        f"""Siret[1:9] as siren, Siret as siret, Compte as account, {PERIOD.format("periode")},
        round(try_cast(replace(enc_direct, ',', '.') as double) * 100)::bigint as paid_cents,
        round(try_cast(replace(cotis_due, ',', '.') as double) * 100)::bigint as due_cents""",
    ),
    "StockEtablissement_utf8_geo.csv": (",", "siren nic siret", "*"),
}
THREADS = 2
DUCKDB = """
import sys, duckdb
source, delimiter, out, text, columns = sys.argv[1:]
duckdb.sql("set threads = %d")
types = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in text.split()) + "}"
typed = f", types={types}" if text else ""
csv = f"read_csv('{source}', delim='{delimiter}', header=true, ignore_errors=true, null_padding=false, sample_size=100000{typed})"
duckdb.sql(f"copy (select {columns} from {csv}) to '{out}' (format parquet, compression zstd)")
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
    head = ("file", "form", "lines", "ours lines/s", "ours MB/s", "MiB", "DuckDB guessing", "MiB", "ratio", "same columns", "MiB", "ratio")
    print("{:<34}{:<7}{:>11}{:>14}{:>11}{:>7}{:>17}{:>7}{:>7}{:>14}{:>7}{:>7}".format(*head))
    for name, (delimiter, text, columns) in CASES.items():
        folders, lines, size = plain(delivery, name, work)
        for form, folder in folders.items():
            [file] = folder.iterdir()
            sides = [[], [], []]
            for _ in range(runs):
                data, out = work / "data", work / "out.parquet"
                shutil.rmtree(data, ignore_errors=True)
                sides[0].append(timed([sf, "--data", str(data), "--quiet", "ingest", str(folder), "--batch", "2511"]))
                duckdb = [sys.executable, "-c", DUCKDB, str(file), delimiter, str(out)]
                sides[1].append(timed([*duckdb, "", "*"]))
                sides[2].append(timed([*duckdb, text, columns]))
            (us, peak), *them = ([statistics.median(column) for column in zip(*side)] for side in sides)
            line = f"{name:<34}{form:<7}{lines:>11,}{lines / us:>14,.0f}{size / us / 1e6:>11.0f}{peak:>7.0f}"
            for (seconds, peak), width in zip(them, (17, 14)):
                line += f"{lines / seconds:>{width},.0f}{peak:>7.0f}{seconds / us:>7.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
