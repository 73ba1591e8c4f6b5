"""Small accelerators as an exploration predicts them and as they are synthesised, in FreePDK45.

`python benchmarks/built_designs.py` writes built_designs.csv, which docs/exploration.md shows; a minute.
"""

from pathlib import Path

import pandas as pd

from bitjoule.experiments.exploration.building.build import synthesise
from bitjoule.experiments.exploration.building.configuration import accelerator_of
from bitjoule.experiments.exploration.building.tables import figures
from bitjoule.experiments.exploration.resolve import resolve
from bitjoule.experiments.files import open_experiment
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library

TARGET = Path(__file__).with_name("built_designs.csv")
SIZES = ((64, 4, 1), (16, 4, 1), (16, 4, 8))  # lanes, columns, tokens
EXPLORATION = {
    "name": "built",
    "models": ["bitnet-125m"],
    "scheme": "bitnet-b1.58",
    "technology": "45nm-measured",
    "platform": "ternary-edge",
    "accelerator": {
        "config": {"lanes": 64, "columns": 4, "max_k": 8192, "weight_bus_bits": 512, "tokens": 1},
        "array": "adders",
    },
    "explore": {
        "knobs": {
            "size": {
                "zip": {
                    "accelerator.lanes": [size[0] for size in SIZES],
                    "accelerator.columns": [size[1] for size in SIZES],
                    "accelerator.tokens": [size[2] for size in SIZES],
                    "accelerator.weight_bus_bits": [2 * lanes * columns for lanes, columns, _ in SIZES],
                }
            }
        },
        "objectives": ["energy_j"],
    },
}


def main() -> None:
    """Write the table."""
    work, library = resolve(open_experiment(EXPLORATION)), find_library([FREEPDK45])
    parts = []
    for number, (lanes, columns, tokens) in enumerate(SIZES):
        table = figures(synthesise(accelerator_of(work.base, work.space, number), library))
        name = f"{lanes} x {columns}, {tokens} token{'s' * (tokens > 1)}"
        parts.append(table[["figure", "unit", "predicted", "synthesised", "difference"]].assign(array=name))
        print(parts[-1].to_string(), flush=True)
    whole = pd.concat(parts)
    whole[["array", *whole.columns.drop("array")]].to_csv(TARGET, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
