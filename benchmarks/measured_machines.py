"""Errors of predictions on rows that were kept for checking, beside a plain roofline and constant watts.

Run: ``python benchmarks/measured_machines.py [FILE]`` (seconds), then ``make docs-numbers``. Writes
measured_machines.csv, which docs/measured-machines.md quotes.
"""

import csv
import sys
from pathlib import Path

from bitjoule.energy_models.machines.errors import constant_watts, error_lines, roofline_tokens_per_s
from bitjoule.energy_models.machines.predict import Lengths, predictions
from bitjoule.energy_models.machines.rows import read_rows
from bitjoule.energy_models.system.platform.platforms import platforms

FILE = Path(__file__).with_suffix(".csv")
HEADER = ("speed", "way", "machine", "quantity", "rows", "median", "ninetieth")


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
        ways = {
            "bitjoule": {**speeds, "j_per_token": [each.j_per_token for each in found]},
            "roofline": {"tokens_per_s": roofline_tokens_per_s(of, platforms())} if speeds else {},
            "constant watts": {} if speeds else {"j_per_token": constant_watts(of, read_rows()[1])},
        }
        for way, values in ways.items():
            lines += [
                (speed, way, *line[:3], *(f"{end:.4f}" for end in line[3:])) for line in error_lines(found, values)
            ]
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(lines)
    print(path.read_text())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
