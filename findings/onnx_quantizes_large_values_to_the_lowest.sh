#!/usr/bin/env bash
# onnx 1.23.2: QuantizeLinear in the reference evaluator turns large positive values into the lowest integer (on x86-64).
#
# Expected: the operator's text has y = saturate(round(x / scale) + zero point): 1e10 at scale 1 is 127 in INT8 and 15 in UINT4.
# Seen: 2147483520 gives 127, 2147483648 and all above, with infinity, -128, and 0 in UINT8 and UINT4: the quotient is cast to int32
#       before it is clipped. INT4, INT2 and the 16-bit types do so too. ONNX Runtime 1.32.0 gives 127 and 255; to float8 types both saturate.
# Consequence: one huge value, or a scale far too small, makes a quantised tensor the negative of itself in the evaluator that
#       conformance is measured by.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 onnx==1.23.2 onnxruntime==1.32.0
venv/bin/python -W ignore - <<'PY'
import importlib.metadata

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

print("onnx", importlib.metadata.version("onnx"), "onnxruntime", onnxruntime.__version__)
values = np.array([300.0, 2147483520.0, 2147483648.0, 1e10, np.inf, -1e10], np.float32)
ends = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767), "INT4": (-8, 7), "UINT4": (0, 15), "INT2": (-2, 1)}
for name, (lowest, highest) in ends.items():
    kind = getattr(TensorProto, name)
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [len(values)])],
        [helper.make_tensor_value_info("y", kind, [len(values)])],
        [helper.make_tensor("scale", TensorProto.FLOAT, [], [1.0]), helper.make_tensor("zero", kind, [], [0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25 if name == "INT2" else 21)], ir_version=10)
    seen = ReferenceEvaluator(model).run(None, {"x": values})[0].astype(int).tolist()
    print(name, dict(zip(values.tolist(), seen, strict=True)))
    assert seen == [min(300, highest), highest, lowest, lowest, lowest, lowest]
    if name in ("INT8", "UINT8"):
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        other = session.run(None, {"x": values})[0].tolist()
        print("ONNX Runtime", name, other)
        assert other == [min(300, highest)] + [highest] * 4 + [lowest]
PY
