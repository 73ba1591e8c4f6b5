#!/usr/bin/env bash
# amaranth 0.5.10: bits selected past the end of a signed value are its sign in amaranth.sim and zero in the Verilog it writes.
#
# Expected: simulator and generated Verilog agree on every value of the inputs.
# Seen: of a signed 8-bit value of -1, bit_select(6, 4) is 15 in the simulator and 3 in the Verilog ($signed(s) >> i, which shifts in
#       zeros); word_select does the same, and so does bit_select of value.as_unsigned(). Inside the value they agree.
# Consequence: a design verified in amaranth.sim computes something else as hardware: use >>, which agrees everywhere.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check 'amaranth[builtin-yosys]==0.5.10' pyosys==0.70
venv/bin/python - <<'PY'
import re

import amaranth
from amaranth.back import verilog
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator
from pyosys import libyosys

value, first = Signal(signed(8), name="s"), Signal(4, name="i")
outputs = {name: Signal(4, name=name) for name in ("bits", "words", "cast", "shift")}
module = Module()
module.d.comb += outputs["bits"].eq(value.bit_select(first, 4))
module.d.comb += outputs["words"].eq(value.word_select(first, 4))
module.d.comb += outputs["cast"].eq(value.as_unsigned().bit_select(first, 4))
module.d.comb += outputs["shift"].eq(value >> first)
simulated = {name: [] for name in outputs}


async def bench(context):
    context.set(value, -1)
    for number in range(16):
        context.set(first, number)
        for name, output in outputs.items():
            simulated[name].append(context.get(output))


simulator = Simulator(module)
simulator.add_testbench(bench)
simulator.run()
open("top.v", "w").write(verilog.convert(module, name="top", ports=[value, first, *outputs.values()], emit_src=False))
design = libyosys.Design()
show = " ".join(f"-show {name}" for name in outputs)
for command in ("read_verilog top.v", "prep -top top", f"eval -set s 8'b11111111 -table i {show}"):
    design.run_pass(f"tee -q -o log.txt {command}")
rows = [re.findall(r"4'([01]{4})", line) for line in open("log.txt") if line.startswith(" 4'")]
written = {name: [int(row[place + 1], 2) for row in rows] for place, name in enumerate(outputs)}
print("amaranth", amaranth.__version__)
for name in outputs:
    print(f"{name}: simulator {simulated[name]}, Verilog {written[name]}")
assert all(simulated[name] == [15] * 16 for name in outputs)
assert written["bits"] == written["cast"] == [15] * 5 + [7, 3, 1] + [0] * 8
assert written["words"] == [15] * 2 + [0] * 14
assert written["shift"] == [15] * 16
PY
