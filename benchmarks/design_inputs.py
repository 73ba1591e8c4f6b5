"""What inputs of a published accelerator that its publication leaves open are worth: joules a token at other values.

Run: ``python benchmarks/design_inputs.py [FILE]`` (seconds), then ``make docs-numbers``. Writes design_inputs.csv,
which docs/measured-machines.md quotes: the 256 trits a cycle of `vitallm` in arrays of other shapes, and with a buffer
that all weights pass on their way, written and read once.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bitjoule.energy_models.machines.designs import LENGTHS, NODES, Design, between_nodes, named_design, predicted
from bitjoule.energy_models.machines.predict import price
from bitjoule.energy_models.system.platform.platforms import Platform, platforms

FILE = Path(__file__).with_suffix(".csv")
HEADER = ("platform", "input", "value", "mj_per_token_45nm", "mj_per_token_7nm", "mj_per_token", "printed_mj", "error")
DESIGN = "vitallm"
LANES = (8, 16, 32, 64)
BUFFER_BYTES = 16384


def main(path: Path = FILE) -> None:
    """Write them.

    Parameters
    ----------
    path
        The file.
    """
    (design,) = predicted([DESIGN])
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(HEADER)
        for name, value, platform in _variants(platforms()[DESIGN]):
            writer.writerow((DESIGN, name, value, *(f"{number:.4f}" for number in _energies(design, platform))))
    print(path.read_text())


def _variants(platform: Platform) -> Iterator[tuple[str, str, Platform]]:
    array = platform.arrays["adders"]
    data: dict[str, Any]
    for lanes in LANES:
        data = platform.model_dump(mode="json")
        columns = array.lanes * array.columns // lanes
        data["arrays"]["adders"] |= {"lanes": lanes, "columns": columns}
        yield "lanes", f"{lanes} x {columns}", Platform.model_validate(data)
    data = platform.model_dump(mode="json")
    weights = data["buffers"]["activations"] | {"holds": ["weights"], "size_bytes": BUFFER_BYTES, "banks": 1}
    data["buffers"] = {"weights": weights, "activations": data["buffers"]["activations"]}
    yield "weights", "buffered", Platform.model_validate(data)


def _energies(design: Design, platform: Platform) -> tuple[float, ...]:
    row = named_design(design.cells)
    at_nodes = {
        node: 1e3 * float(price([row], platform, DESIGN, LENGTHS, technology=node)[1][0]) for node in NODES
    }  # fmt: skip
    here, printed = between_nodes(at_nodes, float(design.cells["process_nm"])), 1e3 * (design.printed_j_per_token or 0)
    return (*at_nodes.values(), here, printed, here / printed - 1)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
