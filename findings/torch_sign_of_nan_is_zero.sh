#!/usr/bin/env bash
# torch 2.13.0: torch.sign of NaN is 0.
#
# Expected: NaN, as numpy.sign and the operator Sign of ONNX give, and as torch's own round, clamp, relu and tanh do.
# Seen: 0 for float32, float64, float16 and bfloat16, in a vector as in a scalar, for sign and sgn.
# Consequence: a ternary quantiser that is written with sign turns NaN weights into zeros: a diverged training looks like a sparse layer.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.4.6 torch==2.13.0
venv/bin/python - <<'PY'
import numpy as np
import torch

print("torch", torch.__version__, "numpy", np.__version__)
for kind in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
    for many in (1, 100):
        values = torch.full((many,), float("nan"), dtype=kind)
        assert values.isnan().all()
        for function in (torch.sign, torch.sgn):
            assert (function(values) == 0).all()
        for function in (torch.round, torch.relu, torch.tanh, lambda tensor: tensor.clamp(-1, 1)):
            assert function(values).isnan().all()
print("torch.sign", torch.sign(torch.tensor([float("nan"), -2.0])).tolist(), "numpy.sign", np.sign([np.nan, -2.0]).tolist())
assert torch.sign(torch.tensor([float("nan"), -2.0])).tolist() == [0.0, -1.0]
assert np.isnan(np.sign(np.nan))
PY
