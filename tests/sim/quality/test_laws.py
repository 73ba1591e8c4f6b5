"""Scaling laws: those of made-up points are found again, and intervals hold them as often as they say."""

import math

import numpy as np
import pytest
from scipy import stats

from bitjoule.sim.quality.laws import FORMS, fit, size_factor

SIZES = np.repeat([29e3, 59e3, 140e3, 247e3, 526e3, 1020e3], 2)


def losses(a, alpha, floor=0.0, size=SIZES, deviation=0.0, seed=0):
    random = np.random.default_rng(seed)
    return (floor + a * (size / 1e6) ** -alpha) * np.exp(random.normal(0, deviation, len(size)))


@pytest.mark.parametrize("form", FORMS)
def test_points_on_a_law_give_its_coefficients(form):
    floor = 0.0 if form == "power" else 0.7
    law = fit(form, SIZES, losses(1.3, 0.31, floor), 0.31)
    assert law.a.value == pytest.approx(1.3, rel=1e-4)
    assert law.exponent.value == pytest.approx(0.31, rel=1e-4)
    assert law.floor.value == pytest.approx(floor, abs=1e-4)
    assert law.loss(140e3) == pytest.approx(floor + 1.3 * 0.14**-0.31, rel=1e-6)
    assert law.deviation < 1e-4


def test_a_power_law_and_its_intervals_are_those_of_a_line_in_logarithms():
    loss = losses(1.2, 0.2, deviation=0.02, seed=3)
    law = fit("power", SIZES, loss)
    line = stats.linregress(np.log(SIZES / 1e6), np.log(loss))
    reach = stats.t.ppf(0.975, len(SIZES) - 2)
    assert law.exponent == pytest.approx(
        (-line.slope, -line.slope - reach * line.stderr, -line.slope + reach * line.stderr), rel=1e-9
    )
    ends = [line.intercept + sign * reach * line.intercept_stderr for sign in (0, -1, 1)]
    assert law.a == pytest.approx(tuple(np.exp(ends)), rel=1e-9)
    assert law.floor == (0, 0, 0)


def test_intervals_of_a_power_law_hold_the_truth_as_often_as_they_say():
    held = np.zeros(2)
    for seed in range(400):
        law = fit("power", SIZES, losses(1.2, 0.2, deviation=0.02, seed=seed))
        held += [e.low <= true <= e.high for e, true in ((law.a, 1.2), (law.exponent, 0.2))]
    assert (held / 400 > 0.92).all()
    assert (held / 400 < 0.98).all()


@pytest.mark.slow
def test_intervals_of_a_law_with_a_floor_hold_the_truth_as_often_as_they_say():
    held = np.zeros(3)
    for seed in range(40):
        law = fit("floor", SIZES, losses(1.0, 0.3, 0.9, deviation=0.01, seed=seed))
        held += [e.low <= true <= e.high for e, true in ((law.a, 1.0), (law.exponent, 0.3), (law.floor, 0.9))]
    assert (held >= 35).all()  # 34 or fewer of 40 at 95 %: one in 30
    assert held.min() < 41


def test_few_sizes_that_scatter_do_not_bound_the_floor():
    size = np.repeat([29e3, 59e3, 140e3], 2)
    law = fit("floor", size, losses(1.2, 0.2, 0.3, size, 0.01, seed=1))
    assert law.floor.low == 0
    assert law.floor.high > 0.8
    assert law.exponent.high > 2 * law.exponent.low


def test_a_law_with_a_floor_that_many_sizes_bound_has_one():
    law = fit("floor", SIZES, losses(1.0, 0.4, 0.9, deviation=0.002, seed=2))
    assert 0.7 < law.floor.low < 0.9 < law.floor.high < 1.1


@pytest.mark.parametrize("form", FORMS)
def test_too_few_sizes_or_trainings_give_no_law(form):
    needed = {"power": 2, "floor": 3, "paper_exponent": 2}[form]
    size = np.repeat([29e3, 59e3, 140e3][: needed - 1], 4)
    assert fit(form, size, losses(1, 0.2, size=size, deviation=0.01), 0.4) is None
    size = np.array([29e3, 59e3, 140e3][:needed])
    assert fit(form, size, losses(1, 0.2, size=size, deviation=0.01), 0.4) is None
    assert fit(form, np.repeat(size, 2), losses(1, 0.2, size=np.repeat(size, 2), deviation=0.01), 0.4) is not None


def test_a_form_with_a_papers_exponent_needs_it():
    with pytest.raises(ValueError, match="needs its exponent"):
        fit("paper_exponent", SIZES, losses(1, 0.2))


def test_lack_of_fit_is_told_from_the_scatter_of_the_seeds():
    bent = losses(1.0, 0.3, 0.9, deviation=0.001, seed=5)
    assert fit("power", SIZES, bent).lack_of_fit_p < 1e-3
    straight = [fit("power", SIZES, losses(1, 0.3, deviation=0.01, seed=seed)).lack_of_fit_p for seed in range(200)]
    assert stats.kstest(straight, "uniform").pvalue > 0.01  # as a p value of a law that holds


def test_one_seed_says_nothing_of_a_lack_of_fit():
    assert math.isnan(fit("power", SIZES[::2], losses(1, 0.3, size=SIZES[::2], deviation=0.01)).lack_of_fit_p)


def test_a_format_with_a_larger_coefficient_needs_that_many_more_parameters():
    """a N^-alpha is equal where N is (a / a')^(1 / alpha) times as large."""
    base, other = (fit("power", SIZES, losses(a, 0.25, deviation=0.001, seed=seed)) for a, seed in ((1.0, 1), (1.1, 2)))
    factor = size_factor(other, base, 140e3)
    assert factor.value == pytest.approx(1.1 ** (1 / 0.25), rel=0.02)
    assert factor.low < 1.1**4 < factor.high


def test_intervals_of_the_factor_hold_the_truth_as_often_as_they_say():
    held = 0
    for seed in range(300):
        base = fit("power", SIZES, losses(1.0, 0.25, deviation=0.01, seed=2 * seed))
        other = fit("power", SIZES, losses(1.1, 0.22, deviation=0.01, seed=2 * seed + 1))
        factor = size_factor(other, base, 140e3)
        true = ((1.0 * 0.14**-0.25) / 1.1) ** (-1 / 0.22) / 0.14
        held += factor.low <= true <= factor.high
    assert 0.92 < held / 300 < 0.985


def test_factors_are_those_of_power_laws_alone():
    power, floor = (fit(form, SIZES, losses(1, 0.3, deviation=0.01)) for form in ("power", "floor"))
    with pytest.raises(ValueError, match="only power laws"):
        size_factor(floor, power, 1e5)
