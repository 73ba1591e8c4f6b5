"""The training loop: AdamW on batches drawn from a text, with checkpoints from which a killed run goes on.

Everything that decides the next step is in a checkpoint, and batches depend on the seed and the number of the step
alone. So a run that was killed and resumed writes the bytes of one that was not.
"""

import hashlib
import json
import math
import os
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.sim.training.config import TrainConfig, TrainingSchedule
from bitjoule.sim.training.decoder import Decoder, round_to_file, zero_share
from bitjoule.sim.training.texts import Text

CHECKPOINT = "checkpoint.pt"
COLUMNS = (
    "step", "tokens", "learning_rate", "weight_decay", "loss_nats_per_byte", "held_out_nats_per_byte", "zero_share",
)  # fmt: skip
_WINDOWS_AT_ONCE = 32
_REPORT_S = 0.5


class DivergedError(ArithmeticError):
    """The loss is not finite.

    Parameters
    ----------
    step
        Steps done.
    rows
        Lines of loss.csv up to there.
    """

    def __init__(self, step: int, rows: list[str]) -> None:
        self.step, self.rows = step, rows
        super().__init__(f"the loss is not finite in step {step}")


@dataclass(frozen=True)
class TrainingProgress:
    """Where a training is.

    Parameters
    ----------
    step, steps
        Done, and in all.
    loss
        Nats a byte, of the last step.
    tokens_per_s, left_s
        Speed of this process so far, and the time left at it.
    """

    step: int
    steps: int
    loss: float
    tokens_per_s: float
    left_s: float

    def __str__(self) -> str:
        left = f"{self.left_s:.0f} s" if self.left_s < 120 else f"{self.left_s / 60:.0f} min"
        return (
            f"{self.step}/{self.steps} loss {self.loss:.3f} nats/byte, {self.tokens_per_s:,.0f} tokens/s, {left} left"
        )


@dataclass(frozen=True)
class Evaluation:
    """Losses of a trained model, in nats a byte.

    Parameters
    ----------
    held_out, train
        Of as many bytes each.
    held_out_floats
        Held out, with the inputs of the linear layers left as floats.
    windows
        Held-out loss of each window, the same windows for every model of a text and context.
    """

    held_out: float
    train: float
    held_out_floats: float
    windows: tuple[float, ...] = field(repr=False)


@dataclass(frozen=True)
class Trained:
    """A model after its last step.

    Parameters
    ----------
    model
        Rounded to what its file holds.
    rows
        Lines of loss.csv after the header.
    evaluation
        Of the rounded model.
    processor_s, tokens_per_s
        Processor time of all steps, and tokens over it.
    """

    model: Decoder
    rows: list[str]
    evaluation: Evaluation
    processor_s: float
    tokens_per_s: float

    @property
    def loss_csv(self) -> str:
        """Contents of loss.csv."""
        return loss_table(self.rows)


def loss_table(rows: list[str]) -> str:
    """Return the contents of loss.csv.

    Parameters
    ----------
    rows
        Its lines after the header.
    """
    return "".join(f"{line}\n" for line in (",".join(COLUMNS), *rows))


def pick_device(name: str) -> torch.device:
    """Return the device to train on.

    Parameters
    ----------
    name
        ``cpu``, ``cuda``, or ``auto`` for CUDA where there is one.

    Raises
    ------
    InputError
        CUDA is asked for, and torch has none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        wrong, expected = "torch finds no CUDA device", "cpu or auto"
        raise InputError([Problem("command line", 1, "--device", wrong, expected)])
    return torch.device(name)


def batch(data: Tensor, schedule: TrainingSchedule, seed: int, step: int) -> Tensor:
    """Return the bytes of a step, int64, shape (sequences, length + 1), from random places of the text.

    Parameters
    ----------
    data
        The text, uint8.
    schedule
        Says how many sequences of which length.
    seed, step
        Decide the places.
    """
    sequences, length = schedule.sequences(step)
    starts = np.random.default_rng([seed, step]).integers(len(data) - length, size=(sequences, 1))
    places = torch.from_numpy(starts + np.arange(length + 1)).to(data.device)
    return data[places].long()


@torch.no_grad()
def windows_loss(model: Decoder, data: Tensor, tokens: int, floats: bool = False) -> list[float]:
    """Return the mean loss, in nats a byte, of each of some windows spread evenly over a text.

    Parameters
    ----------
    model, floats
        The model, and how its inputs are taken.
    data
        The text, uint8.
    tokens
        Predicted bytes, rounded down to windows of the training's context; at most those of the text.
    """
    context = model.config.training.context
    fit = (len(data) - 1) // context
    count = max(1, min(fit, tokens // context))
    starts = torch.arange(count, device=data.device) * fit // count * context
    losses = []
    for part in starts.split(_WINDOWS_AT_ONCE):
        rows = data[part[:, None] + torch.arange(context + 1, device=data.device)].long()
        logits = model(rows[:, :-1], floats)
        each = nn.functional.cross_entropy(logits.transpose(1, 2), rows[:, 1:], reduction="none")
        losses += each.double().mean(1).tolist()
    return losses


def train(
    config: TrainConfig,
    text: Text,
    folder: Path,
    device: torch.device,
    report: Callable[[TrainingProgress], None] = lambda _: None,
) -> Trained:
    """Train a model, or go on where a killed process of the same training left it.

    Parameters
    ----------
    config, text
        What is trained, and on what.
    folder
        Exists; holds the checkpoint. Whoever calls removes it once the result is written.
    device
        From `pick_device`.
    report
        Called a few times a second.

    Raises
    ------
    DivergedError
        The loss is not finite.
    """
    run = _Run(config, text, folder, device)
    run.resume()
    run.steps(report)
    run.save()
    return run.finished()


class _Run:
    """A model with its optimiser and what is written of it."""

    def __init__(self, config: TrainConfig, text: Text, folder: Path, device: torch.device) -> None:
        self.config, self.schedule, self.device = config, config.training, device
        self.path = folder / CHECKPOINT
        stated = config.model_dump(mode="json", exclude={"checkpoint_seconds", "description", "name"})
        about = [stated, text.sha256, torch.__version__, device.type, torch.get_num_threads()]
        self.key = hashlib.sha256(json.dumps(about).encode()).hexdigest()
        self.data, self.held_out = (
            torch.from_numpy(np.frombuffer(part, np.uint8).copy()).to(device) for part in (text.train, text.held_out)
        )
        self.model = Decoder(config).to(device)
        gains = {id(p) for p in (*self.model.gains.parameters(), self.model.last_gain)}
        matrices = [p for p in self.model.parameters() if id(p) not in gains]
        others = [p for p in self.model.parameters() if id(p) in gains]
        groups: list[dict[str, Any]] = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(
            groups, betas=(config.training.betas[0], config.training.betas[1]), fused=True
        )
        self.step, self.processor_s = 0, 0.0
        self.rows: list[str] = []
        self.losses: list[float] = []  # since the last row

    def resume(self) -> None:
        if not self.path.exists():
            return
        try:
            saved = torch.load(self.path, map_location=self.device, weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):  # damaged: it starts anew
            return
        if saved["key"] != self.key:
            return
        self.model.load_state_dict(saved["model"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step, self.rows, self.losses = saved["step"], saved["rows"], saved["losses"]
        self.processor_s = saved["processor_s"]

    def save(self) -> None:
        temporary = self.path.with_suffix(".new")
        contents = {
            "key": self.key, "step": self.step, "rows": self.rows, "losses": self.losses,
            "processor_s": self.processor_s, "model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        torch.save(contents, temporary)
        os.replace(temporary, self.path)  # noqa: PTH105 (atomic)

    def steps(self, report: Callable[[TrainingProgress], None]) -> None:
        steps, begun, done_before = self.schedule.steps, time.monotonic(), self.step
        saved = reported = begun
        while self.step < steps:
            started = time.process_time()
            loss = self._one_step()
            self.processor_s += time.process_time() - started
            now = time.monotonic()
            if now - reported > _REPORT_S or self.step == steps:
                reported, each = now, (now - begun) / (self.step - done_before)
                speed = self.schedule.batch_tokens / each
                report(TrainingProgress(self.step, steps, loss, speed, (steps - self.step) * each))
            if now - saved > self.config.checkpoint_seconds:
                saved = now
                self.save()

    def _one_step(self) -> float:
        schedule, step = self.schedule, self.step
        rate, decay = schedule.rate(step), schedule.decay(step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.param_groups[0]["weight_decay"] = decay
        tokens = batch(self.data, schedule, self.config.seed, step)
        loss = self.model.loss(tokens[:, :-1], tokens[:, 1:])
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), schedule.clip, foreach=True)
        self.optimiser.step()
        self.step += 1
        value = loss.item()
        if not math.isfinite(value):
            raise DivergedError(self.step, self.rows)
        self.losses.append(value)
        every = self.config.evaluate_steps
        evaluated = every is not None and self.step % every == 0
        if evaluated or self.step % self.config.log_steps == 0 or self.step == schedule.steps:
            self._log(rate, decay, evaluated)
        return value

    def _log(self, rate: float, decay: float, evaluated: bool) -> None:
        held_out = ""
        if evaluated:
            losses = windows_loss(self.model, self.held_out, self.config.evaluation_tokens)
            held_out = f"{sum(losses) / len(losses):.6f}"
        zeros = zero_share(self.model)
        mean = sum(self.losses) / len(self.losses)
        tokens = self.step * self.schedule.batch_tokens
        shown = "" if zeros is None else f"{zeros:.6f}"
        self.rows.append(f"{self.step},{tokens},{rate:.6g},{decay:.6g},{mean:.6f},{held_out},{shown}")
        self.losses = []

    def finished(self) -> Trained:
        round_to_file(self.model)
        tokens = self.config.evaluation_tokens
        windows = windows_loss(self.model, self.held_out, tokens)
        floats = windows
        if set(self.config.inputs) != {"fp16"}:
            floats = windows_loss(self.model, self.held_out, tokens, floats=True)
        train_losses = windows_loss(self.model, self.data, tokens)
        held_out, of_floats, of_train = (sum(each) / len(each) for each in (windows, floats, train_losses))
        evaluation = Evaluation(held_out, of_train, of_floats, tuple(windows))
        speed = self.schedule.steps * self.schedule.batch_tokens / max(self.processor_s, 1e-9)
        return Trained(self.model, self.rows, evaluation, self.processor_s, speed)


@torch.no_grad()
def sample(model: Decoder, prompt: bytes, count: int, temperature: float = 0.6, seed: int = 0) -> bytes:
    """Return a prompt and the bytes that the model draws after it.

    Parameters
    ----------
    model
        Trained.
    prompt
        At least one byte.
    count
        Bytes to draw.
    temperature, seed
        Of the drawing.
    """
    random = torch.Generator().manual_seed(seed)
    device, longest = model.embedding.device, model.config.training.context
    tokens = torch.tensor([list(prompt)], device=device)
    for _ in range(count):
        logits = model(tokens[:, -longest:])[0, -1].cpu()
        drawn = torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=random)
        tokens = torch.cat([tokens, drawn[None].to(device)], 1)
    return bytes(tokens[0].tolist())
