#!/usr/bin/env bash
# brevitas 0.13.4: asymmetric quantisers cut off weights and activations that are all negative.
#
# Expected: unsigned integers and a zero point hold any range: values of -8 to -1 come back as -8 to -1, as 1 to 8 come back.
# Seen: ShiftedUint8Weight... and ShiftedUint8Act... make the zero part of the range of positive values (scale 8/255), not of negative
#       ones (scale 7/255) and clip the zero point to 255: -8 to -1 become -7 to -0.99, and 32 weights of -8 to -7.9 all become -0.1.
#       Activations of -8 to -7 become -1. The search for the least square (MSE) does not help. The half-quadratic
#       ones (HQO), whose zero point is not clipped, are right.
# Consequence: a channel of one sign, or an activation behind a negative offset, is destroyed in eight bits without a warning.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 torch==2.13.0 brevitas==0.13.4
venv/bin/python -W ignore - <<'PY'
import importlib.metadata

import brevitas.nn
import brevitas.quant
import torch

print("brevitas", importlib.metadata.version("brevitas"), "torch", torch.__version__)


def ends(low, high, quantiser):
    """The least and the greatest of 32 evenly spaced weights after their quantiser."""
    layer = brevitas.nn.QuantLinear(32, 1, bias=False, weight_quant=getattr(brevitas.quant, quantiser))
    layer.weight.data.copy_(torch.linspace(low, high, 32)[None])
    values = layer.quant_weight().value.detach()
    return float(values.min()), float(values.max())


def near(seen, expected):
    return all(abs(one - other) < 0.02 for one, other in zip(seen, expected, strict=True))


for quantiser in ("ShiftedUint8WeightPerTensorFloat", "ShiftedUint8WeightPerChannelFloat", "ShiftedUint8WeightPerTensorFloatMSE"):
    seen = {between: ends(*between, quantiser) for between in ((-8.0, 1.0), (1.0, 8.0), (7.9, 8.0), (-8.0, -1.0), (-8.0, -7.9))}
    print(quantiser, seen)
    assert all(near(seen[between], between) for between in ((-8.0, 1.0), (1.0, 8.0), (7.9, 8.0)))
    assert near(seen[-8.0, -1.0], (-7.0, -1.0)) and near(seen[-8.0, -7.9], (-0.1, -0.1))
half_quadratic = ends(-8.0, -7.9, "ShiftedUint8WeightPerTensorFloatHQO")
print("ShiftedUint8WeightPerTensorFloatHQO", half_quadratic)
assert near(half_quadratic, (-8.0, -7.9))
act = brevitas.nn.QuantIdentity(act_quant=brevitas.quant.ShiftedUint8ActPerTensorFloat, return_quant_tensor=True)
for _ in range(400):
    act(torch.linspace(-8, -7, 100))
values = act.eval()(torch.linspace(-8, -7, 5)).value.detach()
print("ShiftedUint8ActPerTensorFloat", values)
assert torch.allclose(values, torch.tensor(-1.0), atol=0.02)
PY
