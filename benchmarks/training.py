"""Speed of `bitjoule train` beside the script that trained the bundled models, at equal tokens and at equal loss.

Run: ``python benchmarks/training.py [FILE]`` (a minute; needs ``pip install 'bitjoule[train]'``). Writes
``benchmarks/training.csv``. Model: the smallest rung of `quality_ladder`, ternary, on the text of the ladder. Both run
on one thread of one core, in turn; seconds are processor time of the steps, the least of three runs. Their losses are
of the same held-out windows.
"""

import contextlib
import datetime
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.sim.training import train as script
from bitjoule.sim.training.config import TrainingFile, read_training
from bitjoule.sim.training.texts import Text, read_texts
from bitjoule.sim.training.trainer import Trained, train

SHAPE = {"layers": 2, "hidden": 32, "ffn": 64, "heads": 2}
CONTEXT, WINDOWS, WARM_UP = 256, 512, 50
TOKENS, FEWER_TOKENS = 147 * 2048, 128 * 1024
REPEATS = 3
COMMAND = "python benchmarks/training.py"


def training(tokens: int, batch_tokens: int, learning_rate: float) -> TrainingFile:
    """Return a training of the smallest rung."""
    schedule = {"tokens": tokens, "batch_tokens": batch_tokens, "context": CONTEXT, "learning_rate": learning_rate}
    data: dict[str, Any] = {
        "name": "benchmark", "model": SHAPE, "weights": "ternary", "training": {**schedule, "warm_up_steps": WARM_UP},
        "evaluation_tokens": WINDOWS * CONTEXT,
    }  # fmt: skip
    return read_training(parse_document(repr(data), "benchmark"))


def by_script(text: Text) -> tuple[float, float]:
    """Return held-out loss and seconds of the script at its own batch and learning rate."""
    shape = script.TrainedShape(SHAPE["hidden"], SHAPE["ffn"], SHAPE["layers"], SHAPE["heads"], SHAPE["heads"])
    model = script.build_model("ternary", shape, 1)
    schedule = script.Schedule(steps=TOKENS // 2048, warm_up=WARM_UP)
    started = time.process_time()
    with contextlib.redirect_stderr(io.StringIO()):
        script.train(model, text.train, schedule)
    seconds = time.process_time() - started
    data = torch.from_numpy(np.frombuffer(text.held_out, np.uint8).copy())
    fit = (len(data) - 1) // CONTEXT
    starts = torch.arange(WINDOWS) * fit // WINDOWS * CONTEXT
    with torch.no_grad():
        parts = (data[part[:, None] + torch.arange(CONTEXT + 1)].long() for part in starts.split(32))
        losses = [float(script.loss_of(model, part)) * len(part) for part in parts]
    return sum(losses) / WINDOWS, seconds


def by_command(text: Text, tokens: int, batch_tokens: int, learning_rate: float) -> Trained:
    """Return what `bitjoule train` makes."""
    with tempfile.TemporaryDirectory() as folder:
        config = training(tokens, batch_tokens, learning_rate).config
        return train(config, text, Path(folder), torch.device("cpu"))


def main() -> None:
    """Measure, and write the table."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".csv")
    torch.set_num_threads(1)
    text = read_texts(training(TOKENS, 2048, 4e-3))
    runs = [
        (by_script(text), by_command(text, TOKENS, 2048, 4e-3), by_command(text, FEWER_TOKENS, 1024, 8e-3))
        for _ in range(REPEATS)
    ]  # in turn, so that what else the machine does falls on all of them
    (loss, _), same, fewer = runs[0]
    seconds = min(script_run[1] for script_run, _, _ in runs)
    same_s, fewer_s = (min(run[place].processor_s for run in runs) for place in (1, 2))
    rows = [
        ("script: tokens", TOKENS, "tokens"),
        ("script: held-out loss", round(loss, 3), "nats per byte"),
        ("script: processor time", round(seconds, 1), "s"),
        ("same batches: tokens", TOKENS, "tokens"),
        ("same batches: held-out loss", round(same.evaluation.held_out, 3), "nats per byte"),
        ("same batches: processor time", round(same_s, 1), "s"),
        ("same batches: speedup", round(seconds / same_s, 2), "ratio"),
        ("smaller batches: tokens", FEWER_TOKENS, "tokens"),
        ("smaller batches: held-out loss", round(fewer.evaluation.held_out, 3), "nats per byte"),
        ("smaller batches: processor time", round(fewer_s, 1), "s"),
        ("smaller batches: speedup", round(seconds / fewer_s, 2), "ratio"),
    ]
    assert fewer.evaluation.held_out <= loss, (fewer.evaluation.held_out, loss)
    date = datetime.date.today().isoformat()
    lines = [f"{quantity},{value},{unit},{date},{COMMAND}" for quantity, value, unit in rows]
    output.write_text("quantity,value,unit,date,command\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
