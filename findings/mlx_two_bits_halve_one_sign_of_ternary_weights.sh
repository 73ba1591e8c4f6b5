#!/usr/bin/env bash
# MLX 0.32.4 on a CPU: quantize with two bits, the smallest of its formats that holds three values, does not hold -1, 0 and 1.
#
# Expected: four levels suffice for three equally spaced values, so dequantize gives the ternary weights back.
# Seen: -1 becomes -0.5, while 0 and 1 are exact: the step of 2/3 is changed so that 0 is a level, to 1/2, and the fourth level is
#       0.5, which no weight has. With three, four and eight bits all three values are exact.
# Consequence: ternary weights must be packed for MLX with scale 1 and bias -1, and not by its quantize; a loss measured after
#       two-bit quantize says nothing about ternary weights.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 'mlx[cpu]==0.32.4'
venv/bin/python - <<'PY'
import importlib.metadata

import mlx.core as mx
import numpy as np

print("mlx", importlib.metadata.version("mlx"))
mx.set_default_device(mx.cpu)
weights = np.random.default_rng(0).integers(-1, 2, (8, 256)).astype(np.float32)


def read_back(packed, scales, biases, bits):
    """The values that -1, 0 and 1 have after quantisation, and are they of one value each."""
    values = np.array(mx.dequantize(packed, scales, biases, group_size=64, bits=bits))
    found = [np.unique(values[weights == trit]) for trit in (-1, 0, 1)]
    return [float(of_one[0]) for of_one in found if of_one.size == 1]


seen = {bits: read_back(*mx.quantize(mx.array(weights), group_size=64, bits=bits), bits) for bits in (2, 3, 4, 8)}
print(seen)
assert seen[2] == [-0.5, 0.0, 1.0]
assert all(np.allclose(seen[bits], [-1, 0, 1], atol=1e-6) for bits in (3, 4, 8))
# Packed by hand, two bits hold them: sixteen codes a word, the first in the lowest bits.
codes = (weights + 1).astype(np.uint32).reshape(8, -1, 16)
words = (codes << (2 * np.arange(16, dtype=np.uint32))).sum(axis=2, dtype=np.uint32)
by_hand = read_back(mx.array(words), mx.ones((8, 4)), -mx.ones((8, 4)), 2)
print("by hand", by_hand)
assert by_hand == [-1.0, 0.0, 1.0]
PY
