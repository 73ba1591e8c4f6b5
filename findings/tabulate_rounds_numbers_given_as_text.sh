#!/usr/bin/env bash
# tabulate 0.10.0: cells that are text are printed as numbers with six digits when all of a column read as numbers, not all integers.
#
# Expected: a cell that is a str is printed as it was given: the caller formatted it.
# Seen: "1234567.89" is printed as 1.23457e+06, version "0.10" as 0.1, "0012" beside "7.5" as 12, and the short commits "12345e6" and
#       "9031771" as 1.2345e+10 and 9.03177e+06. One cell in the column that is no number, and all are printed as given.
# Consequence: formatting the numbers oneself does not keep their digits: pass disable_numparse=True.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check tabulate==0.10.0
venv/bin/python - <<'PY'
import importlib.metadata

from tabulate import tabulate


def printed(*cells, **options):
    return [line.strip() for line in tabulate([[cell] for cell in cells], tablefmt="tsv", **options).splitlines()]


print("tabulate", importlib.metadata.version("tabulate"))
columns = {("1234567.89", "2.50"): ["1.23457e+06", "2.5"], ("0.9", "0.10"): ["0.9", "0.1"], ("0012", "7.5"): ["12", "7.5"],
           ("12345e6", "9031771"): ["1.2345e+10", "9.03177e+06"]}
for cells, wanted in columns.items():
    print(cells, "printed as", printed(*cells))
    assert printed(*cells) == wanted
    assert printed(*cells, "-") == [*cells, "-"]
    assert printed(*cells, disable_numparse=True) == list(cells)
PY
