#!/usr/bin/env bash
# transformers 5.24.0: from_pretrained(dtype=...) leaves a BitNet folder (autobitlinear, offline) in the type that its file has.
#
# Expected: dtype=torch.float16 casts the floating-point tensors of the model to float16, as it does for the same folder without a
#       quantization_config; scales, norms, embedding and unpacked weights are then of one type, and the model runs.
# Seen: every tensor named weight (embedding, norms, linears stored as floats) keeps the type that it is stored in; only weight_scale is
#       cast. The model runs without a warning in the stored type, here float32.
# Consequence: a comparison of types, or a run in float32 of a file in bfloat16, does not compute in the type asked for: call model.to(dtype).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check transformers==5.24.0 torch==2.13.0 accelerate==1.12.0
venv/bin/python - 2> errors.txt <<'PY' || { cat errors.txt; exit 1; }
import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

torch.manual_seed(0)
sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 32}
config = transformers.LlamaConfig(**sizes, bos_token_id=None, eos_token_id=None)
transformers.LlamaForCausalLM(config).save_pretrained("floats")
tensors = load_file("floats/model.safetensors")
linears = [name for name in tensors if "_proj.weight" in name]
scales = {f"{name}_scale": torch.ones(1) for name in linears}
Path("bitnet").mkdir()
save_file({**tensors, **scales}, "bitnet/model.safetensors", {"format": "pt"})
quantisation = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}
written = json.loads(Path("floats/config.json").read_text())
Path("bitnet/config.json").write_text(json.dumps({**written, "quantization_config": quantisation}))

print("transformers", transformers.__version__)
ids = torch.tensor([[1, 2, 3]])
found = {}
for folder in ("floats", "bitnet"):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16)
    kinds = {}
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if "inv_freq" not in name:
            kinds.setdefault(name.rpartition(".")[2], set()).add(str(tensor.dtype))
    found[folder] = kinds
    with torch.compiler.set_stance("force_eager"), torch.no_grad():
        found[folder, "logits"] = str(model(ids).logits.dtype)
    print(folder, "loaded with dtype=torch.float16:", kinds, "logits", found[folder, "logits"])
assert found["floats"] == {"weight": {"torch.float16"}} and found["floats", "logits"] == "torch.float16"
assert found["bitnet"] == {"weight": {"torch.float32"}, "weight_scale": {"torch.float16"}}
assert found["bitnet", "logits"] == "torch.float32"
PY
