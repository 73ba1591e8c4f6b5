#!/usr/bin/env bash
# compressed-tensors 0.20.0: with num_bits=1 the symmetric scale turns any weights into zeros.
#
# Expected: QuantizationArgs and the packed format take 1 to 8 bits, so weights of -1 and 1 come back from one bit as -1 and 1, or, on
#       the integers -1 and 0, as one sign and zero.
# Seen: the integers of one bit are -1 and 0, the scale is twice the largest magnitude, and every quotient, at most one half, is rounded
#       to 0. So it is for -1 and 1 and for Gaussian weights. Two bits keep all of the former and a sixth of the latter from
#       zero. Asymmetric one-bit weights are zeros too where the smallest is the negative of the largest.
# Consequence: binary weights in this format are two bits wide at least. A one-bit file loads, and its layers give 0.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 torch==2.13.0 transformers==5.24.0 \
    compressed-tensors==0.20.0
venv/bin/python - <<'PY'
import importlib.metadata

import torch
from compressed_tensors.quantization import QuantizationArgs, fake_quantize
from compressed_tensors.quantization.utils.helpers import calculate_qparams, calculate_range

print("compressed-tensors", importlib.metadata.version("compressed-tensors"), "torch", torch.__version__)
binary = torch.tensor([[-1.0, 1.0, 1.0, -1.0]])
gaussian = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))


def kept(weights, bits, symmetric):
    """The share of weights that do not become zero."""
    chosen = QuantizationArgs(num_bits=bits, symmetric=symmetric, strategy="tensor")
    scale, zero_point = calculate_qparams(weights.min(), weights.max(), chosen)
    return float(fake_quantize(weights, scale, zero_point, chosen).count_nonzero()) / weights.numel()


one = [float(end) for end in calculate_range(QuantizationArgs(num_bits=1), "cpu")]
shares = {(bits, name): kept(weights, bits, True) for bits in (1, 2) for name, weights in (("binary", binary), ("gaussian", gaussian))}
print("integers of one bit", one, "share that is not zero", shares, "asymmetric", kept(binary, 1, False))
assert one == [-1.0, 0.0]
assert shares[1, "binary"] == shares[1, "gaussian"] == kept(binary, 1, False) == 0.0
assert shares[2, "binary"] == 1.0 and 0.1 < shares[2, "gaussian"] < 0.2
PY
