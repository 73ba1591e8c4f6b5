"""What the backward pass takes of the forward pass: the values that are kept, or computed again."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.block import At, Block, Described, Linear, Part, Product
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.work.scheme_work import inputs_of
from bitjoule.energy_models.training.gradients import gradient_of


class Kept(NamedTuple):
    """Bits of one forward pass.

    Parameters
    ----------
    written
        That are kept for the backward pass besides keys and values, which the KV cache holds.
    read
        Of these, those that no matmul of the backward pass reads as its operand.
    cached
        Of keys and values.
    largest
        Of `written` and `cached`, those of the one layer that keeps most.
    layer_inputs
        Of the inputs of all layers, from which the rest can be computed again.
    """

    written: float
    read: float
    cached: float
    largest: float
    layer_inputs: float


def kept_bits(model: Described, machine: Machine, at: At, *, recomputed: bool) -> Kept:
    """Return what a forward pass keeps.

    The inputs of the linears are kept in the format that multiplies them, those that several take once; of element-wise
    functions, what their gradients take; of attention, queries, keys and values, and its outputs where the
    probabilities are `recomputed`, otherwise the probabilities.

    Parameters
    ----------
    model, machine
        The model, and the machine of the forward pass.
    at
        One case and one phase.
    recomputed
        Whether probabilities of attention are computed again instead of kept.
    """
    written = read = cached = largest = inputs = 0.0
    for block in model.blocks:
        own = [_of_part(part, machine, at, recomputed) for part in block.parts]
        block_written, block_read, block_cached = (sum(column) for column in zip(*own, strict=True))
        written += block_written * block.repeats
        read += block_read * block.repeats
        cached += block_cached * block.repeats
        if block.layers:
            largest = max(largest, block_written + block_cached)
            inputs += block.repeats * _layer_input(block, at) * machine.vector_bits
    return Kept(written, read, cached, largest, inputs)


def _of_part(part: Part, machine: Machine, at: At, recomputed: bool) -> tuple[float, float, float]:
    """Return the bits that a part keeps, those of them that no matmul reads, and those of its keys and values."""
    scheme, tokens, vector_bits = machine.scheme, _one(at.tokens), machine.vector_bits
    linears = sum(each.width * each.times * scheme.activation_bits(each.component) for each in inputs_of(part))
    linears += sum(matmul.taken * vector_bits for matmul in _unquantised(part))
    queries = outputs = 0.0
    if any(isinstance(matmul, Product) for matmul in part.matmuls):
        queries = vector_bits * sum(
            matmul.out_features
            for matmul in part.matmuls
            if isinstance(matmul, Linear) and matmul.component == "q_proj"
        )
        outputs = (
            recomputed
            * vector_bits
            * sum(
                matmul.in_features
                for matmul in part.matmuls
                if isinstance(matmul, Linear) and matmul.component == "o_proj"
            )
        )
    functional = 0.0
    for each in part.elementwise:
        name = gradient_of(each.function, recomputed=recomputed)
        if name is not None:
            functional += functions()[name].kept * _one(np.asarray(each.elements(at))) * vector_bits
    read = functional + tokens * outputs
    return read + tokens * (linears + queries), read, tokens * part.cached * scheme.cached_bits


def _unquantised(part: Part) -> Iterable[Linear]:
    """Return the linears that a scheme does not quantise, whose inputs nothing else keeps: the LM head."""
    return (m for m in part.matmuls if isinstance(m, Linear) and m.kind.role in ("head", "full_precision"))


def _layer_input(block: Block, at: At) -> float:
    """Return the values of a layer's input: those of the residual stream."""
    return _one(at.tokens * block.parts[0].residual_written(at))


def _one(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(np.asarray(values, dtype=np.float64).reshape(-1)[0])
