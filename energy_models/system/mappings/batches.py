"""Searches for many matmuls at once: the same mappings as one by one, in arrays over all their tiles.

Matmuls that differ in their sizes, in the room of the buffers, in the rate of off-chip memory and in what movements
cost go together: their problem has arrays in place of these numbers, one entry for each tile that is tried.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.mappings.mapping import MatmulProblem
from bitjoule.energy_models.system.mappings.mapping_costs import MappingCosts
from bitjoule.energy_models.system.mappings.search import at_most_same

Values = NDArray[Any]
FREE = MappingCosts(*(0.0,) * len(MappingCosts._fields))
AT_ONCE = 1 << 14  # tiles: what is computed with them stays in the cache of a processor


class Batch(NamedTuple):
    """Matmuls as arrays, shape (matmuls,); where all of them have one number, this number.

    Parameters
    ----------
    static
        One of them, for what they share.
    m, k, n, distinct, off_chip_bits, capacity_bits, costs
        As of `MatmulProblem`; the sizes always are arrays.
    """

    static: MatmulProblem
    m: Floats
    k: Floats
    n: Floats
    distinct: Any
    off_chip_bits: Any
    capacity_bits: tuple[Any, ...]
    costs: MappingCosts

    @classmethod
    def of(cls, problems: Sequence[MatmulProblem]) -> "Batch":
        """Return some matmuls with one `shared_key`.

        Parameters
        ----------
        problems
            The matmuls.
        """
        return cls.joined([cls.filled(p._replace(m=_row(p.m), k=_row(p.k), n=_row(p.n))) for p in problems])

    @classmethod
    def filled(cls, problem: MatmulProblem) -> "Batch":
        """Return the matmuls of a problem whose numbers are arrays.

        Parameters
        ----------
        problem
            Its sizes: shape (matmuls,). What else may differ: numbers, or arrays of this shape.
        """
        m, k, n = (np.asarray(size) for size in (problem.m, problem.k, problem.n))
        batch = cls(problem, m, k, n, problem.distinct, problem.off_chip_bits, problem.capacity_bits, problem.costs)
        return batch._replace(static=batch.one(0))

    @classmethod
    def joined(cls, batches: "Sequence[Batch]") -> "Batch":
        """Return the matmuls of batches with one `shared_key`.

        Parameters
        ----------
        batches
            One or more.
        """
        if len(batches) == 1:
            return batches[0]
        m, k, n = (np.concatenate(sizes) for sizes in zip(*(batch[1:4] for batch in batches), strict=True))
        counts = [len(batch.m) for batch in batches]

        def together(*values: Any) -> Any:
            if not any(isinstance(value, np.ndarray) or value != values[0] for value in values):
                return values[0]
            return np.concatenate([np.broadcast_to(value, n) for value, n in zip(values, counts, strict=True)])

        distinct, off_chip_bits = map(together, *(batch[4:6] for batch in batches))
        capacity_bits = tuple(map(together, *(batch.capacity_bits for batch in batches)))
        costs = MappingCosts(*map(together, *(batch.costs for batch in batches)))
        return cls(batches[0].static, m, k, n, distinct, off_chip_bits, capacity_bits, costs)

    def one(self, number: int) -> MatmulProblem:
        """Return one of the matmuls.

        Parameters
        ----------
        number
            Its number.
        """
        return self._problem(lambda values: float(values[number]) if isinstance(values, np.ndarray) else values)

    def of_numbers(self, numbers: Indices) -> "Batch":
        """Return some of the matmuls.

        Parameters
        ----------
        numbers
            Theirs.
        """
        return Batch.filled(self.problem(numbers))

    def problem(self, index: Indices | slice, axes: int = 1) -> MatmulProblem:
        """Return a problem with the numbers of matmuls as arrays.

        Parameters
        ----------
        index
            Numbers of the matmuls.
        axes
            Of the arrays: the first runs over the matmuls, the others are 1 long.
        """

        def picked(values: Any) -> Any:
            if not isinstance(values, np.ndarray):
                return values
            chosen = values[index]
            return chosen.reshape(len(chosen), *(1,) * (axes - 1))

        return self._problem(picked)

    def _problem(self, picked: Callable[[Any], Any]) -> MatmulProblem:
        """Return the problem with the values that are picked of those of all matmuls."""
        return self.static._replace(
            m=picked(self.m), k=picked(self.k), n=picked(self.n), distinct=picked(self.distinct),
            off_chip_bits=picked(self.off_chip_bits), capacity_bits=tuple(map(picked, self.capacity_bits)),
            costs=MappingCosts(*map(picked, self.costs)),
        )  # fmt: skip


def _row(value: float) -> Any:
    return np.array([value], dtype=np.float64)


def shared_key(problem: MatmulProblem) -> tuple[Any, ...]:
    """Return what matmuls of one batch have in common.

    Parameters
    ----------
    problem
        A matmul.
    """
    sizes = problem._replace(m=min(problem.m, 2), k=1, n=1, capacity_bits=(), distinct=1.0)
    return (*sizes._replace(off_chip_bits=1.0, costs=FREE),)


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
    ties = value <= at_most_same(least, tolerance)[run]
    among = np.where(ties, secondary, np.inf)
    places = np.flatnonzero(ties & (among == np.minimum.reduceat(among, starts)[run]))
    return places[np.searchsorted(run[places], np.arange(len(starts)))]
