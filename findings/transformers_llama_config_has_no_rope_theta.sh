#!/usr/bin/env bash
# transformers 5.24.0: the base of the rotary embedding is no longer config.rope_theta but config.rope_parameters["rope_theta"].
#
# Expected: LlamaConfig().rope_theta is 10000.0 as in 4.x, and a config.json keeps the key rope_theta where it states it.
# Seen: reading the attribute raises AttributeError. A config.json with rope_theta at its top level is read, into rope_parameters, and
#       saved without the key at the top. Setting config.rope_theta is accepted and changes nothing in rope_parameters.
# Consequence: a reader of config.json with get("rope_theta", 10000.0) takes the wrong base for files that 5.x saved: look in both places.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check transformers==5.24.0
venv/bin/python - 2> errors.txt <<'PY' || { cat errors.txt; exit 1; }
import json
from pathlib import Path

import transformers

old = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1, "rope_theta": 500000.0}
Path("old").mkdir()
Path("old/config.json").write_text(json.dumps(old))
config = transformers.AutoConfig.from_pretrained("old")
config.save_pretrained("new")
new = json.loads(Path("new/config.json").read_text())
print("transformers", transformers.__version__)
print("default: attribute", hasattr(transformers.LlamaConfig(), "rope_theta"), transformers.LlamaConfig().rope_parameters)
print("rope_theta at the top of a file: attribute", hasattr(config, "rope_theta"), config.rope_parameters)
print("saved again:", {key: value for key, value in new.items() if "rope" in key}, "read with get:", new.get("rope_theta", 10000.0))
assert not hasattr(transformers.LlamaConfig(), "rope_theta") and not hasattr(config, "rope_theta")
assert transformers.LlamaConfig().rope_parameters == {"rope_theta": 10000.0, "rope_type": "default"}
assert config.rope_parameters == new["rope_parameters"] == {"rope_theta": 500000.0, "rope_type": "default"}
assert new.get("rope_theta", 10000.0) == 10000.0
config.rope_theta = 7.0
print("after config.rope_theta = 7.0:", config.rope_parameters)
assert config.rope_parameters["rope_theta"] == 500000.0
PY
