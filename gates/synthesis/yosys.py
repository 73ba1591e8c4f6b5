"""Verilog to a netlist of library cells, with Yosys and ABC.

Yosys runs in a process of its own: it keeps its designs in global state and writes to the standard output. By default
its `abc` keeps each library it has read in the temporary folder, known by path and age: 0.4 MB (FreePDK45) or 0.8 MB
(ASAP7) stay behind a run, and a file that is replaced by an older one is not read. So that is switched off, and all
that Yosys and ABC write for themselves goes into the folder of the run.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitjoule.gates.code_fingerprint import code_fingerprint
from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.cell import Cell
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import fingerprints
from bitjoule.gates.liberty.requirements import check_cells, check_library, smallest_flip_flop
from bitjoule.gates.liberty.source import read_source
from bitjoule.gates.netlist import Netlist, read_netlist
from bitjoule.gates.synthesis import adders, yosys_passes
from bitjoule.gates.synthesis.names import rename
from bitjoule.sim.accelerator.build_cache import cached, content_hash

_MERGED = "merged.lib"
_POWER = re.compile(r"\b(?:internal_power|leakage_power)\s*\(\s*\)\s*\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_FUNCTION = re.compile(r'(\bfunction\s*:\s*)"([^"]*\^[^"]*)"')
# Yosys takes and frees millions of small blocks: glibc spends up to half its time putting free ones together again
# unless each thread may keep all of them, and Yosys jumps through more memory than its pages' addresses are kept of.
# What it does free in one piece it takes again at once, from the system page by page unless it is kept.
_KEPT_BYTES, _LARGEST_BYTES = 1 << 33, 1 << 25  # more than it takes; the most that glibc knows
_TUNABLES = {
    "tcache_count": 65535,
    "hugetlb": 1,
    "trim_threshold": _KEPT_BYTES,
    "mmap_threshold": _LARGEST_BYTES,
}
ALLOCATOR = {"GLIBC_TUNABLES": ":".join(f"glibc.malloc.{name}={value}" for name, value in _TUNABLES.items())}
# Its own threads take a tenth more processor time than they save: other syntheses run on the other processors.
_ONE_THREAD = {"YOSYS_MAX_THREADS": "1"}
_PREFIX_ADDERS = {
    "brent-kung": "",
    "kogge-stone": "-map +/choices/kogge-stone.v ",
    "han-carlson": "-map +/choices/han-carlson.v ",
    "sklansky": "-map +/choices/sklansky.v ",
}
ADDERS = ("ripple", *_PREFIX_ADDERS)
# `memory -nomap` without what it cleans up between: what `memory_map` leaves is cleaned up once.
MEMORY = "; ".join(
    ("opt_mem", "opt_mem_priority", "opt_mem_feedback", "memory_bmux2rom", "memory_dff", "memory_share",
     "opt_mem_widen", "memory_collect")
)  # fmt: skip
FULL_ADDERS = f"{yosys_passes.FULL_ADDERS} -d 5 -b 4 -fa"
# One adder for each addition as written: a plain `alumacc` would turn a tree of additions into one carry-save array.
_SINGLE = """
(* techmap_wrap = "alumacc" *)
(* techmap_celltype = "$lt $le $ge $gt $add $sub $neg" *)
module single; endmodule
"""
_RIPPLE = r"""
(* techmap_celltype = "$lcu" *)
module ripple_lcu (P, G, CI, CO);
parameter WIDTH = 1;
input [WIDTH-1:0] P, G; input CI; output [WIDTH-1:0] CO;
genvar i;
generate for (i = 0; i < WIDTH; i = i + 1) begin : bits
  if (i == 0) assign CO[0] = G[0] | (P[0] & CI);
  else assign CO[i] = G[i] | (P[i] & CO[i-1]);
end endgenerate
endmodule
(* techmap_celltype = "$alu" *)
module ripple_alu (A, B, CI, BI, X, Y, CO);
parameter A_SIGNED = 0; parameter B_SIGNED = 0;
parameter A_WIDTH = 1; parameter B_WIDTH = 1; parameter Y_WIDTH = 1;
input [A_WIDTH-1:0] A; input [B_WIDTH-1:0] B; input CI, BI;
output [Y_WIDTH-1:0] X, Y, CO;
wire [Y_WIDTH-1:0] a, b, bb;
\$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) ca (.A(A), .Y(a));
\$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) cb (.A(B), .Y(b));
assign bb = BI ? ~b : b;
assign X = a ^ bb;
genvar i;
generate for (i = 0; i < Y_WIDTH; i = i + 1) begin : bits
  if (i == 0) \$fa #(.WIDTH(1)) fa (.A(a[0]), .B(bb[0]), .C(CI), .X(CO[0]), .Y(Y[0]));
  else \$fa #(.WIDTH(1)) fa (.A(a[i]), .B(bb[i]), .C(CO[i-1]), .X(CO[i]), .Y(Y[i]));
end endgenerate
endmodule
"""


@dataclass(frozen=True)
class Options:
    """How to synthesise.

    Parameters
    ----------
    adder : str
        Carry network of behavioural additions: one of `ADDERS`.
    gating : int
        Registers that share an enable for it to become a clock gate; 0 for multiplexers.
    tries : int
        Ways through ABC, of which the best is kept.
    names : int
        A seed of other names for what the tools name; 0 for their own. See `bitjoule.gates.synthesis.names`.
    """

    adder: str = "sklansky"
    gating: int = field(default_factory=lambda: int(constant("gating-registers")))
    tries: int = 3
    names: int = 0


def merged_liberty(library: Library, path: Path, power: bool = False) -> None:
    """Write the library's files as one, without power: Yosys takes one, and OpenSTA reads what is left faster.

    Functions that ABC would read as others get parentheses.

    Parameters
    ----------
    library : Library
        The library.
    path : Path
        Where to write.
    power : bool
        Keep the power tables.
    """
    bodies = []
    for source in library.paths:
        text = read_source(source).text
        text = text if power else _POWER.sub("", text)
        text = _FUNCTION.sub(lambda match: f'{match[1]}"{BooleanFunction(match[2]).unmistakable}"', text)
        bodies.append(text[text.index("{") + 1 : text.rindex("}")])
    path.write_text("library (merged) {\n" + "\n".join(bodies) + "\n}\n")


def synthesise(
    verilog: Path,
    top: str,
    library: Library,
    folder: Path,
    options: Options,
    script: str,
    again: bool = False,
    last: bool = False,
) -> Netlist:
    """Map a synchronous Verilog design to a library.

    Parameters
    ----------
    verilog : Path
        The design.
    top : str
        Its top module.
    library : Library
        The cells.
    folder : Path
        Where intermediate files, the logs of Yosys among them, go.
    options : Options
        How.
    script : str
        Commands of ABC.
    again : bool
        Only the script of ABC differs from the call before: begin with what that left in the folder.
    last : bool
        No call comes after this one that would begin so: leave nothing for it.

    Raises
    ------
    RuntimeError
        Yosys failed, or a multiplier was found.
    ValueError
        Something could not be mapped.
    LibertyError
        The library lacks something.
    """
    if not again:
        check_library(library)
        _front(verilog, top, library, folder, options)
    liberty = liberty_file(library)
    unused = " ".join(f"-dont_use {cell.name}" for cell in library.cells.values() if cell.avoid)
    unmapped = folder / "unmapped.il"
    gates = [f"read_rtlil {unmapped}"] if again else _gates(top, library, folder, options)
    kept = [] if again or last else [f"write_rtlil {unmapped}"]
    _yosys(
        folder,
        "back",
        [
            f"read_liberty -lib -ignore_miss_func {liberty}",
            *gates,
            *kept,
            f"abc -liberty {liberty} {unused} -script {folder / 'abc.script'}",
            "opt_clean -purge",
            "select -assert-none t:$mul t:$_*",
            f"write_json {folder / 'mapped.json'}",
        ],
        abc=script,
    )
    netlist = read_netlist(folder / "mapped.json", top, library)
    check_cells(library, (instance.cell for instance in netlist.instances))
    return netlist


def liberty_file(library: Library) -> Path:
    """Return the file of `merged_liberty` without power, from the cache if it is there.

    Parameters
    ----------
    library
        The library.
    """
    key = content_hash(*fingerprints(library).values(), code_fingerprint(__name__))
    return cached(f"liberty-{key}", lambda folder: merged_liberty(library, folder / _MERGED)) / _MERGED


def _front(verilog: Path, top: str, library: Library, folder: Path, options: Options) -> None:
    """Read the design, reduce it to gates and full adders, and prepare those for the library."""
    (folder / "ripple.v").write_text(_RIPPLE)
    (folder / "single.v").write_text(_SINGLE)
    ripple = [f"techmap -map {folder / 'ripple.v'} t:$alu"] if options.adder == "ripple" else []
    _yosys(
        folder,
        "front",
        [
            f"read_verilog -sv {verilog}",
            f"hierarchy -check -top {top}",
            "proc; flatten; opt_expr; opt_clean",
            f"{yosys_passes.WORDS_OPT} -nodffe -nosdff",
            "wreduce; peepopt",
            f"{MEMORY}; memory_map; opt_clean",
            f"opt_dff -nosdff{'' if options.gating else ' -nodffe'}; opt_clean",
            "select -assert-none t:$mul t:$macc t:$macc_v2",
            f"techmap -map {folder / 'single.v'}",
            *ripple,
            "simplemap; opt_expr; opt_merge; opt_clean",
            f"{FULL_ADDERS}; opt_clean",
            f"write_json {folder / 'front.json'}",
        ],
    )
    design = json.loads((folder / "front.json").read_text())
    rename(design["modules"][top], options.names)
    adder = adders.find_full_adder(library)
    if adder is not None:
        adders.prepare(design["modules"][top], adder)
        (folder / "adders.v").write_text(adders.techmap(adder))
    (folder / "prepared.json").write_text(lean_json(design["modules"], top))


def lean_json(modules: dict[str, Any], top: str) -> str:
    """Return modules as Yosys reads them, of one of them without what it writes and does not read: it reads slowly.

    Parameters
    ----------
    modules
        Of Yosys's JSON.
    top
        The name of that one.
    """
    module = modules[top]
    cells = {
        name: {key: cell[key] for key in ("type", "parameters", "attributes", "connections")}
        for name, cell in module["cells"].items()
    }
    nets = {name: {key: net[key] for key in net if key != "hide_name"} for name, net in module["netnames"].items()}
    lean = {**module, "cells": cells, "netnames": nets}
    return json.dumps({"modules": {**modules, top: lean}}, separators=(",", ":"))


def _gates(top: str, library: Library, folder: Path, options: Options) -> list[str]:
    """Return the commands from what `_front` prepared to gates for ABC and the library's flip-flops and clock gates."""
    liberty = liberty_file(library)
    maps = [f"techmap -map {folder / 'adders.v'}"] if (folder / "adders.v").exists() else []
    prefix = _PREFIX_ADDERS.get(options.adder, "")
    flip_flop = smallest_flip_flop(library)
    others = " ".join(
        f"-dont_use {cell.name}" for cell in library.cells.values() if cell.flip_flop and cell != flip_flop
    )
    gating = [f"clockgate -liberty {liberty} -min_net_size {options.gating}"] if options.gating else []
    return [
        f"read_json {folder / 'prepared.json'}",
        f"hierarchy -top {top}",
        *maps,
        f"techmap -map +/techmap.v {prefix}t:$alu t:$lcu",
        "techmap; simplemap",
        f"{yosys_passes.GATES_OPT} -nodffe -nosdff",
        *gating,
        "rename -wire t:$_*DFF*",  # names of registers, as `bitjoule.gates.power.parts` reads them
        f"dfflibmap {others} -liberty {liberty}",
        # The inverters behind flip-flops that give the inverse meet others; without any, nothing has changed.
        *([] if _gives_its_data(flip_flop) else ["opt_expr; opt_merge"]),
        "opt_clean",
    ]


def _gives_its_data(flip_flop: Cell) -> bool:
    """Whether an output of a flip-flop is what its data pin was, not the inverse."""
    state = flip_flop.state
    is_data = state.next_state.text.strip("() ") in flip_flop.inputs
    return is_data and any(flip_flop.function(pin).text.strip("() ") == state.state for pin in flip_flop.outputs)


def _yosys(folder: Path, name: str, commands: Sequence[str], abc: str = "") -> None:
    if abc:
        (folder / "abc.script").write_text(abc.replace(";", "\n") + "\n")
    script, log = folder / f"{name}.ys", folder / f"{name}.log"
    script.write_text("\n".join(["libcache -scl -disable", *commands]) + "\n")
    with log.open("w") as out:
        process = subprocess.run(
            [sys.executable, "-P", yosys_passes.__file__, script], stdout=out, stderr=subprocess.STDOUT, check=False,
            env=ALLOCATOR | _ONE_THREAD | os.environ | {"TMPDIR": str(folder)},
        )  # fmt: skip
    if process.returncode:
        raise RuntimeError(f"Yosys failed:\n{log.read_text()[-2000:]}")
