"""GPTQ: weights rounded input by input, each error made up for by the inputs that are still floats.

Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", arXiv:2210.17323,
section 3 and Algorithm 1, without its blocks of columns, which only save memory traffic.
"""

import numpy as np

from bitjoule.sim.post_training.grids import Floats, in_groups, round_to, symmetric_steps

DAMPING = 0.01  # of the mean diagonal, as the paper has it


def hessian(inputs: Floats) -> Floats:
    """Return the second moments of a linear's inputs: shape (K, K).

    Parameters
    ----------
    inputs
        Shape (tokens, K).
    """
    return inputs.T @ inputs * (2 / len(inputs))


def gptq(
    weights: Floats, moments: Floats, bits: int, group: int = 0, *, fitted: bool = True, steps: Floats | None = None
) -> Floats:
    """Return weights on a symmetric grid that keep the linear's outputs near: shape (K, N).

    An input that was always zero keeps its rounded weights: nothing is known of it.

    Parameters
    ----------
    weights
        Shape (K, N).
    moments
        From `hessian`.
    bits
        1 to 8.
    group
        In_features that share a step; 0 for all. The step is that of the weights as they are when the group begins.
    fitted
        As of `symmetric_steps`.
    steps
        Steps that are given, shape (groups, N), as of weights that no feedback has moved.

    Raises
    ------
    ValueError
        K is no multiple of `group`.
    """
    size = in_groups(weights, group).shape[1]
    factor = _factor(moments)
    left, rounded = weights.copy(), np.empty_like(weights)
    for k in range(len(weights)):
        if k % size == 0:
            step = symmetric_steps(left[k : k + size], bits, fitted=fitted)[0, 0] if steps is None else steps[k // size]
        rounded[k] = round_to(left[k], step, bits)
        error = (left[k] - rounded[k]) / factor[k, k]
        left[k + 1 :] -= np.outer(factor[k, k + 1 :], error)
    return rounded


def _factor(moments: Floats) -> Floats:
    """Return the upper Cholesky factor of the inverse of the damped moments: its rows are the steps of Algorithm 1."""
    damped = moments.copy()
    unused = np.diag(damped) == 0
    damped[unused, unused] = 1.0
    damped += np.eye(len(damped)) * DAMPING * np.diag(damped).mean()
    inverse = np.linalg.inv(damped)
    return np.asarray(np.linalg.cholesky((inverse + inverse.T) / 2).T, np.float64)
