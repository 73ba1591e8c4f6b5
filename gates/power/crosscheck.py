"""Power of a netlist by OpenSTA, and what OpenSTA of 2019 (Debian's) must say, from our slews, loads and tables.

OpenSTA weighs the tables by rules of its own. Of one toggle of a pin it charges the rise and the fall, not one of
them; it adds the tables of all inputs and conditions that a pin has by how likely each condition is, not by how likely
each is the cause, so that the weights of an exclusive or sum to two; it takes the pins of a condition for independent,
outputs too, so that the four conditions on D, Q and QN of a flip-flop sum to a half; where a condition is left out, it
guesses one from the function or takes a half; it counts the tables of the ground rail where they have conditions and
belong to an output; of a pin's capacitances for rise and fall it takes the greater; and it reads the tables of gated
registers at the slew that a bare clock gate gives. `as_opensta` follows these rules with our slews, loads, tables and
units: these are what is compared. Of leakage OpenSTA forgets one pin of each condition: where a cell states no mean, it
comes out two to four times too large. That is not followed.
"""

import ast
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.cell import EDGES, Cell, Power
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.tables import Floats
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.power.internal import Members, Prices
from bitjoule.gates.synthesis.yosys import merged_liberty
from bitjoule.gates.timing.paths import by_cell
from bitjoule.gates.timing.sta import Analysis

_TOTAL = re.compile(r"^Total\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)", re.MULTILINE)
_CLOCK_ACTIVITY = 2.0


@dataclass(frozen=True)
class Watts:
    """Power in W.

    Parameters
    ----------
    internal, switching, leakage : float
        Its parts, as OpenSTA tells them apart: switching is of nets that cells drive.
    """

    internal: float
    switching: float
    leakage: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.internal + self.switching + self.leakage


def opensta_power(
    netlist: Netlist, library: Library, clock: str, activity: float, period_ns: float, folder: Path
) -> Watts:
    """Return the power that OpenSTA reports when every net toggles alike and is high half the time.

    Parameters
    ----------
    netlist : Netlist
        The netlist.
    library : Library
        Its library.
    clock : str
        The clock's port.
    activity : float
        Toggles of each net, the clock's apart, in a period.
    period_ns : float
        The period in ns.
    folder : Path
        Where files go.

    Raises
    ------
    RuntimeError
        OpenSTA is not there or reports no power.
    """
    program = shutil.which("sta")
    if program is None:
        raise RuntimeError("OpenSTA (sta) is not installed (Debian: apt-get install opensta)")
    liberty, source, script = folder / "powered.lib", folder / "powered.v", folder / "power.tcl"
    merged_liberty(library, liberty, power=True)
    source.write_text(netlist.verilog())
    slew = library.slew_ns / library.time_unit_ns
    inputs = " ".join(name for name in netlist.inputs if name != clock)
    script.write_text(
        f"read_liberty {liberty}\nread_verilog {source}\nlink_design {netlist.top}\n"
        f"create_clock -name clock -period {period_ns / library.time_unit_ns} [get_ports {clock}]\n"
        f"set_clock_transition {slew} [get_clocks clock]\nset_input_transition {slew} [all_inputs]\n"
        f"set_input_delay 0 -clock clock [get_ports {{{inputs}}}]\n"
        f"set_power_activity -global -activity {activity} -duty 0.5\nreport_power -digits 8\nexit\n"
    )
    command = [program, "-no_splash", "-exit", str(script)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    match = _TOTAL.search(process.stdout)
    if match is None:
        raise RuntimeError(f"OpenSTA reported no power:\n{(process.stdout + process.stderr)[-2000:]}")
    # This OpenSTA prints watts, whatever the library's unit of power is.
    return Watts(*(float(text) for text in match.groups()[:3]))


def as_opensta(
    netlist: Netlist,
    library: Library,
    analysis: Analysis,
    clock_nets: set[int],
    activity: float,
    period_ns: float,
) -> Watts:
    """Return the power by OpenSTA's weights on our slews, loads and tables.

    Parameters
    ----------
    netlist, library, clock_nets
        The netlist, its library and the nets that carry the clock.
    analysis : Analysis
        Slews and loads.
    activity, period_ns : float
        As of `opensta_power`.
    """
    toggles = np.full(netlist.nets, activity)
    toggles[sorted(clock_nets)] = _CLOCK_ACTIVITY
    slews, loads_ff = _with_gated_clocks(netlist, analysis), analysis.edge_load_ff.max(axis=0)
    internal_fj = switching_fj = leakage_nw = 0.0
    for cell, numbers, nets in by_cell(netlist):
        prices = Prices(Members(cell, numbers, nets), slews, loads_ff, clock_nets)
        clocks = {pin for pin in nets if set(nets[pin].tolist()) <= clock_nets}
        for pin in (*cell.inputs, *cell.outputs):
            internal_fj += float(_internal_fj(prices, pin, clocks, activity) @ toggles[nets[pin]])
        for pin in cell.outputs:
            switching_fj += 0.5 * library.voltage_v**2 * float(loads_ff[nets[pin]] @ toggles[nets[pin]])
        leakage_nw += cell.leakage_nw * len(numbers)
    return Watts(internal_fj / period_ns * 1e-6, switching_fj / period_ns * 1e-6, leakage_nw * 1e-9)


def _with_gated_clocks(netlist: Netlist, analysis: Analysis) -> Floats:
    """Return the slews of all nets, those of gated clocks as a clock gate without a tree behind it gives them."""
    slews = analysis.slew_ns.copy()
    for instance in netlist.instances:
        cell = instance.cell
        if cell.clock_gate:
            clock, output = cell.clock_pin(), cell.roles["clock_gate_out_pin"]
            net = instance.nets[output]
            for edge, name in enumerate(EDGES):
                arcs = [arc.tables.get(f"{name}_transition") for arc in cell.arcs(output) if clock in arc.related]
                slew, load = analysis.slew_ns[edge, instance.nets[clock]], analysis.edge_load_ff[edge, net]
                slews[edge, net] = max(table.at(slew, load) for table in arcs if table is not None)
    return slews


def _internal_fj(prices: Prices, pin: str, clocks: set[str], activity: float) -> Floats:
    """Return what OpenSTA charges for a toggle of a pin of each instance."""
    cell = prices.cell
    charged = np.zeros(len(prices.members.numbers))
    powers = cell.powers(pin, grounds=True)
    for power in powers:
        is_ground = power not in cell.powers(pin)
        if is_ground and not (power.when and _incomplete(powers, power)):
            continue
        for related in power.related or (pin,):
            weight = _weight(cell, pin, related if power.related else "", power, clocks, activity)
            charged += weight * prices.edges_fj(power, pin, related).sum(axis=0)
    return charged


def _incomplete(powers: tuple[Power, ...], power: Power) -> bool:
    """Tell whether OpenSTA finds conditions missing: it counts those of tables without a related pin only."""
    whens = [other.when for other in powers if other.when and not other.related and other.rail == power.rail]
    return len(whens) != 1 << (len(whens[-1].pins) if whens else 0)


def _weight(cell: Cell, pin: str, related: str, power: Power, clocks: set[str], activity: float) -> float:
    """Return the weight that OpenSTA gives a table."""
    pins = {*cell.inputs, *cell.outputs}
    if power.when is not None:
        return _likely(_tree(power.when), pins)
    function = cell.pins[pin].function
    guessed = _guess(_tree(function), related) if related and function is not None else None
    if guessed is not None:
        causes = _CLOCK_ACTIVITY if related in clocks else activity
        effects = _CLOCK_ACTIVITY if pin in clocks else activity
        return causes / effects * _likely(guessed, pins)
    return 1.0 if (related or pin) in clocks else 0.5


def _tree(function: BooleanFunction) -> ast.expr:
    return ast.parse(function.expression, mode="eval").body


def _pin(tree: ast.expr) -> str:
    """Return the pin a tree is, or nothing."""
    return str(ast.literal_eval(tree.slice)) if isinstance(tree, ast.Subscript) else ""


def _likely(tree: ast.expr, pins: set[str]) -> float:
    """Return how likely a function is to be true if its pins are independent and true half the time."""
    if isinstance(tree, ast.Subscript):
        return 0.5 if _pin(tree) in pins else 0.0
    if isinstance(tree, ast.UnaryOp):
        return 1.0 - _likely(tree.operand, pins)
    if not isinstance(tree, ast.BinOp):
        return 0.0
    first, second = _likely(tree.left, pins), _likely(tree.right, pins)
    if isinstance(tree.op, ast.BitAnd):
        return first * second
    both = first * second
    return first + second - (both if isinstance(tree.op, ast.BitOr) else 2.0 * both)


def _guess(tree: ast.expr, pin: str) -> ast.expr | None:
    """Return when OpenSTA believes that a pin decides a function, or None."""
    if isinstance(tree, ast.Subscript):
        return ast.parse("~zero", mode="eval").body if _pin(tree) == pin else None
    if isinstance(tree, ast.UnaryOp):
        return _guess(tree.operand, pin)
    if not isinstance(tree, ast.BinOp):
        return None
    for side, other in ((tree.left, tree.right), (tree.right, tree.left)):
        if _pin(side.operand if isinstance(side, ast.UnaryOp) else side) == pin:
            return other if isinstance(tree.op, ast.BitAnd) else ast.UnaryOp(ast.Invert(), other)
    return None
