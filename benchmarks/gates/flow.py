"""Verilog to a netlist that is mapped, buffered and sized: the best of a few ways through ABC."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gates import sizing, synthesis, timing
from gates.liberty import Library
from gates.netlist import Netlist
from gates.simulation import clock_tree

# The first meets most needs; the others win area on some designs. What is smallest and fast enough is kept.
ABC_SCRIPTS = (
    "strash; &get -n; &fraig -x; &put; scorr; dch -f; amap -m",
    "strash; &get -n; &fraig -x; &put; scorr; dc2; dch -f; amap -m",
    "strash; dch; amap -m",
)


@dataclass(frozen=True)
class Goals:
    """What the sizer works for.

    Parameters
    ----------
    period_ns : float
        Clock period asked for; not a number for none.
    share : float
        Of a cell's greatest load, how much it may have to drive.
    """

    period_ns: float
    share: float


@dataclass(frozen=True)
class Mapped:
    """A netlist that is mapped, buffered and sized, and its timing (None without OpenSTA)."""

    netlist: Netlist
    timing: timing.Timing | None


def map_design(
    verilog: Path, top: str, clock: str | None, library: Library, folder: Path, options: synthesis.Options, goals: Goals
) -> Mapped:
    """Synthesise with each script of ABC and keep the smallest netlist that is fast enough, or the fastest.

    Parameters
    ----------
    verilog : Path
        The design.
    top : str
        Its top module.
    clock : str or None
        The clock's port.
    library : Library
        The cells.
    folder : Path
        Where intermediate files go.
    options : Options
        How to synthesise; its script, if any, is the only one tried.
    goals : Goals
        What to reach.
    """
    sizes = sizing.find_sizes(library)
    found = []
    for number, script in enumerate([options.abc] if options.abc else ABC_SCRIPTS):
        netlist = synthesis.synthesise(verilog, top, library, folder, replace(options, abc=script), again=number > 0)
        clock_nets = set(clock_tree(netlist, set(netlist.inputs[clock]) if clock else set()))
        sizing.use_inverse_outputs(netlist)
        sizing.bound_loads(netlist, sizes, clock_nets, goals.share)
        analyse = _analyser(netlist, folder / "merged.lib", clock, library.time_unit_ns, folder)
        found.append(Mapped(netlist, sizing.speed_up(netlist, sizes, analyse, goals.period_ns)))
    return min(found, key=lambda mapped: _order(mapped, goals.period_ns))


def _analyser(
    netlist: Netlist, liberty: Path, clock: str | None, unit_ns: float, folder: Path
) -> Callable[[], timing.Timing | None]:
    return lambda: timing.analyse(netlist, liberty, clock, unit_ns, folder)


def _order(mapped: Mapped, period_ns: float) -> tuple[float, float]:
    if mapped.timing is None or math.isnan(period_ns) or mapped.timing.period_ns <= period_ns:
        return 0.0, mapped.netlist.area_um2
    return mapped.timing.period_ns, mapped.netlist.area_um2
