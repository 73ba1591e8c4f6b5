"""A float model quantised block by block, each on inputs that the blocks before it, quantised already, give."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.llm.layers import DecoderLayer
from bitjoule.sim.llm.linears import LinearLayer
from bitjoule.sim.llm.model import Model
from bitjoule.sim.post_training.grids import Floats, best_possible, relative_error
from bitjoule.sim.post_training.linears import RecordedLinear, RoundedLinear
from bitjoule.sim.post_training.methods import Method, divisors

SEED = 1
MOST_LEVELS = 16  # more leave hardly an error, and take long to place


@dataclass(frozen=True, eq=False)
class RoundedMatrix:
    """What rounding did to one matrix.

    Parameters
    ----------
    linear
        Its full name.
    weights, rounded
        Before and after, (K, N).
    levels, group
        Values that a weight can have, and in_features that share them; 0 for the whole matrix.
    """

    linear: str
    weights: Floats
    rounded: Floats
    levels: int
    group: int

    @cached_property
    def error(self) -> float:
        """|W' − W| / |W|."""
        return relative_error(self.weights, self.rounded)

    @cached_property
    def least_error(self) -> float:
        """That of `best_possible`, for as many levels in each group; not a number for more than 16 levels."""
        if self.levels > MOST_LEVELS:
            return math.nan
        return relative_error(self.weights, best_possible(self.weights, self.levels, self.group))


def quantise(
    model: Model, method: Method, calibration: Sequence[Sequence[int]], seed: int = SEED
) -> tuple[Model, list[RoundedMatrix]]:
    """Return a quantised model, and what was done to its matrices.

    Parameters
    ----------
    model
        With float weights; embedding, norms and LM head stay as they are.
    method
        How.
    calibration
        Sequences of tokens that its linears' inputs are taken from.
    seed
        Of random rotations.

    Raises
    ------
    TypeError
        A linear's weights are quantised already.
    """
    random = np.random.default_rng(seed)
    blocks = [model.blocks(index) for index in range(model.shape.layers)]
    rounded: list[RoundedMatrix] = []
    for index, block in enumerate(blocks):
        weights = {name: _floats(linear) for name, linear in block.linears.items()}
        inputs = _inputs(model, blocks, index, calibration)
        scales = divisors(weights, inputs) if method.smooth else {}
        linears: dict[str, LinearLayer] = {}
        for name, linear in block.linears.items():
            scale = scales.get(name, np.ones(len(weights[name])))
            scaled = weights[name] * scale[:, np.newaxis]
            new = method.round(scaled, inputs[name] / scale, random)
            linears[name] = _rounded(linear, new, method.activation_bits, scale if name in scales else None)
            group = len(scaled) if method.group == 0 else min(max(method.group, 0), len(scaled))
            rounded.append(RoundedMatrix(linear.full_name, scaled, new, method.levels, group))
        blocks[index] = replace(block, linears=linears)
    return replace(model, blocks=blocks.__getitem__), rounded


def _floats(linear: LinearLayer) -> Floats:
    if not isinstance(linear.weights, np.ndarray):
        raise TypeError(f"{linear.full_name} holds quantised weights, expected floats")
    return linear.weights.astype(np.float64)


def _inputs(
    model: Model, blocks: list[DecoderLayer], index: int, calibration: Sequence[Sequence[int]]
) -> Mapping[str, Floats]:
    """Return the inputs of each linear of a block."""
    block = blocks[index]
    recorded = {
        name: RecordedLinear(linear.layer, linear.name, linear.weights, linear.bias, linear.norm)
        for name, linear in block.linears.items()
    }
    watched: list[DecoderLayer] = [*blocks[:index], replace(block, linears=dict(recorded)), *blocks[index + 1 :]]
    observed = replace(model, blocks=watched.__getitem__)
    for tokens in calibration:
        observed.forward(tokens, NumpyEngine(), last_only=True)
    return {name: linear.recorded() for name, linear in recorded.items()}


def _rounded(linear: LinearLayer, weights: Floats, bits: int, divisor: Floats | None) -> RoundedLinear:
    return RoundedLinear(
        linear.layer,
        linear.name,
        weights.astype(np.float32),
        linear.bias,
        linear.norm,
        bits,
        None if divisor is None else divisor.astype(np.float32),
    )
