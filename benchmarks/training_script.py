"""The script that trained the bundled models, as far as `benchmarks/training.py` runs it, to compare speeds.

`BitNetForCausalLM` of transformers, its linear layers replaced by `BitLinear`, trained with torch's own operations.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import BitNetConfig, BitNetForCausalLM

EPSILON = 1e-5
MAX_POSITIONS = 1024
Weights = Literal["ternary", "binary", "float"]


def quantised_weights(weight: Tensor, kind: Weights) -> tuple[Tensor, Tensor]:
    """Return codes -1, 0, +1 and the scale, of one element, that they are to be multiplied with.

    Parameters
    ----------
    weight
        Floats, of any shape.
    kind
        ``ternary``: clip(round(W / mean|W|), −1, 1); ``binary``: sign(W − mean W), sign(0) = −1. The scale of both is
        mean|W|.
    """
    scale = weight.abs().mean().clamp(min=EPSILON)
    if kind == "binary":
        return torch.where(weight > weight.mean(), 1.0, -1.0), scale
    return (weight * (1.0 / scale)).round().clamp(-1, 1), scale


class _Weight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, kind: Weights) -> Tensor:  # noqa: ARG004
        codes, scale = quantised_weights(weight, kind)
        return codes * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # noqa: ARG004
        return gradients[0], None


class _Activations(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        scale = 127 / x.abs().amax(dim=-1, keepdim=True).clamp(min=EPSILON)
        return (x * scale).round_().div_(scale)  # |x| scale is 127 at most, so there is nothing to clip

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # noqa: ARG004
        return gradients[0]


class BitLinear(nn.Linear):
    """A linear layer without bias, with weights of one scale and activations of eight bits.

    Parameters
    ----------
    in_features, out_features
        As of ``nn.Linear``, whose ``weight``, (out_features, in_features), is what is trained.
    kind
        ``ternary`` or ``binary``.
    """

    def __init__(self, in_features: int, out_features: int, kind: Weights) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Return the product of the quantised activations and weights; in training, with straight-through gradients."""
        activations: Tensor = _Activations.apply(x)
        if self.training:
            weight: Tensor = _Weight.apply(self.weight, self.kind)
            return nn.functional.linear(activations, weight)
        codes, scale = quantised_weights(self.weight, self.kind)  # inference scales last: here the same bits come out
        return nn.functional.linear(activations, codes) * scale


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


def train(model: BitNetForCausalLM, text: bytes, schedule: Schedule) -> None:
    """Fit a model to a text, in place, by AdamW."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    gains = [p for p in model.parameters() if p.ndim == 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": gains, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)
    model.train()
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
            loss.item()
    model.eval()
