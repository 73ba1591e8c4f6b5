#!/usr/bin/env bash
# ml_dtypes 0.5.4 with numpy 2.3.5: 0 cast to float8_e8m0fnu, the type of shared block scales, is NaN.
#
# Expected: the format has no zero, so its smallest number, 2^-127, as for the subnormal below it.
# Seen: NaN, without a warning; 1e-45 becomes 2^-127.
# Consequence: the scale of a block of zeros, taken as its largest magnitude, turns the whole block into NaN (0 x NaN);
# pruned and ternary weights have such blocks. Choose a scale of 1 for them.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 ml_dtypes==0.5.4
venv/bin/python - <<'PY'
import warnings

import ml_dtypes
import numpy as np

warnings.simplefilter("error")
block = np.zeros(32, dtype=np.float32)
scale = np.abs(block).max().astype(ml_dtypes.float8_e8m0fnu)
tiny = np.float32(1e-45).astype(ml_dtypes.float8_e8m0fnu)
print("scale of zeros:", scale, "block:", (block * np.float32(scale))[:2], "of 1e-45:", tiny)
assert np.isnan(np.float32(scale))
assert np.isnan(block * np.float32(scale)).all()
assert float(tiny) == 2.0**-127
PY
