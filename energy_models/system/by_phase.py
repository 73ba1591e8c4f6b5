"""Cases evaluated phase by phase: a step that several requests share is counted once.

Requests that differ in new tokens alone have one prefill. What a phase counts and pays follows from its steps, so it is
evaluated for each distinct one, and a case has an index into these.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bitjoule.energy_models.architecture.phases import Cases, Floats, Indices, Phase
from bitjoule.energy_models.papers.pricing import Energies
from bitjoule.energy_models.system.counting.counted import Evaluated
from bitjoule.energy_models.system.counting.memory import Bytes
from bitjoule.energy_models.system.counting.row_table import distinct_rows
from bitjoule.energy_models.system.counting.times import Times
from bitjoule.energy_models.system.system import System

MOST_SHARE = 0.75  # of the cases that are distinct in a phase: with more, finding them takes as long as they save


@dataclass(frozen=True, eq=False)
class OfPhase:
    """One phase of cases.

    Parameters
    ----------
    evaluated
        The phase, of distinct requests. The activations of its memory are those of this phase.
    row
        Which of them each case has, shape (cases,); none: one for each case.
    """

    evaluated: Evaluated
    row: Indices | None

    def of(self, block: slice) -> "OfPhase":
        """Return the phase of some of the cases.

        Parameters
        ----------
        block
            Which.
        """
        return OfPhase(self.evaluated, None if self.row is None else self.row[block])

    def of_cases(self, values: Floats) -> Floats:
        """Return values of the distinct requests for each case.

        Parameters
        ----------
        values
            Shape (requests, ...).
        """
        return values if self.row is None else values.take(self.row, axis=0)

    def of_columns(self) -> Floats:
        """Return the counts of each case, shape (columns, cases)."""
        columns = self.evaluated.columns
        return columns if self.row is None else columns.take(self.row, axis=1)


@dataclass(frozen=True, eq=False)
class ByPhase:
    """Cases, evaluated phase by phase.

    Parameters
    ----------
    phases
        In the order in which they happen.
    """

    phases: tuple[OfPhase, ...]

    def placed(self) -> Iterator[tuple[slice, OfPhase]]:
        """Yield which phases each has: several that are evaluated together, or one."""
        begin = 0
        for phase in self.phases:
            end = begin + phase.evaluated.latency_s.shape[1]
            yield slice(begin, end), phase
            begin = end

    @cached_property
    def memory_bytes(self) -> Bytes:
        """As of `Evaluated`: activations at their peak, which may be in any phase."""
        activations = [phase.of_cases(phase.evaluated.memory_bytes.activations_bytes) for phase in self.phases]
        own = next(phase for phase in self.phases if phase.row is None)  # what is kept differs between cases
        return own.evaluated.memory_bytes._replace(activations_bytes=np.maximum.reduce(activations))

    @cached_property
    def whole(self) -> Evaluated:
        """All phases of each case together."""
        if len(self.phases) == 1:
            return self.phases[0].evaluated
        all_phases = [phase.evaluated for phase in self.phases]
        own = next(phase.evaluated for phase in self.phases if phase.row is None)
        lossy = None
        if own.lossy is not None:
            ends = zip(*(each.lossy for each in all_phases if each.lossy is not None), strict=True)
            lossy = Energies(*map(self._joined, ends))
        return Evaluated(
            np.concatenate([each.of_columns() for each in self.phases]),
            own.machine_index,
            own.prices,
            own.machine_formats,
            own.machine_keys,
            own.machine_rows,
            self._joined([each.latency_s for each in all_phases]),
            own.drawn,
            self.memory_bytes,
            Times(*(self._joined(values) for values in zip(*(each.times for each in all_phases), strict=True))),
            lossy,
        )

    def _joined(self, values: Sequence[Floats]) -> Floats:
        """Return values of phases, of each case, one after the other along the second axis."""
        pairs = zip(self.phases, values, strict=True)
        return np.concatenate([phase.of_cases(each) for phase, each in pairs], axis=1)


def evaluate_by_phase(system: System, cases: Cases, technology: Indices, platform: Indices) -> ByPhase:
    """Count, price and time cases, each phase once for all that share it.

    Parameters
    ----------
    system
        The lists that cases index. With memory levels, phases are evaluated together.
    cases, technology, platform
        As for `bitjoule.energy_models.system.system.System.evaluate`.
    """
    return next(evaluate_phases_in_blocks(system, cases, technology, platform, max(len(technology), 1)))


def evaluate_phases_in_blocks(
    system: System, cases: Cases, technology: Indices, platform: Indices, size: int
) -> Iterator[ByPhase]:
    """Count, price and time cases, some at a time; each phase once for all that share it, in all blocks.

    Parameters
    ----------
    system, cases, technology, platform
        As for `evaluate_by_phase`. If there are several blocks, all cases are of one machine.
    size
        Cases of a block.
    """
    rows = [None if system.levels else _shared(phase, cases, technology, platform) for phase in system.phases]
    together = len({row is None for row in rows}) == 1
    shared: list[OfPhase | None] = []
    for phase, row in zip(system.phases, rows, strict=True):
        if together or row is None:
            shared.append(None)
            continue
        first, of_case = row
        found = system.evaluate(_some(cases, first), technology[first], platform[first], [phase])
        shared.append(OfPhase(found, of_case))
    for start in range(0, max(len(technology), 1), size):
        block = slice(start, start + size)
        own = (_some(cases, block), technology[block], platform[block])
        if together:
            yield ByPhase((OfPhase(system.evaluate(*own), None),))
            continue
        yield ByPhase(
            tuple(
                OfPhase(system.evaluate(*own, [phase]), None) if known is None else known.of(block)
                for phase, known in zip(system.phases, shared, strict=True)
            )
        )


def _some(cases: Cases, chosen: Indices | slice) -> Cases:
    """Return some of the requests."""
    batch, prompt_tokens, new_tokens = cases.batch[chosen], cases.prompt_tokens[chosen], cases.new_tokens[chosen]
    return Cases(cases.model[chosen], cases.scheme[chosen], batch, prompt_tokens, new_tokens)


def _shared(phase: Phase, cases: Cases, technology: Indices, platform: Indices) -> tuple[Indices, Indices] | None:
    """Return the first case of each distinct step of a phase, and which step each case has; none if they differ."""
    columns = [cases.model, cases.scheme, technology, platform, cases.batch, *phase.steps(cases)]
    first, row = distinct_rows(np.stack(columns, axis=1).astype(np.float64))
    return (first, row) if len(first) <= MOST_SHARE * len(row) else None
