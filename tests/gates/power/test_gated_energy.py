"""Energy of a gated register by hand, and of a run in which cycles differ."""

import math

import numpy as np
import pytest

from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Activity, Simulator
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.power.parts import energy_by_part_fj
from tests.gates import clock_gate
from tests.gates import hand_made as hand

CLK, E, D, G, Q = 2, 3, 4, 5, 6
OPEN, CHANGED, ENABLED = 0.25, 0.125, 0.5
SLEW_NS = 0.02
SLEW_FJ = hand.SLEW_FJ * SLEW_NS
V2 = hand.VOLTAGE_V**2


@pytest.fixture
def library(tmp_path):
    return clock_gate.library(tmp_path)


def circuit(library):
    """A register whose clock is gated by e: e, clk -> ICG -> gated, d -> DFF -> q."""
    instances = [
        Instance("gate", library.cells["ICG"], {"CK": CLK, "E": E, "GCK": G}),
        Instance("dff", library.cells["DFF"], {"D": D, "CK": G, "Q": Q}),
    ]
    return Netlist("top", {"clk": [CLK], "e": [E], "d": [D]}, {"q": [Q]}, instances)


def activity(glitches=0.0):
    settled = np.zeros(Q + 1)
    settled[[E, D, Q]] = ENABLED, 0.75, CHANGED
    return Activity(settled, settled * (1.0 + glitches), np.array([0.0, OPEN]), [])


def gate_fj(load_ff=2.5):
    """Its clock pin in every cycle, its tables as it is shut or open: a rise and a fall of the clock in each.

    The enable, which toggles in half of all cycles, falls in a quarter of them: before the clock does.
    """
    shut = sum(clock_gate.SHUT_FJ) + 2 * SLEW_FJ
    (rise, fall), (_, closing) = clock_gate.OUTPUT_FJ["E"], clock_gate.OUTPUT_FJ["!E"]
    falls = (OPEN - ENABLED / 2) * fall + ENABLED / 2 * closing
    opened = OPEN * (rise + 2 * (SLEW_FJ + hand.LOAD_FJ * load_ff)) + falls
    return clock_gate.CLOCK_FF * V2 + (1 - OPEN) * shut + opened


def register_fj():
    """Its clock pin in the cycles with an edge; in three quarters of these, d is new when the clock falls."""
    rise, fall, new = (energy + SLEW_FJ for energy in (*hand.CLOCK_KEEPS_FJ, hand.CLOCK_CHANGES_FJ[1]))
    return OPEN * 2.5 * V2 + (OPEN - CHANGED) * rise + OPEN * (0.25 * fall + 0.75 * new)


def test_a_clock_gate_pays_its_pin_in_each_cycle_and_its_output_where_it_is_open(library):
    energy = EnergyModel(circuit(library), library, {CLK, G}, SLEW_NS).energy(activity())
    assert energy.clock_by_instance_fj == pytest.approx([gate_fj(), register_fj()])
    assert energy.clock_fj == pytest.approx(gate_fj() + register_fj())
    hidden = ENABLED * (sum(clock_gate.ENABLE_FJ) / 2 + SLEW_FJ)
    assert energy.parts_fj["hidden"] == pytest.approx(hidden)
    inputs = 0.5 * V2 * (ENABLED * clock_gate.ENABLE_FF + 0.75 * hand.CAPACITANCE_FF["DFF/D"])
    assert energy.parts_fj["input"] == pytest.approx(inputs)
    # q drives nothing: its flip-flop's own tables are left, read at the clock's slew
    register = CHANGED * ((20.0 + 24.0) / 2 + SLEW_FJ)
    assert energy.total_fj == pytest.approx(gate_fj() + register_fj() + hidden + inputs + register)
    assert energy.leakage_nw == pytest.approx(clock_gate.LEAKAGE_NW + hand.LEAKAGE_NW["DFF"])


def test_the_parts_of_the_settled_energy_and_of_all_are_told_apart(library):
    energy = EnergyModel(circuit(library), library, {CLK, G}, SLEW_NS).energy(activity(glitches=1.0))
    settled, total = (energy_by_part_fj(energy, ["clock", "registers"], settled=kind) for kind in (True, False))
    assert settled["clock"] == pytest.approx(total["clock"] - ENABLED * (0.5 + SLEW_FJ))  # only e's own pin glitches
    assert sum(settled.values()) == pytest.approx(energy.settled_fj + energy.wire_fj[0])
    assert sum(total.values()) == pytest.approx(energy.total_fj + energy.wire_fj[1])
    assert energy.total_fj > energy.settled_fj
    assert energy.wire_fj[1] > energy.wire_fj[0] > 0
    assert total["input"] == pytest.approx(2 * settled["input"])
    assert total["registers"] == pytest.approx(2 * settled["registers"])


def test_the_standard_error_is_that_of_the_cycles_mean(library):
    toggles = [np.bincount([D], minlength=Q + 1) * count for count in (0.0, 1.0, 2.0, 5.0)]
    mean = np.mean(toggles, axis=0)
    activity = Activity(mean, mean, np.zeros(2), [(one, one) for one in toggles])
    energy = EnergyModel(circuit(library), library, {CLK, G}, SLEW_NS).energy(activity)
    each_fj = 0.5 * V2 * hand.CAPACITANCE_FF["DFF/D"]
    assert energy.error_fj == pytest.approx(each_fj * np.std([0, 1, 2, 5], ddof=1) / math.sqrt(4))


def test_clock_edges_and_toggles_are_counted_in_a_cycle_and_trial(library):
    """The simulator's gate lets the edge through where e is high: in a quarter of the trials, each second cycle."""
    quarter = np.uint64(0x1111_1111_1111_1111)
    full, nothing = ~np.uint64(0), np.uint64(0)
    simulator = Simulator(circuit(library), "clk", 2)
    cycles = [
        {
            "e": np.full((1, 2), quarter if cycle % 2 else nothing),
            "d": np.full((1, 2), full if cycle % 4 < 2 else nothing),
        }
        for cycle in range(18)
    ]
    found = simulator.measure(iter(cycles), 2)
    assert found.settled[E] == pytest.approx(0.25)  # up or down in each cycle, in a quarter of the trials
    assert found.settled[D] == pytest.approx(0.5)
    assert found.clocked[1] == pytest.approx(0.125)  # e holds in each second cycle
    # d is the same in the two cycles whose edges pass: high in one, low in the next
    assert found.settled[Q] == pytest.approx(0.125)
    assert found.total[Q] == found.settled[Q]
    assert len(found.by_cycle) == 16
