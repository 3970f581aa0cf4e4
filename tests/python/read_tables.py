"""Counts the rows of a Delta table with two independent readers.

Usage: read_tables.py TABLE_PATH BATCH COLUMN. Prints {"deltalake": n, "duckdb": n, "filtered": n, "value": n, "columns": [...]}: the
rows of the batch, then the rows whose COLUMN has the value of the last one, found by a filter and by looking at all rows.
"""

import json
import sys

import duckdb
from deltalake import DeltaTable


def main() -> None:
    path, batch, column = sys.argv[1:]
    dataset = DeltaTable(path).to_pyarrow_dataset()
    counted = sum(1 for value in dataset.to_table(columns=["batch"]).column("batch").to_pylist() if value == batch)
    # DuckDB's own delta extension is a download, which tests must not need: it opens the table through the deltalake package.
    connection = duckdb.connect()
    connection.register("delta", dataset)
    rows = connection.execute("SELECT count(*) FROM delta WHERE batch = ?", [batch]).fetchone()[0]
    values = dataset.to_table(columns=[column]).column(column).to_pylist()
    filtered = connection.execute(f"SELECT count(*) FROM delta WHERE {column} = ?", [values[-1]]).fetchone()[0]
    found = {"deltalake": counted, "duckdb": rows, "filtered": filtered, "value": values.count(values[-1])}
    print(json.dumps(found | {"columns": dataset.schema.names}))


main()
