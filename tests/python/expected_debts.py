"""Sums the expected debts of an independent generator by company.

Usage: expected_debts.py debts_expected.parquet COUNT. Prints {siren: {month: [employee_cents, employer_cents]}} for COUNT companies.
"""

import json
import sys

import pyarrow.parquet as pq


def main() -> None:
    path, count = sys.argv[1], int(sys.argv[2])
    table = pq.read_table(path)
    sums: dict[str, dict[str, list[int]]] = {}
    for row in table.to_pylist():
        months = sums.setdefault(row["siret"][:9], {})
        parts = months.setdefault(str(row["month"])[:7], [0, 0])
        parts[0] += row["part_ouvriere"]
        parts[1] += row["part_patronale"]
    print(json.dumps({siren: sums[siren] for siren in sorted(sums)[:count]}))


main()
