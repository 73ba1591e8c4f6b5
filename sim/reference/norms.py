"""The norms in front of a BitNet layer, over whole tokens or over groups of their features."""

import numpy as np
from numpy.typing import ArrayLike

from bitjoule.sim.reference.checks import EPSILON, Float32s, floats, grouped, tokens_of


def rms_norm(x: ArrayLike, gain: ArrayLike | None = None, groups: int = 1, epsilon: float = EPSILON) -> Float32s:
    """Return x / sqrt(mean(x²) + epsilon), times `gain`: float32, shape of `x`.

    Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019; what b1.58 has before each quantisation.

    Parameters
    ----------
    x
        Floats, shape (..., K): one token a row.
    gain
        Floats, shape (K,); default: none.
    groups
        Shards of a token's features with a mean of their own.
    epsilon
        Greater than 0.

    Raises
    ------
    TypeError
        `x` or `gain` is not floats, or `groups` no whole number.
    ValueError
        Values that are not finite in float32, a wrong shape, `groups` does not divide, or `epsilon` is not positive.
    """
    return _normalise(x, gain, groups, epsilon, centred=False)


def sub_ln(x: ArrayLike, gain: ArrayLike | None = None, groups: int = 1, epsilon: float = EPSILON) -> Float32s:
    """Return (x − mean x) / sqrt(var x + epsilon), times `gain`: float32, shape of `x`.

    The layer norm that BitNet has before each quantisation, without a bias: Wang et al. 2023, section 2.1.

    Parameters
    ----------
    x
        Floats, shape (..., K): one token a row.
    gain
        Floats, shape (K,); default: none.
    groups
        Shards of a token's features with a mean and variance of their own.
    epsilon
        Greater than 0.

    Raises
    ------
    TypeError
        `x` or `gain` is not floats, or `groups` no whole number.
    ValueError
        Values that are not finite in float32, a wrong shape, `groups` does not divide, or `epsilon` is not positive.
    """
    return _normalise(x, gain, groups, epsilon, centred=True)


def _normalise(x: ArrayLike, gain: ArrayLike | None, groups: int, epsilon: float, centred: bool) -> Float32s:
    if not 0 < epsilon < np.inf:
        raise ValueError(f"epsilon is {epsilon}, expected a positive number")
    tokens = tokens_of(x)
    values = grouped(tokens, groups).astype(np.float64)
    if centred:
        values -= values.mean(axis=-1, keepdims=True)
    values /= np.sqrt(np.square(values).mean(axis=-1, keepdims=True) + epsilon)
    values = values.reshape(tokens.shape)
    if gain is not None:
        factors = floats("gain", gain)
        if factors.shape != tokens.shape[-1:]:
            raise ValueError(f"gain has shape {factors.shape}, expected {tokens.shape[-1:]}")
        values *= factors
    return values.astype(np.float32)
