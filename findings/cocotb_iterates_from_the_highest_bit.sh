#!/usr/bin/env bash
# cocotb 2.1.0: iterating over a LogicArray begins with the highest bit, while the index 0 is the lowest.
#
# Expected: enumerate(value) gives the pairs i, value[i], as for every Python sequence.
# Seen: for [3:0], the range of a packed signal, value[0] is the lowest bit and the first of list(value) the highest.
#       zip, enumerate, reversed and list all count from the left; nothing warns, and bits that read the same both ways hide it.
# Consequence: a mask or a word of lanes unpacked by enumerate is reversed: count over value.range, or over int(value).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check cocotb==2.1.0
venv/bin/python - <<'PY'
import importlib.metadata

from cocotb.types import LogicArray

print("cocotb", importlib.metadata.version("cocotb"))
value = LogicArray(0b0001, 4)
by_index = [int(value[place]) for place in range(4)]
by_iteration = [int(bit) for bit in value]
number = sum(int(bit) << place for place, bit in enumerate(value))
print(value, "by index", by_index, "by iteration", by_iteration, "put together by enumerate", number)
assert value.to_unsigned() == 1 and list(value.range) == [3, 2, 1, 0]
assert by_index == [1, 0, 0, 0] and by_iteration == [0, 0, 0, 1] and number == 8
assert [(place, int(value[place])) for place in value.range] == [(3, 0), (2, 0), (1, 0), (0, 1)]
PY
