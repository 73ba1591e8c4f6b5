#!/usr/bin/env bash
# compressed-tensors 0.20.0: unpack_from_int32 raises for four bits of 2 to 8 rows that pack_to_int32 packed along dimension 0.
#
# Expected: both take packed_dim 0 or 1 for 1 to 8 bits and any shape, and one undoes the other.
# Seen: so it is for 9 rows or more, along dimension 1 and in all other widths. Four bits of up to 8 rows are one word, and the unpacking
#       raises "self.stride(-1) must be 1 to view Int as Byte".
# Consequence: asymmetric four-bit layers with so few outputs (the router of 8 experts) are written and not read: their zero points are
#       packed along dimension 0.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 torch==2.13.0 transformers==5.24.0 \
    compressed-tensors==0.20.0
venv/bin/python - <<'PY'
import importlib.metadata

import torch
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32, unpack_from_int32

print("compressed-tensors", importlib.metadata.version("compressed-tensors"), "torch", torch.__version__)
failed = {}
for bits in range(1, 9):
    for dimension in (0, 1):
        for rows in (2, 8, 9, 64):
            values = torch.arange(rows * 5).reshape(rows, 5).remainder(2**bits).sub(2 ** (bits - 1)).to(torch.int8)
            packed = pack_to_int32(values, bits, packed_dim=dimension)
            try:
                assert torch.equal(unpack_from_int32(packed, bits, values.shape, packed_dim=dimension), values)
            except RuntimeError as error:
                failed[bits, dimension, rows] = str(error)
print("not unpacked (bits, dimension, rows):", failed)
assert list(failed) == [(4, 0, 2), (4, 0, 8)]
assert all("must be 1 to view Int as Byte" in error for error in failed.values())
PY
