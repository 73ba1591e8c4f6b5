"""Runs a script of Yosys in a process of its own: ``python yosys_passes.py SCRIPT``. Nothing of bitjoule is imported.

The script may use one more pass, `GATES_OPT` with options of ``opt_dff``: what Yosys does for ``opt`` with them, for a
design of gates and flip-flops of one bit. Yosys begins another round whenever one has changed anything, if only that
wires without use went. No pass of ``opt`` asks for those but two that change multiplexers and reductions of many bits,
of which there are none any more.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyosys import libyosys

GATES_OPT = "gates_opt"
_DID = "opt.did_something"


def _changes(design: "libyosys.Design", command: str) -> bool:
    """Run a pass of `opt`; return whether it says that it changed something."""
    design.scratchpad_set_bool(_DID, False)
    design.run_pass(command)
    return bool(design.scratchpad_get_bool(_DID, False))


def optimise_gates(design: "libyosys.Design", flip_flops: str) -> None:
    """Do what ``opt`` does to a design of gates, and leave out what can change nothing.

    Parameters
    ----------
    design
        The design.
    flip_flops
        Options of ``opt_dff``.
    """
    design.run_pass("opt_expr")
    design.run_pass("opt_merge -nomux")
    changed = True
    while changed:
        before = [_changes(design, command) for command in ("opt_merge", f"opt_dff {flip_flops}")]
        cleaned = _changes(design, "opt_clean")
        changed = _changes(design, "opt_expr") or any(before)
        while cleaned and not changed:
            cleaned = _changes(design, "opt_clean")


def main(script: Path) -> None:
    """Run a script.

    Parameters
    ----------
    script
        Its file.
    """
    from pyosys import libyosys  # not by whoever only asks where this file is

    class GatesOpt(libyosys.Pass):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__(GATES_OPT, "opt of a design of gates")

        def execute(self, arguments: list[str], design: libyosys.Design) -> None:
            optimise_gates(design, " ".join(arguments[1:]))

    _pass = GatesOpt()
    # In one command: after each one Yosys gives away the numbers of names that are not used any more, and the order of
    # cells, and with it the netlist, goes by those.
    libyosys.run_pass(f"script {script}")
    libyosys.log_flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # else the design would be freed piece by piece, which takes a hundredth of the time
