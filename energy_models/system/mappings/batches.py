"""Searches for many matmuls at once: the same mappings as one by one, in arrays over all their tiles.

Matmuls that differ in their sizes, in the room of the buffers and in what every mapping spends go together: their
problem has arrays in place of these numbers, one entry for each tile that is tried.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.mappings.mapping import MatmulProblem

Values = NDArray[Any]
AT_ONCE = 1 << 14  # tiles: what is computed with them stays in the cache of a processor


class Batch(NamedTuple):
    """Matmuls as arrays, shape (matmuls,) each.

    Parameters
    ----------
    static
        One of them, for what they share.
    m, k, n, fixed_pj, distinct
        As of `MatmulProblem`.
    capacity_bits
        Of each buffer.
    """

    static: MatmulProblem
    m: Floats
    k: Floats
    n: Floats
    fixed_pj: Floats
    distinct: Floats
    capacity_bits: tuple[Floats, ...]

    @classmethod
    def of(cls, problems: Sequence[MatmulProblem]) -> "Batch":
        """Return some matmuls with one `shared_key`.

        Parameters
        ----------
        problems
            The matmuls.
        """
        rows = [(p.m, p.k, p.n, p.costs.fixed_pj, p.distinct, *p.capacity_bits) for p in problems]
        columns = np.array(rows, dtype=np.float64).T
        m, k, n, fixed_pj, distinct, *capacity_bits = columns
        return cls(problems[0], m, k, n, fixed_pj, distinct, tuple(capacity_bits))

    def of_numbers(self, numbers: Indices) -> "Batch":
        """Return some of the matmuls.

        Parameters
        ----------
        numbers
            Theirs.
        """
        m, k, n, fixed_pj, distinct = (values[numbers] for values in self[1:6])
        return Batch(self.static, m, k, n, fixed_pj, distinct, tuple(bits[numbers] for bits in self.capacity_bits))

    def problem(self, index: Indices | slice, axes: int = 1) -> MatmulProblem:
        """Return a problem with the numbers of matmuls as arrays.

        Parameters
        ----------
        index
            Numbers of the matmuls.
        axes
            Of the arrays: the first runs over the matmuls, the others are 1 long.
        """

        def picked(values: Floats) -> Any:
            chosen = values[index]
            return chosen.reshape(len(chosen), *(1,) * (axes - 1))

        return self.static._replace(
            m=picked(self.m), k=picked(self.k), n=picked(self.n), distinct=picked(self.distinct),
            capacity_bits=tuple(picked(bits) for bits in self.capacity_bits),
            costs=self.static.costs._replace(fixed_pj=picked(self.fixed_pj)),
        )  # fmt: skip


def shared_key(problem: MatmulProblem) -> tuple[Any, ...]:
    """Return what matmuls of one batch have in common.

    Parameters
    ----------
    problem
        A matmul.
    """
    costs = problem.costs._replace(fixed_pj=0.0)
    return (*problem._replace(m=min(problem.m, 2), k=1, n=1, capacity_bits=(), costs=costs, distinct=1.0),)


def at_once(counts: Sequence[int]) -> Iterator[slice]:
    """Yield spans of matmuls whose tiles together are at most `AT_ONCE`, or a single matmul.

    Parameters
    ----------
    counts
        Tiles of each.
    """
    begin = total = 0
    for i, count in enumerate(counts):
        if i > begin and total + count > AT_ONCE:
            yield slice(begin, i)
            begin, total = i, 0
        total += count
    if begin < len(counts):
        yield slice(begin, len(counts))


def first_best(value: Values, secondary: Values, starts: Indices, tolerance: float = 0.0) -> Indices:
    """Return the place of the best entry of each run: least value, of these the least secondary value, then the first.

    Parameters
    ----------
    value, secondary
        Shape (entries,).
    starts
        First entry of each run, ascending; none is empty.
    tolerance
        Relative difference below which values are equal.
    """
    run = np.zeros(len(value), dtype=np.intp)
    run[starts[1:]] = 1
    run = np.cumsum(run)
    least = np.minimum.reduceat(value, starts)
    ties = value <= (least * (1 + tolerance))[run]
    among = np.where(ties, secondary, np.inf)
    places = np.flatnonzero(ties & (among == np.minimum.reduceat(among, starts)[run]))
    return places[np.searchsorted(run[places], np.arange(len(starts)))]
