#!/usr/bin/env bash
# safetensors 0.8.0: safetensors.numpy writes a float8_e4m3fn array and cannot read it back.
#
# Expected: what save_file accepts load_file returns; bfloat16 of the same package (ml_dtypes) makes the round trip.
# Seen: save_file succeeds; load_file raises AttributeError "module 'numpy' has no attribute 'float8_e4m3fn'".
# Consequence: FP8 checkpoints need safe_open with another framework, or the bytes taken as uint8 and viewed.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 ml_dtypes==0.5.4 safetensors==0.8.0
venv/bin/python - <<'PY'
import ml_dtypes
import numpy as np
from safetensors.numpy import load_file, save_file

save_file({"x": np.ones((2, 2), dtype=ml_dtypes.bfloat16)}, "bf16.safetensors")
assert load_file("bf16.safetensors")["x"].dtype == ml_dtypes.bfloat16
save_file({"x": np.ones((2, 2), dtype=ml_dtypes.float8_e4m3fn)}, "fp8.safetensors")
try:
    load_file("fp8.safetensors")
except AttributeError as error:
    print("bfloat16 read; float8_e4m3fn:", error)
    assert "float8_e4m3fn" in str(error)
else:
    raise SystemExit("float8_e4m3fn is read now")
PY
