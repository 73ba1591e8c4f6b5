"""A netlist in Verilator: models of its cells from the Liberty file, whole matmuls, zero-delay toggles of each net.

The accelerator's netlist has the accelerator's ports, so that `bitjoule.sim.accelerator.verilated` drives it like the
generated Verilog. It is a second simulator, of another make, of what `bitjoule.gates.power.activity` simulates.
"""

import re

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.liberty.cell import Cell
from bitjoule.gates.liberty.text import LibertyError
from bitjoule.gates.netlist import Netlist
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.saif import Toggles
from bitjoule.sim.accelerator.verilated import Verilated

_NET = re.compile(r"/n(\d+)$")
_LATCHED_GATE = re.compile(r"latch_posedge(_precontrol|_postcontrol)?")


def verilated_netlist(config: AcceleratorConfig, netlist: Netlist, workers: int | None = 1) -> Verilated:
    """Return the compiled simulation of an accelerator's netlist; see `bitjoule.sim.accelerator.verilated.Verilated`.

    Parameters
    ----------
    config
        What the netlist was synthesised from.
    netlist
        With the ports of `bitjoule.rtl.accelerator.AxiAccelerator`.
    workers
        As of `Verilated`.

    Raises
    ------
    LibertyError
        The library does not say what a cell does.
    SimulatorError
        Verilator or a C++ compiler is missing, or the build fails.
    """
    return Verilated(config, workers, simulation_verilog(netlist))


def simulation_verilog(netlist: Netlist) -> str:
    """Return a netlist as Verilog that simulates: models of the cells it uses, then its own module.

    Parameters
    ----------
    netlist
        The netlist.

    Raises
    ------
    LibertyError
        The library does not say what a cell does.
    """
    for instance in netlist.instances:
        if instance.cell.flip_flop is not None and not instance.cell.state.is_plain(instance.nets):
            raise LibertyError(f"cell {instance.cell.name}: its reset or preset is in use; expected it tied off")
    cells = {instance.cell.name: instance.cell for instance in netlist.instances}
    models = "".join(cell_model(cells[name]) for name in sorted(cells))
    # What is recorded are the netlist's own nets: the pins of its cells would be the same again.
    return f"/* verilator tracing_off */\n{models}/* verilator tracing_on */\n{netlist.verilog(constants=True)}"


def cell_model(cell: Cell) -> str:
    """Return a Verilog module without delays that does what a library says of a cell.

    A clock gate is a latch, open while the clock is low, and an and gate: its output never glitches.

    Parameters
    ----------
    cell
        Combinational, a flip-flop, its resets and presets tied off, or a clock gate with a latch on the rising edge.

    Raises
    ------
    LibertyError
        It is none of these.
    """
    ports = [*(f"input {pin}" for pin in cell.inputs), *(f"output {pin}" for pin in cell.outputs)]
    if cell.clock_gate:
        body = _clock_gate(cell)
    elif cell.flip_flop is not None:
        body = [*_flip_flop(cell), *_outputs(cell)]
    else:
        unknown = [pin for name in cell.outputs for pin in cell.function(name).pins if pin not in cell.inputs]
        if unknown:
            raise LibertyError(
                f"cell {cell.name}: the function reads {unknown[0]}, which is not an input; latches are not supported"
            )
        body = _outputs(cell)
    lines = [f"module {cell.name} ({', '.join(ports)});", *body, "endmodule", ""]
    return "\n".join(lines)


def _outputs(cell: Cell) -> list[str]:
    return [f"assign {pin} = {cell.function(pin).verilog};" for pin in cell.outputs]


def _flip_flop(cell: Cell) -> list[str]:
    state = cell.state
    if state.asynchronous and not state.idle:
        raise LibertyError(f"cell {cell.name} has a reset or preset that cannot be tied off; expected one that can")
    return [
        f"reg {state.state};",
        f"wire {state.inverse} = ~{state.state};",
        f"always @(posedge {state.clock.verilog}) {state.state} <= {state.next_state.verilog};",
    ]


def _clock_gate(cell: Cell) -> list[str]:
    kind = _LATCHED_GATE.fullmatch(cell.clock_gate)
    roles = {role: cell.roles.get(f"clock_gate_{role}_pin") for role in ("clock", "enable", "out", "test")}
    if kind is None or None in (roles["clock"], roles["enable"], roles["out"]):
        raise LibertyError(f"cell {cell.name} is a clock gate of kind {cell.clock_gate}; expected latch_posedge")
    before = after = ""
    if roles["test"] is not None:
        before, after = ("", f" | {roles['test']}") if kind[1] == "_postcontrol" else (f" | {roles['test']}", "")
    return [
        "reg latched;",
        f"always @* if (!{roles['clock']}) latched = {roles['enable']}{before};",
        f"assign {roles['out']} = {roles['clock']} & (latched{after});",
    ]


def net_toggles(toggles: Toggles, netlist: Netlist) -> NDArray[np.int64]:
    """Return how often each net of a netlist changed.

    Parameters
    ----------
    toggles
        From `Verilated.toggles` of the netlist's simulation.
    netlist
        The netlist.
    """
    counts = np.zeros(netlist.nets, dtype=np.int64)
    for path, count in toggles.nets.items():
        match = _NET.search(path)
        if match:
            counts[int(match[1])] = count
    return counts
