"""What tests of rewritten netlists share: Yosys in its own process, and a proof that a netlist computes a text."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.rtl.formal import YOSYS

# By family, Yosys' models of the cells.
MODELS = {"ecp5": "+/lattice/cells_sim_ecp5.v", "ice40": "+/ice40/cells_sim.v", "gowin": "+/gowin/cells_sim.v"}


def yosys(*commands: str) -> None:
    """Run commands of Yosys.

    Parameters
    ----------
    commands
        One after the other.
    """
    subprocess.run([sys.executable, "-c", YOSYS, *commands], check=True, stdout=subprocess.DEVNULL)


def prove_equal(source: Path, module: Mapping[str, Any], models: str, cells: str = "") -> None:
    """Prove by SAT that a netlist without state computes what a text says; Yosys fails where it does not.

    Parameters
    ----------
    source
        Verilog of the module ``top``; files are written beside it.
    module
        The netlist of ``top``.
    models
        The cells, as Yosys has them, e.g. ``+/gowin/cells_sim.v``.
    cells
        Verilog of more cells.
    """
    netlist, more, gate = (source.with_name(name) for name in ("rewritten.json", "cells.v", "gate.il"))
    netlist.write_text(json.dumps({"modules": {"top": module}}))
    more.write_text(cells)
    yosys(
        f"read_json {netlist}", f"read_verilog {more}", f"read_verilog -overwrite {models}", "hierarchy -top top",
        "proc; flatten; opt_clean; rename top gate", f"write_rtlil {gate}",
    )  # fmt: skip
    yosys(
        f"read_verilog {source}", "hierarchy -top top; proc; rename top gold", f"read_rtlil {gate}",
        "miter -equiv -flatten -make_assert gold gate miter",
        "sat -verify -prove-asserts miter",
    )  # fmt: skip
