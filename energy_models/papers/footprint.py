"""The overhead of the papers' printed memory over weights and tables, fitted to their numbers.

b1.58's Table 1 prints gigabytes that weights, embedding and LM head do not reach. The overhead is taken as a constant
and a part proportional to layers x hidden, as of a KV cache, the same for every format.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MEMORY_GB, MEMORY_RATIO = "memory_gb", "memory_ratio"
BYTES_PER_GB = 1e9


class Sample(NamedTuple):
    """A printed memory, and its known contributions.

    Parameters
    ----------
    printed_bytes
        As printed.
    stored_bytes
        Weights, embedding and LM head.
    cached_values
        Layers x hidden of the model.
    """

    printed_bytes: float
    stored_bytes: float
    cached_values: float


class Overhead(NamedTuple):
    """Memory besides weights and tables.

    Parameters
    ----------
    fixed_bytes
        Of every model.
    bytes_per_value
        For each layer and unit of its width.
    samples
        How many printed numbers it was fitted to.
    """

    fixed_bytes: float
    bytes_per_value: float
    samples: int

    def of(self, cached_values: float) -> float:
        """Return a model's overhead in bytes.

        Parameters
        ----------
        cached_values
            Its layers x hidden.
        """
        return self.fixed_bytes + self.bytes_per_value * cached_values


def fit(samples: Sequence[Sample]) -> Overhead:
    """Return the overhead that fits printed memories best, by least squares.

    Parameters
    ----------
    samples
        At least two, of models of different size; of fewer, only the constant is fitted.
    """
    values = np.array([sample.cached_values for sample in samples])
    missing = np.array([sample.printed_bytes - sample.stored_bytes for sample in samples])
    if len(set(values.tolist())) < 2:
        return Overhead(math.fsum(missing) / len(samples), 0.0, len(samples))
    # Exactly rounded sums: numpy.polyfit goes through LAPACK, whose last digits depend on the processor.
    count = len(samples)
    centre, mean = math.fsum(values) / count, math.fsum(missing) / count
    deviations = values - centre
    slope = math.fsum(deviations * (missing - mean)) / math.fsum(deviations * deviations)
    return Overhead(mean - slope * centre, slope, count)
