#!/usr/bin/env bash
# gguf 0.19.0: Q4_0 and Q5_0 do not hold ternary weights: one sign is exact, the other loses 1/8 or 1/16.
#
# Expected: with 16 or 32 levels to a block and a scale of its own, -s, 0 and +s are three of them.
# Seen: the levels run from -8 to 7 (-16 to 15), and the scale maps the value of the largest magnitude to the end that has
# one more: here -s stays, and +s becomes 7/8 s (15/16 s). Which sign shrinks depends on which comes first in the block.
# Q8_0 is symmetric and keeps both to the half-precision of its scale.
# Consequence: a ternary model stored as Q4_0 has weights of one sign too small in every block; Q8_0 has not.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 gguf==0.19.0
venv/bin/python - <<'PY'
import gguf
import numpy as np


def kept(trits, name):
    kind = gguf.GGMLQuantizationType[name]
    block = np.tile(np.array(trits, dtype=np.float32), 8)[None]
    return np.unique(gguf.dequantize(gguf.quantize(block, kind), kind)).tolist()


for name in ("Q4_0", "Q5_0", "Q8_0"):
    print(name, "-1 first:", kept([-1, 0, 1, 1], name), "1 first:", kept([1, 0, -1, -1], name))
assert kept([-1, 0, 1, 1], "Q4_0") == [-1, 0, 0.875]
assert kept([1, 0, -1, -1], "Q4_0") == [-0.875, 0, 1]
assert kept([-1, 0, 1, 1], "Q5_0") == [-1, 0, 0.9375]
assert np.allclose(kept([-1, 0, 1, 1], "Q8_0"), [-1, 0, 1], atol=1e-3)
PY
