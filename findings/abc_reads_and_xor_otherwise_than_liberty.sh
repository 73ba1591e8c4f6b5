#!/usr/bin/env bash
# pyosys 0.70 (Yosys with ABC): `abc -liberty` reads a cell's function "A & B ^ C" as (A & B) ^ C, `read_liberty` as A & (B ^ C).
#
# Expected: one reading in both; Liberty's operators in falling order are ' and !, ^, & and |, so the function is A & (B ^ C).
# Seen: abc maps (a & b) ^ c to one AX; that cell as read by read_liberty, in the same program, makes the netlist another function:
#       y is wrong for two of the eight inputs. Nothing is reported. With parentheses in the library the netlist is right.
# Consequence: put parentheses into a library's functions, and prove a mapped netlist equivalent against the models of read_liberty.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export TMPDIR="$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check pyosys==0.70
cell() { # name, area, inputs, function
  echo "cell ($1) { area : $2; pin (Y) { direction : output; function : \"$4\"; }"
  for pin in $3; do echo "pin ($pin) { direction : input; capacitance : 1; }"; done
  echo "}"
}
library() { # function of AX
  echo 'library (t) { delay_model : table_lookup; time_unit : "1ns"; capacitive_load_unit (1, ff);'
  cell INV 10 A "!A"; cell BUF 15 A "A"; cell NAND2 20 "A B" "!(A & B)"; cell NOR2 20 "A B" "!(A | B)"; cell AX 1 "A B C" "$1"
  echo "}"
}
library "A & B ^ C" > bare.lib
library "A & (B ^ C)" > marked.lib
echo 'module top (input a, b, c, output y); assign y = (a & b) ^ c; endmodule' > top.v
cat > run.py <<'PY'
import importlib.metadata
import re

from pyosys import libyosys


def run(*commands):
    design = libyosys.Design()
    for command in commands:
        design.run_pass(f"tee -q -o log.txt {command}")


def table(read, top, library):
    """The output of a circuit for its inputs abc = 000 to 111, with the cells as read_liberty reads them."""
    names = ("A,B,C", "Y") if top == "AX" else ("a,b,c", "y")
    run(*read, f"read_liberty {library}", f"hierarchy -top {top}", "flatten", "eval -table {} -show {}".format(*names))
    return "".join(re.findall(r"\|\s*1'([01])\s*$", open("log.txt").read(), re.MULTILINE))


print("pyosys", importlib.metadata.version("pyosys"))
design = table(["read_verilog top.v"], "top", "bare.lib")
print("design", design)
seen = {}
for library in ("bare.lib", "marked.lib"):
    run("read_verilog top.v", "hierarchy -top top", "techmap", f"abc -liberty {library}", "clean", "write_verilog -noattr netlist.v")
    cells = re.findall(r"^  (\w+) _\w+_ \(", open("netlist.v").read(), re.MULTILINE)
    seen[library] = cells, table([], "AX", library), table(["read_verilog netlist.v"], "top", library)
    print(library, *seen[library])
assert design == "01010110"
assert seen["bare.lib"] == (["AX"], "00000110", "00000110")
assert seen["marked.lib"][0] != ["AX"] and seen["marked.lib"][1:] == ("00000110", design)
PY
venv/bin/python run.py
