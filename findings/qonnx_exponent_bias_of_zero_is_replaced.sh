#!/usr/bin/env bash
# qonnx 1.0.0: a float type with the exponent bias 0 gets the default bias.
#
# Expected: DataType["FLOAT<2,1,0>"] has the bias that it names, its largest value is 1.5 * 2**3 = 12; float_quant takes a bias of 0 as it is.
# Seen: the type is FLOAT<2,1,1> with the largest value 6; biases of 1 and -1 are kept. What float_quant gives for the bias 0, 12, is
#       not allowed in the type.
# Consequence: an annotation with a bias of 0 describes other values than the tensor holds, by a power of two.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check qonnx==1.0.0 2> pip.txt || { cat pip.txt; exit 1; }
venv/bin/python - <<'PY'
import importlib.metadata

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.custom_op.general.floatquant import float_quant

print("qonnx", importlib.metadata.version("qonnx"))
seen = {}
for bias in (-1, 0, 1, 2):
    kind = DataType[f"FLOAT<2,1,{bias}>"]
    largest = float(float_quant(np.float32([1000]), np.float32(1), 2, 1, exponent_bias=bias)[0])
    seen[bias] = kind.get_canonical_name(), kind.max(), largest, bool(kind.allowed(np.float32(largest)))
    print("bias", bias, *seen[bias])
assert seen == {
    -1: ("FLOAT<2,1,-1>", 24.0, 24.0, True),
    0: ("FLOAT<2,1,1>", 6.0, 12.0, False),
    1: ("FLOAT<2,1,1>", 6.0, 6.0, True),
    2: ("FLOAT<2,1,2>", 3.0, 3.0, True),
}
PY
