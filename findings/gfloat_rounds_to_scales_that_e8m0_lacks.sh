#!/usr/bin/env bash
# gfloat 0.5.2: round_float to OCP's scale type E8M0 leaves -1, 0 and 1e-300 as they are or nearly so.
#
# Expected: round_float returns, as its text says, a value of the format, or raises ValueError. E8M0 has 2^-127 to 2^127 and NaN: no sign, no
#       zero. So -1 and 0 raise or give NaN or 2^-127, and 1e-300 gives 2^-127.
# Seen: -1 gives -1, -3 gives -4 (3 gives 2), 0 gives 0, 2^-128 gives 2^-128, 1e-300 gives 7.5e-301. encode_float makes these five 255, which is
#       NaN; encode_ndarray, its vectorised version, gives -1 the code 2^64 - 1, 1e-300 2^64 - 870 and 0 the code 0, which is 2^-127.
# Consequence: scales rounded with this reference are not those that a file holds. A block of zeros has scale 0 before encoding, then NaN or
#       2^-127, by the function that encodes it.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q --no-compile --disable-pip-version-check numpy==2.3.5 gfloat==0.5.2
venv/bin/python - <<'PY'
import importlib.metadata

import numpy as np
from gfloat import decode_float, encode_float, encode_ndarray, round_float, round_ndarray
from gfloat.formats import format_info_ocp_e4m3, format_info_ocp_e8m0

print("gfloat", importlib.metadata.version("gfloat"), "numpy", np.__version__)
values = np.array([3.0, 2.0**-127, -1.0, -3.0, 0.0, 2.0**-128, 1e-300])
of_format = {decode_float(format_info_ocp_e8m0, code).fval for code in range(255)}
rounded = [round_float(format_info_ocp_e8m0, float(value)) for value in values]
array = round_ndarray(format_info_ocp_e8m0, values)
one_by_one = [int(encode_float(format_info_ocp_e8m0, value)) for value in rounded]
vectorised = [int(code) for code in encode_ndarray(format_info_ocp_e8m0, array)]
for row in zip(values.tolist(), rounded, one_by_one, vectorised, strict=True):
    print("value {}, rounded {}, encode_float {}, encode_ndarray {}".format(*row))
assert rounded == array.tolist() == [2.0, 2.0**-127, -1.0, -4.0, 0.0, 2.0**-128, 2.0**-997]
assert [value in of_format for value in rounded] == [True] * 2 + [False] * 5
assert one_by_one == [128, 0] + [255] * 5 and np.isnan(decode_float(format_info_ocp_e8m0, 255).fval)
assert vectorised[:2] == [128, 0] and vectorised[4] == 0
assert all(vectorised[place] > 2**63 for place in (2, 3, 5, 6))
others = np.array([-1.0, 0.0, 1e-300, 300.0, -5e-3])
assert all(
    int(encode_float(format_info_ocp_e4m3, round_float(format_info_ocp_e4m3, float(value)))) == int(code)
    for value, code in zip(others, encode_ndarray(format_info_ocp_e4m3, round_ndarray(format_info_ocp_e4m3, others)), strict=True)
)
PY
