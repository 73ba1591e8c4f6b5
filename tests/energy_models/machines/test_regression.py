"""Fits of made-up points: they recover what the points were made from, with intervals as wide as they should be."""

import numpy as np
import pytest
from scipy import stats

from bitjoule.energy_models.machines.regression import START_DEVIATION, TooFewPointsError, fit
from bitjoule.energy_models.system.platform.free import Free

X = np.linspace(1, 4, 12)
TRUTH = np.array([2.0, 3.0])
DESIGN = np.stack([X, np.ones_like(X)], axis=1)
DEVIATION = 0.1
WIDE = [Free(low=1e-3, high=1e3), Free(low=1e-3, high=1e3)]


def noisy(seed):
    return DESIGN @ TRUTH + np.random.default_rng(seed).normal(0, DEVIATION, len(X))


def found(y, free=WIDE, start=(1.0, 1.0)):
    return fit(lambda values: DESIGN @ values - y, np.array(start), free)


def test_intervals_cover_the_truth_about_as_often_as_they_say_and_are_as_wide_as_the_closed_form():
    """Ordinary least squares: (X'X)^-1 X'y, and t s sqrt(diag (X'X)^-1) on both sides."""
    trials = 200
    covered = np.zeros(2)
    for seed in range(trials):
        y = noisy(seed)
        regression = found(y)
        exact, (square,), *_ = np.linalg.lstsq(DESIGN, y, rcond=None)
        deviation = np.sqrt(square / (len(X) - 2))
        half = stats.t.ppf(0.975, len(X) - 2) * deviation * np.sqrt(np.diag(np.linalg.inv(DESIGN.T @ DESIGN)))
        np.testing.assert_allclose(regression.values, exact, rtol=1e-4)
        assert regression.deviation == pytest.approx(deviation, rel=1e-3)
        for i, estimate in enumerate(regression.estimates):
            covered[i] += estimate.low <= TRUTH[i] <= estimate.high
            assert 2 * half[i] / 1.1 < estimate.high - estimate.low < 1.5 * 2 * half[i]
    assert (covered >= 0.90 * trials).all()
    assert (covered <= 0.99 * trials).all()


def test_tiny_coefficients_are_found_as_well_as_large_ones():
    y = DESIGN @ (TRUTH * 1e-12)
    free = [Free(low=1e-15, high=1e-9)] * 2
    np.testing.assert_allclose(found(y / 1e-12, WIDE).values, TRUTH, rtol=1e-5)
    regression = fit(lambda values: np.log(DESIGN @ values / y), np.array([1e-13, 1e-13]), free)
    np.testing.assert_allclose(regression.values, TRUTH * 1e-12, rtol=1e-4)


def test_a_value_next_to_one_is_found_where_models_round():
    """Its logarithm is next to 0; steps are no shorter there. The mean of logarithms, and t s / sqrt(n) beside it."""
    logs = np.random.default_rng(5).normal(0.01, 0.02, len(X))
    calls = []

    def rounded(values):
        calls.append(values)
        return np.log(np.round(values[0] * X, 6) / X) - logs

    (estimate,) = fit(rounded, np.array([1.2]), WIDE[:1]).estimates
    half = stats.t.ppf(0.975, len(X) - 1) * logs.std(ddof=1) / np.sqrt(len(X))
    assert np.log(estimate.value) == pytest.approx(logs.mean(), abs=1e-5)
    for end, sign in ((estimate.low, -1), (estimate.high, 1)):
        assert np.log(end) == pytest.approx(logs.mean() + sign * half, abs=half / 50)
    assert len(calls) < 40


def test_a_prior_counts_as_an_observation_and_is_no_free_parameter():
    """One point y = a + b cannot tell a from b; a band for b of 2.9 to 3.1 can."""
    y = np.array([5.0, 5.0])
    free = [Free(low=0.1, high=100), Free(low=0.1, high=100, prior=[2.9, 3.1], source="made up")]
    regression = fit(lambda values: np.log(values.sum() / y), np.array([1.0, 1.0]), free)
    assert regression.values[1] == pytest.approx(np.sqrt(2.9 * 3.1), rel=1e-3)
    assert regression.values[0] == pytest.approx(5 - np.sqrt(2.9 * 3.1), rel=1e-2)


def test_a_value_that_no_point_depends_on_is_said_to_be_undetermined():
    y = 2.0 * X
    regression = fit(lambda values: np.log(values[0] * X / y), np.array([1.0, 1.0]), WIDE)
    assert regression.estimates[0].note == ""
    assert regression.estimates[1].note == "these points do not determine it"
    assert (regression.estimates[1].low, regression.estimates[1].high) == (1e-3, 1e3)


def test_a_value_at_its_bound_is_said_to_be_there():
    regression = found(noisy(1), [Free(low=1e-3, high=1.5), Free(low=1e-3, high=1e3)])
    assert regression.values[0] == pytest.approx(1.5, rel=1e-3)
    assert regression.estimates[0].note == "at a bound: the interval does not hold"


def test_more_free_parameters_than_half_the_observations_are_refused():
    y = np.array([1.0, 2.0, 3.0])
    with pytest.raises(TooFewPointsError, match="2 free parameters for 3 observations"):
        fit(lambda values: values.sum() - y, np.array([1.0, 1.0]), WIDE)


def test_a_group_that_is_left_out_is_predicted_as_by_a_fit_to_the_others():
    y = noisy(3)
    groups = ["first" if i < 3 else "rest" if i < 9 else str(i) for i in range(len(X))]
    left_out = found(y).without(groups)
    for group in dict.fromkeys(groups):
        own = np.array([each == group for each in groups])
        exact, *_ = np.linalg.lstsq(DESIGN[~own], y[~own], rcond=None)
        np.testing.assert_allclose(left_out[own], DESIGN[own] @ exact - y[own], atol=1e-3)
    assert np.isnan(found(y).without(["all"] * len(X))).all()


def test_points_that_priors_meet_exactly_leave_intervals_as_wide_as_the_priors():
    free = [Free(low=0.1, high=10, prior=[0.5, 2], source="made up"), Free(low=0.1, high=10)]
    fitted = fit(lambda values: np.log([values[0] * values[1] / 3, values[1] / 2]), np.array([1.0, 1.0]), free)
    assert fitted.deviation == START_DEVIATION
    # the product is 3 and the second is 2, both within 20 % (1.96 deviations); the first is known from them alone
    for each, deviations in zip(fitted.estimates, (2**0.5, 1), strict=True):
        assert np.log(each.high / each.value) == pytest.approx(deviations * 1.96 * START_DEVIATION, rel=0.1)


BYTES, WEIGHTS = 1e9 * np.geomspace(0.2, 8, 10), 1e9 * np.geomspace(1, 4, 10)[::-1]
PEAK = 1e11
MACHINE = np.array([0.7, 5e10, 60.0])  # share of the bandwidth, weights a second, watts
OF_MACHINE = [Free(low=0.1, high=1.0), Free(low=1e9, high=1e13), Free(low=1, high=1000)]
PRICE = Free(low=0.5, high=50, prior=[4.0, 9.0], source="made up")  # pJ a bit


def seen(values):
    """Return times and energies of a machine that memory or unpacking bounds."""
    share, rate, watts, price_pj = values
    seconds = np.maximum(BYTES / (share * PEAK), WEIGHTS / rate)
    return np.concatenate([seconds, watts * seconds + 8 * BYTES * price_pj * 1e-12])


@pytest.mark.parametrize(
    ("trials", "least", "most"), [(50, 0.84, 1.0), pytest.param(200, 0.90, 0.99, marks=pytest.mark.slow)]
)
def test_intervals_of_a_machine_with_a_band_from_a_data_sheet_cover_the_truth(trials, least, most):
    """The price lies within its band as often as a band of 95 % says."""
    covered = np.zeros(4)
    start = np.array([0.5, 1e11, 100.0, 6.0])
    middle, width = np.log([4.0, 9.0]).mean(), np.log(9.0 / 4.0) / 2 / stats.norm.ppf(0.975)
    for seed in range(trials):
        random = np.random.default_rng(seed)
        truth = np.append(MACHINE, np.exp(random.normal(middle, width)))
        measured = np.log(seen(truth)) + random.normal(0, 0.05, 2 * len(BYTES))
        found = fit(lambda values, of=measured: np.log(seen(values)) - of, start, [*OF_MACHINE, PRICE])
        covered += [each.low <= value <= each.high for each, value in zip(found.estimates, truth, strict=True)]
    assert (covered >= least * trials).all(), covered
    assert (covered <= most * trials).all(), covered
