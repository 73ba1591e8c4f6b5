"""One chip at several clocks: its rows are priced each at its own, and a clock without fitted rows is predicted."""

import numpy as np
import pytest

from bitjoule.energy_models.machines.points import at_point, points_of, price_at_points
from bitjoule.energy_models.machines.predict import Lengths, named, price
from bitjoule.energy_models.machines.rows import FIT, read_rows
from bitjoule.energy_models.system.platform.platforms import platforms

JETSON = "jetson-orin-nano"
ROWS = [
    named(row) for row in read_rows()[1] if "Orin Nano" in row.cells["device"] and row.use in (FIT, "hold")
]  # fmt: skip
LENGTHS = Lengths()


def test_the_points_of_a_platform_are_the_shipped_ones_that_differ_by_a_clock():
    assert points_of(JETSON) == {f"{JETSON}-{clock}mhz": clock for clock in (408, 612, 820)}
    assert points_of("h100") == {}


def test_the_rows_that_are_fitted_together_are_of_three_clocks():
    fitted = [row for row in ROWS if row.row.use == FIT]
    assert len(fitted) == 16
    assert {row.platform for row in fitted} == {JETSON, f"{JETSON}-612mhz", f"{JETSON}-820mhz"}


def test_rows_of_several_clocks_are_priced_as_those_of_each():
    rows = [next(row for row in ROWS if row.platform == name) for name in (f"{JETSON}-612mhz", JETSON)]
    speed, energy = price_at_points(rows, platforms()[JETSON], JETSON, LENGTHS)
    for at, row in enumerate(rows):
        (own,), (spent,) = price([row], platforms()[row.platform], row.platform, LENGTHS)
        assert speed[at] == pytest.approx(own, rel=1e-12)
        assert energy[at] == pytest.approx(spent, rel=1e-12)


def test_a_shipped_point_is_the_base_at_its_clock():
    base = at_point(platforms()[JETSON], 820)
    assert base.operating == platforms()[f"{JETSON}-820mhz"].operating


@pytest.mark.parametrize("clock", [612, 820, 1020])
def test_every_clock_holds_rows_that_were_kept_for_checking(clock):
    """Contexts at two clocks, and trits at the third, were not fitted."""
    name = JETSON if clock == 1020 else f"{JETSON}-{clock}mhz"
    kept = [row for row in ROWS if row.platform == name and row.row.use == "hold" and "onsai" in row.row.cells["model"]]
    assert len(kept) > 10
    speed, energy = price(kept, platforms()[name], name, LENGTHS)
    _, given = price(kept, platforms()[name], name, LENGTHS, speed_given=True)
    measured = [[row.row.tokens_per_s for row in kept], *2 * [[row.row.j_per_token for row in kept]]]
    errors = np.abs(np.array([speed, energy, given]) / np.array(measured) - 1)
    assert (np.median(errors, axis=1) < 0.05).all()
    assert (errors < 0.1).all()


def test_the_lowest_clock_of_which_no_row_was_measured_takes_longer_and_draws_fewer_watts():
    row = next(row for row in ROWS if row.platform == f"{JETSON}-612mhz")
    speeds, watts = [], []
    for clock in (408, 612, 820, 1020):
        (speed,), (energy,) = price([row], at_point(platforms()[JETSON], clock), JETSON, LENGTHS)
        speeds.append(speed)
        watts.append(speed * energy)
    assert (np.diff(speeds) > 0).all()
    assert (np.diff(watts) > 0).all()
