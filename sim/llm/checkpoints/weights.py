"""The quantised linears of a checkpoint: packed trits, trits as floats, floats to quantise, and their scales.

A scale is one of the matrix or one of each row (output). Floats that are trits times such a scale already keep it: the
mean magnitude, which `absmean_ternary` takes, would be less by the share of zeros.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.block import Linear as LinearShape
from bitjoule.sim.llm.checkpoints.quantisation_config import QuantisationScheme
from bitjoule.sim.llm.checkpoints.tensors import BYTES, FLOATS, Tensors
from bitjoule.sim.reference.checks import Float32s
from bitjoule.sim.reference.matmul import Codes
from bitjoule.sim.reference.quantisation import Kind, QuantisedWeights, absmean_ternary, sign_binary

_STORED_TYPES = {"packed": BYTES, "offline": BYTES + FLOATS, "online": FLOATS, "any": BYTES + FLOATS}
Warn = Callable[[str], None]


class ReadWeights(NamedTuple):
    """The weights of a linear.

    Parameters
    ----------
    groups
        Codes and scales of each group of in_features that has a scale of its own; one if none has.
    factor
        Stored scale, shape (1,) or (out_features,): what multiplies the bias too, in some formats. 1 if none is stored.
    """

    groups: tuple[QuantisedWeights, ...]
    factor: Float32s


@dataclass(frozen=True)
class WeightReader:
    """Reads and checks the quantised linears of a checkpoint.

    Parameters
    ----------
    scheme
        How they are quantised.
    checkpoint
        Their tensors.
    """

    scheme: QuantisationScheme
    checkpoint: Tensors

    def check(self, name: str, linear: LinearShape) -> None:
        """Refuse missing tensors and wrong types and shapes, from the headers alone.

        Parameters
        ----------
        name
            Full name of the linear.
        linear
            Its size.

        Raises
        ------
        InputError
            Names the file and the tensor.
        """
        rows, dtypes = linear.out_features, _STORED_TYPES[self.scheme.stored]
        if self._is_packed(name):
            rows, dtypes = -(-rows // 4), BYTES
        if self.checkpoint.group(f"{name}.weight") is not None and f"{name}.weight_scale" in self.checkpoint:
            self._check_scale(f"{name}.weight_scale", 1)
        elif self._has_scale(name):
            self._check_scale(f"{name}.weight_scale", linear.out_features)
        if self.scheme.norm_epsilon is not None:
            self.checkpoint.check(f"{name}.rms_norm.weight", (linear.in_features,), FLOATS)
        self.checkpoint.check(f"{name}.weight", (rows, linear.in_features), dtypes)

    def read(self, name: str, linear: LinearShape, weight: str | None = None) -> ReadWeights:
        """Return the weights of a linear.

        Parameters
        ----------
        name, linear
            As for `check`.
        weight
            Tensor of floats to quantise, if it is not the linear's own.

        Raises
        ------
        InputError
            A tensor is damaged, or not what the scheme says.
        """
        shape = linear.out_features, linear.in_features
        weight = weight or f"{name}.weight"
        group = self.checkpoint.group(weight) or (None if self._is_packed(name) else self.scheme.group(shape[1]))
        if group is not None:
            return self._of_blocks(name, weight, shape, group)
        if not self._has_scale(name):
            return ReadWeights((self._from_floats(self.checkpoint.floats(weight, shape)),), np.ones(1, np.float32))
        factor = self._scale(f"{name}.weight_scale", linear.out_features)
        if self._is_packed(name):
            codes = unpack(self.checkpoint.bytes(weight, (-(-shape[0] // 4), shape[1])), shape[0])
            if codes.max() > 1:
                at = np.argwhere(codes > 1)[0].tolist()
                raise self.checkpoint.error(weight, f"has the code 3 at {at}", "the codes 0, 1 and 2, two bits each")
            scale = factor
        else:
            codes, scale = self._scaled_trits(weight, shape)
            scale = scale * factor
        if self.scheme.kind == "binary" and not codes.all():
            at = np.argwhere(codes == 0)[0].tolist()
            raise self.checkpoint.error(weight, f"has a zero at {at}", "binary weights: −1 and 1")
        return ReadWeights((QuantisedWeights(codes.T, scale, self._kind),), factor)

    @property
    def _kind(self) -> Kind:
        """The codes' kind for the layers: ±1 count as trits where activations are quantised as with ternary weights."""
        return "binary" if self.scheme.activations == "absmax_binary" else "ternary"

    def _is_packed(self, name: str) -> bool:
        allowed = _STORED_TYPES[self.scheme.stored]
        return "U8" in allowed and self.checkpoint.dtype(f"{name}.weight") == "U8"

    def _has_scale(self, name: str) -> bool:
        stored = self.scheme.stored
        return stored in ("packed", "offline") or (stored == "any" and self._is_packed(name))

    def _from_floats(self, values: Float32s) -> QuantisedWeights:
        scaled = scaled_trits(values) if self.scheme.stored == "any" else None
        if scaled is not None and (self.scheme.kind == "ternary" or scaled[0].all()):
            codes, scale = scaled
            return QuantisedWeights(codes.T, scale, self._kind)
        matrix = (absmean_ternary if self.scheme.kind == "ternary" else sign_binary)(values.T)
        return QuantisedWeights(matrix.codes, matrix.scale, self._kind)

    def _of_blocks(self, name: str, weight: str, shape: tuple[int, int], group: int) -> ReadWeights:
        """Return weights whose type has a scale for each block of a row."""
        factor = self._scale(f"{name}.weight_scale", 1) if f"{name}.weight_scale" in self.checkpoint else None
        values = self.checkpoint.floats(weight, shape)
        scaled = scaled_trits(values.reshape(-1, group))
        codes, scale = scaled or (np.zeros((values.size // group, group), np.int8), np.zeros(1, np.float32))
        if scaled is None and values.any():
            raise self.checkpoint.error(weight, "has values beside −1, 0 and 1 times the scale of their block", "trits")
        scales = np.broadcast_to(scale, len(codes)).reshape(shape[0], -1) * (1 if factor is None else factor)
        scales = _fewest(scales.astype(np.float32), codes.any(axis=1).reshape(shape[0], -1))
        codes = codes.reshape(shape)
        size = shape[1] // scales.shape[1]
        if self.scheme.kind == "binary" and not codes.all():
            raise self.checkpoint.error(weight, "has zeros", "binary weights: −1 and 1")
        groups = tuple(
            QuantisedWeights(np.ascontiguousarray(codes[:, i * size : (i + 1) * size]).T, scales[:, i], self._kind)
            if len(scales) > 1
            else QuantisedWeights(codes.T, scales[0], self._kind)
            for i in range(scales.shape[1])
        )
        return ReadWeights(groups, np.ones(1, np.float32))

    def _scaled_trits(self, weight: str, shape: tuple[int, int]) -> tuple[Codes, Float32s]:
        values = self.checkpoint.floats(weight, shape)
        scaled = scaled_trits(values)
        if scaled is None:
            magnitudes = np.abs(values)
            largest = magnitudes.max(axis=1, keepdims=True)
            row, column = np.argwhere((magnitudes != largest) & (magnitudes != 0))[0].tolist()
            wrong = f"has {values[row, column]} at {[row, column]} and {largest[row, 0]} in the same row"
            raise self.checkpoint.error(weight, wrong, "trits: −1, 0 and 1, or these times one number in each row")
        return scaled

    def _check_scale(self, name: str, rows: int) -> None:
        shape = self.checkpoint.shape(name)
        allowed = [(), (1,), (1, 1), (rows,), (rows, 1)]
        if shape not in allowed:
            expected = f"[1], or one a row: [{rows}] or [{rows}, 1]"
            raise self.checkpoint.error(name, f"has shape {list(shape)}", expected)
        self.checkpoint.check(name, shape, FLOATS)

    def _scale(self, name: str, rows: int) -> Float32s:
        self._check_scale(name, rows)
        scale = self.checkpoint.floats(name, self.checkpoint.shape(name)).reshape(-1)
        with np.errstate(divide="ignore", over="ignore"):
            factor = 1 / scale if self.scheme.divides else scale
        wrong = (scale < 0) | ~np.isfinite(factor)
        if wrong.any():
            row = int(np.argmax(wrong))
            at = f" in row {row}" if len(scale) > 1 else ""
            expected = "a positive divisor" if self.scheme.divides else "a factor of at least 0"
            raise self.checkpoint.error(name, f"is {scale[row]}{at}", expected)
        return factor.astype(np.float32)


def scaled_trits(values: Float32s) -> tuple[Codes, Float32s] | None:
    """Return floats as trits and the scale they have already; None if they are something else, or all zero.

    Parameters
    ----------
    values
        float32, shape (out_features, in_features).

    Returns
    -------
    tuple of codes and scale, or None
        int8, shape of `values`; float32, shape (1,) if all rows have one scale, else (out_features,).
    """
    magnitudes = np.abs(values)
    largest = magnitudes.max(axis=1)
    if not largest.any() or ((magnitudes != largest[:, np.newaxis]) & (magnitudes != 0)).any():
        return None
    scales = largest[largest > 0]
    scale = scales[:1] if (scales == scales[0]).all() else largest
    return np.sign(values).astype(np.int8), scale


def _fewest(scales: Float32s, used: NDArray[np.bool_]) -> Float32s:
    """Return the scales (rows, groups) as (1, 1) or (rows, 1) where those of groups that are not all zero agree."""
    largest: Float32s = np.where(used, scales, 0).max(axis=1, keepdims=True)
    if ((scales != largest) & used).any():
        return scales
    whole: Float32s = largest[used.any(axis=1)]
    return whole[:1] if len(whole) and (whole == whole[0]).all() else largest


def unpack(packed: NDArray[np.uint8], out_features: int) -> Codes:
    """Return the codes of packed weights: int8, shape (out_features, in_features), −1 to 2, where 2 is no trit.

    Byte (r, c) holds rows r, r + R, r + 2R and r + 3R of column c, R the packed rows, two bits each from the lowest
    up: code + 1. It is transformers' order.

    Parameters
    ----------
    packed
        uint8, shape (ceil(out_features / 4), in_features).
    out_features
        Rows to return; what pads them to a multiple of 4 is dropped.
    """
    rows, columns = packed.shape
    codes = np.empty((4, rows, columns), np.int8)
    for place in range(4):
        codes[place] = (packed >> np.uint8(2 * place)) & np.uint8(3)
    codes -= 1
    return codes.reshape(4 * rows, columns)[:out_features]
