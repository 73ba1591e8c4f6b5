#!/usr/bin/env bash
# onnxruntime 1.32.0: Cast from float to INT4 and INT2 rounds to the nearest integer; to INT8 and INT32 it cuts off.
#
# Expected: one Cast: towards zero for every integer type, as to INT8 here, and to all of them in onnx's reference evaluator.
# Seen: 1.5 becomes 2 in INT4 and 1 in INT8; halves are rounded away from zero, where QuantizeLinear rounds them to even; 7.6 is in the
#       range of INT4 and becomes -8, since 8 is not.
# Consequence: a model that is cut to INT4 with Cast has other weights in the two; a value just below 8 changes its sign. Apply Round
#       and Clip before the Cast.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 onnx==1.23.2 onnxruntime==1.32.0
venv/bin/python - <<'PY'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
values = np.array([0.5, 1.5, 2.5, -1.5, 7.6], dtype=np.float32)


def cast(name):
    """The values cast to an integer type and back, by onnxruntime and by the reference."""
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=getattr(TensorProto, name)),
        helper.make_node("Cast", ["i"], ["y"], to=TensorProto.FLOAT),
    ]
    ends = [[helper.make_tensor_value_info(end, TensorProto.FLOAT, [len(values)])] for end in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", *ends), opset_imports=[helper.make_opsetid("", 25)], ir_version=11)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": values})[0].tolist(), ReferenceEvaluator(model).run(None, {"x": values})[0].tolist()


found = {name: cast(name) for name in ("INT32", "INT8", "INT4", "INT2")}
for name, (runtime, reference) in found.items():
    print(name, "onnxruntime", runtime, "reference", reference)
towards_zero = np.trunc(values).tolist()
assert found["INT32"] == found["INT8"] == (towards_zero, towards_zero)
assert found["INT4"] == ([1, 2, 3, -2, -8], towards_zero)
assert found["INT2"][0][:2] == [1, -2] and found["INT2"][1][:2] == [0, 1]
PY
