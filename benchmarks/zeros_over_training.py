"""Share of zero trits over the steps of the trainings of the ladder `zeros_over_training`.

Run: ``bitjoule train zeros_over_training --table TABLE.csv --out FOLDER``, then ``python
benchmarks/zeros_over_training.py TABLE.csv FOLDER``. Writes sim/quality/data/zeros_over_training.csv, the ladder's
rows, and zeros_over_training_steps.csv: of each training's loss.csv every `EVERY`-th row, the first and the last.
"""

import csv
import shutil
import sys
from pathlib import Path

from bitjoule.sim.quality.tables import FOLDER, HISTORY_COLUMNS
from bitjoule.sim.training.ladder import Table

LADDER, EVERY = "zeros_over_training", 3
OF_STEP = ("step", "tokens", "learning_rate", "loss_nats_per_byte", "zero_share")


def main(table: Path, folder: Path) -> None:
    """Tabulate."""
    rows = []
    for _, row in Table(table).rows():
        name = f"{LADDER}-{row['rung']}-{row['format']}-{row['seed']}"
        with (folder / name / "loss.csv").open(newline="", encoding="utf-8") as file:
            steps = list(csv.DictReader(file))
        place = [row[key] for key in ("rung", "format", "seed")]
        about = [row[key] for key in ("corpus_sha256", "config_sha256", "commit")]
        chosen = [step for i, step in enumerate(steps) if i % EVERY == 0 or i == len(steps) - 1]
        rows += [[*place, *(step[key] for key in OF_STEP), *about] for step in chosen]
    with (FOLDER / f"{LADDER}_steps.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([HISTORY_COLUMNS, *rows])
    shutil.copyfile(table, FOLDER / f"{LADDER}.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
