#!/usr/bin/env bash
# moocore 0.3.2: one row with a NaN objective makes every other point dominated.
#
# Expected: a row that cannot be compared is ignored or kept beside the others, or refused with an error.
# Seen: is_nondominated returns False for all four points of a proper front and True for the row with NaN.
# Consequence: a design that could not be evaluated wipes out the Pareto set: mask with isfinite first, and count what was masked.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 moocore==0.3.2
venv/bin/python - <<'PY'
import moocore
import numpy as np

front = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 2.0], [4.0, 1.0]])
failed = np.array([[np.nan, 0.5]])
alone = moocore.is_nondominated(front).tolist()
beside = moocore.is_nondominated(np.vstack([front, failed])).tolist()
print("front alone:", alone, "with a NaN row:", beside)
assert alone == [True] * 4
assert beside == [False] * 4 + [True]
PY
