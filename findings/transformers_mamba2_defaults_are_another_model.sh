#!/usr/bin/env bash
# transformers 5.24.0: the defaults of Mamba2Config are not the checkpoint that its documentation names.
#
# Expected: Mamba2Config(), documented with the checkpoint state-spaces/mamba2-2.8b, makes a model of about 2.8 billion parameters.
# Seen: it makes one of 7 285 403 648 parameters: 64 layers of width 4096 with 8 groups, the size of a 7B code model.
#       MambaConfig(), documented with mamba-2.8b, makes one of 159 million: 32 layers of width 768.
# Consequence: a benchmark that takes the default configuration for the named checkpoint is 2.6 times too large, or 17 times too small.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check transformers==5.24.0 torch==2.13.0
venv/bin/python - 2> errors.txt <<'PY' || { cat errors.txt; exit 1; }
import inspect

import torch
import transformers

print("transformers", transformers.__version__)
for name, layers, width, parameters in (("Mamba2", 64, 4096, 7285403648), ("Mamba", 32, 768, None)):
    config = getattr(transformers, f"{name}Config")()
    with torch.device("meta"):
        model = getattr(transformers, f"{name}ForCausalLM")(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    named = [line.strip() for line in inspect.getsource(inspect.getmodule(type(config))).splitlines() if "checkpoint=" in line]
    print(f"{name}Config(): {config.num_hidden_layers} layers of {config.hidden_size}, {count} parameters;", *named)
    assert (config.num_hidden_layers, config.hidden_size) == (layers, width)
    assert count == (parameters or count) and any("2.8b" in line for line in named)
    assert not 2.6e9 < count < 3.0e9
PY
