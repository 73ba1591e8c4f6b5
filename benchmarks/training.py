"""Speed of `bitjoule train` beside the script that trained the bundled models, at equal tokens and at equal loss.

Run: ``python benchmarks/training.py [FILE]`` (some minutes; needs ``pip install 'bitjoule[train,interop]'``). Writes
``benchmarks/training.csv``, with the hours that `quality_ladder` takes at the speed of four steps of each size and
format. Model: the smallest rung of `quality_ladder`, ternary, on the text of the ladder. Both run
on one thread of one core, in turn; seconds are processor time of the steps, the least of three runs. Their losses are
of the same held-out windows. "At equal loss" has smaller batches, a higher learning rate, and as many tokens as it
takes to reach the loss of the script.
"""

import datetime
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import training_script as script  # beside this file

from bitjoule.energy_models.inputs.documents import parse_document, read_document
from bitjoule.sim.training.config import TrainConfig, TrainingFile, read_training
from bitjoule.sim.training.ladder import Rung, read_ladder
from bitjoule.sim.training.shipped import find_training
from bitjoule.sim.training.texts import Text, read_texts
from bitjoule.sim.training.trainer import Trained, train

SHAPE = {"layers": 2, "hidden": 32, "ffn": 64, "heads": 2}
CONTEXT, WINDOWS, WARM_UP = 256, 512, 50
TOKENS = 147 * 2048
FEWER_TOKENS = range(128 * 1024, TOKENS, 16 * 1024)  # tried in turn, until the loss is no more than the script's
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
    script.train(model, text.train, schedule)
    seconds = time.process_time() - started
    data = torch.from_numpy(np.frombuffer(text.held_out, np.uint8).copy())
    fit = (len(data) - 1) // CONTEXT
    starts = torch.arange(WINDOWS) * fit // WINDOWS * CONTEXT
    with torch.no_grad():
        parts = (data[part[:, None] + torch.arange(CONTEXT + 1)].long() for part in torch.split(starts, 32))
        losses = [float(script.loss_of(model, part)) * len(part) for part in parts]
    return sum(losses) / WINDOWS, seconds


def by_command(text: Text, tokens: int, batch_tokens: int, learning_rate: float) -> Trained:
    """Return what `bitjoule train` makes."""
    with tempfile.TemporaryDirectory() as folder:
        config = training(tokens, batch_tokens, learning_rate).config
        return train(config, text, Path(folder), torch.device("cpu"))


@cache
def speed(config: str) -> float:
    """Return the tokens per second of a few steps of a training, by its configuration as JSON."""
    run_of = TrainConfig.model_validate_json(config)
    data = bytes(range(256)) * 64
    with tempfile.TemporaryDirectory() as folder:
        return train(run_of, Text(data, data, {}), Path(folder), torch.device("cpu")).tokens_per_s


def hours_of(rung: Rung) -> float:
    """Return the hours that a training of the ladder takes at the speed of its first steps, either seed alike."""
    config = rung.training.config
    tokens = config.training.tokens
    few = config.training.model_copy(update={"tokens": 4 * config.training.batch_tokens})
    update = {"training": few, "seed": 1, "name": "speed", "evaluation_tokens": 256}
    return tokens / speed(config.model_copy(update=update).model_dump_json()) / 3600


def tokens_per_parameter(rung: Rung) -> int:
    """Return how many tokens a training of the ladder has for each parameter."""
    return round(rung.training.config.training.tokens / rung.training.config.model.parameters)


def main() -> None:
    """Measure, and write the table."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".csv")
    torch.set_num_threads(1)
    text = read_texts(training(TOKENS, 2048, 4e-3))
    loss, _ = by_script(text)
    tokens = next(each for each in FEWER_TOKENS if by_command(text, each, 1024, 8e-3).evaluation.held_out <= loss)
    runs = [
        (by_script(text), by_command(text, TOKENS, 2048, 4e-3), by_command(text, tokens, 1024, 8e-3))
        for _ in range(REPEATS)
    ]  # in turn, so that what else the machine does falls on all of them
    _, same, fewer = runs[0]
    seconds = min(script_run[1] for script_run, _, _ in runs)
    same_s = min(run.processor_s for _, run, _ in runs)
    fewer_s = min(run.processor_s for _, _, run in runs)
    ladder = read_ladder(read_document(find_training("quality_ladder")))
    rows = [
        ("text to train on", round(len(text.train) / 1e6, 2), "MB"),
        ("text held out", round(len(text.held_out) / 1e6, 3), "MB"),
        ("tokens of the script", TOKENS, "tokens"),
        ("held-out loss of the script", round(loss, 3), "nats per byte"),
        ("processor time of the script", round(seconds, 1), "s"),
        ("held-out loss with the same batches", round(same.evaluation.held_out, 3), "nats per byte"),
        ("processor time with the same batches", round(same_s, 1), "s"),
        ("speedup with the same batches", round(seconds / same_s, 2), "ratio"),
        ("tokens at equal loss", tokens, "tokens"),
        ("held-out loss at equal loss", round(fewer.evaluation.held_out, 3), "nats per byte"),
        ("processor time at equal loss", round(fewer_s, 1), "s"),
        ("speedup at equal loss", round(seconds / fewer_s, 2), "ratio"),
        ("tokens per parameter of the ladder", tokens_per_parameter(ladder[-1]), "tokens"),
        ("whole ladder", round(sum(map(hours_of, ladder)), 1), "h"),
    ]
    date = datetime.date.today().isoformat()
    lines = [f"{quantity},{value},{unit},{date},{COMMAND}" for quantity, value, unit in rows]
    output.write_text("quantity,value,unit,date,command\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
