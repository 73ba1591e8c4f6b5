"""The whole BitLinear as what runs a model's linears, and how it compares with NumPy."""

import math
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.linear.simulated import LinearOutcome, SimulatedLinear
from bitjoule.sim.accelerator.linear_cycles import linear_cycles
from bitjoule.sim.accelerator.native_build import native_library
from bitjoule.sim.accelerator.native_machine import Window
from bitjoule.sim.accelerator.rtl_engine import ADDED, WINDOW_CYCLES
from bitjoule.sim.accelerator.verilated import PackedWeights
from bitjoule.sim.bench.simulators import SimulatorError
from bitjoule.sim.llm.engines import EngineMismatchError, LinearEngine, MatmulWeights, zero_share
from bitjoule.sim.llm.linears import OverflowInModelError, UnfitLinearError
from bitjoule.sim.reference.bitlinear import bitlinear_quantised, rms_norm
from bitjoule.sim.reference.checks import Float32s
from bitjoule.sim.reference.float_formats import FloatFormat, rounded
from bitjoule.sim.reference.hardware_linear import canonical, hardware_bitlinear, hardware_codes
from bitjoule.sim.reference.hardware_norm import EPSILONS, hardware_rms_norm
from bitjoule.sim.reference.quantisation import QuantisedWeights

PACKED = "rtl_linear"
# By the module that a path goes through, the first that is met; nets of none of them are the streams between.
UNITS = ("norm", "loader", "quantiser", "array", "rescaler")
_FLOAT32_ERROR = 2.0**-22  # of scales and products in the reference's own float32
Floats = NDArray[np.floating[Any]]


class Compared(NamedTuple):
    """How outputs of a linear compare with NumPy's.

    Parameters
    ----------
    outputs
        How many; every one had the bits of `hardware_bitlinear`.
    bound_share
        The largest difference from `bitlinear_quantised`, given the activations behind the norm in the hardware's
        format, over its bound (2^-p + 2^-22) |y| + s; p bits of significand, s half the least subnormal number.
    float32_difference
        The largest difference from the model's own layer in float32, its norm and inputs included, over the largest
        magnitude of that layer's outputs.
    """

    outputs: int = 0
    bound_share: float = 0.0
    float32_difference: float = 0.0

    def joined(self, other: "Compared") -> "Compared":
        """Return how both compare together.

        Parameters
        ----------
        other
            Of the same linear.
        """
        return Compared(self.outputs + other.outputs, *map(max, self[1:], other[1:]))


class _Operands(NamedTuple):
    """What the hardware gets: in its format."""

    x: Floats
    gain: Floats | None
    epsilon: float


@dataclass
class RtlLinears(LinearEngine):
    """Computes whole linears on the simulated hardware, a command for each scale of the weights.

    Parameters
    ----------
    hardware
        The BitLinear.
    compares
        Whether every output is compared with NumPy's.
    counts_toggles
        Whether each linear's first `WINDOW_CYCLES` cycles are run once more, once in each phase, in a slower build that
        counts toggles; it is compiled here.
    keeps_packed
        Whether packed weights are kept in addition to the codes.

    Attributes
    ----------
    phase
        Of the run, set by whoever runs it.
    seconds
        Time on the hardware so far, without packing and counting toggles.
    last_cycles, last_commands
        Of the latest linear.
    last_compared
        How the latest linear compares.
    last_toggles_per_trit
        Of the array's adders, as `bitjoule.sim.accelerator.rtl_engine.RtlEngine` has them.
    last_unit_toggles
        Of the phase's first call of the latest linear, if they are counted: toggles of all nets of each of `UNITS`, per
        cycle of the window.
    """

    hardware: SimulatedLinear
    compares: bool = False
    counts_toggles: bool = False
    keeps_packed: bool = True
    phase: str = field(default="", init=False)
    seconds: float = field(default=0.0, init=False)
    last_cycles: int = field(default=0, init=False)
    last_commands: int = field(default=0, init=False)
    last_compared: Compared = field(default=Compared(), init=False)
    last_toggles_per_trit: float = field(default=math.nan, init=False)
    last_unit_toggles: dict[str, float] = field(default_factory=dict, init=False)
    _toggles: dict[tuple[str, str], tuple[float, dict[str, float]]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.normed = self._config.normed
        if self.counts_toggles:
            native_library(self._config, "saif")

    def linear(
        self, name: str, x: Float32s, weights: MatmulWeights, gain: Float32s | None, epsilon: float
    ) -> tuple[Float32s, float]:
        """Return what the hardware computes; see `bitjoule.sim.llm.engines.LinearEngine.linear`.

        Raises
        ------
        OverflowInModelError
            Activations or gains exceed the hardware's format.
        EngineMismatchError
            An output has not the bits of the NumPy reference.
        SimulatorError
            The hardware took another number of cycles than its closed form says, or an output is out of its bound.
        UnfitLinearError
            The norm's epsilon is out of the hardware's bounds.
        """
        if gain is not None and not EPSILONS[0] <= epsilon <= EPSILONS[1]:
            wrong = f"its norm has epsilon {epsilon:g}"
            raise UnfitLinearError(name, wrong, f"{EPSILONS[0]:.3g} to {EPSILONS[1]:.3g}")
        operands = _Operands(self._in_format(name, x), None if gain is None else self._in_format(name, gain), epsilon)
        parts, packed = _by_scale(weights.quantised), self._packed(weights)
        outcomes = []
        for part, tiles in zip(parts, packed, strict=True):
            begun = time.perf_counter()
            outcomes.append(self._command(operands, part, tiles))
            self.seconds += time.perf_counter() - begun
            self._check_cycles(name, outcomes[-1], len(x), tiles)
        self.last_commands = len(outcomes)
        self.last_cycles = sum(outcome.cycles for outcome in outcomes)
        y = np.concatenate([outcome.outputs for outcome in outcomes], axis=1)
        normed = self._normed(operands)
        if not np.isfinite(normed).all():
            raise OverflowInModelError(name, self._config.format)
        if self.compares:
            self._check_bits(name, operands, parts, y)
            self.last_compared = self._compared(name, x, weights.quantised, gain, epsilon, normed, y)
        if self.counts_toggles:
            self._count_toggles(name, operands, parts[0], packed[0], outcomes[0].cycles)
        codes = hardware_codes(normed, weights.quantised.kind, self._config.array.activation_bits).codes
        if not np.isfinite(y).all():
            raise OverflowInModelError(name, self._config.format)
        return y.astype(np.float32), zero_share(codes)

    @property
    def _config(self) -> LinearConfig:
        return self.hardware.config

    @property
    def _form(self) -> FloatFormat:
        return self._config.format  # type: ignore[return-value]  # checked by the configuration

    def _in_format(self, name: str, values: Float32s) -> Floats:
        inside = rounded(values.astype(np.float64), self._form)
        if not np.isfinite(inside).all():
            raise OverflowInModelError(name, self._config.format)
        return inside

    def _packed(self, weights: MatmulWeights) -> list[PackedWeights]:
        packed: list[PackedWeights] | None = weights.packed.get(PACKED)
        if packed is None:
            packed = [self.hardware.pack(part.codes) for part in _by_scale(weights.quantised)]
            if self.keeps_packed:
                weights.packed[PACKED] = packed
        return packed

    def _command(self, operands: _Operands, part: QuantisedWeights, tiles: PackedWeights) -> LinearOutcome:
        return self.hardware.linear(operands.x, tiles, part.scale[0], *_norm_operands(operands))

    def _check_cycles(self, name: str, outcome: LinearOutcome, m: int, tiles: PackedWeights) -> None:
        expected = linear_cycles(self._config, m, tiles.k, tiles.n)
        if expected is not None and outcome.cycles != expected:
            raise SimulatorError(f"{name}: the hardware took {outcome.cycles} cycles, the closed form gives {expected}")

    def _normed(self, operands: _Operands) -> Floats:
        if operands.gain is None:
            return operands.x
        return hardware_rms_norm(operands.x, operands.gain, self._form, operands.epsilon, self._config.lanes)

    def _check_bits(self, name: str, operands: _Operands, parts: list[QuantisedWeights], y: Floats) -> None:
        bits, lanes = self._config.array.activation_bits, self._config.lanes
        expected = np.concatenate(
            [hardware_bitlinear(operands.x, part, self._form, bits, operands.gain, operands.epsilon, lanes)
             for part in parts], axis=1,
        )  # fmt: skip
        different = canonical(y, self._form) != canonical(expected, self._form)
        if different.any():
            at = tuple(int(index) for index in np.argwhere(different)[0])
            raise EngineMismatchError(
                f"{name}: row {at[0]} (token), column {at[1]} (output): the hardware has {y[at]}, NumPy has "
                f"{expected[at]}; {np.count_nonzero(different)} of {different.size} outputs differ"
            )

    def _compared(
        self,
        name: str,
        x: Float32s,
        weights: QuantisedWeights,
        gain: Float32s | None,
        epsilon: float,
        normed: Floats,
        y: Floats,
    ) -> Compared:
        if not np.isfinite(y).all():
            raise OverflowInModelError(name, self._config.format)
        bits = self._config.array.activation_bits
        reference = bitlinear_quantised(normed, weights, bits, norm="none").astype(np.float64)
        form = self._config.form
        least = 2.0 ** (1 - form.bias - form.fraction_bits)  # subnormal
        bound = (2.0 ** -(form.fraction_bits + 1) + _FLOAT32_ERROR) * np.abs(reference) + least / 2
        share = float((np.abs(y - reference) / bound).max())
        if share > 1:
            raise SimulatorError(f"{name}: an output differs from float32's by {share:.3g} times its bound")
        own = x if gain is None else rms_norm(x, gain, epsilon=epsilon)
        layer = bitlinear_quantised(own, weights, bits, norm="none").astype(np.float64)
        largest = float(np.abs(layer).max())
        return Compared(y.size, share, float(np.abs(y - layer).max()) / largest if largest else 0.0)

    def _count_toggles(
        self, name: str, operands: _Operands, part: QuantisedWeights, tiles: PackedWeights, cycles: int
    ) -> None:
        key = (name, self.phase)
        if key not in self._toggles:
            m, window = len(operands.x), Window(cycles=min(WINDOW_CYCLES, cycles))
            toggles = self.hardware.toggles(operands.x, tiles, part.scale[0], *_norm_operands(operands), window=window)
            added = sum(count for net, count in toggles.nets.items() if ADDED.search(net))
            units = dict.fromkeys(UNITS, 0.0)
            for net, count in toggles.nets.items():
                unit = next((unit for unit in UNITS if f"/{unit}/" in net), None)
                if unit:
                    units[unit] += count / window.cycles
            self._toggles[key] = added / (m * tiles.k * tiles.n * window.cycles / cycles), units
        self.last_toggles_per_trit, self.last_unit_toggles = self._toggles[key]


def _norm_operands(operands: _Operands) -> tuple[Floats | None, np.float32 | None]:
    return operands.gain, None if operands.gain is None else np.float32(operands.epsilon)


def _by_scale(weights: QuantisedWeights) -> list[QuantisedWeights]:
    """Return the weights of each scale, which divide the out_features."""
    if weights.groups == 1:
        return [weights]
    shards = np.split(weights.codes, weights.groups, axis=1)
    return [
        QuantisedWeights(np.ascontiguousarray(codes), weights.scale[i : i + 1], weights.kind)
        for i, codes in enumerate(shards)
    ]
