"""Train one of the shipped models: ``python -m bitjoule.sim.training.train --weights ternary --out DIR``.

A BitNet transformer on bytes, `BitNetForCausalLM` of transformers, its linear layers replaced by `BitLinear` (not with
``--weights float``). All three kinds have one architecture, one corpus, one order of batches and one schedule. Takes
minutes on one core; ``pip install bitjoule[train]``.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn
from transformers import BitNetConfig, BitNetForCausalLM

from bitjoule.sim.training.corpus import read_corpus
from bitjoule.sim.training.export import ExportReport, round_to_file, save_model
from bitjoule.sim.training.layers import BitLinear, Weights

MAX_POSITIONS = 1024  # rotary positions have no end; what lies beyond the context of the training is a guess


@dataclass(frozen=True)
class TrainedShape:
    """Of a model: what config.json calls the same.

    Parameters
    ----------
    hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads
        The default has 442,368 weights in linear layers: as float16, with the embedding, less than 1 MB.
    """

    hidden_size: int = 128
    intermediate_size: int = 256
    num_hidden_layers: int = 3
    num_attention_heads: int = 4
    num_key_value_heads: int = 2


@dataclass(frozen=True)
class Schedule:
    """How a model is trained.

    Parameters
    ----------
    steps
        Of the optimiser.
    batch, context
        Sequences a step, and predicted bytes of each, in the last quarter of the steps; before that, twice as many of
        half the length, which learns faster.
    peak
        The learning rate after the warm-up; from there it falls to a tenth, with half a cosine.
    warm_up
        Steps in which the learning rate rises from 0.
    decay
        The weight decay, in the first half of the steps; then 0, as Microsoft's "Training Tips, Code and FAQ" has it.
    seed
        Of the first weights and of the batches.
    """

    steps: int = 2200
    batch: int = 8
    context: int = 256
    peak: float = 4e-3
    warm_up: int = 100
    decay: float = 0.1
    seed: int = 1

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warm_up:
            return self.peak * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(self.steps - self.warm_up, 1)
        return self.peak * (0.55 + 0.45 * math.cos(math.pi * done))


def build_model(weights: Weights, shape: TrainedShape, seed: int) -> BitNetForCausalLM:
    """Return a model with random weights, the same ones for every kind."""
    torch.manual_seed(seed)
    config = BitNetConfig(
        vocab_size=256,
        **asdict(shape),
        max_position_embeddings=MAX_POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = BitNetForCausalLM(config)
    for name, module in list(model.model.named_modules()):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            if weights != "float":
                layer = BitLinear(module.in_features, module.out_features, weights)
                layer.weight = module.weight
                model.model.set_submodule(name, layer)
    return model


def batches(text: bytes, schedule: Schedule) -> Iterator[Tensor]:
    """Yield a tensor of bytes for each step, a sequence a row, from random places of the text."""
    data = bytes_of(text)
    random = torch.Generator().manual_seed(schedule.seed)
    for step in range(schedule.steps):
        halves = 2 if 4 * step < 3 * schedule.steps else 1
        context = schedule.context // halves
        starts = torch.randint(len(data) - context, (schedule.batch * halves, 1), generator=random)
        yield data[starts + torch.arange(context + 1)]


def bytes_of(text: bytes) -> Tensor:
    """Return the bytes of a text as int64."""
    return torch.frombuffer(bytearray(text), dtype=torch.uint8).long()


def loss_of(model: Any, tokens: Tensor) -> Tensor:
    """Return the mean cross entropy, in nats, of each byte but the first of each row."""
    logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
    return nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


@torch.no_grad()
def held_out_loss(model: Any, text: bytes, context: int) -> float:
    """Return the mean loss, in nats a byte, over a text cut into windows that overlap by the one byte not predicted."""
    windows = bytes_of(text).unfold(0, context + 1, context)
    losses = [float(loss_of(model, part)) * len(part) for part in windows.split(32)]
    return sum(losses) / len(windows)


def train(model: BitNetForCausalLM, text: bytes, schedule: Schedule) -> None:
    """Fit a model to a text, in place, by AdamW."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    gains = [p for p in model.parameters() if p.ndim == 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": gains, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)
    model.train()
    started = time.monotonic()
    for step, tokens in enumerate(batches(text, schedule)):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step)
        optimiser.param_groups[0]["weight_decay"] = schedule.decay if 2 * step < schedule.steps else 0.0
        loss = loss_of(model, tokens)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 99 or step + 1 == schedule.steps:
            seconds = time.monotonic() - started
            sys.stderr.write(f"step {step + 1}/{schedule.steps}: {loss.item():.3f} nats a byte, {seconds:.0f} s\n")
    model.eval()


@torch.no_grad()
def sample(model: Any, prompt: str, count: int, temperature: float = 0.6, seed: int = 0) -> str:
    """Return a prompt and `count` bytes that the model draws after it."""
    torch.manual_seed(seed)
    tokens = bytes_of(prompt.encode())[None]
    for _ in range(count):
        logits = model(input_ids=tokens, use_cache=False).logits[0, -1]
        drawn = torch.multinomial(torch.softmax(logits / temperature, -1), 1)
        tokens = torch.cat([tokens, drawn[None]], 1)
    return bytes(tokens[0].tolist()).decode(errors="replace")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m bitjoule.sim.training.train", description="train a small model")
    parser.add_argument("--weights", required=True, choices=get_args(Weights))
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--steps", type=int, default=Schedule.steps)
    parser.add_argument("--seed", type=int, default=Schedule.seed)
    parser.add_argument("--layers", type=int, default=TrainedShape.num_hidden_layers)
    options = parser.parse_args(arguments)
    if options.steps < 1 or options.layers < 1:
        parser.error("--steps and --layers are at least 1")
    torch.set_num_threads(1)  # sums in one order
    torch.use_deterministic_algorithms(True)
    corpus = read_corpus()
    schedule = Schedule(steps=options.steps, warm_up=min(Schedule.warm_up, options.steps), seed=options.seed)
    model = build_model(options.weights, TrainedShape(num_hidden_layers=options.layers), schedule.seed)
    started = time.process_time()
    train(model, corpus.train, schedule)
    minutes = (time.process_time() - started) / 60
    round_to_file(model)
    report = ExportReport(
        weights=options.weights,
        train_loss=held_out_loss(model, corpus.train[: len(corpus.held_out)], schedule.context),
        held_out_loss=held_out_loss(model, corpus.held_out, schedule.context),
        minutes=minutes,
        sample=sample(model, "Return the", 240),
        schedule=asdict(schedule),
    )
    save_model(model, options.out, corpus, report)
    bits = report.held_out_loss / math.log(2)
    sys.stdout.write(f"held out: {report.held_out_loss:.4f} nats a byte, {bits:.4f} bits a byte\n{options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
