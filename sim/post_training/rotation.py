"""Rounding after a random rotation, which spreads outliers over all weights (incoherence), as in QuIP.

Chee et al., "QuIP: 2-Bit Quantization of Large Language Models With Guarantees", arXiv:2307.13304: weights and moments
are multiplied by random orthogonal matrices from both sides, rounded with feedback (LDLQ, which is GPTQ's rounding,
Theorem 6), and turned back. The orthogonal matrices are random signs and a Hadamard transform, as in Tseng et al.,
"QuIP#", arXiv:2402.04396, section 3; for sizes that are no power of two, of blocks of the largest power that divides.
"""

import numpy as np

from bitjoule.sim.post_training.gptq import gptq
from bitjoule.sim.post_training.grids import Floats


def rotation(size: int, random: np.random.Generator) -> Floats:
    """Return a random orthogonal matrix, shape (size, size): a Hadamard matrix of blocks with random signs.

    Parameters
    ----------
    size
        Rows.
    random
        Draws the signs.
    """
    block = size & -size  # the largest power of two that divides
    hadamard = np.ones((1, 1))
    while len(hadamard) < block:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    signs = random.choice([-1.0, 1.0], size)
    return np.asarray(np.kron(np.eye(size // block), hadamard / np.sqrt(block)) * signs, np.float64)


def rotated_gptq(weights: Floats, moments: Floats, bits: int, random: np.random.Generator) -> Floats:
    """Return weights that were rounded in a rotated frame and turned back: shape (K, N).

    Parameters
    ----------
    weights, moments, bits
        As of `gptq`; an output has one step.
    random
        Draws the rotations.
    """
    of_inputs, of_outputs = (rotation(size, random) for size in weights.shape)
    turned = of_inputs @ weights @ of_outputs.T
    rounded = gptq(turned, of_inputs @ moments @ of_inputs.T, bits)
    return of_inputs.T @ rounded @ of_outputs
