"""Rounding to few levels: textbook errors of Gaussian weights, and grids written out."""

import numpy as np
import pytest

from bitjoule.sim.post_training.grids import (
    absmean,
    best_possible,
    in_groups,
    relative_error,
    round_to_nearest,
    sign_mean,
    symmetric_steps,
)

GAUSSIAN = np.random.default_rng(0).normal(size=(400, 500))
# Max, "Quantizing for Minimum Distortion", IRE Transactions on Information Theory 6(1), 1960, Table I: mean squared
# error of a unit normal distribution.
MAX_1960 = {2: 0.3634, 3: 0.1902, 4: 0.1175, 8: 0.03454, 16: 0.009497}


@pytest.mark.parametrize(("levels", "squared"), MAX_1960.items())
def test_no_levels_come_closer_to_a_normal_distribution_than_maxs(levels, squared):
    assert relative_error(GAUSSIAN, best_possible(GAUSSIAN, levels)) ** 2 == pytest.approx(squared, rel=0.01)


def test_signs_times_the_mean_are_the_best_of_two_levels():
    assert relative_error(GAUSSIAN, sign_mean(GAUSSIAN)) ** 2 == pytest.approx(1 - 2 / np.pi, rel=0.005)


def test_trits_by_absmean_are_rounded_at_half_the_mean():
    weights = np.array([[0.0, 0.49], [0.51, -0.51], [-3.0, 1.0]])
    weights *= 6 / np.abs(weights).sum()  # mean magnitude 1
    threshold = np.where(np.abs(weights) > 0.5, np.sign(weights), 0)
    np.testing.assert_allclose(absmean(weights), threshold)


@pytest.mark.parametrize(
    ("bits", "levels"), [(1, [-0.5, 0.5]), (2, [-1.5, -0.5, 0.5, 1.5]), (3, [-3, -2, -1, 0, 1, 2, 3])]
)
def test_a_grid_has_the_levels_of_its_bits(bits, levels):
    weights = np.linspace(-1, 1, 4001)[:, np.newaxis]
    step = symmetric_steps(weights, bits)[0, 0, 0]
    np.testing.assert_allclose(np.unique(round_to_nearest(weights, bits)) / step, levels)
    rounded = round_to_nearest(weights, bits)[:, 0]
    nearest = np.array(levels)[np.abs(weights / step - np.array(levels)).argmin(axis=1)] * step
    assert np.abs(rounded - nearest).max() < 1e-9 or np.abs(np.abs(rounded - weights[:, 0]) - step / 2).min() < 1e-9


def test_a_fitted_step_is_the_best_of_a_fine_search():
    weights = GAUSSIAN[:, :1]
    tried = [np.linspace(0.2, 3, 400) * weights.std()][0]
    levels = np.array([-1.5, -0.5, 0.5, 1.5])
    errors = [((weights - levels * step) ** 2).min(axis=1).sum() for step in tried]
    fitted = round_to_nearest(weights, 2, fitted=True)
    assert ((fitted - weights) ** 2).sum() <= 1.002 * min(errors)


def test_each_group_of_each_output_has_its_own_step():
    weights = np.array([[1.0, 10.0], [-1.0, -10.0], [100.0, 7.0], [-100.0, 7.0]])
    np.testing.assert_allclose(round_to_nearest(weights, 1, group=2), weights)
    np.testing.assert_allclose(best_possible(weights, 2, group=2), weights)


def test_a_group_divides_the_in_features():
    with pytest.raises(ValueError, match="6 in_features are no multiple of a group of 4"):
        in_groups(np.zeros((6, 2)), 4)
