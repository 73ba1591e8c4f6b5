#!/usr/bin/env bash
# PyRTL 1.0.3: signed_lt, signed_le, signed_gt and signed_ge read a positive integer as a negative number.
#
# Expected: signed_lt(x, 100) of a signed x of 8 bits is 1 for -5, 0 and 50, as signed_add(x, 100) adds 100.
# Seen: the integer becomes an unsigned constant of as few bits as it needs, whose highest bit is 1, and is then extended by its sign: 100,
#       of 7 bits, is compared as -28, 4 as -4 and each 1, 3 and 7 as -1. signed_lt(0, 100) is 0. signed_add and signed_mult make signed
#       constants and are right; so are comparisons with Const(100, signed=True), and with 0.
# Consequence: a clamp or a threshold of signed sums at a positive constant is built, simulated and exported as one at a negative number.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check pyrtl==1.0.3
cat > compare.py <<'PY'
import importlib.metadata
import operator

import pyrtl

print("PyRTL", importlib.metadata.version("pyrtl"))
comparisons = {name: (getattr(pyrtl, f"signed_{name}"), getattr(operator, name)) for name in ("lt", "le", "gt", "ge")}
constants = {1: -1, 2: -2, 3: -1, 4: -4, 7: -1, 100: -28}
x = pyrtl.Input(8, "x")
for name, (compare, _) in comparisons.items():
    for constant in constants:
        for kind, operand in (("integer", constant), ("signed", pyrtl.Const(constant, signed=True))):
            result = pyrtl.Output(1, f"{name}_{constant}_{kind}")
            result <<= compare(x, operand)
total = pyrtl.Output(9, "total")
total <<= pyrtl.signed_add(x, 100)
simulation = pyrtl.Simulation()
for value in range(-128, 128):
    simulation.step({"x": value % 256})
    assert pyrtl.val_to_signed_integer(simulation.inspect("total"), 9) == value + 100
    for name, (_, reference) in comparisons.items():
        for constant, read_as in constants.items():
            assert simulation.inspect(f"{name}_{constant}_signed") == reference(value, constant)
            assert simulation.inspect(f"{name}_{constant}_integer") == reference(value, read_as)
    if value in (-50, -5, 0, 50):
        print(f"signed_lt({value}, 100):", simulation.inspect("lt_100_integer"), "as", value < -28, "not", value < 100)
PY
venv/bin/python compare.py
