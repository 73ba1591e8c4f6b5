#!/usr/bin/env bash
# pychop 0.6.2: Chop turns values just above the largest of a format into 0, larger ones into infinity.
#
# Expected: what rounds past the largest value is infinity, as in IEEE 754, or the largest value.
# Seen: with 4 exponent and 3 significand bits (largest 240) 249 becomes 256, which the format lacks, 256 to 511 become 0, and 512 and more
#       infinity; so it is with each format. Half precision: 65521 gives 65536, and 65536 to 131071 give 0.
# Consequence: in a simulated training or a study of formats, activations that overflow by less than a factor of two vanish without a sign.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 pychop==0.6.2
venv/bin/python - <<'PY'
import importlib.metadata

import numpy as np
from pychop import Chop

print("pychop", importlib.metadata.version("pychop"), "numpy", np.__version__)
for exponent_bits, significand_bits in ((4, 3), (5, 2), (5, 10), (8, 7)):
    top = 2.0 ** (2 ** (exponent_bits - 1))
    largest = top * (1 - 2.0 ** -(significand_bits + 1))
    first = top * (1 - 2.0 ** -(significand_bits + 2))
    values = np.array([largest, (first + top) / 2, top, top * 1.5, top * 1.999, top * 2, top * 100])
    rounded = np.asarray(Chop(exp_bits=exponent_bits, sig_bits=significand_bits, rmode=1)(values.copy()))
    print(exponent_bits, significand_bits, dict(zip(values.tolist(), rounded.tolist())))
    assert list(rounded) == [largest, top, 0.0, 0.0, 0.0, np.inf, np.inf]
half = np.asarray(Chop(exp_bits=5, sig_bits=10, rmode=1)(np.array([65519.0, 65521.0, -100000.0, 131072.0])))
with np.errstate(over="ignore"):
    print("half", half, "numpy", np.array([65519.0, 65521.0, -100000.0, 131072.0]).astype(np.float16))
assert list(half) == [65504.0, 65536.0, 0.0, np.inf]
PY
