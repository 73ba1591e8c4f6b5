#!/usr/bin/env bash
# gguf 0.19.0: quantising ordinary weights to TQ1_0 or TQ2_0 scales by the largest magnitude of a block: 87 % of Gaussian weights become 0.
#
# Expected: absmean, the scale that ternary models are trained with (about 31 % zeros for Gaussian weights).
# Seen: the scale of each 256 weights is their absolute maximum; weights below half of it, 87 %, become 0; the relative error is 0.81,
#       where the best ternary quantiser has 0.44 and absmean 0.51. Weights that are ternary already are exact to the float16 scale.
# Consequence: TQ formats store ternary models and quantise nothing else; a perplexity measured that way says nothing about ternary.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 gguf==0.19.0
venv/bin/python - <<'PY'
import numpy as np
from gguf import GGMLQuantizationType, quants

rng = np.random.default_rng(0)
weights = rng.normal(size=(64, 4096)).astype(np.float32)
trits = (0.25 * rng.integers(-1, 2, size=(4, 256))).astype(np.float32)
mean = np.abs(weights).mean()
absmean = mean * np.clip(np.round(weights / mean), -1, 1)
error = lambda read: float(np.linalg.norm(read - weights) / np.linalg.norm(weights))
print(f"absmean: zeros {(absmean == 0).mean():.2f}, relative error {error(absmean):.2f}")
for kind in (GGMLQuantizationType.TQ1_0, GGMLQuantizationType.TQ2_0):
    read = quants.dequantize(quants.quantize(weights, kind), kind)
    blocks = np.abs(weights).reshape(-1, 256).max(axis=1)
    scales = np.abs(read).reshape(-1, 256).max(axis=1)
    print(f"{kind.name}: zeros {(read == 0).mean():.2f}, relative error {error(read):.2f}")
    assert np.allclose(scales, blocks, rtol=1e-3)
    assert 0.8 < (read == 0).mean() < 0.9 and error(read) > 0.8
    assert np.array_equal(quants.dequantize(quants.quantize(trits, kind), kind), trits)
PY
