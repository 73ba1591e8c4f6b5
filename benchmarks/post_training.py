"""What is left of the shipped FP16 model when it is quantised after its training, beside models trained in few bits.

Run: ``python benchmarks/post_training.py`` (a minute). Writes benchmarks/post_training.csv. Every row is the held-out
loss of one model on the same windows. `weight_error` is |W' − W| / |W| over all linears, `least_error` the least that
any choice of so many levels in each group leaves (Lloyd), empty above 16 levels. Rows `trained` are the shipped models.
"""

import csv
from pathlib import Path

import numpy as np

from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.trained import FOLDER
from bitjoule.sim.post_training.evaluate import mean_loss, windows
from bitjoule.sim.post_training.methods import METHODS, TRIT_BITS
from bitjoule.sim.post_training.quantise import RoundedMatrix, quantise
from bitjoule.sim.training.texts import named_text

OUT = Path(__file__).with_suffix(".csv")
CONTEXT, CALIBRATION = 256, 32
TRAINED = (("tiny-fp16", 16.0, 0), ("tiny-b158", TRIT_BITS, 8), ("tiny-bitnet", 1.0, 8))
COLUMNS = (
    "method", "model", "weight_bits", "activation_bits", "group", "loss_nats_per_byte", "weight_error", "least_error",
    "source", "corpus_sha256",
)  # fmt: skip


def total(matrices: list[RoundedMatrix], which: str) -> str:
    """Return the error of all matrices together; empty where it is not known."""
    squared = sum((getattr(m, which) * np.linalg.norm(m.weights)) ** 2 for m in matrices)
    error = (squared / sum(np.linalg.norm(m.weights) ** 2 for m in matrices)) ** 0.5
    return "" if np.isnan(error) else f"{error:.4f}"


def main() -> None:
    """Measure and write."""
    corpus = named_text("prose")
    held_out = windows(corpus.held_out, CONTEXT)
    calibration = [part[:-1] for part in windows(corpus.train, CONTEXT, CALIBRATION)]
    rows: list[tuple[object, ...]] = []
    models = {name: load_model(FOLDER / name).model for name, _, _ in TRAINED}
    for name, bits, activation_bits in TRAINED:
        loss = f"{mean_loss(models[name], held_out):.4f}"
        rows.append(("trained", name, f"{bits:.3g}", activation_bits, "", loss, "", "", "", corpus.sha256))
    for method in METHODS.values():
        model, matrices = quantise(models["tiny-fp16"], method, calibration)
        loss = f"{mean_loss(model, held_out):.4f}"
        errors = total(matrices, "error"), total(matrices, "least_error")
        rows.append((method.name, "tiny-fp16", f"{method.weight_bits:.3g}", method.activation_bits, method.group, loss,
                     *errors, method.source, corpus.sha256))  # fmt: skip
    with OUT.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
