"""Errors of predictions on rows that were kept for checking, beside a plain roofline and constant watts.

Run: ``python benchmarks/measured_machines.py [FILE]`` (seconds), then ``make docs-numbers``. Writes
measured_machines.csv, which docs/measured-machines.md quotes. Beside platforms, the column machine has ``all``;
``requests``, rows of whole requests; ``decode``, the others; ``medians``, the machines' medians: their median, and the
largest of them in the column ninetieth.
"""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bitjoule.energy_models.machines.errors import ErrorLine, constant_watts, error_lines, roofline_tokens_per_s
from bitjoule.energy_models.machines.predict import Lengths, Prediction, predictions
from bitjoule.energy_models.machines.rows import read_rows
from bitjoule.energy_models.system.platform.platforms import platforms

FILE = Path(__file__).with_suffix(".csv")
HEADER = ("speed", "way", "machine", "quantity", "rows", "median", "ninetieth")
ALL = "all"
Values = Mapping[str, Sequence[float | None]]


def main(path: Path = FILE) -> None:
    """Write the errors.

    Parameters
    ----------
    path
        The file.
    """
    rows = [row for row in read_rows()[1] if row.use == "hold"]
    lines = []
    for speed in ("predicted", "given"):
        found = [each for each in predictions(rows, platforms(), Lengths(), speed == "given") if not each.why]
        of = [each.row for each in found]
        speeds = {"tokens_per_s": [each.tokens_per_s for each in found]} if speed == "predicted" else {}
        ways: dict[str, Values] = {
            "bitjoule": {**speeds, "j_per_token": [each.j_per_token for each in found]},
            "roofline": {"tokens_per_s": roofline_tokens_per_s(of, platforms())} if speeds else {},
            "constant watts": {} if speeds else {"j_per_token": constant_watts(of, read_rows()[1])},
        }
        for way, values in ways.items():
            lines += [(speed, way, *line[:3], *(f"{end:.4f}" for end in line[3:])) for line in _lines(found, values)]
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(lines)
    print(path.read_text())


def _lines(found: Sequence[Prediction], values: Values) -> Iterator[ErrorLine]:
    by_machine = list(error_lines(found, values))
    yield from by_machine
    for quantity in values:
        own = [line.median for line in by_machine if line.quantity == quantity and line.machine != ALL]
        if own:
            yield ErrorLine("medians", quantity, len(own), float(np.median(own)), max(own))
    for name, requests in (("requests", True), ("decode", False)):
        chosen = [i for i, each in enumerate(found) if (each.row.phase == "request") == requests]
        part = {quantity: [of[i] for i in chosen] for quantity, of in values.items()}
        for line in error_lines([found[i] for i in chosen], part):
            if line.machine == ALL:
                yield line._replace(machine=name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
