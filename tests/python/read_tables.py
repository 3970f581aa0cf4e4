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
    counted = sum(1 for value in dataset.to_table(columns=["batch"]).column("batch").to_pylist() if value == batch)
    # DuckDB's own delta extension is a download, which tests must not need: it opens the table through the deltalake package.
    connection = duckdb.connect()
    connection.register("delta", dataset)
    rows = connection.execute("SELECT count(*) FROM delta WHERE batch = ?", [batch]).fetchone()[0]
    print(json.dumps({"deltalake": counted, "duckdb": rows, "columns": dataset.schema.names}))


main()
