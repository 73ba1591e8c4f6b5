#!/usr/bin/env bash
# safetensors 0.8.0 with torch 2.13.0: a tensor of FP4 pairs (float4_e2m1fn_x2) is saved and read whole, but no slice of it can be read.
#
# Expected: safe_open(...).get_slice(name) reads rows of it, as of any other type: two values a byte do not cut a row.
# Seen: the file holds the shape in values (4 x 64), torch's is in pairs (4 x 32). get_tensor turns one into the other; get_slice
#       tells the first and raises "shape '[4, 64]' is invalid for input of size 128" for any index, [:] included.
# Consequence: loaders that read a shard's rows by get_slice must read such tensors whole and cut them.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 torch==2.13.0 safetensors==0.8.0
venv/bin/python - <<'PY'
import safetensors
import torch
from safetensors.torch import save_file

print("safetensors", safetensors.__version__, "torch", torch.__version__)
pairs = torch.arange(128, dtype=torch.uint8).reshape(4, 32)
save_file({"fp4": pairs.view(torch.float4_e2m1fn_x2), "bytes": pairs.clone()}, "pairs.safetensors")
with safetensors.safe_open("pairs.safetensors", "pt") as file:
    assert torch.equal(file.get_tensor("fp4").view(torch.uint8), pairs)
    assert torch.equal(file.get_slice("bytes")[1:3], pairs[1:3])
    rows = file.get_slice("fp4")
    print("shape in the file", rows.get_shape(), "of the tensor", list(file.get_tensor("fp4").shape))
    assert (rows.get_shape(), list(file.get_tensor("fp4").shape)) == ([4, 64], [4, 32])
    for index in (slice(1, 3), slice(None), 0):
        try:
            rows[index]
        except RuntimeError as error:
            print(index, error)
            assert str(error) == "shape '[4, 64]' is invalid for input of size 128"
        else:
            raise AssertionError(f"{index} can be read")
PY
