#!/usr/bin/env bash
# torch 2.13.0 on a CPU: a cast to float8_e8m0fnu, the type of MX scales, makes negative numbers positive and 0 the least power.
#
# Expected: NaN, as with ml_dtypes 0.5.4: the type has neither sign nor zero.
# Seen: -1 becomes 1, -40 becomes 32, 0 becomes 2^-127, without a warning. Positive numbers agree in both libraries.
# Consequence: a wrong sign of a scale passes through MX code unseen, and a block of zeros has the scale 2^-127 here and NaN there.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 ml_dtypes==0.5.4 torch==2.13.0
venv/bin/python - 2> errors.txt <<'PY' || { cat errors.txt; exit 1; }
import ml_dtypes
import numpy as np
import torch

print("torch", torch.__version__, "ml_dtypes", ml_dtypes.__version__)


def both(values):
    values = np.array(values, np.float32)
    with np.errstate(all="ignore"):
        by_numpy = values.astype(ml_dtypes.float8_e8m0fnu).astype(np.float32)
    return torch.from_numpy(values).to(torch.float8_e8m0fnu).float().numpy(), by_numpy


by_torch, by_numpy = both([-1, -40, 0, -0.0])
print("torch", by_torch, "ml_dtypes", by_numpy)
assert by_torch.tolist() == [1, 32, 2.0**-127, 2.0**-127] and np.isnan(by_numpy).all()
assert np.array_equal(*both(np.geomspace(1e-30, 1e30, 999)))
PY
