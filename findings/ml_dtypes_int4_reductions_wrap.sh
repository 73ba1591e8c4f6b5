#!/usr/bin/env bash
# ml_dtypes 0.5.4 with numpy 2.3.5: sums, means and dot products of int4 arrays wrap at 4 bits.
#
# Expected: as for NumPy's own small integers, where sum() of int8 accumulates in the platform's integer and mean() in float64.
# Seen: sum() of three 7s is 5, mean() is 1 and dot() of them is 3: accumulator and result have the storage type.
# Consequence: cast low-bit weights to a wide integer before any reduction; a check sum or a mean scale taken directly is wrong.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 ml_dtypes==0.5.4
venv/bin/python - <<'PY'
import ml_dtypes
import numpy as np

low = np.array([7, 7, 7], dtype=ml_dtypes.int4)
wide = low.astype(np.int8)
print("int4: sum", low.sum(), "mean", low.mean(), "dot", np.dot(low, low))
print("int8: sum", wide.sum(), "mean", wide.mean())
assert (int(low.sum()), int(low.mean()), int(np.dot(low, low))) == (5, 1, 3)
assert (int(wide.sum()), float(wide.mean())) == (21, 7.0)
PY
