#!/usr/bin/env bash
# liberty-parser 0.0.29: numbers that begin or end with their point, or begin with a plus sign, come as text.
#
# Expected: numbers, as `0.5` and `-1.5` are; Python's float() and C's strtod take all of them.
# Seen: `0.5`, `-1.5` and `1.5e-3` are floats, `.5`, `5.` and `+1.5` are str, without a warning.
# Consequence: an area or a leakage that a generator writes as `.5` fails at the first sum, or is left out by a reader that
#       takes what is a number. Convert by float() where the attribute is known to be a number.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check liberty-parser==0.0.29
venv/bin/python - <<'PY'
import importlib.metadata

from liberty.parser import parse_liberty

print("liberty-parser", importlib.metadata.version("liberty-parser"))
texts = ("0.5", "-1.5", "1.5e-3", ".5", "5.", "+1.5")
cells = "".join(f"cell (C{i}) {{ area : {text}; }}" for i, text in enumerate(texts))
library = parse_liberty(f"library (small) {{ {cells} }}")
areas = [group["area"] for group in library.get_groups("cell")]
for text, area in zip(texts, areas):
    print(f"area : {text};  is read as {type(area).__name__} {area!r}")
assert areas == [0.5, -1.5, 1.5e-3, ".5", "5.", "+1.5"]
assert [float(area) for area in areas] == [float(text) for text in texts]
PY
