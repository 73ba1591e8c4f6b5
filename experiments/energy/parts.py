"""An energy experiment in parts: the sums of some cases, and their rows of the tables that grow with the cases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.experiments.energy.evaluation import evaluate_in_blocks, long_table
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.energy.tables.components import component_rows
from bitjoule.experiments.energy.tables.operations import operation_table
from bitjoule.experiments.energy.tables.sums import SpanSums, block_cases, blocks
from bitjoule.experiments.output.columns import OPERATION_COLUMNS
from bitjoule.experiments.output.parts import Emit, Parts, Span, Values

BLOCKS_PER_PART = 2  # a part takes from a fifth of a second to a second: longer than handing it out, short to lose
SMALL = 2  # blocks of the system accounting, which are smaller, for each of those


@dataclass(frozen=True)
class EnergyWork:
    """Counts and prices the cases of an experiment; see `bitjoule.experiments.output.parts.Work`.

    Parameters
    ----------
    grid
        The cases.
    per_layer
        Whether the operations of each layer are tabulated.
    """

    grid: Grid
    per_layer: bool = False

    def __call__(self, span: Span, emit: Emit | None) -> Values:
        """Return the sums of the cases of a span; their tables go to `emit`.

        Parameters
        ----------
        span, emit
            As for `bitjoule.experiments.output.parts.Work`.
        """
        sums = SpanSums(self.grid, *span)
        for evaluated in evaluate_in_blocks(self.grid, blocks(self.grid, *span)):
            sums.add(evaluated)
            if emit is None:
                continue
            emit("results", long_table(self.grid, evaluated.block))
            system = evaluated.by_phase is not None
            if system:
                emit("components", component_rows(evaluated))
            if self.per_layer:
                empty = pd.DataFrame(columns=list(OPERATION_COLUMNS))
                table = operation_table(self.grid, evaluated.cases) if system else empty
                emit("operations", table)
        return sums.values()


def spans_of(grid: Grid) -> Sequence[Span]:
    """Return the spans of the parts.

    Parameters
    ----------
    grid
        The cases.
    """
    of_part = BLOCKS_PER_PART * (SMALL if grid.accounting is Accounting.SYSTEM else 1)
    size = of_part * block_cases(grid)
    return [(start, min(start + size, len(grid))) for start in range(0, len(grid), size)]


def sums_in_parts(grid: Grid, per_layer: bool, parts: Parts) -> Iterator[tuple[int, Values]]:
    """Run an experiment in parts, and yield the first case of each and its sums.

    Parameters
    ----------
    grid
        The cases.
    per_layer
        As for `EnergyWork`.
    parts
        Where parts run, and what is written.
    """
    spans = spans_of(grid)
    for (first, _), values in zip(spans, parts.run(EnergyWork(grid, per_layer), spans), strict=True):
        yield first, values
