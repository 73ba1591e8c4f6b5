#!/usr/bin/env bash
# ml_dtypes 0.5.4: a NaN cast to float4_e2m1fn becomes -0, while a finite number that is too large is saturated.
#
# Expected: the format has no NaN, so a NaN saturates as infinity does (to 6), or the cast warns.
# Seen: NaN -> -0.0 without a warning; 100 and infinity -> 6. float8_e4m3fn does the opposite: 465 and infinity -> NaN.
# Consequence: a NaN in an activation disappears in the FP4 path: check isfinite before the cast.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 ml_dtypes==0.5.4
venv/bin/python -W error - <<'PY'
import ml_dtypes
import numpy as np

four = np.array([np.nan, 100.0, np.inf]).astype(ml_dtypes.float4_e2m1fn).astype(float)
eight = np.array([np.nan, 465.0, np.inf]).astype(ml_dtypes.float8_e4m3fn).astype(float)
print("float4_e2m1fn:", four, "float8_e4m3fn:", eight)
assert four.tolist() == [0.0, 6.0, 6.0] and np.signbit(four[0])
assert np.isnan(eight).all()
PY
