"""The bench's test cases for whole BitLinears: those of the array, with activations of every kind of number."""

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.cases import STREAMS, Case, directed_cases, operands, random_cases
from bitjoule.sim.reference.float_formats import FloatFormat, from_bits, rounded
from bitjoule.sim.reference.quantisation import QuantisedWeights

KINDS = ("random", "ties", "outlier", "wide", "subnormal", "largest", "zero", "tiny", "infinite", "nan")
EPSILON = 1e-5
_CONSTANTS = {"minimum": -1.0, "maximum": 1.0, "zero": 0.0}
Floats = NDArray[np.floating[Any]]


class LinearOperands(NamedTuple):
    """What a BitLinear is computed with.

    Parameters
    ----------
    x
        Activations (M, K), of the format's type.
    weights
        Codes (K, N) and one scale.
    gain
        Of the norm, if there is one: (K,).
    """

    x: Floats
    weights: QuantisedWeights
    gain: Floats | None


def linear_operands(config: LinearConfig, case: Case, index: int) -> LinearOperands:
    """Return the operands of one of a case's BitLinears.

    Parameters
    ----------
    config
        The configuration.
    case
        The case; its weights are those of the array's cases.
    index
        Which of its shapes.
    """
    m, k, _ = case.shapes[index]
    random = np.random.default_rng([case.seed, len(STREAMS) + 1, index])
    trits = operands(config.array, replace(case, activations="zero"), index)[1]
    scale = random.uniform(0.01, 2)
    if random.random() < 0.3:  # outputs that are subnormal, or too large
        scale *= 2.0 ** random.integers(-40, 30)
    kind: Literal["ternary", "binary"] = "ternary" if config.array.encoding.zero else "binary"
    weights = QuantisedWeights(trits, np.array([scale], np.float32), kind)
    x = activations(config, random, (m, k), case.activations)
    gain = rounded(random.normal(1, 0.5, k), _form(config)) if config.normed else None
    return LinearOperands(x, weights, gain)


def activations(config: LinearConfig, random: np.random.Generator, shape: tuple[int, int], kind: str) -> Floats:
    """Return activations (M, K) of a kind.

    Parameters
    ----------
    config
        Format, and the code of the largest magnitude.
    random
        The source of chance.
    shape
        M, K.
    kind
        One of `KINDS`, or an extreme of the array's cases.
    """
    form = config.form
    infinity = ((1 << form.exponent_bits) - 1) << form.fraction_bits
    if kind in ("wide", "subnormal"):  # every finite bit pattern, or those up to twice the least normal
        magnitudes = random.integers(0, infinity if kind == "wide" else 2 << form.fraction_bits, shape)
        signs = random.integers(0, 2, shape) << (form.bits - 1)
        return from_bits((magnitudes | signs).astype(np.uint32), _form(config))
    largest = float(from_bits(np.array([infinity - 1], np.uint32), _form(config))[0])
    if kind in _CONSTANTS:
        return rounded(np.full(shape, largest * _CONSTANTS[kind]), _form(config))
    if kind in ("alternating", "largest"):
        return rounded(np.where(np.indices(shape).sum(axis=0) % 2, -largest, largest), _form(config))
    if kind == "ties":  # halves of a step; the largest magnitude is a power of two or such a multiple of the steps
        halves = random.integers(-2 * config.steps, 2 * config.steps + 1, shape) / 2
        unit = 2.0 ** random.integers(-8, 4, (shape[0], 1)) * random.choice([1, 1, 3], (shape[0], 1))
        halves[:, 0] = config.steps
        return rounded(halves * unit, _form(config))
    values = random.normal(size=shape) * 2.0 ** random.integers(-6, 4, (shape[0], 1))
    if kind == "tiny":  # below the least of the largest magnitudes
        values = random.normal(0, EPSILON / 4, shape)
    if kind == "outlier":
        values[:, 0] = 1000
    x = rounded(values, _form(config))
    if kind in ("infinite", "nan"):
        special = np.array([np.inf, -np.inf] + [np.nan, -np.nan] * (kind == "nan"), x.dtype)
        x = np.where(random.random(shape) < 0.5 / shape[1], random.choice(special, shape), x)
    return x


def directed_linear_cases(config: LinearConfig) -> list[Case]:
    """Return the corners of a configuration: those of its array, and every kind of activation.

    Parameters
    ----------
    config
        The configuration.
    """
    array = config.array
    shape = MatmulShape(min(2 * array.tokens, 6), min(array.max_k, 2 * array.lanes + 1), array.columns + 1)
    kinds = [Case(f"activations {kind}", (shape,) * 2, seed=i, activations=kind) for i, kind in enumerate(KINDS)]
    return [*kinds, *directed_cases(array)]


def random_linear_cases(config: LinearConfig, matmuls: int, seed: int, steps: int = 400) -> list[Case]:
    """Return random cases.

    Parameters
    ----------
    config
        The configuration.
    matmuls, seed, steps
        As for `bitjoule.sim.bench.cases.random_cases`.
    """
    random = np.random.default_rng(seed + 1)
    cases = random_cases(config.array, matmuls, seed, steps)
    return [replace(case, activations=str(random.choice(KINDS))) for case in cases]


def _form(config: LinearConfig) -> FloatFormat:
    return config.format  # type: ignore[return-value]  # checked by the configuration
