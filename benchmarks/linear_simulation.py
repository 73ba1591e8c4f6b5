"""Runs whole BitLinears of 2B4T's shapes, with drawn weights, on the compiled hardware, and compares every output.

Each linear of a block runs with one token and with three. Beside cycles the table has how many outputs were compared
(one that differs from the NumPy reference ends the run), how near they come to the bound of their difference from
float32, and processor seconds.
"""

import argparse
import csv
import time
from pathlib import Path

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.configurations import read_design
from bitjoule.sim.accelerator.linear.engine import Compared, RtlLinears
from bitjoule.sim.accelerator.linear.simulated import SimulatedLinear
from bitjoule.sim.llm.engines import MatmulRecord
from bitjoule.sim.llm.synthetic import random_model

CONFIGURATIONS = ("bitlinear_64x5", "bitlinear_64x16")
ZERO_SHARE, SEED = 0.4, 0


def rows(name: str) -> list[dict[str, object]]:
    """Return the rows of a configuration: of each linear and number of tokens, and of the block.

    Parameters
    ----------
    name
        Of a shipped configuration.
    """
    config = read_design(name)
    if not isinstance(config, LinearConfig):
        raise TypeError(f"{name} is an array, expected a whole BitLinear")
    shape = presets()["bitnet-b1.58-2b-4t"].model_copy(update={"layers": 1, "vocabulary": 64})
    model = random_model(shape, ZERO_SHARE, SEED)
    table: list[dict[str, object]] = []
    with SimulatedLinear(config) as hardware:
        engine = RtlLinears(hardware, compares=True)
        for tokens in ([1], [1, 2, 3]):
            first, total, compared = time.process_time(), 0, Compared()
            simulated = engine.seconds

            def observe(record: MatmulRecord) -> None:
                nonlocal total, compared
                total += engine.last_cycles
                compared = compared.joined(engine.last_compared)
                table.append(
                    row(
                        f"{record.m} x {record.k} x {record.n}, {record.name}", engine.last_cycles, engine.last_compared
                    )
                )

            model.forward(tokens, engine, observe=observe)
            seconds = time.process_time() - first
            of_block = row(f"a block, {len(tokens)} token" + "s" * (len(tokens) > 1), total, compared)
            table.append(of_block | {"seconds": f"{seconds:.1f}"})
            print(
                f"{name}: {total} cycles, {engine.seconds - simulated:.1f} s on the clock in the hardware", flush=True
            )
    return [{"configuration": name} | one for one in table]


def row(what: str, cycles: int, compared: Compared) -> dict[str, object]:
    """Return a row without its configuration.

    Parameters
    ----------
    what
        Tokens, sizes and name of the linear.
    cycles, compared
        What the hardware took, and how its outputs compare; all have the reference's bits, or the run stops.
    """
    return {
        "linear": what,
        "cycles": cycles,
        "outputs": compared.outputs,
        "bound_percent": f"{100 * compared.bound_share:.1f}",
        "float32_percent": f"{100 * compared.float32_difference:.3f}",
        "seconds": "",
    }


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
