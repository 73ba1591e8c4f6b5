"""Floating-point operands that tell one lane of a tile from the others."""

import numpy as np
from numpy.typing import NDArray

ONE_SPECIAL, ONE_ZERO, SPREAD, LEVEL = "one_special", "one_zero", "spread", "level"
LANE_KINDS = (ONE_SPECIAL, ONE_ZERO, SPREAD, LEVEL)
SPECIAL = np.array([np.nan, np.inf, -np.inf], np.float16)
_FRACTION_BITS, _SIGN_BIT = 10, 15
_FIELDS = range(1, 31)  # exponent fields of normal numbers


def lane_operands(random: np.random.Generator, kind: str, words: int, lanes: int) -> NDArray[np.float16]:
    """Return words of numbers, one for each lane; the lane that differs is another one in each word.

    Parameters
    ----------
    random
        The source of chance.
    kind
        ``one_special``: NaN, infinity or minus infinity in one lane; ``one_zero``: zero in one lane. ``spread``: one
        lane has the largest exponent, any; the others' are any number of places below it, down to subnormal ones.
        ``level``: one exponent for all lanes of a word, any.
    words, lanes
        Size of the array.

    Returns
    -------
    NDArray[np.float16]
        Shape (words, lanes).
    """
    word = np.arange(words)
    lane = word % lanes
    if kind in (ONE_SPECIAL, ONE_ZERO):
        values = random.normal(size=(words, lanes)).astype(np.float16)
        values[word, lane] = SPECIAL[word // lanes % len(SPECIAL)] if kind == ONE_SPECIAL else 0
        return values
    below = random.integers(0, len(_FIELDS), (words, lanes)) * (kind == SPREAD)
    below[word, lane] = 0
    fields = np.maximum(random.integers(_FIELDS[0], _FIELDS[-1], (words, 1), endpoint=True) - below, 0)
    fractions = random.integers(0, 1 << _FRACTION_BITS, (words, lanes))
    signs = random.integers(0, 2, (words, lanes))
    values = (signs << _SIGN_BIT | fields << _FRACTION_BITS | fractions).astype(np.uint16).view(np.float16)
    return np.asarray(values)
