"""Operands of a stimulus: random ones and worst ones.

`bitjoule.gates.stimuli.texts` reads the texts that name them.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import GROUP, AcceleratorConfig

RANDOM = "gaussian:SIGMA, uniform or worst"

Values = NDArray[Any]


class StimulusError(ValueError):
    """A text names no operands, or such that a configuration cannot take."""


class OperandSource(Protocol):
    """Operands in the order of the streams, as many trials side by side."""

    def weights(self) -> Values:
        """Return the next weight tile: lanes x columns x trials; trits, int8 or float16, also trit times scale."""
        ...

    def activations(self) -> Values:
        """Return the next token's activations for a tile: lanes x trials; integers, or float16."""
        ...


class Operands(Protocol):
    """What the operands are, whatever the configuration."""

    @property
    def fingerprint(self) -> str:
        """Hash of what decides the operands beside their text; empty for those that are drawn."""
        ...

    def source(self, config: AcceleratorConfig, trials: int, tokens: int, random: np.random.Generator) -> OperandSource:
        """Return where a configuration's operands come from.

        Parameters
        ----------
        config
            The configuration.
        trials
            Independent sequences.
        tokens
            That a weight tile serves.
        random
            What the sequences are drawn with.

        Raises
        ------
        StimulusError
            There are none for this configuration.
        """
        ...


class _Drawn:
    @property
    def fingerprint(self) -> str:
        return ""


@dataclass(frozen=True)
class Gaussian(_Drawn):
    """Gaussian operands, independent, rounded and clipped to what the configuration can say.

    Weights: trits are a Gaussian matrix quantised by its mean magnitude, as BitNet b1.58 does, which makes a share of
    0.31 zeros. Scales of trits, new ones in each tile, are means of the magnitudes of a group of Gaussian weights.
    Integers have the activations' distribution, in their own range (INT4: a sixteenth of the deviation); floating-point
    operands are not rounded but to FP16.

    Parameters
    ----------
    sigma
        Standard deviation.
    zero_share
        Of the weights, those that are zero, the others distributed as without it; None for what the distribution gives.
    """

    sigma: float
    zero_share: float | None = None

    def source(self, config: AcceleratorConfig, trials: int, tokens: int, random: np.random.Generator) -> OperandSource:  # noqa: ARG002
        """Return independent operands; see `Operands.source`."""
        half_mean = math.erf(0.5 / math.sqrt(math.pi))  # P(|w| < mean|w| / 2)
        share = half_mean if self.zero_share is None else self.zero_share
        return _Random(config, trials, random, self, share, self.sigma)


@dataclass(frozen=True)
class Uniform(_Drawn):
    """Operands of which each value is as likely as any other, independent; floating-point ones from -1 to 1.

    Parameters
    ----------
    zero_share
        As of `Gaussian`.
    """

    zero_share: float | None = None

    def source(self, config: AcceleratorConfig, trials: int, tokens: int, random: np.random.Generator) -> OperandSource:  # noqa: ARG002
        """Return independent operands; see `Operands.source`."""
        return _Random(config, trials, random, self, 1 / 3 if self.zero_share is None else self.zero_share, None)


@dataclass(frozen=True, eq=False)
class _Random:
    """Independent operands: `trit_zeros` is the share of zero trits; no `sigma`: uniform."""

    config: AcceleratorConfig
    trials: int
    random: np.random.Generator
    operands: Gaussian | Uniform
    trit_zeros: float
    sigma: float | None

    def weights(self) -> Values:
        config = self.config
        shape = (config.lanes, config.columns, self.trials)
        if config.multiplies:
            drawn = self._numbers(shape, config.encoding.bits, scaled=True)
            share = self.operands.zero_share
            if share is None:
                return drawn
            return np.where(self.random.random(shape) < share, drawn.dtype.type(0), drawn)
        trits = (self.random.integers(0, 2, shape) * 2 - 1).astype(np.int8)
        if config.encoding.zero:
            trits = np.where(self.random.random(shape) < self.trit_zeros, np.int8(0), trits)
        return self._scaled(trits) if config.scaled else trits

    def _scaled(self, trits: Values) -> Values:
        """Return trits times the mean magnitude of `GROUP` Gaussian weights, nearly Gaussian itself."""
        mean = math.sqrt(2 / math.pi)
        scales = self.random.normal(mean, math.sqrt((1 - mean**2) / GROUP), trits.shape[1:])
        return trits * scales.astype(np.float16)

    def activations(self) -> Values:
        return self._numbers((self.config.lanes, self.trials), self.config.activation_bits)

    def _numbers(self, shape: tuple[int, ...], bits: int, *, scaled: bool = False) -> Values:
        """Return numbers; `scaled`: narrow integers have the deviation of 8-bit ones in their own range."""
        if self.config.floating_point:
            floats = (
                self.random.uniform(-1, 1, shape) if self.sigma is None else self.random.normal(0, self.sigma, shape)
            )
            return floats.astype(np.float16)
        limit = 1 << (bits - 1)
        if self.sigma is None:
            return self.random.integers(-limit, limit, shape).astype(np.int8)
        sigma = self.sigma * limit / 128 if scaled else self.sigma
        return np.clip(np.rint(self.random.normal(0.0, sigma, shape)), -limit, limit - 1).astype(np.int8)


@dataclass(frozen=True)
class Worst(_Drawn):
    """Operands that make as many bits toggle as they can.

    Every bit of every activation flips from each token to the next: -128 and 127, or the two like it. Weights change
    their sign (trits; all bits of integers, floats and scales) in every second tile only: a product of two operands
    that change together stays about what it is, and the adders see nothing. All lanes and columns do the same, as then
    all operands of an adder change at once. In a trial the phase of weights and activations is random.
    """

    def source(self, config: AcceleratorConfig, trials: int, tokens: int, random: np.random.Generator) -> OperandSource:  # noqa: ARG002
        """Return operands that alternate; see `Operands.source`."""
        return _Alternating(config, random.integers(0, 4, trials), random.integers(0, 2, trials))


@dataclass(eq=False)
class _Alternating:
    config: AcceleratorConfig
    weight_phase: Values
    activation_phase: Values
    tile: int = 0
    token: int = 0

    def weights(self) -> Values:
        phase = (self.tile + self.weight_phase) // 2 % 2
        self.tile += 1
        pair = np.array([1, -1], np.int8)
        if self.config.multiplies or self.config.scaled:
            pair = self._extremes(self.config.encoding.bits)
        return np.broadcast_to(pair[phase], (self.config.lanes, self.config.columns, len(phase)))

    def activations(self) -> Values:
        phase = (self.token + self.activation_phase) % 2
        self.token += 1
        return np.broadcast_to(self._extremes(self.config.activation_bits)[phase], (self.config.lanes, len(phase)))

    def _extremes(self, bits: int) -> Values:
        if self.config.floating_point:
            # 1.33 and -3.33, each the other with every bit inverted: sums of their products stay finite.
            return np.array([0x3D55, 0xC2AA], np.uint16).view(np.float16)
        return np.array([-(1 << (bits - 1)), (1 << (bits - 1)) - 1], np.int8)
