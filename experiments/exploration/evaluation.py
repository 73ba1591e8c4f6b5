"""Counts, prices and times designs: the amounts from which their metrics follow, and what their bands consist of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import PHASES, Cases, Floats, all_steps
from bitjoule.energy_models.system.counting.counted import Evaluated
from bitjoule.energy_models.system.hardware.silicon import leakage_w, silicon
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.scheme_work import unfit
from bitjoule.experiments.exploration.space.designs import Base, Design, designs_of
from bitjoule.experiments.exploration.space.knobs import Space
from bitjoule.experiments.exploration.space.metrics import ENDS, NOMINAL, SPANS, Amounts
from bitjoule.experiments.names.platforms import lacking
from bitjoule.experiments.output.columns import PJ_PER_J

UM2_PER_MM2 = 1e6
AT_ONCE = 16  # designs that are counted together; part of the result's bytes, so not an option


@dataclass(frozen=True)
class Evaluations:
    """Evaluated designs.

    Parameters
    ----------
    numbers
        Of the designs, shape (designs,).
    problems
        Why a design has no result; empty if it has one.
    amounts
        See `bitjoule.experiments.exploration.space.metrics.Amounts`.
    bands
        Of each row whose price has a band, by name: the energy that it prices at low, nominal and high, in J, shape
        (designs, models, spans, ends).
    """

    numbers: NDArray[np.int64]
    problems: tuple[str, ...]
    amounts: Amounts
    bands: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def joined(cls, parts: "Sequence[Evaluations]") -> "Evaluations":
        """Return evaluations one after the other.

        Parameters
        ----------
        parts
            At least one.
        """
        names = sorted({name for part in parts for name in part.bands})
        return cls(
            np.concatenate([part.numbers for part in parts]),
            tuple(problem for part in parts for problem in part.problems),
            Amounts(*(np.concatenate(arrays) for arrays in zip(*(part.amounts for part in parts), strict=True))),
            {
                name: np.concatenate(
                    [part.bands.get(name, np.zeros_like(part.amounts.energy_j)) for part in parts]
                )
                for name in names
            },
        )  # fmt: skip


def evaluate(base: Base, space: Space, numbers: Sequence[int]) -> Evaluations:
    """Evaluate designs.

    Parameters
    ----------
    base, space
        Of the exploration.
    numbers
        Of the designs, at least one; the result does not depend on what else is evaluated together.
    """
    numbers = list(map(int, numbers))
    built = designs_of(base, space, numbers)
    problems = [design if isinstance(design, str) else "" for design in built]
    amounts = _empty(len(numbers), len(base.models))
    bands: dict[str, Floats] = {}
    groups: dict[str, list[int]] = {}
    for i, design in enumerate(built):
        if isinstance(design, Design):
            groups.setdefault(f"{design.technology.name} {design.scheme.model_dump_json()}", []).append(i)
    for rows in groups.values():
        _evaluate_group(base, [built[i] for i in rows], rows, problems, amounts, bands)  # type: ignore[misc]
    return Evaluations(np.array(numbers, dtype=np.int64), tuple(problems), amounts, bands)


def _empty(designs: int, models: int) -> Amounts:
    of_spans = (designs, models, SPANS)
    shapes = ((*of_spans, ENDS), of_spans, of_spans, *[(designs, models)] * 5)
    return Amounts(*(np.full(shape, np.nan) for shape in shapes))


def _evaluate_group(
    base: Base, designs: Sequence[Design], rows: Sequence[int], problems: list[str], amounts: Amounts,
    bands: dict[str, Floats],
) -> None:  # fmt: skip
    """Evaluate designs of one scheme and technology; a design that cannot run gets a problem, the others a result."""
    models = list(base.models.values())
    fault = unfit(models, designs[0].scheme)
    if fault is not None:
        for row in rows:
            problems[row] = fault[0]
        return
    try:
        _fill(base, designs, rows, amounts, bands)
    except (LookupError, ValueError):  # an error of one of them: which, and why, is looked for one by one
        for design, row in zip(designs, rows, strict=True):
            reason = _reason(base, design)
            if reason:
                problems[row] = reason
            else:
                _fill(base, [design], [row], amounts, bands)


def _reason(base: Base, design: Design) -> str:
    """Return why a design cannot run, or nothing."""
    machines = {"": {"": (design.platform_name, design.platform)}}
    faults = lacking(machines, {"": design.scheme}, {"": design.technology}, base.models)
    return next((fault.wrong for fault in faults), "")


def _fill(
    base: Base, designs: Sequence[Design], rows: Sequence[int], amounts: Amounts, bands: dict[str, Floats]
) -> None:
    """Write the amounts and bands of designs of one scheme and technology."""
    models, count = list(base.models.values()), len(base.models)
    platforms = [[(design.platform_name, design.platform)] for design in designs]
    technology = designs[0].technology
    system = System(models, [designs[0].scheme], [technology], platforms, base.objective, experts=base.experts)
    platform = np.repeat(np.arange(len(designs)), count)
    zeros = np.zeros_like(platform)
    batch, prompt, new = (
        np.repeat([float(getattr(design, key)) for design in designs], count)
        for key in ("batch", "prompt_tokens", "new_tokens")
    )
    cases = Cases(np.tile(np.arange(count), len(designs)), zeros, batch, prompt, new)
    evaluated = system.evaluate(cases, zeros, platform)
    shape = (len(designs), count)
    steps = all_steps(PHASES, cases)
    tokens = batch[:, None] * steps.tokens * steps.repeats
    generating = (new > 0).astype(np.intp)  # index of the phase: prefill of a request without new tokens
    at = np.arange(len(cases.model))

    def spans(of_phases: Floats) -> Floats:
        """Return values of the whole request and of the phase that generates."""
        return np.stack([of_phases.sum(axis=1), of_phases[at, generating]], axis=1).reshape(*shape, SPANS)

    ends = [spans(end.reshape(len(at), len(PHASES), -1).sum(axis=2)) for end in evaluated.energies]
    where = np.asarray(rows)
    amounts.energy_j[where] = np.stack(ends, axis=3) / PJ_PER_J
    amounts.time_s[where] = spans(evaluated.latency_s)
    amounts.tokens[where] = spans(tokens)
    amounts.first_token_s[where] = evaluated.latency_s[:, 0].reshape(shape)
    amounts.memory_bytes[where] = evaluated.memory_bytes.total.reshape(shape)
    for row, design in zip(rows, designs, strict=True):
        capacity_bytes = design.platform.off_chip.capacity_bytes
        amounts.capacity_bytes[row] = np.nan if capacity_bytes is None else capacity_bytes
        amounts.area_mm2[row], amounts.leakage_w[row] = _chip(design, system, designs.index(design))
    for name, energies in _banded(system, evaluated, spans).items():
        table = bands.setdefault(name, np.zeros_like(amounts.energy_j))
        table[where] = energies


def _chip(design: Design, system: System, platform: int) -> tuple[float, float]:
    """Return area and leakage of a design's chip, both from its configuration; NaN where they are not known."""
    try:
        parts = silicon(design.platform, design.technology)
    except UnpricedError:
        return np.nan, np.nan
    area_mm2 = sum(part.area_um2 for part in parts.values()) / UM2_PER_MM2
    given = system.machine(0, 0, platform).node.leakage_w
    return area_mm2, leakage_w(design.platform, design.technology, given)[NOMINAL]


def _banded(system: System, evaluated: Evaluated, spans: Any) -> dict[str, Floats]:
    """Return the energy that each row with a band prices, in J, shape (designs, models, spans, ends)."""
    cases = len(evaluated.latency_s)
    size = (cases, len(PHASES), -1)
    low, nominal, high = (end.reshape(size) for end in evaluated.energies)
    drawn = evaluated.drawn[len(evaluated.drawn) // 2]  # what regulators lose is in proportion: at nominal losses
    regulated = np.broadcast_to(drawn[:, None] if drawn.ndim == 2 else drawn, nominal.shape)
    case, phase, column = np.nonzero(low != high)
    row = evaluated.machine_rows[evaluated.machine_index[case], column]
    names = system.price_rows
    key = (case * len(PHASES) + phase) * len(names) + row
    tables = []
    for end in (low, nominal, high):
        weights = end[case, phase, column] * regulated[case, phase, column]
        sums = np.bincount(key, weights, minlength=cases * len(PHASES) * len(names))
        tables.append(sums.reshape(cases, len(PHASES), len(names)) / PJ_PER_J)
    return {
        name: np.stack([spans(table[..., number]) for table in tables], axis=3)
        for number, name in enumerate(names)
        if (row == number).any()
    }
