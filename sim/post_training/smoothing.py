"""SmoothQuant: part of the activations' outliers moves into the weights.

Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models",
arXiv:2211.10438, eq. 3 and 4: inputs are divided, and weights multiplied, by s = max|X|^α / max|W|^(1 − α).
"""

from collections.abc import Sequence

import numpy as np

from bitjoule.sim.post_training.grids import Floats
from bitjoule.sim.reference.checks import EPSILON

STRENGTH = 0.5  # α, the paper's choice for most models


def smoothing(largest_inputs: Floats, weights: Sequence[Floats], strength: float = STRENGTH) -> Floats:
    """Return what each input is divided by, shape (K,): 1 where it was always zero.

    Parameters
    ----------
    largest_inputs
        Largest magnitude of each input, shape (K,).
    weights
        Of all linears that share these inputs, (K, N) each: what divides the inputs is one for them.
    strength
        α.
    """
    largest_weights = np.abs(np.concatenate(weights, axis=1)).max(axis=1)
    scale = largest_inputs**strength / np.maximum(largest_weights, EPSILON) ** (1 - strength)
    return np.where(largest_inputs > 0, np.maximum(scale, EPSILON), 1.0)
