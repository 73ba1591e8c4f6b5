#!/usr/bin/env bash
# scipy 1.16.3: least_squares with bounds returns a value far from the optimum for a coefficient of 1e-12, with success=True.
#
# Expected: a linear problem with one unknown is solved; or the result says that it is not.
# Seen: true slope 3e-12 (joules per operation, say), start 1e-12, result 1e-10, "`gtol` termination condition is satisfied".
#       The same data in pJ (slope 3) is solved. nnls solves both.
# Consequence: fit energies in pJ, never in J, and compare the fitted curve with the data.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check numpy==2.3.5 scipy==1.16.3
venv/bin/python - <<'PY'
import numpy as np
from scipy.optimize import least_squares, nnls

x = np.arange(1, 9.0)
for unit, scale in (("J", 1e-12), ("pJ", 1.0)):
    y = 3 * scale * x
    fit = least_squares(lambda p: p[0] * x - y, [scale], bounds=(0, np.inf))
    direct = nnls(x[:, None], y)[0][0]
    print(f"{unit}: slope / true slope: least_squares {fit.x[0] / (3 * scale):.3g}, nnls {direct / (3 * scale):.3g}, success {fit.success}")
    if unit == "J":
        assert fit.success and fit.x[0] / 3e-12 > 10
    else:
        assert abs(fit.x[0] - 3) < 1e-6
    assert abs(direct / (3 * scale) - 1) < 1e-9
PY
