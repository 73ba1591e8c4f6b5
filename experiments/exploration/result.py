"""The result of an exploration: its tables, and what reports need beside them."""

from dataclasses import dataclass

import pandas as pd

from bitjoule.experiments.exploration.schema import Exploration


@dataclass(frozen=True)
class ExplorationResult:
    """The result of an exploration.

    Parameters
    ----------
    experiment
        What was explored.
    knobs
        Labels of the settings of each knob, by name.
    summary
        One row: how many designs there are, were evaluated, are feasible, are in the Pareto set; the hypervolume.
    designs, pareto, cases, variations, sensitivity, constraints
        See `bitjoule.experiments.exploration.tables`; `pareto` has the rows of the set, by the first objective.
    settings
        Index of each knob's setting, with the rows of `designs`.
    formats
        Kind and variant of each scheme's format; see `bitjoule.experiments.energy.tables.families`.
    best
        Number of the best design, or none if no design is feasible.
    nearest
        Where no design meets all constraints: a sentence that says which is nearest to being met.
    warnings
        Of the run.
    """

    experiment: Exploration
    knobs: dict[str, tuple[str, ...]]
    summary: pd.DataFrame
    designs: pd.DataFrame
    pareto: pd.DataFrame
    cases: pd.DataFrame
    variations: pd.DataFrame
    sensitivity: pd.DataFrame
    constraints: pd.DataFrame
    settings: pd.DataFrame
    formats: pd.DataFrame
    best: int | None
    nearest: str
    warnings: tuple[str, ...] = ()
