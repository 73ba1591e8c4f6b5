#!/usr/bin/env bash
# MyHDL 0.11.52: clearing the upper bits of a negative number raises in simulation; the Verilog converted from it clears them.
#
# Expected: bits 3 and 2 of a signed number of 4 bits that is -1 (1111) set to 0 leave 0011, which is 3, in both.
# Seen: in Python the sign goes on above bit 3, so that -1 becomes -13, below the minimum: ValueError. The conversion writes
#       x[4-1:2] = 0 of a reg signed [3:0], which pyslang 12.1.0, a compiler of Verilog, evaluates to 3. Of numbers that are not negative
#       both agree.
# Consequence: a design that masks signed numbers stops in MyHDL's simulation and runs in every other.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check myhdl==0.11.52 pyslang==12.1.0
cat > masked.py <<'PY'
import importlib.metadata
from pathlib import Path

from myhdl import Signal, always_comb, block, delay, instance, intbv
from pyslang.ast import ScriptSession


@block
def masked(a, y):
    @always_comb
    def logic():
        x = intbv(0, min=-8, max=8)
        x[:] = a
        x[4:2] = 0
        y.next = x

    return logic


@block
def bench(value, seen):
    a, y = (Signal(intbv(0, min=-8, max=8)) for _ in range(2))
    part = masked(a, y)

    @instance
    def stimulus():
        a.next = value
        yield delay(1)
        seen.append(int(y))

    return part, stimulus


print("MyHDL", importlib.metadata.version("myhdl"))
for value in (6, -1):
    seen = []
    try:
        bench(value, seen).run_sim(10, quiet=1)
    except ValueError as error:
        seen.append(str(error))
    print(value, seen)
    assert seen == [2] if value == 6 else "-13 < minimum -8" in seen[0]
a, y = (Signal(intbv(0, min=-8, max=8)) for _ in range(2))
masked(a, y).convert(hdl="Verilog", header="", no_myhdl_header=True)
text = Path("masked.v").read_text()
print(text)
assert "reg signed [4-1:0] x;" in text
assert "x[4-1:2] = 0;" in text
session = ScriptSession()
session.eval("reg signed [4-1:0] x;")
for value, expected in ((6, 2), (-1, 3)):
    session.eval(f"x = {value};")
    session.eval("x[4-1:2] = 0;")
    print("Verilog", value, session.eval("x"))
    assert int(session.eval("x").value) == expected
PY
venv/bin/python masked.py
