"""What is left of the FP16 models of the ladder when they are quantised after their training.

Run: ``python benchmarks/ladder_post_training.py FOLDER [TABLE.csv]``, with the folder in which ``bitjoule train
quality_ladder --out FOLDER`` put its models. Adds a row for each FP16 model and method that has none to
sim/quality/data/ladder_post_training.csv, some seconds each. Losses are those of windows that lie evenly over the
held-out text; ``difference_nats_per_byte`` is to the float model on the same windows, and ``loss_nats_per_byte`` that
added to the loss which the ladder's table states, of more windows. ``weight_error`` is as in post_training.csv.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.experiments.output.manifest import git_commit
from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.post_training.evaluate import mean_loss
from bitjoule.sim.post_training.methods import METHODS
from bitjoule.sim.post_training.quantise import RoundedMatrix, quantise
from bitjoule.sim.quality.tables import POST_TRAINING_COLUMNS, shipped_tables
from bitjoule.sim.training.ladder import Table, read_ladder
from bitjoule.sim.training.shipped import find_training
from bitjoule.sim.training.texts import read_texts

LADDER, CALIBRATION, WINDOWS = "quality_ladder", 32, 64
OUT = Path(__file__).parents[1] / "sim" / "quality" / "data" / "ladder_post_training.csv"


def spread(text: bytes, context: int, count: int) -> list[list[int]]:
    """Return windows of context + 1 bytes, evenly over the text, as the evaluation of a training takes them."""
    fit = (len(text) - 1) // context
    starts = [index * fit // count * context for index in range(count)]
    return [list(text[start : start + context + 1]) for start in starts]


def error(matrices: list[RoundedMatrix]) -> float:
    """Return |W' - W| / |W| over all matrices."""
    squared = sum((each.error * np.linalg.norm(each.weights)) ** 2 for each in matrices)
    return float((squared / sum(np.linalg.norm(each.weights) ** 2 for each in matrices)) ** 0.5)


def main(folder: Path, out: Path) -> None:
    """Measure what has no row, and add it."""
    rungs = {rung.key: rung for rung in read_ladder(read_document(find_training(LADDER)))}
    stated = [row for _, row in Table(shipped_tables()[LADDER]).rows() if row["format"] == "fp16"]
    done: list[dict[str, str]] = []
    if out.exists():
        with out.open(newline="", encoding="utf-8") as file:
            done = list(csv.DictReader(file))
    known = {(row["rung"], row["seed"], row["method"]) for row in done}
    commit = git_commit() or ""
    for row in stated:
        rung = rungs[row["rung"], "fp16", row["seed"]]
        path = folder / rung.training.config.name
        if not path.exists() or all((rung.rung, row["seed"], name) in known for name in METHODS):
            continue
        text, context = read_texts(rung.training), rung.training.config.training.context
        if text.sha256 != row["corpus_sha256"]:
            raise SystemExit(f"{path}: trained on another text than the packages here give")
        parts = spread(text.held_out, context, WINDOWS)
        calibration = [part[:-1] for part in spread(text.train, context, CALIBRATION)]
        model = load_model(path).model
        floats = mean_loss(model, parts)
        for method in METHODS.values():
            if (rung.rung, row["seed"], method.name) in known:
                continue
            quantised, matrices = quantise(model, method, calibration)
            difference = mean_loss(quantised, parts) - floats
            loss = float(row["held_out_nats_per_byte"]) + difference
            values = (
                rung.rung, method.name, row["seed"], row["parameters"], f"{loss:.6f}", f"{difference:.6f}",
                WINDOWS * context, f"{error(matrices):.4f}", method.source, text.sha256, row["config_sha256"], commit,
            )  # fmt: skip
            done.append(dict(zip(POST_TRAINING_COLUMNS, map(str, values), strict=True)))
            print(*values[:6])
        with out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, POST_TRAINING_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(done)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUT)
