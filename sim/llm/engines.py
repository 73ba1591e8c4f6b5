"""Matmul backends: the one interface that every integer matmul of a model goes through.

An engine gets int8 activations (M, K) and the weights' int8 codes (K, N) and returns the exact int32 product. It may
keep its own packing of the weights in `MatmulWeights.packed`, which lives as long as the model holds these weights.

In its place a `LinearEngine` takes whole linears: float activations, and what quantises, multiplies and rescales them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitjoule.sim.bench.simulators import SimulatorError
from bitjoule.sim.reference.checks import Float32s
from bitjoule.sim.reference.matmul import Codes, integer_matmul
from bitjoule.sim.reference.quantisation import QuantisedWeights

Int32s = NDArray[np.int32]


def zero_share(codes: Codes) -> float:
    """Return the share of codes that are zero, 0 to 1.

    Parameters
    ----------
    codes
        int8, not empty.
    """
    return 1 - int(np.count_nonzero(codes)) / codes.size


@dataclass(frozen=True, eq=False)
class MatmulWeights:
    """One weight matrix for an engine.

    Parameters
    ----------
    quantised
        Codes of shape (K, N) = (in_features, out_features) and their scale.
    packed
        What an engine stores with these weights, by a key of its own, e.g. the packed stream.
    """

    quantised: QuantisedWeights
    packed: dict[str, Any] = field(default_factory=dict)

    @property
    def codes(self) -> Codes:
        """int8, shape (K, N): trits, or ±1. In memory in either order: checkpoints keep (N, K)."""
        return self.quantised.codes

    @cached_property
    def zero_share(self) -> float:
        """Share of the codes that are zero, 0 to 1."""
        return zero_share(self.codes)


@dataclass(frozen=True)
class MatmulRecord:
    """One integer matmul of a model: x (M, K) @ w (K, N).

    Parameters
    ----------
    layer
        Index of the block; −1 for the LM head.
    name
        ``q_proj``, ``k_proj``, ``v_proj``, ``o_proj``, ``ffn_gate``, ``ffn_up``, ``ffn_down`` or ``lm_head``.
    m, k, n
        Tokens, in_features, out_features.
    weight_zero_share, activation_zero_share
        Share of the codes that are zero, 0 to 1.
    groups
        Matmuls of which this is one: a linear with scales of its own for groups of in_features takes one for each.
    """

    layer: int
    name: str
    m: int
    k: int
    n: int
    weight_zero_share: float
    activation_zero_share: float
    groups: int = 1


class Engine(Protocol):
    """A backend that multiplies integers."""

    def matmul(self, name: str, activations: Codes, weights: MatmulWeights) -> Int32s:
        """Return ``activations @ weights.codes``, exactly.

        Parameters
        ----------
        name
            Which matmul, e.g. ``layers.3.q_proj``.
        activations
            int8, shape (M, K).
        weights
            Codes of shape (K, N).

        Returns
        -------
        product
            int32, shape (M, N).
        """
        ...


class LinearEngine(ABC):
    """A backend that computes whole linears, the norm before them included if it has one.

    Attributes
    ----------
    normed
        Whether an RMSNorm runs before each quantisation: then every linear needs one.
    """

    normed: bool

    @abstractmethod
    def linear(
        self, name: str, x: Float32s, weights: MatmulWeights, gain: Float32s | None, epsilon: float
    ) -> tuple[Float32s, float]:
        """Return the outputs, and the share of the activations' codes that are zero.

        Parameters
        ----------
        name
            Which linear, e.g. ``layers.3.q_proj``.
        x
            float32, finite, shape (M, K).
        weights
            Codes of shape (K, N); their scales divide the out_features.
        gain, epsilon
            Of the norm, float32 of shape (K,); None and 0 without one.

        Returns
        -------
        outputs
            float32, shape (M, N); may be not finite.
        activation_zero_share
            0 to 1.
        """


class NumpyEngine:
    """`integer_matmul`: BLAS, exact."""

    def matmul(self, name: str, activations: Codes, weights: MatmulWeights) -> Int32s:  # noqa: ARG002
        """Return ``activations @ weights.codes``; see `Engine.matmul`."""
        return integer_matmul(activations, weights.codes)


class EngineMismatchError(SimulatorError):
    """Two engines gave different products for one matmul."""


@dataclass(frozen=True)
class CheckEngine:
    """Run two engines on every matmul and refuse any difference.

    Parameters
    ----------
    first
        Whose product is returned.
    second
        Whose product must equal it.
    """

    first: Engine
    second: Engine

    def matmul(self, name: str, activations: Codes, weights: MatmulWeights) -> Int32s:
        """Return the product that both engines agree on; see `Engine.matmul`.

        Raises
        ------
        EngineMismatchError
            They differ: names the matmul and the first element.
        """
        first = self.first.matmul(name, activations, weights)
        second = self.second.matmul(name, activations, weights)
        names = type(self.first).__name__, type(self.second).__name__
        if first.shape != second.shape:
            raise EngineMismatchError(
                f"{name}: {names[0]} returned shape {first.shape}, {names[1]} shape {second.shape}"
            )
        different = first != second
        if different.any():
            at = tuple(int(index) for index in np.argwhere(different)[0])
            raise EngineMismatchError(
                f"{name}: row {at[0]} (token), column {at[1]} (output): {names[0]} has {first[at]}, {names[1]} has "
                f"{second[at]}; {np.count_nonzero(different)} of {different.size} elements differ"
            )
        return first
