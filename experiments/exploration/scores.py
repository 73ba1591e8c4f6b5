"""What the search sees of designs: objectives to be minimised, and by how much each constraint is missed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.experiments.exploration.dominance import objective_values, pareto_set
from bitjoule.experiments.exploration.evaluation import Evaluations
from bitjoule.experiments.exploration.space.conditions import Constraint
from bitjoule.experiments.exploration.space.metrics import metric_values, of_design


class Scores(NamedTuple):
    """Scores of designs, in the order in which they were evaluated.

    Parameters
    ----------
    objectives
        To be minimised, shape (designs, objectives).
    limited
        Values of the constraints' metrics, of the model that is hardest to allow, shape (designs, constraints).
    excesses
        By how much each constraint is missed, `Constraint.excess`.
    finite
        Whether a design has a result: objectives and limited metrics that are finite.
    """

    objectives: Floats
    limited: Floats
    excesses: Floats
    finite: NDArray[np.bool_]

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Whether a design has a result and meets all constraints."""
        return np.asarray(self.finite & (self.excesses == 0).all(axis=1), dtype=np.bool_)

    @property
    def front(self) -> NDArray[np.bool_]:
        """Whether a design is in the Pareto set of those that are feasible."""
        front = np.zeros(len(self.finite), dtype=np.bool_)
        feasible = np.flatnonzero(self.feasible)
        front[feasible[pareto_set(self.objectives[feasible])]] = True
        return front

    def of(self, rows: Sequence[int]) -> "Scores":
        """Return the scores of some designs.

        Parameters
        ----------
        rows
            Of the designs.
        """
        at = np.array(rows, dtype=np.intp)
        return Scores(self.objectives[at], self.limited[at], self.excesses[at], self.finite[at])

    @classmethod
    def joined(cls, parts: "Sequence[Scores]") -> "Scores":
        """Return scores one after the other.

        Parameters
        ----------
        parts
            At least one.
        """
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def scores_of(evaluations: Evaluations, objectives: Sequence[str], limits: Sequence[Constraint]) -> Scores:
    """Return the scores of designs.

    Parameters
    ----------
    evaluations
        Of the designs.
    objectives, limits
        Names of metrics; the constraints.
    """
    values = metric_values(evaluations.amounts)
    of_designs = {name: of_design(values[name]) for name in objectives}
    wanted = objective_values(objectives, of_designs)
    size = (len(evaluations), len(limits))
    limited, excesses = np.zeros(size), np.zeros(size)
    for i, limit in enumerate(limits):
        limited[:, i] = limit.worst(values[limit.metric])
        excesses[:, i] = limit.excess(limited[:, i])
    solved = np.array([not problem for problem in evaluations.problems])
    finite = solved & np.isfinite(wanted).all(axis=1) & np.isfinite(limited).all(axis=1)
    return Scores(wanted, limited, excesses, finite)
