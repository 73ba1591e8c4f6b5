#!/usr/bin/env bash
# ml_dtypes 0.6.0: an operation on arrays of two narrow types gives the type of its left operand, not the one that NumPy promotes them to.
#
# Expected: `a + b` and `b + a` are equal and have the type of numpy.promote_types: float8_e4m3fn for float4_e2m1fn and float8_e4m3fn,
#       float4_e2m1fn for int2 and float4_e2m1fn. So it is with NumPy's own types.
# Seen: 1 in float4 plus 0.125 in float8 is 1 with the float4 array at the left, 1.125 with the float8 array there. 1 in int2 plus 1.5 in
#       float4 is -2 with the int2 array at the left: 2.5 is cut to 2 and wraps.
# Consequence: products of ternary weights in int2 or int4 with float4, float6 or float8 activations are integers, wrapped, where the weights
#       come first. Cast both to float32.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.4.6 ml_dtypes==0.6.0
venv/bin/python - <<'PY'
import importlib.metadata

import ml_dtypes
import numpy as np

print("ml_dtypes", importlib.metadata.version("ml_dtypes"), "numpy", np.__version__)


def both_ways(left, right, operation=np.add):
    """Type and value of both orders, and the type that NumPy promotes to."""
    found = operation(left, right), operation(right, left)
    print(*((str(each.dtype), float(each[0])) for each in found), "promoted:", np.promote_types(left.dtype, right.dtype))
    return [(str(each.dtype), float(each[0])) for each in found] + [str(np.promote_types(left.dtype, right.dtype))]


four, eight = np.array([1], ml_dtypes.float4_e2m1fn), np.array([0.125], ml_dtypes.float8_e4m3fn)
assert both_ways(four, eight) == [("float4_e2m1fn", 1.0), ("float8_e4m3fn", 1.125), "float8_e4m3fn"]
trit, half = np.array([1], ml_dtypes.int2), np.array([1.5], ml_dtypes.float4_e2m1fn)
assert both_ways(trit, half) == [("int2", -2.0), ("float4_e2m1fn", 2.0), "float4_e2m1fn"]
nibble, wide = np.array([-1], ml_dtypes.int4), np.array([0.375], ml_dtypes.float8_e4m3fn)
assert both_ways(nibble, wide, np.multiply) == [("int4", 0.0), ("float8_e4m3fn", -0.375), "float8_e4m3fn"]
assert both_ways(np.array([-1], np.int8), np.array([0.375], np.float16), np.multiply) == [("float16", -0.375)] * 2 + ["float16"]
PY
