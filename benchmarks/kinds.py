"""Kinds of array of one size, part by part, and how far the fitted terms are from sizes outside the fit.

Run: ``python benchmarks/kinds.py`` (half an hour for each library if nothing is cached). Writes the rows of its node in
benchmarks/kinds.csv and its column in benchmarks/kinds_held_out.csv; `make docs-numbers` shows them in
docs/measured-prices.md. Energies are in fJ per MAC, weights held for 8 tokens, a third of the trits zero; areas in um2
per MAC.
"""

import argparse
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from long_table import write

from bitjoule.gates.calibration.calibration import fitted_configs, resized, standard_plan, stimuli
from bitjoule.gates.calibration.fit import nonnegative_fit, table
from bitjoule.gates.calibration.measurement import Effort, Measurement, measure
from bitjoule.gates.calibration.terms import TERMS, activation_format, charged_fj, counts, weight_format
from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library, node_nm
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.processors import usable_processors

FILE = Path(__file__).with_suffix(".csv")
HELD_OUT = FILE.with_stem("kinds_held_out")
QUANTITIES = ("area µm²", "path ns", "settled fJ", "with glitches fJ", "registers %", "clock %", "wires %")
NAMINGS = 3  # netlists of a size outside the fit that differ in names alone; one lies up to some percent off their mean
SIZE, HELD = (32, 4), int(constant("held-tokens"))
# Behind the standard set; arrays of FP16 that round each sum are in the experiment baseline_arrays: minutes each.
EARLIER = (AcceleratorConfig(32, 4, 8192, 1024, weight_encoding="int8", datapath="activation_digits"),)


def stimulus_of(config: AcceleratorConfig, zero_share: float) -> str:
    """Return the operands of an array: those of the standard set, with one share of zeros."""
    text = stimuli(config, standard_plan().stimulus)[0]
    return f"{text.split(',')[0]},zeros:{zero_share}" if "zeros" in text else text


def held_out(config: AcceleratorConfig) -> AcceleratorConfig:
    """Return a size between those of the fit, with new weights in each cycle.

    With held weights the fit leaves out what glitches in the store of several sums, and a measurement does not.
    """
    return resized(config, config.lanes // 2, config.columns * 3 // 4, 1)


def described(config: AcceleratorConfig) -> str:
    """Return what an array computes, in words."""
    bits = f" {config.activation_bits}" if config.activation_bits < 8 else ""
    return f"{weight_format(config)} x {activation_format(config)}, {config.datapath}, {config.accumulation}{bits}"


def parts(found: Measurement) -> list[float]:
    """Return the quantities of an array: area, path, energies per MAC, and shares in percent."""
    total = sum(found.parts_fj.values())
    share = [100 * found.parts_fj.get(part, 0.0) / total for part in ("registers", "clock", "wires")]
    energies = [found.without_glitches_fj / found.macs, found.counted_fj / found.macs]
    return [found.area_um2 / found.macs, found.period_ns, *energies, *share]


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liberty", nargs="+", default=[FREEPDK45], help="Liberty files, or a known library")
    options = parser.parse_args()
    library, plan, effort = find_library(options.liberty), standard_plan(), Effort()
    zero_share = plan.zero_share
    configs = [*plan.configs, *EARLIER]
    with ProcessPoolExecutor(usable_processors(), get_context("spawn")) as executor:

        def started(size: AcceleratorConfig, text: str, names: int = 0) -> Future[Measurement]:
            return executor.submit(measure, size, library, text, effort, names)

        fits = {
            config: [started(size, text) for size in fitted_configs(config) for text in stimuli(size, plan.stimulus)]
            for config in plan.configs
        }
        alike = {config: started(resized(config, *SIZE, HELD), stimulus_of(config, zero_share)) for config in configs}
        others = {
            config: [started(held_out(config), stimulus_of(config, zero_share), names) for names in range(NAMINGS)]
            for config in plan.configs
        }
        node = f"{node_nm(library):g} nm"
        rows = [
            (f"{described(config)}, {node}", *cell)
            for config, future in alike.items()
            for cell in zip(QUANTITIES, parts(future.result()), strict=True)
        ]
        errors: list[tuple[str, str, float]] = []
        for config, futures in others.items():
            fitted, found = [each.result() for each in fits[config]], [each.result() for each in futures]
            energies = np.array([charged_fj(each, fitted)[1] for each in fitted])
            terms = nonnegative_fit(table([counts(each) for each in fitted], TERMS), energies)
            predicted = float((table([counts(found[0])], TERMS) @ terms)[0])
            measured = [each.band_fj[1] for each in found]
            array = f"{described(config)}, {found[0].config['lanes']} x {found[0].config['columns']}"
            error, apart = predicted / float(np.mean(measured)) - 1, max(measured) / min(measured) - 1
            errors += [(array, f"error % at {node}", 100 * error), (array, f"netlists apart % at {node}", 100 * apart)]
    write(FILE, "array", rows)
    write(HELD_OUT, "array", errors)


if __name__ == "__main__":
    main()
