"""Cells of AMD's UltraScale+ that a design takes: synthesis with Yosys alone, for which there is no open placement."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bitjoule.energy_models.inputs.facts import positive, read_facts
from bitjoule.gates.fpga.placement import run_yosys
from bitjoule.rtl.config import AcceleratorConfig

SYNTHESIS = "synth_xilinx -family xcup -nodsp -noiopad -noclkbuf -flatten"
RAM_TABLES = {"RAM32M16": 8, "RAM32M": 4, "RAM64M8": 8, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "SRL": 1}
OPEN_DESIGNS = Path(__file__).parent / "open_designs.csv"
COLUMNS = ("design", "trits_per_cycle", "tables", "flip_flops", "source", "where", "note")


@dataclass(frozen=True)
class Lut6:
    """Cells of a design.

    Parameters
    ----------
    design
        What it is.
    trits_per_cycle
        Weights that it takes in a cycle.
    tables
        Tables of six inputs, those that are used as memory among them.
    flip_flops
        Flip-flops.
    """

    design: str
    trits_per_cycle: int
    tables: int
    flip_flops: int

    @property
    def tables_per_trit(self) -> float:
        """Tables for each weight per cycle."""
        return self.tables / self.trits_per_cycle


def synthesised(name: str, config: AcceleratorConfig, verilog: str, top: str, folder: Path) -> Lut6:
    """Count the cells of an array.

    Parameters
    ----------
    name
        What it is.
    config
        The array.
    verilog, top
        Its text and its top module.
    folder
        Where files go.

    Raises
    ------
    PlacementError
        Yosys failed.
    """
    netlist = run_yosys(verilog, f"{SYNTHESIS} -top {top}", folder)
    cells = Counter(cell["type"] for cell in json.loads(netlist.read_text())["modules"][top]["cells"].values())
    known = {"LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"}
    tables = sum(count for cell, count in cells.items() if cell in known)
    tables += sum(
        weight * count for kind, weight in RAM_TABLES.items() for cell, count in cells.items() if _is(cell, kind)
    )
    flip_flops = sum(count for cell, count in cells.items() if cell.startswith("FD"))
    return Lut6(name, config.lanes * config.columns, tables, flip_flops)


def _is(cell: str, kind: str) -> bool:
    return cell.startswith(kind) if kind == "SRL" else cell == kind


def open_designs() -> Iterator[Lut6]:
    """Yield the designs of others, as their authors state them.

    Raises
    ------
    InputError
        The header or a row of the file is wrong.
    """
    for line, row in read_facts(OPEN_DESIGNS, COLUMNS):
        trits, tables, flip_flops = (
            int(positive(OPEN_DESIGNS, line, row, name)) for name in ("trits_per_cycle", "tables", "flip_flops")
        )
        yield Lut6(row["design"], trits, tables, flip_flops)
