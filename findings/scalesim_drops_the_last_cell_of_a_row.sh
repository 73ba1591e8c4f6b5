#!/usr/bin/env bash
# scalesim 3.0.0: the last cell of a topology's row is dropped unless the row ends with a comma.
#
# Expected: a CSV row without a comma at its end has all its cells, as spreadsheets and csv.writer write it.
# Seen: "fc,64,128,256,2:4" is read as dense (1:1): the sparsity is gone without a word; with a comma at the end it is 2:4.
# Consequence: a topology written by any CSV library runs as another workload: add a comma to each row.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check --no-deps scalesim==3.0.0
printf 'Layer,M,N,K,Sparsity\nfc,64,128,256,2:4\n' > plain.csv
printf 'Layer,M,N,K,Sparsity,\nfc,64,128,256,2:4,\n' > comma.csv
venv/bin/python - <<'PY'
from scalesim.topology_utils import topologies

ratios = {}
for name in ("plain", "comma"):
    layers = topologies()
    layers.load_arrays(f"{name}.csv", mnk_inputs=True)
    ratios[name] = [int(part) for part in layers.topo_arrays[0][-2:]]
print("N:M of the layer:", ratios)
assert ratios == {"plain": [1, 1], "comma": [2, 4]}
PY
