"""Cross-validation of fits: groups of observations that are predicted by a fit to the others."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.machines.regression import INSENSITIVE, Regression, TooFewPointsError, fit
from bitjoule.energy_models.system.platform.free import Free


def refits(
    residuals: Callable[[Floats, Sequence[Any]], Floats], observations: Sequence[Any], groups: Sequence[object],
    regression: Regression, free: Sequence[Free],
) -> Floats:  # fmt: skip
    """Return the residual that each observation has for a fit without its group, shape (observations,).

    It is nan where too few observations remain, and where nothing that remains depends on a value without a prior that
    the group depends on.

    Parameters
    ----------
    residuals
        From values of the parameters, and some of the observations, to their residuals.
    observations, groups
        All observations, and the group of each.
    regression, free
        The fit to all of them, from which each fit begins; bounds and priors of the parameters.
    """
    found = np.full(len(observations), np.nan)
    names = list(dict.fromkeys(groups))
    for group in names if len(names) > 1 else ():
        own = [i for i, each in enumerate(groups) if each == group]
        others = [each for each, name in zip(observations, groups, strict=True) if name != group]
        if _undetermined(regression, own, free):
            continue
        try:
            rest = fit(
                lambda values, seen=others: residuals(values, seen),  # type: ignore[misc]
                regression.values, free, regression.deviation,
            )  # fmt: skip
        except TooFewPointsError:
            continue
        found[own] = residuals(rest.values, [observations[i] for i in own])
    return found


def _undetermined(regression: Regression, own: Sequence[int], free: Sequence[Free]) -> bool:
    """Return whether the observations of a group alone depend on a value without a prior."""
    count = len(regression.residuals)
    sensitive = np.abs(regression.jacobian[:count])
    left = np.delete(sensitive, own, axis=0).max(axis=0, initial=0.0)
    unknown = np.array([each.prior is None for each in free])
    return bool((unknown & (sensitive.max(axis=0) > 0) & (left <= INSENSITIVE * sensitive.max(axis=0))).any())
