#!/usr/bin/env bash
# transformers 5.24.0: bitnet.pack_weights adds 1 to the tensor that it is given.
#
# Expected: the trits are read and the packed tensor is returned; unpack_weights, its counterpart, leaves its argument as it is.
# Seen: -1, 0 and 1 are 0, 1 and 2 afterwards. Packed once more they are 1, 2 and 3, and unpack to 0, 1 and 2 without an error.
# Consequence: a comparison of the unpacked weights with the tensor that was packed fails, and a model that is packed twice, for two
#       files, has other weights in the second. Pack a clone.
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
trits = torch.tensor([[-1, 0, 1]] * 4)
first = bitnet.pack_weights(trits)
after = trits[0].tolist()
second = bitnet.pack_weights(trits)
kept = first.clone()
unpacked = [bitnet.unpack_weights(packed, dtype=torch.float32)[0].tolist() for packed in (first, second)]
print("argument afterwards", after, "unpacked", unpacked[0], "packed again and unpacked", unpacked[1])
assert torch.equal(first, kept)
assert after == [0, 1, 2] and unpacked == [[-1, 0, 1], [0, 1, 2]]
PY
