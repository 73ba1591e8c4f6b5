"""Kinds of array of one size, part by part, and how far the fitted terms are from sizes outside the fit.

Run: ``python benchmarks/kinds.py`` (half an hour for each library if nothing is cached). Prints Markdown. Energies
are in fJ per MAC, weights held for 8 tokens, a third of the trits zero; areas in um2 per MAC.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

from tabulate import tabulate

from bitjoule.gates.calibration.calibration import (
    TERMS,
    activation_format,
    counts,
    fitted_configs,
    resized,
    standard_plan,
    stimuli,
    weight_format,
)
from bitjoule.gates.calibration.fit import nonnegative_fit, table
from bitjoule.gates.calibration.measurement import Effort, Measurement, measure
from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.processors import usable_processors

SIZE = (32, 4)
# Behind the standard set: what experiments before the fused product and the weight digits compared with.
EARLIER = (
    AcceleratorConfig(32, 4, 8192, 1024, weight_encoding="int8", datapath="activation_digits"),
    AcceleratorConfig(32, 4, 8192, 2048, weight_encoding="fp16", datapath="rounding_tree", pipeline=5),
    AcceleratorConfig(
        32, 4, 8192, 2048, weight_encoding="fp16", datapath="rounding_tree", pipeline=5, accumulation="fp16"
    ),
)


def stimulus_of(config: AcceleratorConfig, zero_share: float) -> str:
    """Return the operands of an array: those of the standard set, with one share of zeros."""
    text = stimuli(config, standard_plan().stimulus)[0]
    return f"{text.split(',')[0]},zeros:{zero_share}" if "zeros" in text else text


def held_out(config: AcceleratorConfig) -> Iterator[AcceleratorConfig]:
    """Yield sizes that no fit has seen: one between those of the fit, weights new and held, and a larger one."""
    held = int(constant("held-tokens"))
    lanes, columns = config.lanes // 2, config.columns * 3 // 4
    yield resized(config, *SIZE, held)
    yield resized(config, lanes, columns, 1)
    yield resized(config, 2 * config.lanes, columns, held)


def described(config: AcceleratorConfig) -> str:
    """Return what an array computes, in words."""
    bits = f" {config.activation_bits}" if config.activation_bits < 8 else ""
    return f"{weight_format(config)} x {activation_format(config)}, {config.datapath}, {config.accumulation}{bits}"


def parts(found: Measurement) -> list[object]:
    """Return the cells of a row: area, path, energies per MAC, and shares in percent."""
    total = sum(found.parts_fj.values())
    share = [100 * found.parts_fj.get(part, 0.0) / total for part in ("registers", "clock", "wires")]
    energies = [found.without_glitches_fj / found.macs, found.counted_fj / found.macs]
    return [found.area_um2 / found.macs, found.period_ns, *energies, *share]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liberty", nargs="+", default=[FREEPDK45], help="Liberty files, or a known library")
    parser.add_argument("--sizes", type=int, default=3, help="sizes outside the fit: the first so many of three")
    options = parser.parse_args()
    library, plan, effort = find_library(options.liberty), standard_plan(), Effort()
    zero_share = plan.zero_share
    configs = [*plan.configs, *EARLIER]
    with ProcessPoolExecutor(usable_processors(), get_context("spawn")) as executor:

        def started(size: AcceleratorConfig, text: str) -> Future[Measurement]:
            return executor.submit(measure, size, library, text, effort)

        fits = {
            config: [started(size, text) for size in fitted_configs(config) for text in stimuli(size, plan.stimulus)]
            for config in plan.configs
        }
        others = {
            config: [
                started(size, stimulus_of(size, zero_share))
                for size in list(held_out(config))[: options.sizes if config in fits else 1]
            ]
            for config in configs
        }
        rows, errors = [], []
        for config in configs:
            found = [future.result() for future in others[config]]
            rows.append([described(config), *parts(found[0])])
            if config in fits:
                fitted = [future.result() for future in fits[config]]
                energies = table([{"e": each.band_fj[1]} for each in fitted], "e")[:, 0]
                terms = nonnegative_fit(table([counts(each) for each in fitted], TERMS), energies)
                for each in found:
                    size = AcceleratorConfig.from_mapping(dict(each.config))
                    predicted = (table([counts(each)], TERMS) @ terms)[0]
                    errors.append(
                        [
                            described(config), f"{size.lanes} x {size.columns}, {size.tokens} tokens",
                            each.band_fj[1] / each.macs, predicted / each.macs, 100 * (predicted / each.band_fj[1] - 1),
                        ]
                    )  # fmt: skip
    header = ["array", "area um2", "path ns", "settled fJ", "with glitches fJ", "registers %", "clock %", "wires %"]
    print(tabulate(rows, header, tablefmt="github", floatfmt=(".4g", ".4g", ".3g", ".4g", ".4g", ".0f", ".0f", ".0f")))
    print()
    header = ["array", "size", "measured fJ", "by the terms fJ", "error %"]
    print(tabulate(errors, header, tablefmt="github", floatfmt=(".4g", ".4g", ".4g", ".4g", "+.1f")))


if __name__ == "__main__":
    main()
