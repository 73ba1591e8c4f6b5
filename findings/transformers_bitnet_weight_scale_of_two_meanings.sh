#!/usr/bin/env bash
# transformers 5.24.0: of BitNet's two linear classes, AutoBitLinear multiplies by the tensor `weight_scale`, BitLinear divides by it.
#
# Expected: one meaning of the key `weight_scale` for the values of `linear_class` in a BitNet configuration, "bitlinear" and
#       "autobitlinear": both read folders of packed weights with such a scale.
# Seen: with a scale of 0.5 the sum 3 becomes 6 in BitLinear and 1.5 in AutoBitLinear. No scale but 1 gives the same.
# Consequence: packed weights of one class that are loaded as the other are off by the square of their scale in every layer, without an
#       error. A reader of such folders needs `linear_class`; the file alone does not tell.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 torch==2.13.0 transformers==5.24.0
venv/bin/python - 2> errors.txt <<'PY' || { cat errors.txt; exit 1; }
import torch
import transformers
from transformers.integrations import bitnet

print("transformers", transformers.__version__, "torch", torch.__version__)
torch.compiler.set_stance("force_eager")
trits = torch.tensor([[1, 1, 1, 0]] * 4)
inputs = torch.ones(1, 4)


def output(name, weight, scale):
    """The first output of a layer with this weight and scale."""
    layer = getattr(bitnet, name)(4, 4, bias=False, dtype=torch.float32)
    layer.load_state_dict({"weight": weight, "weight_scale": torch.tensor([scale])})
    return round(float(layer(inputs)[0, 0]), 4)


for scale, expected in ((1.0, (3.0, 3.0)), (0.5, (6.0, 1.5))):
    found = output("BitLinear", bitnet.pack_weights(trits.clone()), scale), output("AutoBitLinear", trits.float(), scale)
    print("scale", scale, "BitLinear", found[0], "AutoBitLinear", found[1])
    assert found == expected
PY
