#!/usr/bin/env bash
# torchao 0.18.0: the default, symmetric, scale of IntxWeightOnlyConfig and Int8WeightOnlyConfig is the largest magnitude over
# (2^bits - 1) / 2, a half-integer: 1.5, 7.5, 127.5.
#
# Expected: the scale of absmax quantisation, the largest magnitude over the largest integer (1, 7, 127), so that the largest weight is exact
#       and ternary weights survive in any width.
# Seen: ternary weights come back as -1.333 and 0.667 with 2 bits, as -0.933 and 0.933 with 4, as -0.996 and 0.996 with 8. With
#       MappingType.SYMMETRIC_NO_CLIPPING_ERR they are exact in all three.
# Consequence: a comparison of formats with torchao must name the mapping; with the default one, 2 bits are not symmetric.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 torch==2.13.0 torchao==0.18.0
venv/bin/python - 2> errors.txt <<'PY' || { cat errors.txt; exit 1; }
import importlib.metadata

import torch
from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, PerGroup, quantize_
from torchao.quantization.quant_primitives import MappingType

print("torchao", importlib.metadata.version("torchao"), "torch", torch.__version__)
weights = torch.randint(-1, 2, (8, 128), generator=torch.Generator().manual_seed(0)).float()


def read_back(config):
    """The values that -1, 0 and 1 have after quantisation."""
    model = torch.nn.Sequential(torch.nn.Linear(128, 8, bias=False))
    model[0].weight.data.copy_(weights)
    quantize_(model, config)
    values = model[0].weight.dequantize()
    found = [values[weights == trit].unique() for trit in (-1, 0, 1)]
    assert all(len(of_one) == 1 for of_one in found)
    return [round(float(of_one[0]), 3) for of_one in found]


def integers(bits, **chosen):
    return IntxWeightOnlyConfig(weight_dtype=getattr(torch, f"int{bits}"), granularity=PerGroup(64), **chosen)


seen = {f"int{bits}": read_back(integers(bits)) for bits in (2, 4, 8)} | {"Int8WeightOnlyConfig": read_back(Int8WeightOnlyConfig())}
print(seen)
assert seen["int2"] == [-1.333, 0.0, 0.667]
assert seen["int4"] == [-0.933, 0.0, 0.933]
assert seen["int8"] == seen["Int8WeightOnlyConfig"] == [-0.996, 0.0, 0.996]
exact = [read_back(integers(bits, mapping_type=MappingType.SYMMETRIC_NO_CLIPPING_ERR)) for bits in (2, 4, 8)]
print("SYMMETRIC_NO_CLIPPING_ERR", exact)
assert exact == [[-1.0, 0.0, 1.0]] * 3
PY
