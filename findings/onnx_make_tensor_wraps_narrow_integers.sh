#!/usr/bin/env bash
# onnx 1.23.2: helper.make_tensor wraps values that do not fit in INT4, UINT4 and INT2; it refuses them in INT8, saturates them in FLOAT8E4M3FN.
#
# Expected: one of two, for all types: an error, as for INT8 (OverflowError), or the nearest value, as for FLOAT8E4M3FN (448) and FLOAT4E2M1 (6).
# Seen: 9 in INT4 becomes -7, -9 becomes 7, 16 in UINT4 becomes 0, 2 in INT2 becomes -2, without a warning.
# Consequence: a weight that is one step past the range changes its sign. Who writes such a tensor must clip first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.4.6 ml_dtypes==0.6.0 onnx==1.23.2
venv/bin/python -W error - <<'PY'
import onnx
from onnx import TensorProto, helper, numpy_helper

print("onnx", onnx.__version__)


def stored(name, values):
    """What a tensor of these values holds, or the error that they raise."""
    try:
        tensor = helper.make_tensor("weight", getattr(TensorProto, name), [len(values)], values)
    except OverflowError as error:
        found = type(error).__name__
    else:
        found = [float(value) for value in numpy_helper.to_array(tensor)]
    print(name, values, found)
    return found


assert stored("INT4", [7, -8, 9, -9]) == [7, -8, -7, 7]
assert stored("UINT4", [15, 16, -1]) == [15, 0, 15]
assert stored("INT2", [1, -2, 2, -3]) == [1, -2, -2, 1]
assert stored("INT8", [127, -128, 128]) == "OverflowError"
assert stored("FLOAT8E4M3FN", [448, 1000, -1000]) == [448, 448, -448]
assert stored("FLOAT4E2M1", [6, 9, -9]) == [6, 6, -6]
PY
