"""Verilog to a netlist that is mapped, buffered and sized: the best of a few ways through ABC."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.power.activity import clock_tree
from bitjoule.gates.synthesis import sizing
from bitjoule.gates.synthesis import yosys as synthesis
from bitjoule.gates.timing import sta

# ABC does no sizing here: it does not know when registers and full adders deliver, and what they drive (see `sizing`).
# Which of the first is smallest differs from design to design. They turn long carry networks into chains; the last
# keeps them, for 2 % more area, and is tried where the others are too slow.
SMALL = (
    "strash; &get -n; &fraig -x; &put; scorr; dch -f; amap -m",
    "strash; &get -n; &fraig -x; &put; scorr; dc2; dch -f; amap -m",
    "strash; dch; amap -m",
)
FAST = "strash; &get -n; &fraig -x; &put; dch -f; map"


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
    """A netlist that is mapped, buffered and sized.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    analyse : callable
        Returns its timing, wires by the wire-load rule included.
    """

    netlist: Netlist
    analyse: Callable[[], sta.Timing]

    @cached_property
    def timing(self) -> sta.Timing:
        """The netlist's timing: found when it is first asked for, as without a period to reach nothing needs it."""
        return self.analyse()


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
        How to synthesise.
    goals : Goals
        What to reach.
    """
    sizes = sizing.find_sizes(library)
    has_goal = not math.isnan(goals.period_ns)
    candidates: list[Mapped] = []
    for script in (*SMALL[: options.tries], FAST):
        if script != FAST or (has_goal and not any(_meets(mapped, goals.period_ns) for mapped in candidates)):
            again, last = bool(candidates), not has_goal and options.tries == 1
            netlist = synthesis.synthesise(verilog, top, library, folder, options, script, again, last)
            clock_nets = set(clock_tree(netlist, set(netlist.inputs[clock]) if clock else set()))
            sizing.use_inverse_outputs(netlist)
            sizing.bound_loads(netlist, sizes, clock_nets, goals.share)
            candidates.append(Mapped(netlist, partial(timing_of, netlist, library, clock_nets)))
    best = min(candidates, key=lambda mapped: _order(mapped, goals.period_ns))
    if not has_goal or _meets(best, goals.period_ns):
        return best
    timing = sizing.speed_up(best.netlist, sizes, best.analyse, goals.period_ns)
    return Mapped(best.netlist, lambda: timing)


def timing_of(netlist: Netlist, library: Library, clock_nets: set[int], wired: bool = True) -> sta.Timing:
    """Return a netlist's timing.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    library : Library
        Where its cells are.
    clock_nets : set of int
        Nets that carry the clock.
    wired : bool
        With wires by the wire-load rule, or pins only.
    """
    wires = library.wire_load(netlist.area_um2, len(netlist.instances)) if wired else None
    return sta.analyse(netlist, library, clock_nets, wires).timing


def resistance_ns(netlist: Netlist, library: Library, clock_nets: set[int]) -> float:
    """Return what the resistance of the library's own wires would add to the critical path in ns.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    library : Library
        Where its cells are.
    clock_nets : set of int
        Nets that carry the clock.
    """
    ohm_per_um, tree = library.ohm_per_um(netlist.area_um2)
    if not ohm_per_um:
        return 0.0
    wires = library.wire_load(netlist.area_um2, len(netlist.instances))
    resistance = sta.Resistance(ohm_per_um, tree)
    with_ns = sta.analyse(netlist, library, clock_nets, wires, resistance=resistance).timing.period_ns
    return with_ns - timing_of(netlist, library, clock_nets).period_ns


def _meets(mapped: Mapped, period_ns: float) -> bool:
    return not mapped.timing.period_ns > period_ns


def _order(mapped: Mapped, period_ns: float) -> tuple[float, float]:
    if math.isnan(period_ns) or _meets(mapped, period_ns):
        return 0.0, mapped.netlist.area_um2
    return mapped.timing.period_ns, mapped.netlist.area_um2
