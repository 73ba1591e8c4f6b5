"""The RMSNorm that `bitjoule.rtl.linear.norm` builds, in NumPy, bit for bit.

Squares, their sums, mean, root and reciprocal are float32, each rounded to nearest even; so is the product of a value
and the reciprocal, which is rounded to the activations' format next, and so is its product with the gain: what
transformers' norms do, whose sums run in another order.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.sim.reference.float_formats import FloatFormat, rounded, to_bits

Floats = NDArray[np.floating[Any]]
EPSILONS = (2.0**-60, 2.0**60)  # below, a mean that the hardware takes for zero would show


def hardware_rms_norm(x: Floats, gain: Floats, form: FloatFormat, epsilon: float = 1e-5, lanes: int = 1) -> Floats:
    """Return x / sqrt(mean(x²) + epsilon) * gain as the hardware computes it.

    Lane l adds up the squares of the features l, l + lanes, ... in their order; then the lanes' sums are added to that
    of lane 0, in their order. A token whose sum of squares is not finite has only NaN.

    Parameters
    ----------
    x
        (M, K), of the format's type.
    gain
        (K,), of the same type.
    form
        The format.
    epsilon
        `EPSILONS` bound it.
    lanes
        Activations per cycle.

    Returns
    -------
    array
        (M, K), of the format's type.

    Raises
    ------
    TypeError
        `x` or `gain` is not of the format's type.
    ValueError
        A gain of another size, an epsilon out of bounds, or an unknown format.
    """
    to_bits(x, form)
    to_bits(gain, form)
    if gain.shape != x.shape[1:]:
        raise ValueError(f"gain has shape {gain.shape}, expected {x.shape[1:]}")
    if not EPSILONS[0] <= epsilon <= EPSILONS[1]:
        raise ValueError(f"epsilon is {epsilon}, expected {EPSILONS[0]:.3g} to {EPSILONS[1]:.3g}")
    m, k = x.shape
    values = x.astype(np.float32)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = np.pad(values * values, ((0, 0), (0, -k % lanes))).reshape(m, -1, lanes)
        sums = np.zeros((m, lanes), np.float32)
        for beat in range(squares.shape[1]):
            sums += squares[:, beat]
        total = sums[:, 0]
        for lane in range(1, lanes):
            total = total + sums[:, lane]
        root = np.sqrt(total / np.float32(k) + np.float32(epsilon))
        factor = np.where(np.isfinite(total), np.float32(1) / root, np.float32(np.nan))[:, np.newaxis]
        normed = rounded((values * factor).astype(np.float64), form)
        return rounded(normed.astype(np.float64) * gain.astype(np.float64), form)
