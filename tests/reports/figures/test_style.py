"""Axes of quantities."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bitjoule.reports.figures.style import WIDE, log_scale, log_ticks, size_axis, unit_axis
from tests.reports.shown import ticks_are_their_values


@pytest.mark.parametrize(("low", "high"), [(0.0, 5.0), (1.0, WIDE), (2.0, 3.0)])
def test_an_axis_starts_at_zero_where_it_spans_no_more_than_tenfold(low, high):
    axes = Figure().subplots()
    unit_axis(axes, "J", low, high)
    assert axes.get_yscale() == "linear"
    np.testing.assert_allclose(axes.get_ylim(), (0, 1.15 * high))


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.01 * WIDE), (1e-15, 1e-3)])
def test_a_logarithmic_axis_has_a_tenth_of_its_span_on_both_sides(low, high):
    axes = Figure().subplots()
    unit_axis(axes, "J", low, high)
    assert axes.get_yscale() == "log"
    bottom, top = np.log(axes.get_ylim())
    span = np.log(high / low)
    np.testing.assert_allclose((np.log(low) - bottom, top - np.log(high)), 0.1 * span, rtol=1e-6)


@pytest.mark.parametrize(
    ("limits", "ticks"),
    [
        ((2e6, 3e9), [1e7, 1e8, 1e9]),
        ((0.8e9, 12e9), [1e9, 2e9, 5e9, 1e10]),
    ],
)
def test_sizes_are_marked_at_powers_of_ten_or_where_they_span_less_at_1_2_and_5_too(limits, ticks):
    axes = Figure().subplots()
    axes.set_xlim(limits)
    size_axis(axes)
    shown = [tick for tick in axes.get_xticks() if limits[0] <= tick <= limits[1]]
    np.testing.assert_allclose(shown, ticks)
    assert axes.get_xlabel() == "parameters"


@pytest.mark.parametrize(
    ("limits", "ticks"),
    [
        ((0.8, 5.3), [1, 2, 3, 4, 5]),
        ((0.8e-3, 12e-3), [1e-3, 2e-3, 5e-3, 1e-2]),
        ((0.9, 89.0), [1, 2, 5, 10, 20, 50]),
        ((0.9, 91.0), [1, 3, 10, 30]),
        ((0.9e-9, 800e-9), [1e-9, 3e-9, 1e-8, 3e-8, 1e-7, 3e-7]),
        ((0.9, 1100.0), [1, 10, 100, 1000]),
        ((2e-12, 3e-2), [10.0**power for power in range(-11, -1)]),
    ],
)
@pytest.mark.parametrize("name", ["x", "y"])
def test_a_logarithmic_axis_has_more_ticks_the_less_it_spans_each_with_its_value(limits, ticks, name):
    axes = Figure().subplots()
    axes.set(**{f"{name}scale": "log", f"{name}lim": limits})
    axis = getattr(axes, f"{name}axis")
    log_ticks(axis, "J")
    np.testing.assert_allclose([tick for tick in axis.get_ticklocs() if limits[0] <= tick <= limits[1]], ticks)
    assert len(axis.get_ticklocs(minor=True)) == 0
    axes.figure.draw_without_rendering()
    ticks_are_their_values(axis, "J")


def test_the_logarithmic_scale_of_an_axis_has_the_ticks_of_its_span():
    axes = Figure().subplots()
    log_scale(axes, "J", 1e-3, 40e-3)  # a tenth of the span on both sides: 0.69 mJ to 57.8 mJ
    low, high = axes.get_ylim()
    assert [tick for tick in axes.get_yticks() if low <= tick <= high] == pytest.approx(
        [1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2]
    )
