"""Axes of quantities."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bitjoule.reports.figures.style import WIDE, size_axis, unit_axis


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
