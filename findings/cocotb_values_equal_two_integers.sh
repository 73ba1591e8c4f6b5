#!/usr/bin/env bash
# cocotb 2.1.0: a LogicArray equals two integers, its unsigned value and, where its highest bit is set, its signed one.
#
# Expected: `value == n` compares with int(value), which is documented as the unsigned value, as hex, bin and the formats use it.
# Seen: LogicArray("11111111") equals 255 and -1, although int() of it is 255; it does not equal -257. LogicArray("1") equals 1 and -1.
# Consequence: `assert dut.sum.value == expected` passes for a model that returns -1 where 255 is right, and the other way round. Compare
#       to_unsigned() or to_signed().
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check cocotb==2.1.0
venv/bin/python - <<'PY'
import cocotb
from cocotb.types import LogicArray

print("cocotb", cocotb.__version__)
for text, expected in (("11111111", [255, -1]), ("10000000", [128, -128]), ("01111111", [127]), ("1", [1, -1])):
    value = LogicArray(text)
    equal = sorted((number for number in range(-600, 600) if value == number), reverse=True)
    print(text, "equals", equal, "int", int(value))
    assert equal == expected and int(value) == expected[0]
PY
