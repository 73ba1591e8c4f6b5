#!/usr/bin/env bash
# duckdb 2.0.1: a CSV column that begins with inf is not read as numbers: it is DATE where all are inf, and text where numbers follow.
#
# Expected: DOUBLE in any order of the rows, as where inf comes after a number, as of nan, and as DuckDB writes inf to CSV itself.
# Seen: 9.5, inf, 10.25 is DOUBLE; inf, 9.5, 10.25 is VARCHAR, whose least value is 10.25; inf alone is the date 9999-12-31. The sniffer
#       takes inf for DuckDB's infinite date, and has no type for what is a date and a number.
# Consequence: in a sweep that marks what is not feasible by inf, the first row decides whether min() is the least energy or the first
#       text, without an error: give types={"energy_pj": "DOUBLE"}, or write Parquet.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check duckdb==2.0.1
venv/bin/python - <<'PY'
import datetime
import math

import duckdb

print("duckdb", duckdb.__version__)


def least(values, options=""):
    """The type of the column and its least value."""
    with open("sweep.csv", "w") as file:
        file.write("design,energy_pj\n" + "".join(f"d{i},{value}\n" for i, value in enumerate(values)))
    return duckdb.sql(f"SELECT typeof(min(energy_pj)), min(energy_pj) FROM read_csv('sweep.csv'{options})").fetchall()[0]


expected = {
    (9.5, math.inf, 10.25): ("DOUBLE", 9.5),
    (math.nan, 9.5, 10.25): ("DOUBLE", 9.5),
    (math.inf, 9.5, 10.25): ("VARCHAR", "10.25"),
    (-math.inf, 9.5, 10.25): ("VARCHAR", "-inf"),
    (math.inf, math.inf): ("DATE", datetime.date.max),
}
for values, found in expected.items():
    print(values, read := least(values))
    assert read == found
print("with types:", read := least((math.inf, 9.5, 10.25), ", types={'energy_pj': 'DOUBLE'}"))
assert read == ("DOUBLE", 9.5)
duckdb.sql("COPY (SELECT 'inf'::DOUBLE AS x) TO 'own.csv'")
print("own file:", read := duckdb.sql("SELECT typeof(x) FROM read_csv('own.csv')").fetchall()[0])
assert read == ("DATE",) and open("own.csv").read() == "x\ninf\n"
PY
