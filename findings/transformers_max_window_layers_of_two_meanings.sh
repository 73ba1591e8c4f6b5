#!/usr/bin/env bash
# transformers 5.24.0: max_window_layers means the opposite in Qwen2 and in Qwen2-MoE.
#
# Expected: the same keys (use_sliding_window, sliding_window, max_window_layers) of two types of one family give the same layers a window.
# Seen: of eight layers with max_window_layers 3, Qwen2 gives a window to the layers from the fourth on (five), Qwen2-MoE to those before the
#       fourth, and of them to every second (two). Qwen3-MoE has the key no more: all layers have the window.
# Consequence: the size of a KV cache at long context cannot be told from these keys without the type; count config.layer_types where it is there.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check transformers==5.24.0
venv/bin/python - 2> errors.txt <<'PY' || { cat errors.txt; exit 1; }
import transformers

keys = {"num_hidden_layers": 8, "use_sliding_window": True, "sliding_window": 64, "max_window_layers": 3}
print("transformers", transformers.__version__)
windowed = {}
for name in ("Qwen2Config", "Qwen2MoeConfig"):
    kinds = getattr(transformers, name)(**keys).layer_types
    windowed[name] = [i for i, kind in enumerate(kinds) if kind == "sliding_attention"]
    print(name, "layers with a window:", windowed[name])
assert windowed == {"Qwen2Config": [3, 4, 5, 6, 7], "Qwen2MoeConfig": [0, 2]}
other = transformers.Qwen3MoeConfig(num_hidden_layers=8, use_sliding_window=True, sliding_window=64)
print("Qwen3MoeConfig: layer_types", getattr(other, "layer_types", None), "sliding_window", other.sliding_window)
assert getattr(other, "layer_types", None) is None and other.sliding_window == 64
PY
