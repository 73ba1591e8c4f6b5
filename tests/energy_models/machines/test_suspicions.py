"""What is said of points that a fit does not meet, of made-up fits."""

from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.energy_models.machines.names import Metered
from bitjoule.energy_models.machines.suspicions import ENERGY, SPEED, UNIT_FACTOR, Observation, suspicions
from bitjoule.energy_models.system.platform.platforms import platforms

FREE = [SimpleNamespace(low=1.0, high=10.0)]
NAN = np.nan


def told(points, nearest=lambda _: 0.0, meters=("board",)):
    """Return what is said of points: quantity, value, log of predicted over measured, the same left out, slope."""
    rows = [
        SimpleNamespace(row=SimpleNamespace(file="f.csv", line=7 + i), meter=Metered(meters[i % len(meters)], "gross"))
        for i in range(len(points))
    ]
    seen = [Observation(i, quantity, value) for i, (quantity, value, *_) in enumerate(points)]
    residuals, left_out, slopes = (np.array([point[at] for point in points], dtype=float) for at in (2, 3, 4))
    regression = SimpleNamespace(residuals=residuals, jacobian=slopes[:, None], values=np.array([3.0]))

    def logs(values):
        return np.array([nearest(values.item())] * len(points))

    card = [platforms()["rtx-4090"]]
    return list(suspicions(card, rows, [0] * len(points), seen, regression, left_out, FREE, logs))


@pytest.mark.parametrize(("left_out", "residual", "times", "word"), [
    (NAN, np.log(50), 50, "less"), (NAN, -np.log(40), 40, "more"), (np.log(31), 0.0, 31, "less"),
    (-np.log(3000), np.log(100), 3000, "more"),
])  # fmt: skip
def test_a_number_in_another_unit_is_so_many_times_less_or_more_than_what_is_predicted(left_out, residual, times, word):
    (line,) = told([(SPEED, 2.5, residual, left_out, 0.0)])
    said = f"{times} times {word}" if times < 1000 else f"{times:.3g} times {word}"
    assert line == f"f.csv:7: tokens_per_s: 2.5 is {said} than the other points say; check the unit"


def test_a_number_that_is_off_by_less_may_have_its_unit():
    assert told([(SPEED, 2.5, NAN, sign * np.log(UNIT_FACTOR * 0.999), 0.0) for sign in (1, -1)]) == []


@pytest.mark.parametrize(("quantity", "residual", "slope", "at", "nearest", "said"), [
    (SPEED, 0.5, 1.0, 1.0, 0.2, "below the least"), (SPEED, 0.5, -1.0, 10.0, 0.2, "below the least"),
    (SPEED, -0.5, 1.0, 10.0, -0.3, "above the most"), (ENERGY, -0.5, -1.0, 1.0, -0.3, "above the most"),
    (ENERGY, 0.5, 1.0, 1.0, 0.06, "below the least"), (ENERGY, 0.5, 0.0, 3.0, 0.2, "below the least"),
    (SPEED, 0.5, 1.0, 1.0, -0.2, ""), (SPEED, 0.5, 1.0, 1.0, 0.04, ""), (SPEED, 0.04, 1.0, 1.0, 0.2, ""),
])  # fmt: skip
def test_a_point_that_no_free_value_reaches_is_told_with_the_nearest_that_one_does(
    quantity, residual, slope, at, nearest, said
):
    """The nearest is where the free value ends that moves the prediction to the measurement; elsewhere it is far."""
    lines = told([(quantity, 5.0, residual, NAN, slope)], lambda value: nearest if value == at else 9 * residual)
    room = " (nothing is left for the free values)" if quantity == ENERGY and residual > 0 else ""
    reached = 5.0 * np.exp(nearest)
    wanted = f"f.csv:7: {quantity}: 5 is {said} that values within their bounds give, {reached:.4g}{room}"
    assert lines == ([wanted] if said else [])


@pytest.mark.parametrize("order", [("board", "chip", "chip"), ("chip", "board", "chip"), ("chip", "chip", "board")])
def test_the_meter_that_fewest_rows_have_is_named_with_its_lines(order):
    (line,) = told([(ENERGY, 1.0, 0.0, NAN, 0.0)] * 6, meters=order)
    lines = ", ".join(str(7 + i) for i in range(6) if order[i % 3] == "board")
    names = ", ".join(f"{name} gross" for name in dict.fromkeys(order))
    assert line == f"the rows have meters that see different things: {names} (board gross: lines {lines})"
    assert told([(SPEED, 1.0, 0.0, NAN, 0.0)] * 6, meters=order) == []
