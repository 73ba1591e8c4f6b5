"""What bounds the time of a matmul: its array, a buffer, off-chip memory, or the latency of filling and draining.

A matmul takes as long as the slowest of the three, and then the cycles in which the array fills and drains and the
first and last operands cross the chip's edge. Compute includes the loading of weights into the array's registers.
"""

from typing import Any

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.system.mappings.mapping import MatmulProblem, Moved, Traffic, buffer_bits

BOUNDS = ("compute", "buffer", "off_chip", "latency")
LATENCY = BOUNDS.index("latency")


def by_bound(cycles: Any, compute: Any, buffer: Any, off_chip: Any) -> Floats:
    """Return cycles by what bounds them, in the order of `BOUNDS` along a new last axis.

    Parameters
    ----------
    cycles
        All cycles; what exceeds the slowest of the three is latency.
    compute, buffer, off_chip
        Cycles that each resource needs; arrays of one shape, or numbers. Of equal ones the first bounds.
    """
    needed = np.stack(np.broadcast_arrays(compute, buffer, off_chip), axis=-1).astype(np.float64)
    slowest = needed.max(axis=-1, keepdims=True)
    first = np.arange(LATENCY) == needed.argmax(axis=-1)[..., None]
    return np.concatenate([first * slowest, np.asarray(cycles)[..., None] - slowest], axis=-1)


def matmul_bounds(problem: MatmulProblem, moved: Traffic) -> Floats:
    """Return the cycles of a mapped matmul by what bounds them, shape (`BOUNDS`,); of several, (matmuls, `BOUNDS`).

    Parameters
    ----------
    problem, moved
        The matmul, and what its mapping moves; their numbers may be arrays.
    """
    _, by_buffer = buffer_bits(problem, Moved(*moved[: len(Moved._fields)]))
    needed = [np.maximum(*ways) / width for ways, width in zip(by_buffer, problem.width_bits, strict=True)]
    buffer = np.maximum.reduce(np.broadcast_arrays(*needed))
    return by_bound(moved.cycles, moved.compute_cycles, buffer, moved.off_chip_bits / problem.off_chip_bits)
