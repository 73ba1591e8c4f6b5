#!/usr/bin/env bash
# Yosys 0.70 (pyosys): in `stat -json -liberty`, `area` of a module includes its submodules; `num_cells` beside it, and the text of the
# same command, do not.
#
# Expected: all numbers of a module's record count the same cells, and `stat` and `stat -json` state one area for a module.
# Seen: a top of one inverter of area 1 and two submodules of three each has num_cells 1 and area 7 in JSON, 1.000000 in the text.
# Consequence: area per cell of one record is wrong, and a sum of areas over the modules counts each submodule once more for every level
#       above it. `stat -json -hierarchy` has both counts and both areas under `num_cells`, as text.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --no-compile --disable-pip-version-check pyosys==0.70
cat > cells.lib <<'LIB'
library(cells) { cell(INV) { area : 1; pin(A) { direction : input; } pin(Y) { direction : output; function : "!A"; } } }
LIB
cat > top.v <<'V'
module sub(input a, output y); wire b, c; INV i0(.A(a), .Y(b)); INV i1(.A(b), .Y(c)); INV i2(.A(c), .Y(y)); endmodule
module top(input a, output y); wire b, c; INV i(.A(a), .Y(b)); sub s0(b, c); sub s1(c, y); endmodule
V
venv/bin/python - > log.txt 2>&1 <<'PY' || { tail log.txt; exit 1; }
from pyosys import libyosys

design = libyosys.Design()
for command in (
    "read_liberty -lib cells.lib",
    "read_verilog top.v",
    "hierarchy -check -top top",
    "tee -q -o plain.txt stat -liberty cells.lib",
    "tee -q -o plain.json stat -json -liberty cells.lib",
    "tee -q -o deep.json stat -json -liberty cells.lib -hierarchy",
):
    libyosys.run_pass(command, design)
PY
venv/bin/python - <<'PY'
import json
import re

plain, deep = (json.load(open(f"{name}.json")) for name in ("plain", "deep"))
text = dict(re.findall(r"Chip area for module '\\(\w+)': ([\d.]+)", open("plain.txt").read()))
print(plain["creator"].split(" (")[0], "text:", text)
for name, record in [*plain["modules"].items(), ("design", plain["design"])]:
    print(name, {key: record[key] for key in ("num_cells", "area")})
found = {name.lstrip("\\"): (record["num_cells"], record["area"]) for name, record in plain["modules"].items()}
assert found == {"top": (1, 7), "sub": (3, 3)}
assert {name: float(area) for name, area in text.items()} == {"top": 1, "sub": 3}
assert (plain["design"]["num_cells"], plain["design"]["area"]) == (7, 7)
both = {key: float(value) for key, value in deep["modules"]["\\top"]["num_cells"].items()}
print("with -hierarchy:", both)
assert both == {"count": 7, "area": 7, "local_count": 1, "local_area": 1}
PY
