"""Cells of FPGAs that the array takes with each datapath and each set of options, and the clock that it reaches.

Run: ``python benchmarks/fpga.py tiny_8x4`` (two minutes), with ``--csv FILE`` to write what is printed. With ``--seeds
1 2 3`` the default, the best of the datapaths and what `bitjoule rtl place` builds are also placed and routed behind a
UART (ten minutes of processor time for three seeds), and their tables and the medians of their clocks printed, and
written with ``--placed-csv FILE``; that needs the extra ``fpga``.
Tables are counted as `bitjoule.gates.fpga.families` says: a carry cell of ECP5 is two, a RAM of 16 x 4 bits four.
"""

import argparse
import csv
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tabulate import tabulate

from bitjoule.gates.fpga.devices import find_device
from bitjoule.gates.fpga.families import FAMILIES
from bitjoule.gates.fpga.placement import check_fits, map_design, place
from bitjoule.rtl import verilog
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.serial.top import TOP, serial_verilog
from bitjoule.sim.accelerator.configurations import read_configuration

CLOCKS_PER_BIT, MHZ = 104, 12


class Variant(NamedTuple):
    """A way to build an array on a device; without a datapath, what `bitjoule rtl place` builds."""

    family: str
    device: str
    datapath: str | None
    options: str
    placed: bool

    @property
    def chosen(self) -> bool:
        """Whether it is what `bitjoule rtl place` builds."""
        return self.datapath is None

    @property
    def label(self) -> str:
        """How the table names it."""
        options = self.options.replace("-nodsp", "").strip()
        how = f"`{self.datapath}`, " + (f"`{options}`" if options else "default options")
        return f"{self.family}, {'as placed' if self.chosen else how}"


# The first of a device is what a user gets who knows nothing: the configuration's datapath and Yosys' own options. No
# array has a multiplier, and -nodsp keeps Yosys from making one of something else.
VARIANTS = [
    Variant("ECP5", "ecp5-85k", "carry_save", "-nodsp", placed=True),
    Variant("ECP5", "ecp5-85k", "carry_save", "-nodsp -nowidelut", placed=False),
    Variant("ECP5", "ecp5-85k", "lookup_table", "-nodsp -nowidelut", placed=False),
    Variant("ECP5", "ecp5-85k", "multiplexer", "-nodsp -nowidelut", placed=False),
    Variant("ECP5", "ecp5-85k", "carry_chain", "-nodsp", placed=False),
    Variant("ECP5", "ecp5-85k", "carry_chain", "-nodsp -nowidelut", placed=True),
    Variant("ECP5", "ecp5-85k", None, "-nodsp -nowidelut", placed=True),
    Variant("Gowin", "gowin-gw2a-18", "carry_save", "", placed=True),
    Variant("Gowin", "gowin-gw2a-18", "carry_save", "-nowidelut", placed=False),
    Variant("Gowin", "gowin-gw2a-18", "lookup_table", "-nowidelut", placed=False),
    Variant("Gowin", "gowin-gw2a-18", "multiplexer", "-nowidelut", placed=False),
    Variant("Gowin", "gowin-gw2a-18", "carry_chain", "", placed=False),
    Variant("Gowin", "gowin-gw2a-18", None, "-nowidelut", placed=True),
    Variant("iCE40", "ice40-hx8k", "carry_save", "", placed=True),
    Variant("iCE40", "ice40-hx8k", "lookup_table", "", placed=False),
    Variant("iCE40", "ice40-hx8k", "multiplexer", "", placed=False),
    Variant("iCE40", "ice40-hx8k", "carry_chain", "", placed=True),
    Variant("iCE40", "ice40-hx8k", None, "", placed=True),
]


def measure(
    config: AcceleratorConfig, variant: Variant, seeds: Sequence[int]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the cells of a variant and, if it is placed, those with a UART and the median of its clocks in MHz.

    Parameters
    ----------
    config
        The array; its datapath is the variant's.
    variant
        How to build it.
    seeds
        Of nextpnr, one a placement; none for synthesis alone.
    """
    device = find_device(variant.device)
    if variant.datapath is None:
        config = FAMILIES[device.family].suited(config)
    else:
        config = replace(config, datapath=variant.datapath)
    with TemporaryDirectory() as name:
        text = verilog.accelerator_verilog(config)
        bare = map_design(text, verilog.TOP, device, Path(name), variant.options, variant.chosen).used
        found: dict[str, float] = {what: bare[what] for what in ("LUTs", "flip-flops", "block RAM")}
        if seeds and variant.placed:
            text = serial_verilog(config, CLOCKS_PER_BIT)
            wrapped = map_design(text, TOP, device, Path(name), variant.options, variant.chosen)
            check_fits(wrapped)
            clocks = [placed.fmax_mhz for placed in place(wrapped, MHZ, seeds)]
            print(variant.label, *(f"{clock:.2f}" for clock in clocks), "MHz", flush=True)
            cells = {what: wrapped.used[what] for what in ("LUTs", "block RAM")}
            return found, cells | {"MHz": statistics.median(clocks)}
    return found, {}


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("configuration")
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--family", action="append", choices=sorted({variant.family for variant in VARIANTS}))
    parser.add_argument("--few", action="store_true", help="only what --seeds places")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--placed-csv", type=Path)
    arguments = parser.parse_args()
    config = read_configuration(arguments.configuration)
    rows: list[dict[str, object]] = []
    placements: list[dict[str, object]] = []
    first: dict[str, float] = {}
    for variant in VARIANTS:
        other_family = arguments.family and variant.family not in arguments.family
        if other_family or (arguments.few and not variant.placed):
            continue
        found, placed = measure(config, variant, arguments.seeds)
        base = first.setdefault(variant.device, found["LUTs"])
        rows.append({"design": variant.label, **found, "of the default's": found["LUTs"] / base})
        print(rows[-1], placed, flush=True)
        if placed:
            placements.append({"design": variant.label, **placed})
        for file, table in ((arguments.csv, rows), (arguments.placed_csv, placements)):
            if file:
                _write(file, table)
    for table in filter(None, (rows, placements)):
        print("", tabulate(table, headers="keys", floatfmt=".4g"), sep="\n")


def _write(file: Path, rows: list[dict[str, object]]) -> None:
    with file.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["design", "quantity", "value"])
        writer.writerows([row["design"], what, row[what]] for row in rows for what in row if what != "design")


if __name__ == "__main__":
    main()
