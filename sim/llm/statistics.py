"""What the integers of a model look like while it runs: shares, entropy, and how often their bits change.

Weights are counted once, as they lie in a memory: (N, K), row after row, in the codes of `bitjoule.rtl.encodings`.
Activations are counted at each matmul, token after token. A toggle rate is the share of transfers at which a data line
changes (Section "DRAM from its parts" of docs/platforms.md): over a bus that reads values in their order, or, for the
input of a lane, from one token to the next.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.encodings import ENCODINGS
from bitjoule.sim.llm.engines import Int32s, MatmulRecord, MatmulWeights, NumpyEngine
from bitjoule.sim.reference.matmul import Codes

BUS_BITS = 64  # a channel of DRAM
ALL = "all"
_BYTE_BITS = 8

Bits = NDArray[np.uint8]


@dataclass
class Toggles:
    """How often data lines changed.

    Attributes
    ----------
    changed, chances
        Changes, and transfers times lines at which there could have been one.
    """

    changed: int = 0
    chances: int = 0

    def count(self, transfers: NDArray[np.uint8]) -> None:
        """Count the changes from each transfer to the next.

        Parameters
        ----------
        transfers
            Bits in bytes, shape (transfers, bytes).
        """
        if len(transfers) > 1:
            self.changed += int(np.bitwise_count(transfers[1:] ^ transfers[:-1]).sum(dtype=np.int64))
            self.chances += (len(transfers) - 1) * transfers.shape[1] * _BYTE_BITS

    def add(self, other: "Toggles") -> None:
        """Add another's counts."""
        self.changed += other.changed
        self.chances += other.chances

    @property
    def rate(self) -> float:
        """Changes per transfer and line; not a number without transfers."""
        return self.changed / self.chances if self.chances else math.nan


@dataclass(eq=False)
class Statistics:
    """Counts of a linear, or of several together.

    Attributes
    ----------
    weights
        How many are −1, 0 and +1, shape (3,).
    stored
        Toggles of the weights on a bus, by the encodings that can encode them.
    activations
        How many have each code, from −128, shape (256,).
    read
        Toggles of the activations on a bus.
    held
        Toggles of the activations at the input of a lane, from one token to the next.
    tokens
        That were multiplied, those of several linears added up.
    """

    weights: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    stored: dict[str, Toggles] = field(default_factory=dict)
    activations: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    read: Toggles = field(default_factory=Toggles)
    held: Toggles = field(default_factory=Toggles)
    tokens: int = 0

    def count_weights(self, codes: Codes, bus_bits: int = BUS_BITS) -> None:
        """Count weights.

        Parameters
        ----------
        codes
            int8 of −1, 0 and +1, shape (K, N).
        bus_bits
            Of the bus, a multiple of 8.
        """
        counts = np.bincount((codes.astype(np.int16) + 1).ravel(), minlength=3)
        self.weights += counts
        for name, encoding in ENCODINGS.items():
            if encoding.zero or not counts[1]:
                words = on_bus(encoded(codes.T.ravel(), name), bus_bits)
                self.stored.setdefault(name, Toggles()).count(words)

    def count_activations(self, codes: Codes, last: Codes | None = None, bus_bits: int = BUS_BITS) -> None:
        """Count the activations of one matmul.

        Parameters
        ----------
        codes
            int8, shape (M, K).
        last
            The token before, shape (K,), if there was one.
        bus_bits
            As of `count_weights`.
        """
        self.activations += np.bincount((codes.astype(np.int16) + 128).ravel(), minlength=256)
        self.read.count(on_bus(codes.view(np.uint8).ravel(), bus_bits))
        self.held.count((codes if last is None else np.vstack([last, codes])).view(np.uint8))
        self.tokens += len(codes)

    def add(self, other: "Statistics") -> None:
        """Add another's counts."""
        self.weights += other.weights
        for name, toggles in other.stored.items():
            self.stored.setdefault(name, Toggles()).add(toggles)
        self.activations += other.activations
        self.read.add(other.read)
        self.held.add(other.held)
        self.tokens += other.tokens

    def row(self) -> dict[str, float]:
        """Return the quantities by their names, in the order of the table."""
        values = np.arange(-128, 128)
        share = self.activations / max(1, self.activations.sum())
        used = values[self.activations > 0]
        mean = float(share @ values)
        return {
            "weights": int(self.weights.sum()),
            "weight_zero_share": float(self.weights[1] / self.weights.sum()),
            "weight_negative_share": float(self.weights[0] / self.weights.sum()),
            "weight_entropy_bits": entropy_bits(self.weights),
            **{f"toggle_rate_{name}": self.stored.get(name, Toggles()).rate for name in ENCODINGS},
            "tokens": self.tokens,
            "activation_zero_share": float(share[128]),
            "activation_mean": mean,
            "activation_deviation": math.sqrt(float(share @ (values - mean) ** 2)),
            "activation_largest": int(np.abs(used).max(initial=0)),
            "activation_entropy_bits": entropy_bits(self.activations),
            "activation_toggle_rate": self.read.rate,
            "lane_toggle_rate": self.held.rate,
        }


@dataclass(eq=False)
class StatisticsEngine:
    """An engine that multiplies as NumPy does and counts the operands; give its `observe` to the model, too.

    Parameters
    ----------
    bus_bits
        Of the bus from memory, a multiple of 8.

    Attributes
    ----------
    linears
        Counts by the linear's name; those of all its groups together.
    """

    bus_bits: int = BUS_BITS
    linears: dict[str, Statistics] = field(default_factory=dict)
    _calls: dict[str, int] = field(default_factory=dict)
    _last: dict[tuple[str, int], Codes] = field(default_factory=dict)
    _operands: tuple[str, Codes, MatmulWeights] = field(init=False)

    def matmul(self, name: str, activations: Codes, weights: MatmulWeights) -> Int32s:
        """Return the product; see `bitjoule.sim.llm.engines.Engine.matmul`."""
        self._operands = name, activations, weights
        return NumpyEngine().matmul(name, activations, weights)

    def observe(self, record: MatmulRecord) -> None:
        """Count the operands of the product that was made last.

        Parameters
        ----------
        record
            Says of how many groups the linear is: the same group comes again with the next token.
        """
        name, activations, weights = self._operands
        call = self._calls.get(name, 0)
        self._calls[name] = call + 1
        statistics = self.linears.setdefault(name, Statistics())
        if call < record.groups:
            statistics.count_weights(weights.codes, self.bus_bits)
        group = name, call % record.groups
        statistics.count_activations(activations, self._last.get(group), self.bus_bits)
        self._last[group] = activations[-1].copy()

    def by_kind(self) -> dict[str, Statistics]:
        """Return the counts of linears of one name in all layers, and of all."""
        kinds: dict[str, Statistics] = {}
        for name, statistics in self.linears.items():
            for kind in (name.rpartition(".")[2], ALL):
                kinds.setdefault(kind, Statistics()).add(statistics)
        kinds[ALL] = kinds.pop(ALL)  # the last row
        return kinds


def entropy_bits(counts: NDArray[np.int64]) -> float:
    """Return the entropy of a value, in bits: the least that a code without memory takes for it.

    Parameters
    ----------
    counts
        How often each value came; their sum is above 0.
    """
    share = counts[counts > 0] / counts.sum()
    return abs(float(-(share * np.log2(share)).sum()))


def on_bus(words: NDArray[np.uint8], bus_bits: int) -> NDArray[np.uint8]:
    """Return bytes as the transfers of a bus; a last transfer that is not full is left out.

    Parameters
    ----------
    words
        Bytes, shape (bytes,).
    bus_bits
        Width, a multiple of 8.

    Returns
    -------
    transfers
        Shape (transfers, bus_bits / 8).
    """
    width = bus_bits // _BYTE_BITS
    return words[: len(words) // width * width].reshape(-1, width)


def encoded(codes: Sequence[int] | NDArray[np.int8], encoding: str) -> NDArray[np.uint8]:
    """Return weights as bytes of an encoding, the first weight in the lowest bits; a byte that is not full is left out.

    Parameters
    ----------
    codes
        Of −1, 0 and +1, shape (weights,).
    encoding
        Name of one of `bitjoule.rtl.encodings.ENCODINGS` that can encode them.
    """
    trits, table = _per_byte(encoding)
    digits = np.asarray(codes, np.int16)
    digits = digits[: len(digits) // trits * trits].reshape(-1, trits) + 1
    places = np.power(3, np.arange(trits))
    return table[digits @ places]


@cache
def _per_byte(encoding: str) -> tuple[int, NDArray[np.uint8]]:
    """Return how many trits a byte holds, and the byte of each sequence of them, read as a number of base 3."""
    code = ENCODINGS[encoding]
    words = _BYTE_BITS // code.bits
    trits = words * code.trits
    table = np.zeros(3**trits, np.uint8)
    for index in range(3**trits):
        sequence = [index // 3**place % 3 - 1 for place in range(trits)]
        if code.zero or 0 not in sequence:
            parts = [sequence[at * code.trits : (at + 1) * code.trits] for at in range(words)]
            table[index] = sum(code.encoded[tuple(part)] << at * code.bits for at, part in enumerate(parts))
    return trits, table
