"""Runs the linears of a block of 2B4T's shape, with drawn weights, as whole BitLinears on the compiled hardware.

Every output is compared: one that differs from the NumPy reference ends the run. For each shape the table has the
cycles, how many outputs were compared, how near they come to the bound of their difference from float32, and how far
they lie from the model's own layer in float32, and the processor time of the compiled hardware for one of its linears.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.configurations import read_design
from bitjoule.sim.accelerator.linear.engine import Compared, Floats, RtlLinears
from bitjoule.sim.accelerator.linear.simulated import LinearOutcome, SimulatedLinear
from bitjoule.sim.accelerator.verilated import PackedWeights
from bitjoule.sim.llm.engines import MatmulRecord
from bitjoule.sim.llm.synthetic import random_model

CONFIGURATIONS = ("bitlinear_64x5", "bitlinear_64x16")
ZERO_SHARE, SEED, TOKENS = 0.4, 0, 3  # of the prompt, where a block of tokens has room for them


class Timed(SimulatedLinear):
    """Adds up the processor time of its commands, in seconds."""

    processor_s = 0.0

    def linear(
        self,
        x: Floats,
        weights: PackedWeights,
        scale: np.float32,
        gain: Floats | None = None,
        epsilon: np.float32 | None = None,
    ) -> LinearOutcome:
        """Return the outputs of one command."""
        begun = time.process_time()
        outcome = super().linear(x, weights, scale, gain, epsilon)
        self.processor_s += time.process_time() - begun
        return outcome


def rows(name: str) -> list[dict[str, object]]:
    """Return the rows of a configuration: of each shape, and of the block.

    Parameters
    ----------
    name
        Of a shipped configuration.
    """
    config = read_design(name)
    if not isinstance(config, LinearConfig):
        raise TypeError(f"{name} is an array, expected a whole BitLinear")
    shape = presets()["bitnet-b1.58-2b-4t"].model_copy(update={"layers": 1, "vocabulary": 64})
    tokens = min(TOKENS, config.array.tokens)
    compared: dict[str, Compared] = {}
    cycles: dict[str, int] = {}
    seconds: dict[str, float] = {}
    with Timed(config) as hardware:
        engine = RtlLinears(hardware, compares=True)
        sum_before = [0.0]

        def observe(record: MatmulRecord) -> None:
            of_shape = f"`{name}`: {record.m} x {record.k} x {record.n}"
            for what in (of_shape, f"`{name}`: a block, {tokens} token" + "s" * (tokens > 1)):
                compared[what] = compared.get(what, Compared()).joined(engine.last_compared)
            cycles[of_shape], seconds[of_shape] = engine.last_cycles, hardware.processor_s - sum_before[0]
            cycles[what] = cycles.get(what, 0) + engine.last_cycles
            seconds[what] = sum_before[0] = hardware.processor_s

        random_model(shape, ZERO_SHARE, SEED).forward(list(range(tokens)), engine, observe=observe)
    *shapes, block = sorted(compared, key=lambda what: "block" in what)
    table: list[dict[str, object]] = []
    for what in (*shapes, block):
        one = compared[what]
        table += [
            {"linear": what, "quantity": quantity, "value": value}
            for quantity, value in (
                ("cycles", f"{cycles[what]}"),
                ("outputs compared", f"{one.outputs}"),
                ("of the bound, %", f"{100 * one.bound_share:.1f}"),
                ("off float32's layer, %", f"{100 * one.float32_difference:.2g}"),
                ("processor s", f"{seconds[what]:.2f}"),
            )
        ]
    return table


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.csv", help="the table")
    parser.add_argument("configurations", nargs="*", help=f"by default {' and '.join(CONFIGURATIONS)}")
    options = parser.parse_args()
    table = [one for name in options.configurations or CONFIGURATIONS for one in rows(name)]
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    main()
