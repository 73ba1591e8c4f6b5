#!/usr/bin/env bash
# bitsandbytes 0.50.2 on a CPU: quant_type="fp4" is neither the values nor the codes of FP4 E2M1 (OCP MX, float4_e2m1fn).
#
# Expected: E2M1: magnitudes 0, 0.5, 1, 1.5, 2, 3, 4, 6 with codes 0 to 7 in that order.
# Seen: magnitudes 0, 1/32, 1, 1.5, 2, 3, 4, 6, if the largest is called 6: there is nothing at 0.5 but 1/32, and the codes are
#       in the order 0, 1/32, 4, 6, 2, 3, 1, 1.5. A block of E2M1 values comes back with 0.5 as 1/32.
# Consequence: bytes of this format cannot be read as E2M1, and its error says nothing about MXFP4 or NVFP4.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 ml_dtypes==0.5.4 torch==2.13.0 bitsandbytes==0.50.2
venv/bin/python - 2> errors.txt <<'PY' || { cat errors.txt; exit 1; }
import importlib.metadata

import bitsandbytes.functional
import ml_dtypes
import numpy as np
import torch

print("bitsandbytes", importlib.metadata.version("bitsandbytes"))
e2m1 = np.arange(8, dtype=np.uint8).view(ml_dtypes.float4_e2m1fn).astype(np.float32)
assert e2m1.tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 6]
packed, state = bitsandbytes.functional.quantize_4bit(torch.from_numpy(np.tile(e2m1, 8)), blocksize=64, quant_type="fp4")
codes = [code for byte in packed.flatten().tolist() for code in (byte >> 4, byte & 15)]
values = bitsandbytes.functional.dequantize_4bit(packed, state).flatten().tolist()
print("codes", codes[:8], "values", values[:8])
assert codes == [0, 1, 6, 7, 4, 5, 2, 3] * 8
assert np.allclose(values, [0, 1 / 32, 1, 1.5, 2, 3, 4, 6] * 8, atol=1e-6)
PY
