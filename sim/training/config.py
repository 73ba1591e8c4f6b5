"""The schema of a training: what `bitjoule train` reads. Imports no torch."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.validation import OneOf, Strict, validate, wrong_value
from bitjoule.sim.training.corpora import corpora

VOCABULARY = 256  # a token is a byte
MAX_PARAMETERS = 2_000_000_000
WeightValues = Literal["fp16", "int8", "int4", "ternary", "binary"]
ActivationValues = Literal["fp16", "int8", "int4"]
Count = Annotated[int, Field(ge=1, le=1 << 20)]
Rate = Annotated[float, Field(gt=0, le=10)]
Share = Annotated[float, Field(ge=0, le=1)]


class DecoderShape(Strict):
    """A decoder: gated feed-forward, rotary positions, tied embedding of the 256 bytes, no biases."""

    layers: Count
    hidden: Count
    ffn: Count = Field(description="width between the up and down projections")
    heads: Count
    kv_heads: Count | None = Field(default=None, description="heads of keys and values; default: as heads")
    activation: Literal["relu2", "silu"] = "relu2"
    sub_norms: bool = Field(
        default=True, description="RMSNorm before the output and down projections, as BitNet's SubLN"
    )
    positions: Count = Field(default=1024, description="max_position_embeddings of config.json")

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.hidden % (2 * self.heads):
            wrong = f"hidden ({self.hidden}) is not a multiple of twice the heads ({self.heads})"
            raise wrong_value(wrong, "an even number of values per head, as positions are rotary", "heads")
        if self.heads % self.heads_of_keys:
            raise wrong_value(f"heads ({self.heads}) is not a multiple", "a divisor of heads", "kv_heads")
        if self.hidden % 4 or self.ffn % 4:
            key = "hidden" if self.hidden % 4 else "ffn"
            raise wrong_value(f"got {getattr(self, key)}", "a multiple of 4, as four codes share a byte", key)
        if self.kv_width % 4:
            wrong = f"keys and values of {self.kv_width} values"
            raise wrong_value(wrong, "a multiple of 4, as four codes share a byte", "kv_heads")
        if self.parameters > MAX_PARAMETERS:
            wrong = f"a model of {self.parameters} parameters"
            raise wrong_value(wrong, f"at most {MAX_PARAMETERS} parameters", "hidden")
        return self

    @property
    def heads_of_keys(self) -> int:
        """Heads of keys and values."""
        return self.kv_heads or self.heads

    @property
    def head_dim(self) -> int:
        """Values per head."""
        return self.hidden // self.heads

    @property
    def kv_width(self) -> int:
        """Values of the keys of a token."""
        return self.heads_of_keys * self.head_dim

    @property
    def matrices(self) -> tuple[tuple[str, int, int], ...]:
        """Name, out_features and in_features of the linears of a layer."""
        hidden, ffn = self.hidden, self.ffn
        return (
            ("q_proj", hidden, hidden), ("k_proj", self.kv_width, hidden), ("v_proj", self.kv_width, hidden),
            ("o_proj", hidden, hidden), ("gate_proj", ffn, hidden), ("up_proj", ffn, hidden),
            ("down_proj", hidden, ffn),
        )  # fmt: skip

    @property
    def linear_parameters(self) -> int:
        """Weights in linear layers."""
        return self.layers * sum(rows * columns for _, rows, columns in self.matrices)

    @property
    def parameters(self) -> int:
        """All weights; the embedding, which is the head too, counts once."""
        gains = 2 * self.hidden + (self.hidden + self.ffn if self.sub_norms else 0)
        return self.linear_parameters + VOCABULARY * self.hidden + self.layers * gains + self.hidden


class CorpusOfFiles(Strict):
    """Text of the user's own, read as bytes."""

    train: list[str] = Field(min_length=1, description="text files; a relative path starts at the config's directory")
    held_out: list[str] = Field(min_length=1, description="text files that no step reads")
    licence: str = Field(default="not stated", description="of the text, for the model's card")


class TwoStages(Strict):
    """The second stage of the learning rate: it drops to `learning_rate` and falls to 0 from there, linearly."""

    at: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.5, description="share of the steps before it")
    learning_rate: Rate


class TrainingSchedule(Strict):
    """Tokens, batches, AdamW and its learning rate."""

    tokens: Annotated[int, Field(ge=1, le=10**13)] = Field(description="predicted bytes in all")
    batch_tokens: Count = Field(default=2048, description="predicted bytes of a step")
    context: Count = Field(default=256, description="predicted bytes of a sequence")
    short_until: Share = Field(
        default=0.75, description="share of the steps, from the first, with twice as many sequences of half the length"
    )
    learning_rate: Rate = Field(default=4e-3, description="peak")
    final_share: Share = Field(default=0.1, description="of the peak at the last step of a cosine")
    second_stage: TwoStages | None = Field(default=None, description="linear falls in two stages; default: a cosine")
    warm_up_steps: Annotated[int, Field(ge=0, le=10**9)] = 100
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.1
    weight_decay_until: Share = Field(default=0.5, description="share of the steps with weight decay")
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(
        default=[0.9, 0.95], min_length=2, max_length=2, description="of AdamW"
    )
    clip: Annotated[float, Field(gt=0)] = Field(default=1.0, description="largest norm of the gradient")

    @model_validator(mode="after")
    def _whole_sequences(self) -> Self:
        if self.batch_tokens % self.context:
            wrong = f"got {self.batch_tokens}"
            raise wrong_value(wrong, f"a multiple of context ({self.context})", "batch_tokens")
        if self.short_until and self.context % 2:
            raise wrong_value(f"got {self.context}", "an even number, or short_until: 0", "context")
        return self

    @property
    def steps(self) -> int:
        """Steps of the optimiser."""
        return max(1, math.ceil(self.tokens / self.batch_tokens))

    def sequences(self, step: int) -> tuple[int, int]:
        """Return how many sequences a step has, and their length.

        Parameters
        ----------
        step
            Counted from 0.
        """
        halves = 2 if step < self.short_until * self.steps else 1
        return self.batch_tokens // self.context * halves, self.context // halves

    def rate(self, step: int) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        step
            Counted from 0.
        """
        warm_up = min(self.warm_up_steps, self.steps)
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        if self.second_stage is not None:
            left = 1 - step / self.steps
            at = self.second_stage.at
            return self.learning_rate * left if left > 1 - at else self.second_stage.learning_rate * left / (1 - at)
        done = (step - warm_up) / max(self.steps - warm_up, 1)
        return self.learning_rate * (self.final_share + (1 - self.final_share) * (1 + math.cos(math.pi * done)) / 2)

    def decay(self, step: int) -> float:
        """Return the weight decay of a step.

        Parameters
        ----------
        step
            Counted from 0.
        """
        return self.weight_decay if step < self.weight_decay_until * self.steps else 0.0


class TrainConfig(Strict):
    """A training file."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100, description="of the output directory")
    description: str = ""
    model: DecoderShape
    weights: WeightValues
    group_size: Count | None = Field(default=None, description="weights of a row that share a scale")
    shards: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="BitNet's group quantisation: parts of each matrix with statistics of their own"
    )
    activations: ActivationValues | None = Field(
        default=None, description="inputs of the linear layers; default: fp16 with fp16 weights, else int8"
    )
    inner_activations: ActivationValues | None = Field(
        default=None, description="inputs of the output and down projections; default: as activations"
    )
    corpus: Annotated[str, OneOf(lambda: tuple(corpora()))] | CorpusOfFiles = "docstrings"
    training: TrainingSchedule
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    log_steps: Count = Field(default=10, description="steps that a row of loss.csv averages")
    evaluate_steps: Count | None = Field(
        default=None, description="steps between evaluations on held-out text; default: at the end alone"
    )
    evaluation_tokens: Annotated[int, Field(ge=1, le=10**9)] = Field(
        default=262_144, description="held-out bytes that are predicted in an evaluation, spread over the text"
    )
    checkpoint_seconds: Annotated[float, Field(gt=0, le=1e6)] = Field(
        default=30.0, description="seconds between checkpoints; does not change the results"
    )

    @model_validator(mode="after")
    def _formats_fit(self) -> Self:
        if self.weights == "fp16" and (self.group_size or self.shards > 1):
            key = "group_size" if self.group_size else "shards"
            raise wrong_value("fp16 weights have no scales", "int8, int4, ternary or binary weights", key)
        if self.group_size and self.shards > 1:
            raise wrong_value("is set beside group_size", "one of shards and group_size", "shards")
        if self.model.heads_of_keys % self.shards:
            wrong = f"{self.shards} does not divide the {self.model.heads_of_keys} heads of keys and values"
            raise wrong_value(wrong, "whole heads in each shard", "shards")
        for name, rows, columns in self.model.matrices:
            if self.group_size and columns > self.group_size and columns % self.group_size:
                wrong = f"does not divide the {columns} in_features of {name}"
                raise wrong_value(f"{self.group_size} {wrong}", "a divisor", "group_size")
            if rows % self.shards or columns % self.shards:
                wrong = f"{self.shards} does not divide {name}, {rows} x {columns}"
                raise wrong_value(wrong, "a divisor of out_features and in_features", "shards")
        return self

    @property
    def inputs(self) -> tuple[ActivationValues, ActivationValues]:
        """Formats of the inputs of the linears: those after a norm of the block, and of output and down projection."""
        outer: ActivationValues = self.activations or ("fp16" if self.weights == "fp16" else "int8")
        return outer, self.inner_activations or outer

    @property
    def weight_format(self) -> str:
        """The format as tables name it, e.g. ``ternary-g128``."""
        suffix = f"-g{self.group_size}" if self.group_size else f"-s{self.shards}" if self.shards > 1 else ""
        return f"{self.weights}{suffix}"


@dataclass(frozen=True)
class TrainingFile:
    """A training file that has been checked.

    Parameters
    ----------
    config
        What it says.
    folder
        Where relative paths of the corpus start.
    document
        For messages.
    """

    config: TrainConfig
    folder: Path
    document: Document


def read_training(document: Document) -> TrainingFile:
    """Check a training file.

    Parameters
    ----------
    document
        The file, read.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    return TrainingFile(validate(TrainConfig, document), document.folder(("corpus",)), document)
