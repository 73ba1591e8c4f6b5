#!/usr/bin/env bash
# torch 2.13.0 on a CPU: of the float8 types, a cast to float8_e4m3fn saturates, infinity included; the others go to inf or NaN.
#
# Expected: one rule for all, that of ml_dtypes (a cast does not saturate: NaN where the type has no infinity), or saturation for all.
# Seen: 500, 1e6 and inf become 448 in float8_e4m3fn, and NaN with ml_dtypes 0.5.4; the same values become inf in float8_e5m2 and NaN
#       in float8_e4m3fnuz, in both libraries.
# Consequence: an infinity that a scale of zero makes stays visible in e5m2 and in NumPy, and is a plain 448 in torch's e4m3fn;
#       overflow must be looked for before the cast, and clamped by hand in code that must agree with ml_dtypes.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 ml_dtypes==0.5.4 torch==2.13.0
venv/bin/python - 2> errors.txt <<'PY' || { cat errors.txt; exit 1; }
import ml_dtypes
import numpy as np
import torch

print("torch", torch.__version__, "ml_dtypes", ml_dtypes.__version__)
values = np.array([448, 460, 500, 1e6, np.inf, -np.inf, np.nan], np.float32)
seen = {}
for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"):
    by_torch = torch.from_numpy(values).to(getattr(torch, name)).float().numpy()
    with np.errstate(all="ignore"):
        by_numpy = values.astype(getattr(ml_dtypes, name)).astype(np.float32)
    seen[name] = by_torch, by_numpy
    print(name, by_torch, by_numpy)
nan = np.nan
assert np.array_equal(seen["float8_e4m3fn"][0], [448, 448, 448, 448, 448, -448, nan], equal_nan=True)
assert np.array_equal(seen["float8_e4m3fn"][1], [448, 448, nan, nan, nan, nan, nan], equal_nan=True)
for name in ("float8_e5m2", "float8_e4m3fnuz"):
    assert np.array_equal(*seen[name], equal_nan=True)
assert np.isinf(seen["float8_e5m2"][0][3:6]).all() and np.isnan(seen["float8_e4m3fnuz"][0][2:]).all()
PY
