"""How often a data pin changes while stored values stream over it: the toggle rate of each way to store them.

Words follow each other without correlation, so a pin whose bit is 1 with probability p changes with 2 p (1 - p) from
one word to the next; a pin always carries the same bits of words, as word widths divide the width of a memory.

=============  =========================================================================================================
values         bits
=============  =========================================================================================================
trits, 2 bits  plus, minus: the select lines of the array
trits, packed  base 3, the first trit first: five in a byte; the mean over the bits of the word
integers       two's complement of a normal distribution whose largest magnitude is `SPAN` deviations
floats         a normal distribution of `DEVIATION`, rounded to the format
signs          random
=============  =========================================================================================================

Scales of groups count as random.
"""

from collections.abc import Callable
from functools import cache
from itertools import product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.formats.formats import formats, width_bits
from bitjoule.energy_models.formats.storage import storages

RANDOM = 0.5
ZERO_SHARE = 1 / 3  # of trits; as the technologies of netlists, which cite it
SPAN, DEVIATION = 3.0, 0.02  # of quantised, and of floating-point values: assumptions
SAMPLES = 4096
FEW_BITS = 2  # integers that use all their codes alike
TRIT_BITS = {0: 0b00, 1: 0b01, -1: 0b10}  # as rtl/encodings.py


@cache
def toggle_rate(stored: str, zero_share: float = ZERO_SHARE) -> float:
    """Return the toggle rate of stored values.

    Parameters
    ----------
    stored
        Name of a storage or of a format; any other counts as random.
    zero_share
        Of trits.
    """
    storage = storages().get(stored)
    holds = storage.holds if storage is not None else stored
    if holds not in formats():
        return RANDOM
    scale_share = 0.0
    if storage is not None and storage.group:
        scale_share = storage.scale_bits / storage.group / storage.bits
    return (1 - scale_share) * _of_values(holds, storage.values if storage is not None else 1, zero_share) + (
        scale_share * RANDOM
    )


def _of_values(holds: str, values: int, zero_share: float) -> float:
    kind, bits = formats()[holds].kind, width_bits(holds)
    if kind == "ternary":
        return _mean(_trits(zero_share) if values == 1 else _packed_trits(zero_share, values))
    if kind == "integer" and bits > FEW_BITS:
        return _mean(_integers(bits))
    if holds == "fp16":
        return _mean(_halves(np.float16, np.uint16))
    if holds == "fp32":
        return _mean(_halves(np.float32, np.uint32))
    if holds == "bf16":
        return _mean(_halves(np.float32, np.uint32)[16:])
    return RANDOM


def _mean(ones: NDArray[np.float64]) -> float:
    return float((2 * ones * (1 - ones)).mean())


def _ones(words: NDArray[np.uint64], bits: int, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of a 1 of each bit, the lowest first."""
    set_bits = (words[:, None] >> np.arange(bits, dtype=np.uint64)) & np.uint64(1)
    return np.asarray(weight @ set_bits, dtype=np.float64)


def _trits(zero_share: float) -> NDArray[np.float64]:
    words = np.array([TRIT_BITS[trit] for trit in (0, 1, -1)], dtype=np.uint64)
    return _ones(words, 2, _shares(zero_share))


def _shares(zero_share: float) -> NDArray[np.float64]:
    return np.array([zero_share, (1 - zero_share) / 2, (1 - zero_share) / 2])


def _packed_trits(zero_share: float, values: int) -> NDArray[np.float64]:
    digits = np.array(list(product(range(3), repeat=min(values, 5))))  # 0, 1 and 2 are -1, 0 and +1
    share = np.array([(1 - zero_share) / 2, zero_share, (1 - zero_share) / 2])
    words = (digits * 3 ** np.arange(digits.shape[1])).sum(axis=1).astype(np.uint64)
    bits = int(words.max()).bit_length()
    return _ones(words, bits, share[digits].prod(axis=1))


def _normal() -> NDArray[np.float64]:
    quantile: Callable[[float], float] = NormalDist().inv_cdf
    return np.array([quantile((i + 0.5) / SAMPLES) for i in range(SAMPLES)])


def _integers(bits: int) -> NDArray[np.float64]:
    largest = 2 ** (bits - 1) - 1
    values = np.clip(np.rint(_normal() / SPAN * largest), -largest, largest).astype(np.int64)
    words = (values & (2**bits - 1)).astype(np.uint64)
    return _ones(words, bits, np.full(SAMPLES, 1 / SAMPLES))


def _halves(dtype: type[np.floating], word: type[np.unsignedinteger]) -> NDArray[np.float64]:
    words = (_normal() * DEVIATION).astype(dtype).view(word).astype(np.uint64)
    return _ones(words, np.dtype(dtype).itemsize * 8, np.full(SAMPLES, 1 / SAMPLES))
