"""Runs a script of Yosys in a process of its own: ``python yosys_passes.py SCRIPT``. Nothing of bitjoule is imported.

The script may use more passes. `WORDS_OPT` and `GATES_OPT`, each with options of ``opt_dff``, are what Yosys does for
``opt`` with them, the second for a design of gates and flip-flops of one bit. Yosys begins another round whenever one
has changed anything, if only that wires without use went. No pass of ``opt`` asks for those but two that change
multiplexers and reductions of many bits; of a design of gates these find nothing. `FULL_ADDERS` is ``extract_fa``.
"""

import os
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyosys import libyosys

WORDS_OPT = "words_opt"
GATES_OPT = "gates_opt"
FULL_ADDERS = "full_adders"
_DID = "opt.did_something"


def _changes(design: "libyosys.Design", command: str) -> bool:
    """Run a pass of `opt`; return whether it says that it changed something."""
    design.scratchpad_set_bool(_DID, False)
    design.run_pass(command)
    return bool(design.scratchpad_get_bool(_DID, False))


def optimise_gates(design: "libyosys.Design", flip_flops: str) -> None:
    """Do what ``opt`` does to a design of gates, and leave out what can change nothing.

    Unlike ``opt`` it may leave wires without use, which the ``opt_clean`` that follows takes away.

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
        design.run_pass("opt_clean")
        changed = _changes(design, "opt_expr") or any(before)


def optimise_words(design: "libyosys.Design", flip_flops: str) -> None:
    """Do what ``opt`` does to any design, as `optimise_gates`.

    Parameters
    ----------
    design
        The design.
    flip_flops
        Options of ``opt_dff``.
    """
    design.run_pass("opt_expr")
    design.run_pass("opt_merge -nomux")
    words, others = ("opt_muxtree", "opt_reduce"), ("opt_merge", f"opt_dff {flip_flops}")
    changed = cleaned = True
    while changed or cleaned:
        did = [_changes(design, command) for command in words]
        if not changed and not any(did):
            return
        did += [_changes(design, command) for command in others]
        cleaned = _changes(design, "opt_clean")
        changed = _changes(design, "opt_expr") or any(did)


def find_full_adders(design: "libyosys.Design", options: str) -> None:
    """Do what ``extract_fa`` does to gates, without following multiplexers and most inverters, half of its time.

    An inverter matters within a full adder, not before one, if an exclusive or takes what it gives and its operand is
    either that of another gate, too, so that the adder may have both, or a partial sum, or a product of what is summed.

    Parameters
    ----------
    design
        The design, of gates, cleaned.
    options
        Of ``extract_fa``.
    """
    from pyosys.libyosys import IdString, log_signal

    a, b, y, aside = (IdString(name) for name in ("\\A", "\\B", "\\Y", "\\aside"))
    by_kind: dict[int, list[libyosys.Cell]] = defaultdict(list)
    for cell in design.top_module().selected_cells():
        by_kind[cell.type.index_].append(cell)
    gates, inverters, ands, ors = (by_kind[IdString(f"$_{kind}_").index_] for kind in ("XOR", "NOT", "AND", "OR"))

    def bit(cell: "libyosys.Cell", port: "libyosys.IdString") -> str:
        return str(log_signal(cell.getPort(port)))

    taken = {bit(cell, port) for cell in gates for port in (a, b)}
    operands = [bit(cell, a) for cell in inverters]
    within = [operand for cell, operand in zip(inverters, operands, strict=True) if bit(cell, y) in taken]
    if within:
        products = [(cell, bit(cell, a), bit(cell, b)) for cell in (*ands, *ors)]
        partial = [bit(cell, y) for cell, *of in products if taken.issuperset(of)]
        taken.update(partial, (bit(cell, y) for cell in gates), *(of for _, *of in products))
    kept = taken.intersection(within)
    for cell, operand in zip(inverters, operands, strict=True):
        if operand not in kept:
            cell.set_bool_attribute(aside)
    design.run_pass(f"extract_fa {options} a:aside=1 t:$_MUX_ %u %n")
    design.run_pass("setattr -unset aside t:$_NOT_")


def main(script: Path) -> None:
    """Run a script.

    Parameters
    ----------
    script
        Its file.
    """
    from pyosys import libyosys  # not by whoever only asks where this file is

    class Opt(libyosys.Pass):  # type: ignore[misc, unused-ignore]
        def __init__(self, name: str, optimise: Callable[[libyosys.Design, str], None]) -> None:
            super().__init__(name, "a pass of Yosys in less time")
            self.optimise = optimise

        def execute(self, arguments: list[str], design: libyosys.Design) -> None:
            self.optimise(design, " ".join(arguments[1:]))

    _passes = Opt(WORDS_OPT, optimise_words), Opt(GATES_OPT, optimise_gates), Opt(FULL_ADDERS, find_full_adders)
    # In one command: after each one Yosys gives away the numbers of names that are not used any more, and the order of
    # cells, and with it the netlist, goes by those.
    libyosys.run_pass(f"script {script}")
    libyosys.log_flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # else the design would be freed piece by piece, which takes a hundredth of the time
