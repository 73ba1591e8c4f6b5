#!/usr/bin/env bash
# ruamel.yaml 0.19.1: as YAML 1.2 it reads 1_000 as 1000, 0b11 as 3 and -0o7 as -7; the 1.2 core schema has none of these.
#
# Expected: YAML 1.2's core schema (section 10.3.2), as the package's default version is 1.2: these three are strings.
# Seen: integers, while "010" is 10 and "yes" is a string, as 1.2 says.
# Consequence: the same file has other values in a strict 1.2 reader; a unit test against the schema's tables finds it.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check ruamel.yaml==0.19.1
venv/bin/python - <<'PY'
from ruamel.yaml import YAML

read = YAML(typ="safe", pure=True).load("{a: 1_000, b: 0b11, c: -0o7, d: 010, e: yes, f: 0o17}")
print(read)
assert read == {"a": 1000, "b": 3, "c": -7, "d": 10, "e": "yes", "f": 15}
PY
