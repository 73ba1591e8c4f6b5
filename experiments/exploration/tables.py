"""The tables of an exploration, from the designs that were evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.experiments.exploration.dominance import ends_of, undecided
from bitjoule.experiments.exploration.evaluation import Evaluations
from bitjoule.experiments.exploration.scores import Scores
from bitjoule.experiments.exploration.space.conditions import Constraint
from bitjoule.experiments.exploration.space.knobs import Space, value_text
from bitjoule.experiments.exploration.space.metrics import METRICS, metric_values, of_design

FRONT, UNDECIDED, DOMINATED, INFEASIBLE, FAILED = "pareto", "undecided", "dominated", "infeasible", "no result"
STATUSES = (FRONT, UNDECIDED, DOMINATED, INFEASIBLE, FAILED)


@dataclass(frozen=True)
class Evaluated:
    """Designs with their scores, as tables are made of.

    Parameters
    ----------
    space
        Of the knobs.
    models
        Names of the models.
    objectives, limits
        Of the exploration.
    evaluations, scores
        Of the same designs.
    """

    space: Space
    models: tuple[str, ...]
    objectives: tuple[str, ...]
    limits: tuple[Constraint, ...]
    evaluations: Evaluations
    scores: Scores


def statuses(work: Evaluated) -> NDArray[np.int64]:
    """Return the status of each design, as index into `STATUSES`.

    Parameters
    ----------
    work
        The designs.
    """
    scores, evaluations = work.scores, work.evaluations
    status = np.full(len(evaluations), STATUSES.index(FAILED))
    status[scores.finite] = STATUSES.index(INFEASIBLE)
    feasible = np.flatnonzero(scores.feasible)
    front = scores.front[feasible]
    amounts = type(evaluations.amounts)(*(values[feasible] for values in evaluations.amounts))
    bands = {name: table[feasible] for name, table in evaluations.bands.items()}
    open_ = undecided(work.objectives, scores.objectives[feasible], amounts, bands, front)
    codes = [STATUSES.index(name) for name in (FRONT, UNDECIDED, DOMINATED)]
    status[feasible] = np.where(front, codes[0], np.where(open_, codes[1], codes[2]))
    return status


def _knob_columns(work: Evaluated) -> dict[str, object]:
    """Return a column for each key that a knob assigns."""
    indices = work.space.indices(work.evaluations.numbers)
    columns: dict[str, object] = {}
    for i, knob in enumerate(work.space.knobs):
        for key in knob.keys:
            values = [setting[key] for setting in knob.settings]
            plain = all(isinstance(value, int | float | str) and not isinstance(value, bool) for value in values)
            options = values if plain and len({type(value) for value in values}) == 1 else list(map(value_text, values))
            columns[key] = [options[index] for index in indices[:, i].tolist()]
    return columns


def design_table(work: Evaluated, status: NDArray[np.int64]) -> pd.DataFrame:
    """Return a row for each design that was evaluated, in that order.

    Parameters
    ----------
    work
        The designs.
    status
        From `statuses`.

    Returns
    -------
    DataFrame
        ``design``, its number in the space; the value at each key of a knob; ``status``; every metric, over several
        models the geometric mean; ``NAME_low`` and ``NAME_high``, of those with a band, at low and at high prices;
        ``problem``, why there is no result.
    """
    amounts = work.evaluations.amounts
    columns: dict[str, object] = {"design": work.evaluations.numbers, **_knob_columns(work)}
    columns["status"] = pd.Categorical.from_codes(status, categories=pd.Index(list(STATUSES), dtype=object))
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, values in metric_values(amounts).items():
            columns[name] = of_design(values)
            if METRICS[name].span is not None:
                for end, of_end in zip(("low", "high"), ends_of(name, amounts), strict=True):
                    columns[f"{name}_{end}"] = of_design(of_end)
    columns["problem"] = list(work.evaluations.problems)
    return pd.DataFrame(columns)


def case_table(work: Evaluated) -> pd.DataFrame:
    """Return a row for each design and model: the metrics of that model.

    Parameters
    ----------
    work
        The designs.
    """
    evaluations = work.evaluations
    models = len(work.models)
    columns: dict[str, object] = {
        "design": np.repeat(evaluations.numbers, models),
        "model": pd.Categorical.from_codes(
            np.tile(np.arange(models), len(evaluations)), categories=pd.Index(list(work.models), dtype=object)
        ),
    }  # fmt: skip
    columns |= {name: values.reshape(-1) for name, values in metric_values(evaluations.amounts).items()}
    return pd.DataFrame(columns)


def constraint_table(work: Evaluated) -> pd.DataFrame:
    """Return a row for each constraint: how many designs meet it, and how near the nearest comes.

    Parameters
    ----------
    work
        The designs.

    Returns
    -------
    DataFrame
        ``constraint``; ``met_by``, designs that meet it; ``others_met_by``, those that meet all others; ``best_value``,
        the nearest to the limit or the farthest within it, of any design; ``best_beside_others``, the same of designs
        that meet all others; ``missed_by``, by how much the latter misses the limit, relative to it.
    """
    scores = work.scores
    rows = []
    for i, limit in enumerate(work.limits):
        others = np.delete(scores.excesses, i, axis=1)
        beside = scores.finite & (others == 0).all(axis=1)
        met = scores.finite & (scores.excesses[:, i] == 0)
        values = scores.limited[:, i]
        best = [_best(limit, values[rows_]) for rows_ in (scores.finite, beside)]
        missed = float(limit.excess(np.array([best[1]]))[0]) if beside.any() else np.nan
        rows.append((str(limit), int(met.sum()), int(beside.sum()), *best, missed))
    names = ["constraint", "met_by", "others_met_by", "best_value", "best_beside_others", "missed_by"]
    return pd.DataFrame(rows, columns=names)


def _best(limit: Constraint, values: Floats) -> float:
    if len(values) == 0:
        return np.nan
    return float(values.min() if limit.sign == "<=" else values.max())


def best_row(work: Evaluated, best: str | None) -> int | None:
    """Return the row of the best design of the Pareto set, or none if no design is feasible.

    Parameters
    ----------
    work
        The designs.
    best
        A metric; by default the product of the objectives, each as a ratio that is to be small.
    """
    rows = np.flatnonzero(work.scores.front)
    if len(rows) == 0:
        return None
    if best is None:
        with np.errstate(divide="ignore"):
            logs = np.log(np.abs(work.scores.objectives[rows])) * np.sign(work.scores.objectives[rows])
        rank = logs.sum(axis=1)
    else:
        values = of_design(metric_values(work.evaluations.amounts)[best][rows])
        rank = -values if METRICS[best].maximised else values
    order = np.lexsort((work.evaluations.numbers[rows], rank))
    return int(rows[order[0]])


def knob_table(work: Evaluated, designs: pd.DataFrame, best: int) -> pd.DataFrame:
    """Return a row for each setting of each knob, all other knobs as in a design.

    Parameters
    ----------
    work
        The designs, with all variations of the best one.
    designs
        From `design_table`.
    best
        Row of the best design.

    Returns
    -------
    DataFrame
        ``knob``, ``setting``, ``design``, ``chosen`` (whether it is the best design itself), ``status``; each
        objective, and ``NAME_relative``, that over the best design's.
    """
    numbers = {number: row for row, number in enumerate(work.evaluations.numbers.tolist())}
    own = int(work.evaluations.numbers[best])
    rows = []
    for k, setting, number in work.space.variations(own):
        knob = work.space.knobs[k]
        rows.append((knob.name, knob.label(setting), number, number == own, numbers[number]))
    table = pd.DataFrame(rows, columns=["knob", "setting", "design", "chosen", "row"])
    at = table.pop("row").to_numpy()
    table["status"] = designs["status"].to_numpy()[at]
    for name in work.objectives:
        table[name] = designs[name].to_numpy()[at]
        table[f"{name}_relative"] = table[name] / designs[name].iloc[best]
    return table


def sensitivity_table(knobs: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Return a row for each knob: over what range it alone moves each objective of the best design.

    Parameters
    ----------
    knobs
        From `knob_table`.
    objectives
        Names of the metrics.

    Returns
    -------
    DataFrame
        ``knob``, ``settings`` and, of those with a result, ``with_result``; ``NAME_least`` and ``NAME_most``, relative
        to the best design, and ``NAME_span``, the latter over the former. Settings that break a constraint count.
    """
    rows = []
    for name, settings in knobs.groupby("knob", sort=False):
        solved = settings[settings["status"] != FAILED]
        row: dict[str, object] = {"knob": name, "settings": len(settings), "with_result": len(solved)}
        for objective in objectives:
            relative = solved[f"{objective}_relative"]
            least, most = float(relative.min()), float(relative.max())
            row |= {f"{objective}_least": least, f"{objective}_most": most, f"{objective}_span": most / least}
        rows.append(row)
    return pd.DataFrame(rows)
