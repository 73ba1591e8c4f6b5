#!/usr/bin/env bash
# SpyDrNet 1.13.0: constants of a Verilog netlist come back as wires that nothing drives.
#
# Expected: a netlist that is parsed and composed again has the same function: y = 1'b1, and an input tied to 1'b0, stay so.
# Seen: 1'b0 and 1'b1 become wires \<const0> and \<const1>, as Vivado names them, but without the cells or assignments that drive them there.
#       Yosys (pyosys 0.70) reads y = 1 and z = a & 1 of the first file, and an unknown y and z of the second.
# Consequence: each tie cell that a synthesis wrote as a constant is an open input after any edit with SpyDrNet; simulation
#       gives X, and the optimiser of the next tool may take what it likes. (The package imports requests and does not ask for it.)
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check spydrnet==1.13.0 requests==2.34.2 pyosys==0.70
cat > before.v <<'V'
module top (a, b, y, z);
  input a; input b; output y; output z;
  assign y = 1'b1;
  gate u0 (.i(a), .j(1'b1), .k(1'b0), .o(z));
endmodule
module gate (i, j, k, o);
  input i; input j; input k; output o;
endmodule
V
cat > gate.v <<'V'
module gate (input i, input j, input k, output o);
  assign o = i & j | k;
endmodule
V
cat > compose.py <<'PY'
import importlib.metadata
import re
from pathlib import Path

import spydrnet

print("spydrnet", importlib.metadata.version("spydrnet"))
spydrnet.compose(spydrnet.parse("before.v"), "after.v", definition_list=["top"])
text = Path("after.v").read_text()
print(text)
named = re.findall(r"^.*\\<const[01]>.*$", text, re.MULTILINE)
assert sum(line.strip().startswith("wire") for line in named) == 2
assert not any(re.search(r"assign\s+\\<const", line) for line in named) and "1'b" not in text and "supply" not in text
before = Path("before.v").read_text()
Path("top_before.v").write_text(before[: before.index("module gate")])
PY
venv/bin/python compose.py
cat > read.py <<'PY'
import re
import sys
from pathlib import Path

from pyosys import libyosys

seen = {}
for name in ("top_before", "after"):
    design = libyosys.Design()
    libyosys.run_pass(f"read_verilog {name}.v gate.v", design)
    libyosys.run_pass("hierarchy -top top", design)
    libyosys.run_pass("flatten", design)
    libyosys.run_pass("opt -full", design)
    libyosys.run_pass("clean -purge", design)
    libyosys.run_pass(f"write_verilog -noattr out_{name}.v", design)
    seen[name] = dict(re.findall(r"assign (\w+) = (.*);", Path(f"out_{name}.v").read_text()))
print(seen, file=sys.stderr)
assert seen["top_before"] == {"y": "1'h1", "z": "a"}
assert seen["after"]["y"] == "1'hx" and seen["after"]["z"] != "a"
PY
venv/bin/python read.py > /dev/null
