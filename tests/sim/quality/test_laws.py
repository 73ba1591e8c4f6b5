"""Scaling laws: those of made-up points are found again, and intervals hold them as often as they say."""

import math

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.linalg import block_diag

from bitjoule.sim.quality.laws import EXPONENTS, FORMS, fit, size_factor

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
    for each in (law.a, law.exponent, law.floor):  # without scatter, of no width
        assert (each.low, each.high) == pytest.approx((each.value, each.value), abs=1e-3)
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


def test_the_deviation_of_a_law_is_that_of_the_losses_around_it():
    loss = losses(1.2, 0.2, deviation=0.02, seed=3)
    line = stats.linregress(np.log(SIZES / 1e6), np.log(loss))
    rest = np.log(loss) - line.intercept - line.slope * np.log(SIZES / 1e6)
    law = fit("power", SIZES, loss)
    assert law.deviation == pytest.approx(np.sqrt((rest**2).sum() / 10), rel=1e-9)  # 12 trainings, two coefficients
    assert law.freedom == 10
    pure = sum(np.diff(pair)[0] ** 2 / 2 for pair in np.log(loss).reshape(6, 2))
    variances = ((rest**2).sum() - pure) / 4, pure / 6  # of six sizes around the line, of two seeds of each
    assert law.lack_of_fit_p == pytest.approx(stats.f.sf(variances[0] / variances[1], 4, 6), rel=1e-9)


def test_the_law_of_a_papers_exponent_and_its_intervals_are_what_scipy_fits():
    loss = losses(1.0, 0.31, 0.9, deviation=0.02, seed=4)
    law = fit("paper_exponent", SIZES, loss, 0.31)

    def model(size, floor, a):
        return floor + a * size**-0.31

    (floor, a), covariance = optimize.curve_fit(model, SIZES / 1e6, loss, (1.0, 1.0), sigma=loss)
    reach = stats.t.ppf(0.975, 10) * np.sqrt(np.diag(covariance))
    assert law.floor == pytest.approx((floor, floor - reach[0], floor + reach[0]), rel=1e-5)
    assert law.a == pytest.approx((a, a - reach[1], a + reach[1]), rel=1e-5)
    assert law.exponent == (0.31, 0.31, 0.31)
    relative = 1 - model(SIZES / 1e6, floor, a) / loss
    assert law.deviation == pytest.approx(np.sqrt((relative**2).sum() / 10), rel=1e-6)


def test_intervals_of_a_law_with_a_floor_end_where_its_profile_crosses_the_bound_of_f():
    """For a fixed value of one coefficient, the least squares of the other two."""
    loss, size = losses(1.0, 0.4, 0.9, deviation=0.002, seed=2), SIZES / 1e6
    law = fit("floor", SIZES, loss)

    def squares(alpha, floor=None, a=None):
        columns, target = [], np.ones_like(loss)
        for value, column in ((floor, 1 / loss), (a, size**-alpha / loss)):
            columns += [column] if value is None else []
            target = target if value is None else target - value * column
        rest = target - np.stack(columns, 1) @ np.linalg.lstsq(np.stack(columns, 1), target, rcond=None)[0]
        return float(rest @ rest)

    def profile(**fixed):
        return optimize.minimize_scalar(lambda alpha: squares(alpha, **fixed), bounds=(0.05, 2), method="bounded",
                                        options={"xatol": 1e-9}).fun  # fmt: skip

    least = squares(law.exponent.value)
    assert least == pytest.approx(profile(), rel=1e-6)
    assert law.deviation == pytest.approx(np.sqrt(least / 9), rel=1e-6)
    bound = least * (1 + stats.f.ppf(0.95, 1, 9) / 9)
    for ends, at in ((law.exponent, squares), (law.floor, lambda v: profile(floor=v)), (law.a, lambda v: profile(a=v))):
        assert [at(ends.low), at(ends.high)] == pytest.approx([bound, bound], rel=1e-3)
        assert ends.low < ends.value < ends.high


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


def test_an_exponent_that_no_loss_bounds_may_be_anything():
    """Within the exponents that are tried none is worse than the bound of F: the interval ends at 0 and at infinity."""
    size = np.repeat([29e3, 59e3, 140e3], 2)
    loss = losses(1.2, 0.2, 0.3, size, 0.1, seed=5)

    def least(alpha):
        design = np.stack([1 / loss, (size / 1e6) ** -alpha / loss], 1)
        return 2 * optimize.lsq_linear(design, np.ones_like(loss), (0, np.inf)).cost

    squares = [least(alpha) for alpha in np.geomspace(*EXPONENTS, 60)]
    assert max(squares) < min(squares) * (1 + stats.f.ppf(0.95, 1, 3) / 3)
    law = fit("floor", size, loss)
    assert (law.exponent.low, law.exponent.high) == (0, math.inf)


@pytest.mark.parametrize(("deviation", "seed"), [(0.03, 14), (0.05, 30), (0.1, 58)])
def test_a_floor_above_the_least_of_losses_that_scatter_lies_in_its_interval(deviation, seed):
    """The largest models scatter around the floor; above it only the sum of squares bounds it."""
    size = np.repeat([29e3, 59e3, 140e3], 2)
    loss = losses(1.2, 0.2, 0.3, size, deviation, seed)
    law = fit("floor", size, loss)

    def profile(floor):
        def squares(alpha):
            column = (size / 1e6) ** -alpha / loss
            return optimize.nnls(column[:, np.newaxis], 1 - floor / loss)[1] ** 2

        return min(map(squares, np.geomspace(*EXPONENTS, 400)))

    assert loss.min() < law.floor.value < loss.max()
    assert law.floor.low <= law.floor.value <= law.floor.high
    bound = profile(law.floor.value) * (1 + stats.f.ppf(0.95, 1, 3) / 3)
    if law.floor.high == loss.max():
        assert profile(loss.max()) < bound
    else:
        assert profile(law.floor.high) == pytest.approx(bound, rel=1e-2)  # of 400 exponents


@pytest.mark.parametrize(("deviation", "seed"), [(0.01, 1), (0.05, 3)])
def test_intervals_know_no_coefficients_below_zero(deviation, seed):
    """At the upper end of one coefficient the other, free to be below 0, would fit better, and the end lie higher."""
    size = np.repeat([29e3, 59e3, 140e3], 2)
    loss = losses(1.2, 0.2, 0.3, size, deviation, seed)
    law = fit("floor", size, loss)

    def profile(floor=None, a=None):
        def squares(alpha):
            ones, column = 1 / loss, (size / 1e6) ** -alpha / loss
            other, rest = (column, 1 - floor * ones) if a is None else (ones, 1 - a * column)
            return optimize.nnls(other[:, np.newaxis], rest)[1] ** 2

        return min(map(squares, np.geomspace(*EXPONENTS, 1000)))

    bound = profile(floor=law.floor.value) * (1 + stats.f.ppf(0.95, 1, 3) / 3)
    assert profile(a=law.a.high) == pytest.approx(bound, rel=1e-2)  # of 1000 exponents
    assert profile(floor=law.floor.high) == pytest.approx(bound, rel=1e-2)


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
    one_more = np.append(size, size[-1])
    law = fit(form, one_more, losses(1, 0.2, size=one_more, deviation=0.01), 0.4)
    assert law.freedom == 1
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


def test_the_interval_of_a_factor_is_that_of_errors_carried_to_first_order():
    """The factor is exp((ln a - ln L) / alpha) / N, with L of the baseline's law; errors of each by its covariance."""
    base, other = (fit("power", SIZES, losses(a, 0.25, deviation=0.02, seed=seed)) for a, seed in ((1.0, 1), (1.3, 2)))
    covariance = block_diag(other.covariance, base.covariance)
    at = np.array([np.log(other.a.value), other.exponent.value, np.log(base.a.value), base.exponent.value])

    def log_factor(values):
        log_a, alpha, log_base, beta = values
        return (log_a - log_base + beta * np.log(0.14)) / alpha - np.log(0.14)

    slopes = optimize.approx_fprime(at, log_factor, 1e-7)
    reach = stats.t.ppf(0.975, 10) * np.sqrt(slopes @ covariance @ slopes)
    found = size_factor(other, base, 140e3)
    ends = np.log([found.value, found.low, found.high]) - log_factor(at)
    assert ends == pytest.approx([0.0, -reach, reach], rel=1e-4, abs=1e-9)


def test_intervals_of_the_factor_hold_the_truth_as_often_as_they_say():
    held = 0
    for seed in range(300):
        base = fit("power", SIZES, losses(1.0, 0.25, deviation=0.01, seed=2 * seed))
        other = fit("power", SIZES, losses(1.1, 0.22, deviation=0.01, seed=2 * seed + 1))
        factor = size_factor(other, base, 140e3)
        true = ((1.0 * 0.14**-0.25) / 1.1) ** (-1 / 0.22) / 0.14
        held += factor.low <= true <= factor.high
    assert 0.92 < held / 300 < 0.985


@pytest.mark.parametrize(("few", "of_law"), [(True, False), (False, True)])
def test_a_factor_is_as_unsure_as_the_law_of_fewer_trainings(few, of_law):
    """Of four trainings and twelve the freedom is two, whichever of both laws they belong to."""
    given = (1.0, 1, SIZES[:4] if few else SIZES), (1.1, 2, SIZES[:4] if of_law else SIZES)
    base, law = (fit("power", size, losses(a, 0.25, size=size, deviation=0.01, seed=seed)) for a, seed, size in given)
    found = size_factor(law, base, 140e3)
    log_a, alpha, beta = math.log(law.a.value), law.exponent.value, base.exponent.value
    wanted = math.log(base.a.value) - beta * math.log(0.14)
    slopes = np.array([1, -(log_a - wanted) / alpha, -1, math.log(0.14)]) / alpha
    variance = slopes @ block_diag(law.covariance, base.covariance) @ slopes
    reach = stats.t.ppf(0.975, 2) * math.sqrt(variance)
    assert math.log(found.high / found.value) == pytest.approx(reach, rel=1e-6)
    assert math.log(found.value / found.low) == pytest.approx(reach, rel=1e-6)


def test_a_law_of_losses_that_rise_has_a_factor_too():
    rising = fit("power", SIZES, losses(1.1, -0.25))
    base = fit("power", SIZES, losses(1.0, 0.25))
    wanted = 0.14**-0.25
    assert size_factor(rising, base, 140e3).value == pytest.approx((wanted / 1.1) ** 4 / 0.14, rel=1e-6)


def test_a_floor_that_no_loss_bounds_ends_at_the_greatest_loss():
    """Squares about the greatest loss are twice those about the mean: within 1 + F / 3 of three beyond the fit."""
    loss = np.array([1.98, 2.0] * 3)
    assert 1 + stats.f.ppf(0.95, 1, 3) / 3 > 2
    assert fit("floor", SIZES[:6], loss).floor.high == 2.0


def test_factors_are_those_of_power_laws_alone():
    power, floor = (fit(form, SIZES, losses(1, 0.3, deviation=0.01)) for form in ("power", "floor"))
    with pytest.raises(ValueError, match="only power laws"):
        size_factor(floor, power, 1e5)


@pytest.mark.parametrize("loss", [[2.5] * 4, [1e50, 1e50, 1e50 * (1 - 1e-3), 1e50 * (1 - 1e-3)]])
def test_a_flat_law_and_a_factor_beyond_floats_give_no_factor(loss):
    size = [1e4, 1e4, 5e4, 5e4]
    law, baseline = (fit("power", np.array(size), np.array(each)) for each in (loss, [3.0, 3.1, 2.5, 2.4]))
    assert all(math.isnan(value) for value in size_factor(law, baseline, 5e4))
