#!/usr/bin/env bash
# amaranth 0.5.10: `Const(value, width)` has the shape signed(width) where the value is negative.
#
# Expected: an integer as a shape is unsigned: the language guide calls it a shorthand for unsigned(i), and Signal(4, init=-1) is unsigned
#       with the value 15. So Const(-1, 4) is 15 as well.
# Seen: Const(-1, 4) is signed(4) with the value -1. It never equals a signal of four ones, and is extended by its sign: `x & Const(-1, 4)`
#       keeps all eight bits of x. With unsigned(4) instead of 4 both are as expected. The simulator and the Verilog agree.
# Consequence: masks and codes that are written as negative integers need the shape unsigned(width).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check amaranth==0.5.10
venv/bin/python - <<'PY'
import amaranth
from amaranth.hdl import Const, Module, Shape, Signal, signed, unsigned
from amaranth.sim import Simulator

print("amaranth", amaranth.__version__)
ones, byte, equal, masked = Signal(4, init=-1), Signal(8, init=0xA5), Signal(2), Signal(16)
assert Shape.cast(4) == ones.shape() == unsigned(4)
module = Module()
plain, explicit = Const(-1, 4), Const(-1, unsigned(4))
module.d.comb += [equal[0].eq(ones == plain), equal[1].eq(ones == explicit), masked[:8].eq(byte & plain), masked[8:].eq(byte & explicit)]
seen = []


async def bench(context):
    seen.extend((context.get(ones), context.get(equal), context.get(masked)))


simulator = Simulator(module)
simulator.add_testbench(bench)
simulator.run()
print("Const(-1, 4):", plain.shape(), plain.value, "Const(-1, unsigned(4)):", explicit.shape(), explicit.value)
assert (plain.shape(), plain.value, explicit.shape(), explicit.value) == (signed(4), -1, unsigned(4), 15)
print("four ones equal them:", seen[1] & 1, seen[1] >> 1, "A5 masked by them:", f"{seen[2] & 0xFF:02X}", f"{seen[2] >> 8:02X}")
assert seen == [15, 0b10, 0x05A5]
PY
