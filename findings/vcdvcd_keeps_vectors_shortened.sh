#!/usr/bin/env bash
# vcdvcd 2.6.0: the values of a vector come as text of as many bits as the file happens to hold, not of the vector's width.
#
# Expected: the value of an 8-bit wire has eight characters: IEEE 1364 shortens values in the file (leading zeros; x and z repeated) and
#       says how a reader widens them.
# Seen: values of 1, 3 and 8 characters follow one another, and eight unknown bits are one "x". Index i of the text is another bit
#       each time.
# Consequence: who counts toggles a bit must widen each value to `size` first, by x, z or 0 after its first character; a count of
#       characters that differ gives 1 toggle for 1 -> 5 -> 255 instead of 7.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check vcdvcd==2.6.0 pyvcd==0.4.2
venv/bin/python - <<'PY'
import importlib.metadata

from vcd import VCDWriter
from vcdvcd import VCDVCD

print("vcdvcd", importlib.metadata.version("vcdvcd"))
with open("bus.vcd", "w") as file, VCDWriter(file, timescale="1 ns") as writer:
    bus = writer.register_var("top", "bus", "wire", size=8, init="x")
    for time, value in enumerate((1, 5, 255), 1):
        writer.change(bus, time, value)
signal = VCDVCD("bus.vcd")["top.bus"]
print("size", signal.size, "values", signal.tv)
assert int(signal.size) == 8
assert signal.tv == [(0, "x"), (1, "1"), (2, "101"), (3, "11111111")]
values = [value for time, value in signal.tv[1:]]


def toggles(values):
    """Characters that differ between neighbours."""
    return sum(a != b for before, after in zip(values, values[1:]) for a, b in zip(before, after))


print("toggles of the text", toggles(values), "of the bits", toggles([value.zfill(8) for value in values]))
assert (toggles(values), toggles([value.zfill(8) for value in values])) == (1, 7)
PY
