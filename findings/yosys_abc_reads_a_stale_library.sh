#!/usr/bin/env bash
# pyosys 0.70 (Yosys with ABC): `abc -liberty` reads a library from a cache of an earlier run when the file has an older time.
#
# Expected: each run reads the file that it is given, and leaves nothing behind.
# Seen: a run leaves a copy of the library in a folder of TMPDIR, under a name made from the path; a later run, in a fresh process, reads
#       the copy unless the file is newer than the copy. A file put in the first one's place with a later date of its own, but older
#       than that run, is not read: the netlist has cells of the old one.
# Consequence: another release of a library, unpacked or copied with its date, at the same path, is ignored: `libcache -scl -disable`.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
export TMPDIR="$work/tmp"; mkdir "$TMPDIR"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check pyosys==0.70
venv/bin/python -c 'import importlib.metadata as m; print("pyosys", m.version("pyosys"))'
library() { # the name of its inverter
  echo 'library (t) { delay_model : table_lookup; time_unit : "1ns"; capacitive_load_unit (1, ff);'
  while read -r name area pins function; do
    echo "cell ($name) { area : $area; pin (Y) { direction : output; function : \"$function\"; }"
    for pin in ${pins//,/ }; do echo "pin ($pin) { direction : input; capacitance : 1; }"; done
    echo "}"
  done <<CELLS
$1 10 A !A
BUF 15 A A
NAND2 20 A,B !(A & B)
NOR2 20 A,B !(A | B)
CELLS
  echo "}"
}
echo 'module top (input a, output y); assign y = ~a; endmodule' > top.v
cat > run.py <<'PY'
import re
import sys

from pyosys import libyosys

design = libyosys.Design()
mapping = ("techmap", *sys.argv[1:], "abc -liberty cells.lib", "clean")
for command in ("read_verilog top.v", "hierarchy -top top", *mapping, "write_verilog -noattr n.v"):
    design.run_pass(f"tee -q -o log.txt {command}")
print(*re.findall(r"^  (\w+) _\w+_ \(", open("n.v").read(), re.MULTILINE))
PY
library INV_OLD > cells.lib; touch -d "2 days ago" cells.lib
first=$(venv/bin/python run.py)
echo "first run: $first; left in TMPDIR: $(cd "$TMPDIR" && find . -type f | sort | tr '\n' ' ')"
library INV_NEW > cells.lib; touch -d "1 day ago" cells.lib
second=$(venv/bin/python run.py)
apart=$(venv/bin/python run.py "libcache -scl -disable")
touch -d "1 hour" cells.lib
touched=$(venv/bin/python run.py)
echo "other file, a day younger, but older than the copy: $second; with libcache -scl -disable: $apart; younger than the copy: $touched"
test "$first $second $apart $touched" = "INV_OLD INV_OLD INV_NEW INV_NEW"
find "$TMPDIR" -name '*.scl' | grep -q .
