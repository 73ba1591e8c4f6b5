#!/usr/bin/env bash
# scalesim 3.0.0: a strided convolution whose filter does not reach the edge of its map has one output a side too many.
#
# Expected: (map - filter) / stride + 1 outputs a side, rounded down, as in every framework: 109 for a filter of 7 on a map of 224 at stride 2.
# Seen: rounded up, 110; of ResNet's first layer it counts 12 100 output pixels instead of 11 881, with inputs that the map does not have.
# Consequence: cycles and traffic of such layers are 2 % too high; give padded sizes for which the division is exact.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check --no-deps scalesim==3.0.0
cat > layers.csv <<'CSV'
Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
exact, 223, 223, 7, 7, 3, 64, 2,
uneven, 224, 224, 7, 7, 3, 64, 2,
CSV
venv/bin/python - <<'PY'
from scalesim.topology_utils import topologies

layers = topologies()
layers.load_arrays("layers.csv")
layers.topo_calc_hyperparams()
sides = [layers.get_layer_ofmap_dims(i) for i in range(2)]
print("outputs a side of maps of 223 and 224:", sides)
assert list(sides[0]) == [109, 109]
assert list(sides[1]) == [110, 110]
assert (224 - 7) // 2 + 1 == 109
PY
