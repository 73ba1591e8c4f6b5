#!/usr/bin/env bash
# ml_dtypes 0.6.0: numpy.sort of bfloat16 or float8 values with a NaN among them leaves them unsorted.
#
# Expected: NumPy's order of its own floats, float16 included: all NaN at the end, the numbers before them sorted.
# Seen: [3, nan, 1, 2] stays as it is; a thousand values with one NaN in the middle become two runs, each sorted alone. float16 is sorted.
# Consequence: what is taken from sorted values is wrong without an error: the largest k of a calibration, unique, searchsorted. Sort
#       values.astype(numpy.float32).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 ml_dtypes==0.6.0
venv/bin/python - <<'PY'
import ml_dtypes
import numpy as np

print("ml_dtypes", ml_dtypes.__version__, "numpy", np.__version__)
values = np.array([3, np.nan, 1, 2], dtype=np.float32)
many = np.linspace(1, 0, 1001, dtype=np.float32)
many[500] = np.nan
kinds = [np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2]
for kind in kinds:
    few = np.sort(values.astype(kind)).astype(np.float32)
    sorted_ = np.sort(many.astype(kind)).astype(np.float32)
    numbers = sorted_[~np.isnan(sorted_)]
    runs = 1 + int((np.diff(numbers) < 0).sum())
    print(np.dtype(kind).name, few, "runs:", runs, "unique:", np.unique(values.astype(kind)))
    assert len(numbers) == 1000
    if kind is np.float16:
        np.testing.assert_array_equal(few, [1, 2, 3, np.nan])
        assert runs == 1
    else:
        assert sorted(few[~np.isnan(few)]) == [1, 2, 3] and few.tolist()[:3] != [1, 2, 3]
        assert runs == 2
PY
