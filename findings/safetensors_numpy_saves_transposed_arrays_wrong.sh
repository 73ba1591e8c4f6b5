#!/usr/bin/env bash
# safetensors 0.8.0: safetensors.numpy.save_file writes a transposed array in the order of its memory, under the transposed shape.
#
# Expected: the file holds the array's values, as with 0.7.0, or the array is refused for not being contiguous, as PyTorch's are.
# Seen: shape (3, 2) is written with the bytes of the (2, 3) array it is a view of: other values at the same place, no warning.
#       save() does the same. Column-major arrays are affected, too.
# Consequence: a weight matrix saved as W.T is silently scrambled: np.ascontiguousarray before saving.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
for version in 0.7.0 0.8.0; do
venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 safetensors==$version
venv/bin/python - $version <<'PY'
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

weights = np.arange(6, dtype=np.int8).reshape(2, 3).T
save_file({"weights": weights}, "x.safetensors")
read = load_file("x.safetensors")["weights"]
print(f"safetensors {sys.argv[1]}: written {weights.tolist()}, read {read.tolist()}")
assert (read.tolist() == weights.tolist()) is (sys.argv[1] == "0.7.0")
assert read.tolist() in (weights.tolist(), [[0, 1], [2, 3], [4, 5]])
save_file({"weights": np.ascontiguousarray(weights)}, "x.safetensors")
assert load_file("x.safetensors")["weights"].tolist() == weights.tolist()
PY
done
