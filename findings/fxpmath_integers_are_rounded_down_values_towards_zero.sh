#!/usr/bin/env bash
# fxpmath 0.4.10: int() and astype(int) of a number round down, although its default and only named rounding here is "trunc", towards zero.
#
# Expected: int(Fxp(-1.5)) is -1, as int(-1.5), numpy's astype(int) of the same values, and Fxp(-1.5) resized to no fraction bits.
# Seen: int() and astype(int) give -2 and -2, -1, 0, 1 for -1.5, -0.5, 0.5, 1.5 whatever `rounding` is; resizing, numpy.trunc and
#       numpy.array(x).astype(int) give -1, 0, 0, 1.
# Consequence: expected integers of a quantised layer depend on which of the two a test bench takes: every negative value with a fraction
#       differs by one.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 fxpmath==0.4.10
venv/bin/python - <<'PY'
import importlib.metadata

import numpy as np
from fxpmath import Fxp

print("fxpmath", importlib.metadata.version("fxpmath"), "numpy", np.__version__)
values = [-1.5, -0.5, 0.5, 1.5]
down, towards_zero = [-2, -1, 0, 1], [-1, 0, 0, 1]
assert Fxp(0.0, True, 8, 4).config.rounding == "trunc"
for rounding in ("trunc", "fix", "around", "ceil", "floor"):
    x = Fxp(values, True, 8, 4, rounding=rounding)
    print(rounding, "astype", x.astype(int), "int", [int(x[i]) for i in range(4)])
    assert list(x.astype(int)) == down
    assert [int(x[i]) for i in range(4)] == down
x = Fxp(values, True, 8, 4)
whole = Fxp(values, True, 8, 4)
whole.resize(n_frac=0)
others = {"resized": whole.get_val(), "numpy.trunc": np.trunc(x).get_val(), "of numpy": np.array(x).astype(int)}
print({name: list(map(float, other)) for name, other in others.items()})
assert all(list(other) == towards_zero for other in others.values())
PY
