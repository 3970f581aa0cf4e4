"""Counts the rows of a Delta table with two independent readers.

Usage: read_tables.py TABLE_PATH BATCH. Prints {"deltalake": n, "duckdb": n, "columns": [...]}.
"""

import json
import sys

import duckdb
from deltalake import DeltaTable


def main() -> None:
    path, batch = sys.argv[1:]
    dataset = DeltaTable(path).to_pyarrow_dataset()
    table = dataset.to_table(columns=["batch"])
    counted = sum(1 for value in table.column("batch").to_pylist() if value == batch)
    # DuckDB reads the files that the table's log names: its own delta extension is a download, which tests must not need.
    files = DeltaTable(path).file_uris([("batch", "=", batch)])
    rows = duckdb.sql(f"SELECT count(*) FROM read_parquet({files!r})").fetchone()[0]
    print(json.dumps({"deltalake": counted, "duckdb": rows, "columns": dataset.schema.names}))


main()
