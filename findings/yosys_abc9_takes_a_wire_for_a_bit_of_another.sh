#!/usr/bin/env bash
# pyosys 0.70 (Yosys with ABC9): a wire named \x[1] and bit 1 of a wire x become one net when ABC9 maps them.
#
# Expected: they are two nets; an escaped identifier \x[1] is not a selection (IEEE 1364-2005, 3.7.1).
# Seen: y = x[1] ^ \x[1] is constant 0 after synth_ice40, and a table with twice the same input after synth_ecp5 and synth -lut 4.
#       Nothing is reported. Without ABC (synth -lut 4 -noabc), or with \x<1> as the name, the netlist is right.
# Consequence: generators that name parts of an array like that, as Amaranth does, beside the array itself: give other names before
#       synthesis for LUTs, or prove the netlist equivalent.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export TMPDIR="$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check pyosys==0.70
for name in 'x[1]' 'x<1>'; do
  echo "module top (input [1:0] x, input \\$name , output y); assign y = x[1] ^ \\$name ; endmodule" > "$name.v"
done
cat > run.py <<'PY'
import importlib.metadata
import json

from pyosys import libyosys


def independent(name, command):
    """Whether y of the netlist depends on two inputs, of which one is bit 1 of x."""
    design = libyosys.Design()
    for each in (f"read_verilog {name}.v", f"{command} -top top", "write_json netlist.json"):
        design.run_pass(f"tee -q -o log.txt {each}")
    module = json.load(open("netlist.json"))["modules"]["top"]
    ports = {port: bits["bits"] for port, bits in module["ports"].items()}
    read = {bit for cell in module["cells"].values() for pin, bits in cell["connections"].items() if pin not in "YOZ" for bit in bits}
    return read - {"0", "1", "x"} == {ports["x"][1], ports[name][0]}


print("pyosys", importlib.metadata.version("pyosys"))
for command in ("synth_ice40", "synth_ecp5", "synth -lut 4", "synth -lut 4 -noabc"):
    both = [independent(name, command) for name in ("x[1]", "x<1>")]
    print(f"{command}: y reads both wires: {both[0]} with the name x[1], {both[1]} with x<1>")
    assert both == [command.endswith("-noabc"), True]
PY
venv/bin/python run.py
