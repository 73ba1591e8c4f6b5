"""Tables of six inputs that the array takes on AMD's UltraScale+, and open designs: ``python benchmarks/fpga_lut6.py``.

Synthesis alone, with Yosys: nothing is placed. ``--csv FILE`` writes what is printed. Numbers of open designs are their
authors', from `gates/fpga/open_designs.csv`; what each contains beside the array differs, as its note says.
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tabulate import tabulate

from bitjoule.gates.fpga.lut6 import Lut6, open_designs, synthesised
from bitjoule.rtl import verilog
from bitjoule.sim.accelerator.configurations import read_configuration

ARRAYS = [("tiny_8x4", "carry_save"), ("tiny_8x4", "carry_chain"), ("decode_64x5", "carry_chain")]


def measured(name: str, datapath: str) -> Lut6:
    """Return the cells of a shipped array with a datapath.

    Parameters
    ----------
    name
        The configuration.
    datapath
        Of its trits.
    """
    config = replace(read_configuration(name), datapath=datapath)
    with TemporaryDirectory() as folder:
        label = f"`{name}`, `{datapath}`, synthesis"
        return synthesised(label, config, verilog.accelerator_verilog(config), verilog.TOP, Path(folder))


def rows_of(design: Lut6) -> dict[str, float]:
    """Return quantities by name.

    Parameters
    ----------
    design
        What was counted.
    """
    return {
        "trits per cycle": design.trits_per_cycle,
        "LUTs": design.tables,
        "flip-flops": design.flip_flops,
        "LUTs per trit": design.tables_per_trit,
    }


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    designs: list[Lut6] = []
    for array in ARRAYS:
        designs.append(measured(*array))
        print(designs[-1], flush=True)
        if arguments.csv:
            _write(arguments.csv, [*designs, *open_designs()])
    designs += open_designs()
    print(tabulate([{"design": each.design, **rows_of(each)} for each in designs], headers="keys", floatfmt=".4g"))


def _write(file: Path, designs: list[Lut6]) -> None:
    with file.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["design", "quantity", "value"])
        writer.writerows([each.design, what, value] for each in designs for what, value in rows_of(each).items())


if __name__ == "__main__":
    main()
