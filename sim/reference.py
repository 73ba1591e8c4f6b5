"""The NumPy truth of BitNet's layers: what every simulated and every real result is held to.

**Weights are (in_features, out_features) = (K, N)**, as in ``Matmul(m, k, n)``: ``x (M, K) @ w (K, N) = y (M, N)``. A
torch ``nn.Linear`` keeps the transpose, (N, K): pass ``linear.weight.T``.

**Codes times scale give back what was quantised**, of weights and activations alike. Some implementations keep the
reciprocal, 127 / max|x|, and divide by it.

Floats come in as any NumPy floating type, are taken as float32 and leave as float32. Codes are int8, integer products
int32. Sums over floats run in float64, so that the order of the terms does not show in a mean; the codes themselves are
found with the float32 operations of Microsoft's published code [3]_, to agree with it at ties. Rounding is to nearest,
half to even.

A group is one shard of a matrix or of a token's features, with statistics of its own: a model-parallel shard quantises
without asking the others ([1]_, "Model parallelism with Group Quantization and Normalization").

References
----------
.. [1] Wang et al., "BitNet: Scaling 1-bit Transformers for Large Language Models", arXiv:2310.11453, section 2.1.
.. [2] Ma et al., "The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits", arXiv:2402.17764, section 2.
.. [3] Microsoft, "The Era of 1-bit LLMs: Training Tips, Code and FAQ", 2024.
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Codes = NDArray[np.int8]
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]
IntegerMatmul = Callable[[Codes, Codes], Integers]
ShardQuantiser = Callable[[Float32s], tuple[Codes, np.float32]]

Kind = Literal["ternary", "binary"]
Norm = Literal["default", "rms_norm", "sub_ln", "none"]
Partition = Literal["in_features", "out_features"]

EPSILON = 1e-5  # the FAQ code's least mean|W| and max|x|; also the norms' default

_FLOAT32_EXACT = 2**24  # every integer up to here is a float32
_FLOAT64_EXACT = 2**53
_INT32 = np.iinfo(np.int32)
_BLOCK_VALUES = 2**20  # weights turned to floats at a time: 4 MiB of float32 stay in the cache until they are used


@dataclass(frozen=True, eq=False)
class QuantisedWeights:
    """A weight matrix as int8 codes; construction checks it, so codes from a checkpoint may be put in by hand.

    Parameters
    ----------
    codes
        int8, shape (K, N) = (in_features, out_features): trits, or ±1 for binary.
    scale
        float32, shape (groups,): mean|W| of each group. Codes times scale approximate the weights.
    kind
        ``ternary`` or ``binary``.
    partition
        The dimension that the groups divide, evenly and in order.

    Raises
    ------
    TypeError
        `codes` is not int8 or `scale` not float32.
    ValueError
        Wrong shapes, codes other than the kind's, a scale that is negative or not finite, groups that do not divide.
    """

    codes: Codes
    scale: Float32s
    kind: Kind = "ternary"
    partition: Partition = "out_features"

    def __post_init__(self) -> None:
        _check_choice("kind", self.kind, Kind)
        _check_choice("partition", self.partition, Partition)
        _check_array("codes", self.codes, np.int8, "(K, N)", 2)
        _check_array("scale", self.scale, np.float32, "(groups,)", 1)
        if _largest(self.codes) > 1 or (self.kind == "binary" and not self.codes.all()):
            allowed = "-1 and 1" if self.kind == "binary" else "-1, 0 and 1"
            raise ValueError(f"codes of {self.kind} weights are {allowed}")
        if not (np.isfinite(self.scale).all() and (self.scale >= 0).all()):
            raise ValueError("scale must be finite and not negative")
        _check_groups(self.groups, self.codes.shape[_axis(self.partition)])

    @property
    def groups(self) -> int:
        """How many shards have a scale of their own."""
        return len(self.scale)

    def dequantised(self) -> Float32s:
        """Return codes times scale: float32, shape (K, N)."""
        size = self.codes.shape[_axis(self.partition)] // self.groups
        scale = np.repeat(self.scale, size)
        return self.codes * (scale if self.partition == "out_features" else scale[:, np.newaxis])


@dataclass(frozen=True, eq=False)
class QuantisedActivations:
    """Activations as integer codes, a scale for each token and group.

    Parameters
    ----------
    codes
        int8, shape (..., K).
    scale
        float32, shape (..., groups): codes times scale, plus `offset`, approximate the activations.
    offset
        float32, shape (..., groups): what was subtracted before quantising; zeros unless the inputs were shifted.
    """

    codes: Codes
    scale: Float32s
    offset: Float32s

    @property
    def groups(self) -> int:
        """How many shards of a token have a scale of their own."""
        return int(self.scale.shape[-1])

    def dequantised(self) -> Float32s:
        """Return codes times scale plus offset: float32, shape (..., K)."""
        values = _split(self.codes, self.groups) * self.scale[..., np.newaxis] + self.offset[..., np.newaxis]
        return values.reshape(self.codes.shape)


def absmean_ternary(w: ArrayLike, groups: int = 1, partition: Partition = "out_features") -> QuantisedWeights:
    """Quantise weights to trits: clip(round(W / mean|W|), −1, 1).

    Ma et al. 2024, eq. 1–3, as the FAQ code has it: mean|W| is clamped at 1e-5 where the paper adds ε, and W is
    multiplied by the float32 reciprocal.

    Parameters
    ----------
    w
        Floats, shape (K, N) = (in_features, out_features).
    groups
        Shards with a scale of their own.
    partition
        The dimension that they divide.

    Raises
    ------
    TypeError
        `w` is not floats, or `groups` no whole number.
    ValueError
        `w` is not two-dimensional, empty or not finite in float32, or `groups` does not divide.
    """
    return _quantise_shards(w, groups, partition, "ternary", _ternary_shard)


def sign_binary(w: ArrayLike, groups: int = 1, partition: Partition = "out_features") -> QuantisedWeights:
    """Quantise weights to ±1: sign(W − mean W) with sign(0) = −1, and scale β = mean|W|.

    Wang et al. 2023, eq. 1–3, section 2.1 for β. The codes of a constant matrix are all −1.

    Parameters
    ----------
    w
        Floats, shape (K, N) = (in_features, out_features).
    groups
        Shards with a mean and a scale of their own.
    partition
        The dimension that they divide.

    Raises
    ------
    TypeError
        `w` is not floats, or `groups` no whole number.
    ValueError
        `w` is not two-dimensional, empty or not finite in float32, or `groups` does not divide.
    """
    return _quantise_shards(w, groups, partition, "binary", _binary_shard)


def absmax(x: ArrayLike, bits: int = 8, groups: int = 1) -> QuantisedActivations:
    """Quantise activations by token as b1.58 does: clip(round(Q x / max|x|), −2^(bits−1), 2^(bits−1) − 1).

    Q = 2^(bits−1) − 1, 127 for 8 bits. One bit of two's complement holds −1 and 0: there Q is 1 and what is positive
    becomes 0. max|x| is clamped at 1e-5. Ma et al. 2024, section 2, and the FAQ code.

    Parameters
    ----------
    x
        Floats, shape (..., K): one token a row.
    bits
        1 to 8.
    groups
        Shards of a token's features with a scale of their own.

    Raises
    ------
    TypeError
        `x` is not floats, or `bits` or `groups` no whole number.
    ValueError
        `x` has no feature or is not finite in float32, `bits` is not 1 to 8, or `groups` does not divide.
    """
    bits = _whole("bits", bits, 1, 8)
    top = 2 ** (bits - 1) - 1
    return _quantise_tokens(x, groups, steps=max(top, 1), lowest=-(2 ** (bits - 1)), highest=top, shifted=False)


def absmax_binary(x: ArrayLike, bits: int = 8, groups: int = 1, shifted: bool = False) -> QuantisedActivations:
    """Quantise activations by token as the binary BitNet does: clip(x Q / γ, −Q + ε, Q − ε).

    Q = 2^(bits−1), γ = max|x|, clamped at 1e-5. Wang et al. 2023, eq. 4–6.

    The paper's codes are real numbers; adders need integers. They are rounded here, and ε, which keeps Q itself from
    overflowing `bits` bits, becomes a clip of the rounded codes to |code| ≤ Q − 1. So one bit has no code but 0 and
    is refused.

    Parameters
    ----------
    x
        Floats, shape (..., K): one token a row.
    bits
        2 to 8.
    groups
        Shards of a token's features with statistics of their own.
    shifted
        For the input of a non-linear function (eq. 6): subtract each token's least value first, the `offset`. γ is
        taken after that: of the values as they were, it would not bound them to the range [0, Q] that eq. 6 is for.

    Raises
    ------
    TypeError
        `x` is not floats, or `bits` or `groups` no whole number.
    ValueError
        `x` has no feature or is not finite in float32, `bits` is not 2 to 8, or `groups` does not divide.
    """
    steps = 2 ** (_whole("bits", bits, 2, 8) - 1)
    return _quantise_tokens(x, groups, steps=steps, lowest=1 - steps, highest=steps - 1, shifted=shifted)


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


def integer_matmul(x: Integers, w: Integers) -> NDArray[np.int32]:
    """Return the exact product of integer matrices: int32, shape (M, N).

    By way of floats, because NumPy multiplies integers without BLAS, many times slower. They are exact here: no partial
    sum, in whatever order and however fused, exceeds K max|x| max|w|, and every integer up to 2^24 is a float32, up to
    2^53 a float64.

    Parameters
    ----------
    x
        Any integer type, shape (M, K).
    w
        Any integer type, shape (K, N).

    Raises
    ------
    TypeError
        An operand is not integers (booleans are not).
    ValueError
        Shapes that do not fit, a product outside int32, or operands that could exceed 2^53 on the way.
    """
    _check_integers("x", x)
    _check_integers("w", w)
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[0]:
        raise ValueError(f"shapes {x.shape} and {w.shape} are not (M, K) and (K, N)")
    bound = x.shape[1] * _largest(x) * _largest(w)
    if bound > _FLOAT64_EXACT:
        raise ValueError(f"K max|x| max|w| = {bound} exceeds 2^53: the product may not be exact")
    dtype = np.float32 if bound <= _FLOAT32_EXACT else np.float64
    left = x.astype(dtype)
    result = np.empty((x.shape[0], w.shape[1]), np.int32)
    columns = max(_BLOCK_VALUES // max(w.shape[0], 1), 1)
    for start in range(0, w.shape[1], columns):
        block = slice(start, start + columns)
        product = left @ w[:, block].astype(dtype)
        if bound > _INT32.max and not _INT32.min <= product.min() <= product.max() <= _INT32.max:
            raise ValueError("the product does not fit int32")
        result[:, block] = product
    return result


def bitlinear(
    x: ArrayLike,
    w: ArrayLike,
    kind: Kind = "ternary",
    activation_bits: int = 8,
    norm: Norm = "default",
    gain: ArrayLike | None = None,
    groups: int = 1,
    partition: Partition = "out_features",
    matmul: IntegerMatmul = integer_matmul,
) -> Float32s:
    """Run a BitLinear layer from float weights: norm, quantise, integer matmul, rescale. No bias.

    Parameters
    ----------
    x
        Floats, shape (M, K): one token a row.
    w
        Floats, shape (K, N) = (in_features, out_features): the transpose of torch's ``nn.Linear.weight``.
    kind
        ``ternary``: `absmean_ternary` (b1.58); ``binary``: `sign_binary` (BitNet).
    activation_bits, norm, gain, matmul
        As for `bitlinear_quantised`.
    groups, partition
        As for `absmean_ternary`.

    Returns
    -------
    y
        float32, shape (M, N).

    Raises
    ------
    TypeError
        `x`, `w` or `gain` is not floats, or a whole number is none.
    ValueError
        Shapes that do not fit, values that are not finite, an unknown name, bits out of range, or groups that
        do not divide.
    """
    _check_choice("kind", kind, Kind)
    quantise = absmean_ternary if kind == "ternary" else sign_binary
    return bitlinear_quantised(x, quantise(w, groups, partition), activation_bits, norm, gain, matmul)


def bitlinear_quantised(
    x: ArrayLike,
    weights: QuantisedWeights,
    activation_bits: int = 8,
    norm: Norm = "default",
    gain: ArrayLike | None = None,
    matmul: IntegerMatmul = integer_matmul,
) -> Float32s:
    """Run a BitLinear layer from quantised weights: y = codes(norm(x)) @ codes(W), times both scales.

    Wang et al. 2023, section 2.1; Ma et al. 2024, section 2. Groups that divide the out_features share the activations
    and lie side by side in y. Groups that divide the in_features have their own norm and activation scale, too; their
    outputs are added up.

    Parameters
    ----------
    x
        Floats, shape (M, K): one token a row.
    weights
        Shape (K, N). Ternary weights take activations by `absmax`, binary ones by `absmax_binary`.
    activation_bits
        1 to 8; 2 to 8 with binary weights.
    norm
        ``default``: `rms_norm` before ternary and `sub_ln` before binary weights. ``none`` if a norm outside the layer
        has run already.
    gain
        Of the norm; floats, shape (K,).
    matmul
        What multiplies int8 codes (M, K) by int8 codes (K, N), integers out: put hardware in here. It is called once,
        or once a group of in_features.

    Returns
    -------
    y
        float32, shape (M, N), from the integer product in float64.

    Raises
    ------
    TypeError
        `x` or `gain` is not floats, `activation_bits` is no whole number, or `matmul` returned no integers.
    ValueError
        Shapes that do not fit, values that are not finite, an unknown name, bits out of range, or a gain
        without a norm.
    """
    tokens = _floats("x", x)
    k, n = weights.codes.shape
    if tokens.ndim != 2 or tokens.shape[1] != k:
        raise ValueError(f"x has shape {tokens.shape}; weights of shape (K, N) = {(k, n)} need (M, {k})")
    groups = weights.groups if weights.partition == "in_features" else 1
    normed = _apply_norm(tokens, norm, weights.kind, gain, groups)
    quantise = absmax if weights.kind == "ternary" else absmax_binary
    activations = quantise(normed, activation_bits, groups)
    y = np.zeros((len(tokens), n))
    for group, (rows, weight_scale) in enumerate(_row_shards(weights)):
        product = matmul(activations.codes[:, rows], weights.codes[rows])
        _check_integers("the product", product)
        if product.shape != y.shape:
            raise ValueError(f"matmul returned shape {product.shape}, expected {y.shape}")
        y += product * (activations.scale[:, group : group + 1] * weight_scale)
    return y.astype(np.float32)


def _row_shards(weights: QuantisedWeights) -> Iterator[tuple[slice, Float64s]]:
    """Yield the rows of each group of in_features and their scale, which broadcasts over (M, N)."""
    k, n = weights.codes.shape
    scale = weights.scale.astype(np.float64)
    if weights.partition == "out_features":
        yield slice(0, k), np.repeat(scale, n // weights.groups)
        return
    size = k // weights.groups
    for group in range(weights.groups):
        yield slice(group * size, (group + 1) * size), scale[group : group + 1]


def _apply_norm(x: Float32s, norm: Norm, kind: Kind, gain: ArrayLike | None, groups: int) -> Float32s:
    _check_choice("norm", norm, Norm)
    if norm == "none":
        if gain is not None:
            raise ValueError("gain belongs to a norm, and norm is 'none'")
        return x
    centred = norm == "sub_ln" or (norm == "default" and kind == "binary")
    return (sub_ln if centred else rms_norm)(x, gain, groups)


def _normalise(x: ArrayLike, gain: ArrayLike | None, groups: int, epsilon: float, centred: bool) -> Float32s:
    if not 0 < epsilon < np.inf:
        raise ValueError(f"epsilon is {epsilon}, expected a positive number")
    tokens = _tokens(x)
    values = _split(tokens, groups).astype(np.float64)
    if centred:
        values -= values.mean(axis=-1, keepdims=True)
    values /= np.sqrt(np.square(values).mean(axis=-1, keepdims=True) + epsilon)
    values = values.reshape(tokens.shape)
    if gain is not None:
        factors = _floats("gain", gain)
        if factors.shape != tokens.shape[-1:]:
            raise ValueError(f"gain has shape {factors.shape}, expected {tokens.shape[-1:]}")
        values *= factors
    return values.astype(np.float32)


def _quantise_shards(
    w: ArrayLike,
    groups: int,
    partition: Partition,
    kind: Kind,
    quantise: ShardQuantiser,
) -> QuantisedWeights:
    """Quantise each shard as if it stood alone."""
    _check_choice("partition", partition, Partition)
    weights = _floats("w", w)
    if weights.ndim != 2 or not weights.size:
        raise ValueError(f"w has shape {weights.shape}, expected (K, N), not empty")
    axis = _axis(partition)
    _check_groups(groups, weights.shape[axis])
    shards = [quantise(np.ascontiguousarray(shard)) for shard in np.split(weights, groups, axis)]
    codes = shards[0][0] if groups == 1 else np.concatenate([codes for codes, _ in shards], axis)
    return QuantisedWeights(codes, np.array([scale for _, scale in shards], np.float32), kind, partition)


def _ternary_shard(w: Float32s) -> tuple[Codes, np.float32]:
    scale = np.maximum(_absmean(w), np.float32(EPSILON))
    values = w * (np.float32(1) / scale)
    np.rint(values, out=values)
    np.clip(values, -1, 1, out=values)
    return values.astype(np.int8), scale


def _binary_shard(w: Float32s) -> tuple[Codes, np.float32]:
    above = w > w.mean(dtype=np.float64)
    codes = above.astype(np.int8)
    codes *= 2
    codes -= 1
    return codes, _absmean(w)


def _absmean(w: Float32s) -> np.float32:
    return np.float32(np.abs(w).mean(dtype=np.float64))


def _quantise_tokens(
    x: ArrayLike, groups: int, steps: int, lowest: int, highest: int, shifted: bool
) -> QuantisedActivations:
    """Quantise so that the greatest magnitude of a token is `steps` before the clip."""
    tokens = _tokens(x)
    values = _split(tokens, groups)
    offset = np.zeros((*values.shape[:-1], 1), np.float32)
    if shifted:
        offset = values.min(axis=-1, keepdims=True)
        values = _floats("x minus its minimum", values.astype(np.float64) - offset)
    largest = np.maximum(np.abs(values).max(axis=-1, keepdims=True), np.float32(EPSILON))
    # the published code's 127 / max|x| is, to torch, the reciprocal times 127: one rounding more, which ties show
    codes = np.rint(values * (np.float32(1) / largest * np.float32(steps)))
    np.clip(codes, lowest, highest, out=codes)
    scale = largest / np.float32(steps)
    return QuantisedActivations(codes.astype(np.int8).reshape(tokens.shape), scale[..., 0], offset[..., 0])


def _tokens(x: ArrayLike) -> Float32s:
    tokens = _floats("x", x)
    if not tokens.ndim or not tokens.shape[-1]:
        raise ValueError(f"x has shape {tokens.shape}, expected (..., K) with at least one feature")
    return np.ascontiguousarray(tokens)


def _floats(name: str, values: ArrayLike) -> Float32s:
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(f"{name} holds {array.dtype}, expected floats")
    with np.errstate(over="ignore"):  # becomes inf, told below
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has values that are not finite in float32")
    return array


def _split(values: NDArray[Any], groups: int) -> NDArray[Any]:
    """Return (..., groups, K / groups)."""
    size = values.shape[-1]
    _check_groups(groups, size)
    return values.reshape(*values.shape[:-1], groups, size // groups)


def _largest(values: Integers) -> int:
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))  # Python's: −(−128) does not fit int8


def _axis(partition: Partition) -> int:
    return 0 if partition == "in_features" else 1


def _whole(name: str, value: int, lowest: int, highest: int) -> int:
    try:
        whole = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected a whole number") from None
    if not lowest <= whole <= highest:
        raise ValueError(f"{name} is {whole}, expected {lowest} to {highest}")
    return whole


def _check_groups(groups: int, size: int) -> None:
    if size % _whole("groups", groups, 1, max(size, 1)):
        raise ValueError(f"groups is {groups}, which does not divide {size}")


def _check_choice(name: str, value: str, choices: object) -> None:
    if value not in get_args(choices):
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(get_args(choices))}")


def _check_integers(name: str, values: Integers) -> None:
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.integer):
        held = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(f"{name} holds {held}, expected an array of integers")


def _check_array(name: str, values: NDArray[Any], dtype: type, shape: str, dimensions: int) -> None:
    if not isinstance(values, np.ndarray) or values.dtype != dtype:
        held = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(f"{name} holds {held}, expected an array of {np.dtype(dtype)}")
    if values.ndim != dimensions or not values.size:
        raise ValueError(f"{name} has shape {values.shape}, expected {shape}, not empty")
