#!/usr/bin/env bash
# OpenVINO 2026.4.1: u1 values are packed from the highest bit of a byte, u2, u4 and i4 values from the lowest.
#
# Expected: one order for all types below a byte: the first of u2 and u4 is in the lowest bits, as in ONNX, GGUF and PyTorch.
# Seen: 1 followed by zeros is 0b10000000 in u1 and 0b00000001 in u2, u4 and i4; a tensor over the bytes of numpy.packbits(...,
#       bitorder="little") is read back mirrored within each byte. The list of types names the order of none.
# Consequence: packed one-bit weights or masks that are handed over as bytes, as packed two-bit ones are, are permuted without an error:
#       pack u1 with numpy.packbits' own order, "big".
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 openvino==2026.4.1
venv/bin/python - <<'PY'
import importlib.metadata

import numpy as np
import openvino
from openvino import opset15

print("openvino", importlib.metadata.version("openvino"))


def values_of(constant):
    """What a model computes with for a constant."""
    model = openvino.Model([opset15.convert(constant, openvino.Type.f32)], [], "m")
    return openvino.compile_model(model, "CPU")({})[0].astype(int).tolist()


first = {}
for name, bits in (("u1", 1), ("u2", 2), ("u4", 4), ("i4", 4)):
    ones = [1] + [0] * (8 // bits - 1)
    constant = opset15.constant(np.array(ones, dtype=np.int8), getattr(openvino.Type, name))
    assert values_of(constant) == ones
    (first[name],) = np.asarray(constant.data).view(np.uint8).ravel()
    print(f"{name}: {ones} is the byte {first[name]:08b}")
assert first == {"u1": 0b10000000, "u2": 1, "u4": 1, "i4": 1}

bits = np.array([1, 1, 0, 1, 0, 0, 0, 0])
for order in ("little", "big"):
    packed = np.packbits(bits.astype(np.uint8), bitorder=order)
    tensor = openvino.Tensor(packed, openvino.Shape([8]), openvino.Type.u1)
    read = values_of(opset15.constant(tensor))
    print(f"packbits {order}: {bits.tolist()} is read as {read}")
    assert read == (bits if order == "big" else bits[::-1]).tolist()
PY
