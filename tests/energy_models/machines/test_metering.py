"""Cards that may not draw more than their limit: clock, voltage and time in closed form."""

import numpy as np
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.machines.metering import Running, Spent, running
from bitjoule.energy_models.machines.names import Metered
from bitjoule.energy_models.system.platform.cards import PowerLimit
from bitjoule.energy_models.system.platform.overheads import Meter
from bitjoule.energy_models.system.platform.platforms import platforms, read_platform
from tests.energy_models.requests import evaluate, system

STANDING_W = 100.0
GROSS = Metered("board", "gross")


class ConstantWatts:
    """The same watts always, on chip and off."""

    def joules(self, seconds, chip_only=False):  # noqa: ARG002 (as of Watts)
        return STANDING_W * seconds


def row(core=50.0, edge=30.0, clocked_s=1.0, link=0.0):
    return Running(Spent(core, edge, link, 1.0, clocked_s, 0.0), ConstantWatts())


def card(watts=None, idle_w=100.0, **limit):
    given = PowerLimit(watts=watts, **limit) if watts else None
    return platforms()["rtx-4090"].model_copy(update={"power_limit": given, "meter": Meter(idle_w=idle_w)})


def seen(each, machine, seconds=None, meter=GROSS):
    took, clock = each.limited(machine, seconds)
    return took, clock, each.metered(machine, meter, took, clock)


def test_below_its_limit_a_card_runs_at_its_full_clock():
    assert seen(row(), card()) == seen(row(), card(200.0)) == (1.0, 1.0, 180.0)


def test_at_the_same_voltage_power_falls_with_the_clock_alone():
    # 100 W idle, and 80 J that take 1 s at the full clock: at c it takes 1 / c s, so 100 + 80 c W
    took, clock, joules = seen(row(), card(160.0, least_volts=1.0))
    assert clock == pytest.approx(60 / 80)
    assert took == pytest.approx(80 / 60)
    assert joules == pytest.approx(160 * took)


def test_energy_of_the_chip_falls_with_the_square_of_the_voltage():
    machine = card(130.0, least_volts=0.5)
    took, clock, joules = seen(row(), machine)
    volts = 0.5 + 0.5 * clock
    assert took == pytest.approx(1 / clock)
    assert joules == pytest.approx(50 * volts**2 + 30 + 100 * took)
    assert joules == pytest.approx(130 * took)


def test_watts_beyond_the_idle_ones_follow_the_clock():
    machine = card(90.0, idle_w=40.0, least_volts=0.5)
    took, clock, joules = seen(row(core=0.0, edge=0.0), machine)
    volts = 0.5 + 0.5 * clock
    assert 40 + 60 * clock * volts**2 == pytest.approx(90)
    assert joules == pytest.approx(90 * took)


def test_idle_watts_beyond_what_stands_change_nothing():
    # 100 W stand at any clock, as where 100 W are idle
    took, clock, joules = seen(row(), card(160.0, idle_w=150.0, least_volts=1.0))
    assert (took, clock) == (pytest.approx(80 / 60), pytest.approx(60 / 80))
    assert joules == pytest.approx(50 + 30 + 100 * took)


def test_what_memory_bounds_takes_no_longer_at_a_lower_clock():
    took, clock, joules = seen(row(clocked_s=0.0), card(170.0, least_volts=0.5))
    assert took == 1.0
    assert 50 * (0.5 + 0.5 * clock) ** 2 == pytest.approx(40)
    assert joules == pytest.approx(170)


def test_where_the_lowest_clock_draws_too_much_a_card_pauses():
    machine = card(110.0, least_volts=1.0, least_clock=0.5)
    took, clock, joules = seen(row(), machine)
    assert clock == pytest.approx(0.5)
    # at half the clock 80 J beyond the 100 W: with 10 W more than idle ones that takes 8 s
    assert took == pytest.approx(80 / 10)
    assert joules == pytest.approx(100 * took + 80)


def test_in_a_measured_time_no_more_than_the_limit_flows():
    took, _, joules = seen(row(), card(150.0, least_volts=1.0), seconds=1.0)
    assert (took, joules) == (1.0, pytest.approx(150.0))


def test_net_readings_and_those_of_the_chip_are_parts_of_it():
    machine = card(200.0)
    assert seen(row(), machine, meter=Metered("board", "net"))[2] == pytest.approx(80.0)
    assert seen(row(link=5.0), machine, meter=Metered("chip", "gross"))[2] == pytest.approx(150.0)
    assert seen(row(link=5.0), machine)[2] == pytest.approx(185.0)


@pytest.mark.parametrize("without", [{}, {"static": None}])
def test_what_flows_through_a_card_at_its_full_clock_is_what_is_counted(without):
    """Leakage, or the static power in its stead, is counted once, and so is each access."""
    found = system("bitnet-125m", machine=platforms()["ternary-edge"].model_copy(update=without))
    evaluated = evaluate(found, 2, 40, 6)
    scheme_index, zero = np.zeros(1, dtype=np.intp), np.zeros(1)
    (row,) = running(found, evaluated, np.ones((1, 2)), scheme_index, found.platforms[0][0][1], zero, zero)
    seconds = evaluated.latency_s.sum()
    assert row.spent.seconds == pytest.approx(seconds)
    joules = row.joules(seconds, 1.0, 0.0, None, chip_only=False)
    assert joules == pytest.approx(evaluated.energies.nominal_pj.sum() * 1e-12, rel=1e-6)


def test_a_limit_without_watts_is_refused(tmp_path):
    file = tmp_path / "card.yaml"
    file.write_text("like: rtx-4090\npower_limit: {watts: 0}\n")
    with pytest.raises(InputError, match=r"card\.yaml:2: power_limit\.watts"):
        read_platform(file)
