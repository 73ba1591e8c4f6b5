"""The methods by name: what each does to the linears of a block."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bitjoule.sim.post_training.gptq import gptq, hessian
from bitjoule.sim.post_training.grids import FEW_BITS, Floats, absmean, round_to_nearest, sign_mean
from bitjoule.sim.post_training.rotation import rotated_gptq
from bitjoule.sim.post_training.smoothing import smoothing

SHARED = (("q_proj", "k_proj", "v_proj"), ("ffn_gate", "ffn_up"))  # linears of one input, behind a norm
GROUP = 128
Round = Callable[[Floats, Floats, np.random.Generator], Floats]  # weights (K, N), inputs (tokens, K)


@dataclass(frozen=True)
class Method:
    """How a model is quantised after its training.

    Parameters
    ----------
    name
        As tables call it.
    weight_bits, activation_bits
        Bits of a weight, log2 3 for trits; of the inputs of linears, 0 for floats.
    group
        In_features of a group with a scale of its own; 0 for one scale an output, and −1 for one a matrix.
    round
        Returns rounded weights.
    smooth
        Whether outliers of shared inputs move into the weights first.
    source
        Key of docs/sources.bib.
    """

    name: str
    weight_bits: float
    activation_bits: int
    group: int
    round: Round
    smooth: bool = False
    source: str = ""

    @property
    def levels(self) -> int:
        """Values that a weight of a group can have."""
        if self.weight_bits <= FEW_BITS:
            return round(2**self.weight_bits)
        return (1 << round(self.weight_bits)) - 1


def nearest(bits: int) -> Round:
    """Return rounding to nearest on the grid that the largest magnitude of an output ends (absmax)."""
    return lambda weights, inputs, random: round_to_nearest(weights, bits)  # noqa: ARG005


def feedback(bits: int, group: int = 0) -> Round:
    """Return GPTQ's rounding; an output with no more inputs than a group has one scale."""
    return lambda weights, inputs, random: gptq(  # noqa: ARG005
        weights, hessian(inputs), bits, group if len(weights) > group else 0
    )


def rotated(bits: int) -> Round:
    """Return GPTQ's rounding in a rotated frame."""
    return lambda weights, inputs, random: rotated_gptq(weights, hessian(inputs), bits, random)


TRIT_BITS = float(np.log2(3))
METHODS = {
    method.name: method
    for method in (
        Method("absmax-w8a8", 8, 8, 0, nearest(8), source="wang2023bitnet"),
        Method("absmax-w4a4", 4, 4, 0, nearest(4), source="wang2023bitnet"),
        Method("smoothquant-w8a8", 8, 8, 0, nearest(8), True, "xiao2023smoothquant"),
        Method("smoothquant-w4a4", 4, 4, 0, nearest(4), True, "xiao2023smoothquant"),
        Method("gptq-w4", 4, 0, GROUP, feedback(4, GROUP), source="frantar2022gptq"),
        Method("gptq-w3", 3, 0, GROUP, feedback(3, GROUP), source="frantar2022gptq"),
        Method("gptq-w2", 2, 0, GROUP, feedback(2, GROUP), source="frantar2022gptq"),
        Method("rotated-gptq-w2", 2, 0, 0, rotated(2), source="chee2023quip"),
        Method("absmean-ternary", TRIT_BITS, 8, -1, lambda w, x, r: absmean(w), source="ma2024era"),  # noqa: ARG005
        Method("sign-mean", 1, 8, -1, lambda w, x, r: sign_mean(w), source="wang2023bitnet"),  # noqa: ARG005
    )
}


def divisors(
    weights: Mapping[str, Floats], inputs: Mapping[str, Floats], shared: Sequence[Sequence[str]] = SHARED
) -> dict[str, Floats]:
    """Return SmoothQuant's divisor of each linear that shares its input behind a norm, shape (K,).

    Parameters
    ----------
    weights, inputs
        By linear: (K, N) and (tokens, K).
    shared
        Names of linears with one input; where one of them alone is there, it is smoothed alone.
    """
    result: dict[str, Floats] = {}
    for names in shared:
        present = [name for name in names if name in weights]
        if present:
            largest = np.abs(inputs[present[0]]).max(axis=0)
            result |= dict.fromkeys(present, smoothing(largest, [weights[name] for name in present]))
    return result
