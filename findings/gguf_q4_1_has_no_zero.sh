#!/usr/bin/env bash
# gguf 0.19.0: Q4_1 and Q5_1 hold no zero where the smallest and the largest weight of a block have one magnitude.
#
# Expected: ternary weights -s, 0, +s come back as three values one of which is 0; zeros are what ternary hardware skips.
# Seen: the levels are min + i (max - min) / 15 (31), and the middle of two ends of one magnitude lies between two of them: zeros
# become 1/15 s (1/31 s), of the one sign or the other. Of weights with 50 % zeros none is left.
# Consequence: a ternary or pruned model stored as Q4_1 or Q5_1 has no zeros, and each of them adds to every sum.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 gguf==0.19.0
venv/bin/python - <<'PY'
import gguf
import numpy as np

trits = np.tile(np.array([-1, 0, 1, 0], dtype=np.float32), 8)[None]
for name, middle in (("Q4_1", 1 / 15), ("Q5_1", 1 / 31)):
    kind = gguf.GGMLQuantizationType[name]
    for scale in (1.0, 0.25, 0.7):
        read = gguf.dequantize(gguf.quantize(scale * trits, kind), kind)
        print(name, "scale", scale, "values", np.unique(read).tolist(), "zeros", int((read == 0).sum()), "of", (trits == 0).sum())
        assert (read == 0).sum() == 0
        assert np.allclose(np.abs(read[trits == 0]) / scale, middle, atol=0.02)
for name in ("Q4_0", "Q8_0", "TQ2_0"):
    kind = gguf.GGMLQuantizationType[name]
    read = gguf.dequantize(gguf.quantize(np.tile(trits, 8), kind), kind)
    assert (read == 0).sum() == 128
PY
