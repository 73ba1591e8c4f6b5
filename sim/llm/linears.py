"""Linear layers: integer matmuls go through an engine; norms, scales and floats are computed here, in float32.

Or an engine takes whole linears, with what quantises and rescales, and the norm right before if it has one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bitjoule.sim.llm.engines import Engine, Int32s, LinearEngine, MatmulRecord, MatmulWeights, zero_share
from bitjoule.sim.reference.bitlinear import grouped_bitlinear
from bitjoule.sim.reference.checks import Float32s
from bitjoule.sim.reference.matmul import Codes, IntegerMatmul
from bitjoule.sim.reference.norms import rms_norm, sub_ln

Observer = Callable[[MatmulRecord], None]


class OverflowInModelError(ArithmeticError):
    """Activations left the range of their format: in float32, the weights are no working model's.

    Parameters
    ----------
    part
        Where: a linear's full name, a norm, or ``lm_head``.
    form
        The format.
    """

    def __init__(self, part: str, form: str = "float32") -> None:
        self.part, self.form = part, form
        super().__init__(f"{part}: activations are not finite in {form}")


class UnfitLinearError(ValueError):
    """A quantised linear that an engine of whole linears cannot take.

    Parameters
    ----------
    part
        Its full name.
    wrong, expected
        What it has, and what would do.
    """

    def __init__(self, part: str, wrong: str, expected: str) -> None:
        self.part, self.wrong, self.expected = part, wrong, expected
        super().__init__(f"{part}: {wrong}; expected {expected}")


@dataclass(frozen=True)
class Run:
    """What one pass is run with.

    Parameters
    ----------
    engine
        Multiplies the integers, or computes whole linears.
    observe
        Called with the record of each integer matmul, or whole linear, right after it.
    """

    engine: Engine | LinearEngine
    observe: Observer | None = None

    @property
    def norms_in_linears(self) -> bool:
        """Whether the engine computes the norms before the quantised linears."""
        return isinstance(self.engine, LinearEngine) and self.engine.normed


@dataclass(frozen=True, eq=False)
class Norm:
    """A norm over the features of each token.

    Parameters
    ----------
    gain
        float32, shape (features,).
    epsilon
        Added to the mean square.
    kind
        ``rmsnorm`` or ``layernorm`` (without a bias).
    """

    gain: Float32s
    epsilon: float
    kind: Literal["rmsnorm", "layernorm"] = "rmsnorm"

    def __call__(self, x: Float32s) -> Float32s:
        """Return the normed tokens, shape of `x`."""
        return (rms_norm if self.kind == "rmsnorm" else sub_ln)(x, self.gain, epsilon=self.epsilon)


@dataclass(frozen=True, eq=False)
class GroupedWeights:
    """Weights with scales for groups of in_features, too: each group is a matmul of its own.

    Parameters
    ----------
    groups
        Codes of shape (K / G, N) each, in the order of the in_features, with scales of their outputs.
    """

    groups: tuple[MatmulWeights, ...]


@dataclass(frozen=True, eq=False)
class LinearLayer:
    """A linear layer: quantised ones go through the engine, float ones do not.

    Parameters
    ----------
    layer, name
        As in `MatmulRecord`.
    weights
        Quantised, with scales of the outputs or of groups of in_features, too; or float32 of shape (K, N).
    bias
        float32, shape (N,).
    norm
        Run on the input, if the linear has a norm of its own.
    """

    layer: int
    name: str
    weights: MatmulWeights | GroupedWeights | Float32s
    bias: Float32s | None = None
    norm: Norm | None = None

    @property
    def full_name(self) -> str:
        """``layers.3.q_proj``, or the name alone outside the blocks."""
        return self.name if self.layer < 0 else f"layers.{self.layer}.{self.name}"

    def __call__(self, x: Float32s, run: Run) -> Float32s:
        """Return x (T, K) times the weights: float32, shape (T, N).

        Raises
        ------
        OverflowInModelError
            `x` or the result is not finite.
        UnfitLinearError
            The engine takes whole linears, and cannot take this one.
        """
        if isinstance(run.engine, LinearEngine) and not isinstance(self.weights, np.ndarray):
            y = self._whole(x, run.engine, run.observe)
            return finite(self.full_name, y if self.bias is None else y + self.bias)
        x = finite(self.full_name, x if self.norm is None else self.norm(x))
        if isinstance(self.weights, np.ndarray):
            with np.errstate(over="ignore", invalid="ignore"):
                y = x @ self.weights
        else:
            groups = self.weights.groups if isinstance(self.weights, GroupedWeights) else (self.weights,)
            with np.errstate(over="ignore"):
                multiply = [self._multiply(group, len(groups), run) for group in groups]
                y = grouped_bitlinear(x, [group.quantised for group in groups], multiply)
        return finite(self.full_name, y if self.bias is None else y + self.bias)

    def after(self, norm: Norm) -> "LinearLayer":
        """Return this linear with a norm that runs on its input; it has none yet.

        Parameters
        ----------
        norm
            The norm.
        """
        return replace(self, norm=norm)

    def _whole(self, x: Float32s, engine: LinearEngine, observe: Observer | None) -> Float32s:
        weights, norm = self.weights, self.norm
        if not isinstance(weights, MatmulWeights) or (
            weights.quantised.groups > 1 and weights.quantised.partition == "in_features"
        ):
            wrong = "has scales for groups of in_features"
            raise UnfitLinearError(self.full_name, wrong, "one scale for all of them, or an array without `linear`")
        if not engine.normed:
            x, norm = x if norm is None else norm(x), None
        elif norm is None or norm.kind != "rmsnorm":
            wrong = "has no RMSNorm right before it, which this hardware computes"
            raise UnfitLinearError(self.full_name, wrong, "hardware with `norm: none`")
        gain, epsilon = (None, 0.0) if norm is None else (norm.gain, norm.epsilon)
        y, zeros = engine.linear(self.full_name, finite(self.full_name, x), weights, gain, epsilon)
        if observe is not None:
            k, n = weights.codes.shape
            observe(MatmulRecord(self.layer, self.name, len(x), k, n, weights.zero_share, zeros))
        return y

    def _multiply(self, weights: MatmulWeights, groups: int, run: Run) -> IntegerMatmul:
        assert not isinstance(run.engine, LinearEngine)  # noqa: S101 (its linears are whole)
        engine = run.engine

        def multiply(codes: Codes, _: Codes) -> Int32s:
            product = engine.matmul(self.full_name, codes, weights)
            if run.observe is not None:
                k, n = weights.codes.shape
                shares = weights.zero_share, zero_share(codes)
                run.observe(MatmulRecord(self.layer, self.name, len(codes), k, n, *shares, groups))
            return product

        return multiply


def finite(name: str, values: Float32s) -> Float32s:
    """Return `values` unless one is not finite.

    Parameters
    ----------
    name
        Of the part, for the message.
    values
        Its inputs or outputs.

    Raises
    ------
    OverflowInModelError
        Some are not.
    """
    if not np.isfinite(values).all():
        raise OverflowInModelError(name)
    return values
