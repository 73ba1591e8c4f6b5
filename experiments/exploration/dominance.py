"""The Pareto set of designs, what their bands leave open, and the hypervolume. All objectives are minimised here."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.experiments.exploration.space.metrics import ENDS, METRICS, NOMINAL, Amounts, minimised

BEYOND = 0.1  # of the range of the Pareto set, by which the default reference lies beyond its worst values
ROUNDING = 1e-12  # relative: energies that are summed in another order differ by no more
BLOCK = 1 << 22  # pairs of designs compared at once, times rows


def pareto_set(objectives: Floats) -> NDArray[np.bool_]:
    """Return which designs no other one dominates; of equal ones all.

    Parameters
    ----------
    objectives
        Shape (designs, objectives), finite: one that is not can empty the set of some libraries without a word.

    Raises
    ------
    ValueError
        A value is not finite.
    """
    if not np.isfinite(objectives).all():
        raise ValueError("objectives that are not finite")
    if len(objectives) == 0:
        return np.zeros(0, dtype=np.bool_)
    if find_spec("moocore") is not None:
        import moocore

        return np.asarray(moocore.is_nondominated(objectives, keep_weakly=True), dtype=np.bool_)
    return _pareto_set(objectives)


def _pareto_set(objectives: Floats) -> NDArray[np.bool_]:
    """Return the same without moocore, one member of the set after the other."""
    remaining = np.lexsort(objectives.T[::-1])  # whoever dominates another comes before it
    chosen = np.zeros(len(objectives), dtype=np.bool_)
    while len(remaining):
        first = objectives[remaining[0]]
        ours = objectives[remaining]
        dominated = (ours >= first).all(axis=1) & (ours > first).any(axis=1)
        equal = (ours == first).all(axis=1)
        chosen[remaining[equal]] = True
        remaining = remaining[~dominated & ~equal]
    return chosen


def reference_of(front: Floats) -> Floats:
    """Return the default reference: beyond the worst value of each objective by a tenth of the set's range.

    Parameters
    ----------
    front
        The Pareto set, shape (designs, objectives).
    """
    worst, best = front.max(axis=0), front.min(axis=0)
    span = np.where(worst > best, worst - best, np.abs(worst))
    return np.asarray(worst + BEYOND * span, dtype=np.float64)


def hypervolume(front: Floats, reference: Floats) -> float:
    """Return the volume that a Pareto set dominates within a reference.

    Parameters
    ----------
    front
        Finite, shape (designs, objectives).
    reference
        Shape (objectives,).

    Raises
    ------
    ValueError
        A value is not finite, or no design lies within the reference: a direction is wrong.
    ModuleNotFoundError
        moocore is not installed.
    """
    import moocore

    if not (np.isfinite(front).all() and np.isfinite(reference).all()):
        raise ValueError("a hypervolume of values that are not finite")
    inside = front[(front < reference).all(axis=1)]
    if len(inside) == 0:
        raise ValueError("no design lies within the reference")
    volume = float(moocore.hypervolume(np.unique(inside, axis=0), ref=reference))
    if not volume > 0:
        raise ValueError("a hypervolume of 0")
    return volume


class BandedObjective(NamedTuple):
    """An objective that is an energy times a factor: its energies by the row that prices them.

    Parameters
    ----------
    certain
        What no band changes, shape (designs, models).
    rows
        At low, nominal and high price of each row, shape (designs, models, rows, ends).
    """

    certain: Floats
    rows: Floats


def banded(name: str, amounts: Amounts, bands: Mapping[str, Floats]) -> BandedObjective | None:
    """Return an objective by rows of prices; none if no price changes it.

    An objective in inverse proportion to an energy is compared by its inverse, which is in proportion to it.

    Parameters
    ----------
    name
        Of the metric.
    amounts, bands
        Of the designs.
    """
    metric = METRICS[name]
    if metric.span is None or not bands:
        return None
    energy_j = amounts.energy_j[:, :, metric.span, NOMINAL]
    values = metric.of(amounts)
    factor = (1.0 / values if metric.maximised else values) / energy_j
    rows = np.stack([table[:, :, metric.span] for table in bands.values()], axis=2) * factor[..., None, None]
    certain = (energy_j * factor) - rows[..., NOMINAL].sum(axis=2)
    return BandedObjective(certain, rows)


def undecided(
    objectives: Sequence[str], values: Floats, amounts: Amounts, bands: Mapping[str, Floats],
    front: NDArray[np.bool_],
) -> NDArray[np.bool_]:  # fmt: skip
    """Return which designs outside the Pareto set no member dominates at every price within the bands.

    A price moves for all designs at once: a member dominates a design at every price if, for each model, the difference
    of their energies has one sign with each price at the end of its band where the difference is least. Designs of
    several models are compared model by model, which is stricter than their mean: a design is undecided rather than
    ruled out.

    Parameters
    ----------
    objectives
        Names of the metrics.
    values
        Of the designs, minimised, shape (designs, objectives).
    amounts, bands
        Of the same designs.
    front
        The Pareto set among them.
    """
    every = {name: banded(name, amounts, bands) for name in objectives}
    parts = {name: part for name, part in every.items() if part is not None}
    open_ = ~front
    if not parts:
        return np.zeros_like(front)
    members = np.flatnonzero(front)
    others = np.flatnonzero(~front)
    certain = [i for i, name in enumerate(objectives) if name not in parts]
    rows = max(part.rows.shape[1] * part.rows.shape[2] for part in parts.values())
    size = max(1, BLOCK // max(1, rows * len(members)))
    for start in range(0, len(others), size):
        block = others[start : start + size]
        sure = np.ones((len(block), len(members)), dtype=np.bool_)
        for i in certain:
            sure &= values[members, i][None, :] <= values[block, i][:, None]
        better = (values[members][None] < values[block][:, None]).any(axis=2)
        for part in parts.values():
            sure &= _never_worse(part, members, block)
        open_[block] = ~(sure & better).any(axis=1)
    return open_


def _never_worse(part: BandedObjective, members: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which members need no more than which others at any price, shape (others, members)."""
    difference = part.certain[members][None] - part.certain[others][:, None]
    most = difference + (part.rows[members][None] - part.rows[others][:, None]).max(axis=4).sum(axis=3)
    scale = part.certain[others] + part.rows[others][..., NOMINAL].sum(axis=2)
    return np.asarray((most <= ROUNDING * np.abs(scale)[:, None]).all(axis=2), dtype=np.bool_)


def ends_of(name: str, amounts: Amounts) -> tuple[Floats, Floats]:
    """Return a metric at low and at high prices, the lower value first; shape (designs, models) each.

    Parameters
    ----------
    name
        Of the metric.
    amounts
        Of the designs.
    """
    ends = [METRICS[name].of(amounts.at(end)) for end in (0, ENDS - 1)]
    return np.minimum(*ends), np.maximum(*ends)


def objective_values(objectives: Sequence[str], values: Mapping[str, Floats]) -> Floats:
    """Return objectives as what is to be minimised, shape (designs, objectives).

    Parameters
    ----------
    objectives
        Names of metrics.
    values
        Of designs, by metric, shape (designs,).
    """
    return np.stack([minimised(name, values[name]) for name in objectives], axis=1)
