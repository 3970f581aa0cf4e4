"""The features of some companies at a month, as DuckDB reads them from the Delta table.

Usage: read_values.py TABLE_PATH BATCH MONTH SIREN... Prints {siren: {feature: value or null}}; MONTH is YYYY-MM.
"""

import json
import sys

import duckdb
from deltalake import DeltaTable


def main() -> None:
    path, batch, month, *sirens = sys.argv[1:]
    connection = duckdb.connect()
    connection.register("delta", DeltaTable(path).to_pyarrow_dataset())
    query = "SELECT * FROM delta WHERE batch = ? AND month = CAST(? AS DATE) AND list_contains(?, siren)"
    found = connection.execute(query, [batch, f"{month}-01", sirens])
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row)) for row in found.fetchall()]
    fixed = ("siren", "month", "risk", "label", "event_in", "event", "lenient_label", "batch")
    print(json.dumps({row["siren"]: {name: row[name] for name in names if name not in fixed} for row in rows}))


main()
