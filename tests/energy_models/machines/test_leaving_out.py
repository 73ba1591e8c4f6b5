"""Groups that are left out are predicted as by a fit to the others, which least squares gives in linear cases."""

import numpy as np
import pytest

from bitjoule.energy_models.machines.leaving_out import refits
from bitjoule.energy_models.machines.regression import fit
from bitjoule.energy_models.system.platform.free import Free

X = np.linspace(1, 4, 12)
DESIGN = np.stack([X, np.ones_like(X)], axis=1)
FREE = [Free(low=1e-3, high=1e3)] * 2


def left_out(y, groups, free=FREE):
    observations = list(range(len(y)))

    def residuals(values, seen):
        return DESIGN[seen] @ values - y[seen]

    regression = fit(lambda values: residuals(values, observations), np.array([1.0, 1.0]), free)
    return refits(residuals, observations, groups, regression, free)


def test_each_group_is_predicted_by_least_squares_of_the_others():
    y = DESIGN @ np.array([2.0, 3.0]) + np.random.default_rng(7).normal(0, 0.1, len(X))
    groups = ["a"] * 3 + ["b"] * 6 + ["c"] * 3
    found = left_out(y, groups)
    for group in "abc":
        own = np.array([each == group for each in groups])
        exact, *_ = np.linalg.lstsq(DESIGN[~own], y[~own], rcond=None)
        np.testing.assert_allclose(found[own], DESIGN[own] @ exact - y[own], atol=2e-3)


def test_one_group_alone_has_nothing_to_be_predicted_by():
    assert np.isnan(left_out(DESIGN.sum(axis=1), ["all"] * len(X))).all()


def test_too_few_that_remain_and_values_that_only_the_group_depends_on_give_nothing():
    y = DESIGN.sum(axis=1)
    groups = ["most"] * 10 + ["few"] * 2
    found = left_out(y, groups)
    assert np.isnan(found[:10]).all()
    assert np.isfinite(found[10:]).all()
    observations = [0, 1, 2, 3, 4, 5]
    noise = np.array([0.1, -0.1, 0.05, -0.05, 0.02, -0.02])

    def residuals(values, seen):  # the second value is in the last two alone
        return np.log(np.array([values[0] if i < 4 else values[1] for i in seen])) - 1 - noise[seen]

    regression = fit(lambda values: residuals(values, observations), np.array([2.0, 2.0]), FREE)
    alone = refits(residuals, observations, ["a", "a", "b", "b", "c", "c"], regression, FREE)
    assert np.isnan(alone[4:]).all()
    assert alone[:2] == pytest.approx(-noise[:2], abs=1e-3)
