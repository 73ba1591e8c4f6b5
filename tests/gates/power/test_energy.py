"""Energy by hand: every capacitance, table and weight of a hand-made library worked out here."""

import numpy as np
import pytest

from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Activity
from bitjoule.gates.power.energy import EnergyModel
from tests.gates import hand_made as hand
from tests.gates.hand_made import Units

CLK, A, N, M, Q = 2, 3, 4, 5, 6
TOGGLES = {A: 0.8, N: 0.5, M: 0.5, Q: 0.3}
SLEW_NS = 0.02


@pytest.fixture
def library(tmp_path):
    return hand.library(tmp_path)


def circuit(library):
    """NAND(A=a, B=q) -> n -> INV -> m -> DFF -> q."""
    cells = library.cells
    instances = [
        Instance("nand", cells["NAND"], {"A": A, "B": Q, "Y": N}),
        Instance("inv", cells["INV"], {"A": N, "Y": M}),
        Instance("dff", cells["DFF"], {"D": M, "CK": CLK, "Q": Q}),
    ]
    return Netlist("top", {"clk": [CLK], "a": [A]}, {"q": [Q]}, instances)


def activity(toggles=TOGGLES, glitches=0.0):
    settled = np.zeros(Q + 1)
    for net, count in toggles.items():
        settled[net] = count
    return Activity(settled, settled * (1.0 + glitches), np.array([0.0, 0.0, 1.0]), [])


def slews_ns(loads):
    """Slew of the rise and fall of each net: given for the clock and inputs, else by the load it has."""
    found = dict.fromkeys((CLK, A), (SLEW_NS, SLEW_NS))
    for net in (N, M, Q):
        found[net] = tuple(hand.SLEW_NS[edge] + hand.SLEW_NS_PER_FF * loads[net] for edge in ("rise", "fall"))
    return found


def by_hand_fj(extra_ff=(0.0, 0.0, 0.0, 0.0)):
    """Energy of each instance and of the input, with so much more capacitance at a, n, m and q."""
    loads = {A: 2.0, N: 1.0, M: 1.5, Q: 3.0}
    loads = {net: load + more for (net, load), more in zip(loads.items(), extra_ff, strict=True)}
    slew = slews_ns(loads)
    charge = {net: 0.5 * load * hand.VOLTAGE_V**2 * TOGGLES[net] for net, load in loads.items()}

    def output_fj(rise, fall, rise_slew, fall_slew, load):
        return ((rise + fall) + hand.SLEW_FJ * (rise_slew + fall_slew)) / 2 + hand.LOAD_FJ * load

    # Either input of a NAND decides it in half of all states, so its toggles are the inputs' in proportion.
    of_a = output_fj(6.0, 1.0, slew[A][1], slew[A][0], loads[N])
    of_b = output_fj(10.0, 3.0, slew[Q][1], slew[Q][0], loads[N])
    nand = TOGGLES[N] * (TOGGLES[A] * of_a + TOGGLES[Q] * of_b) / (TOGGLES[A] + TOGGLES[Q])
    # Input toggles that toggle no output: of a, at the tables of A when B is low.
    share = 1.0 - TOGGLES[N] / (TOGGLES[A] + TOGGLES[Q])
    hidden = share * TOGGLES[A] * ((0.5 + 0.7) / 2 + hand.SLEW_FJ * SLEW_NS)
    inverter = TOGGLES[M] * output_fj(4.0, 2.0, slew[N][1], slew[N][0], loads[M])
    register = TOGGLES[Q] * output_fj(20.0, 24.0, SLEW_NS, SLEW_NS, loads[Q])
    # The clock pin: its capacitance is charged once; 0.7 of its rises keep the state (what the others take is in the
    # tables of q), and half of its falls find another value at m than the state.
    rise, fall, new = (energy + hand.SLEW_FJ * SLEW_NS for energy in (*hand.CLOCK_KEEPS_FJ, hand.CLOCK_CHANGES_FJ[1]))
    clock = 2.5 * hand.VOLTAGE_V**2 + (1.0 - TOGGLES[Q]) * rise + (1.0 - TOGGLES[M]) * fall + TOGGLES[M] * new
    instances = [charge[N] + nand + hidden, charge[M] + inverter, charge[Q] + register + clock]
    return instances, charge[A], clock, hidden


def test_energy_is_what_is_worked_out_by_hand(library):
    instances, charge, clock, hidden = by_hand_fj()
    energy = EnergyModel(circuit(library), library, {CLK}, SLEW_NS).energy(activity())
    assert energy.by_instance_fj[1] == pytest.approx(instances)
    assert energy.total_fj == pytest.approx(sum(instances) + charge)
    assert energy.settled_fj == pytest.approx(energy.total_fj)
    assert energy.clock_fj == pytest.approx(clock)
    assert energy.parts_fj["hidden"] == pytest.approx(hidden)
    assert energy.parts_fj["input"] == pytest.approx(charge)
    assert sum(energy.parts_fj.values()) == pytest.approx(energy.total_fj)
    assert energy.leakage_nw == pytest.approx(20.0 + 10.0 + 40.0)


def test_wires_add_their_charge_and_what_it_does_to_slews(library):
    model = EnergyModel(circuit(library), library, {CLK}, SLEW_NS)
    wire_ff = hand.WIRE_FF_PER_UM * hand.WIRE_UM  # each net has one sink
    with_wires, charge, _, _ = by_hand_fj((wire_ff,) * 4)
    without, bare_charge, _, _ = by_hand_fj()
    energy = model.energy(activity())
    assert energy.wire_by_instance_fj[1] == pytest.approx(np.subtract(with_wires, without))
    assert energy.wire_fj[1] == pytest.approx(sum(with_wires) + charge - sum(without) - bare_charge)


def test_glitches_cost_in_total_only_and_no_clock_edges(library):
    model = EnergyModel(circuit(library), library, {CLK}, SLEW_NS)
    quiet, glitching = model.energy(activity()), model.energy(activity(glitches=1.0))
    assert glitching.settled_fj == pytest.approx(quiet.total_fj)
    assert glitching.clock_fj == pytest.approx(quiet.clock_fj)
    # Hidden toggles double as well: inputs and outputs toggle twice as often.
    assert glitching.total_fj - glitching.clock_fj == pytest.approx(2.0 * (quiet.total_fj - quiet.clock_fj))
    for settled, times in ((0, 1.0), (1, 2.0)):
        assert glitching.wire_fj[settled] == pytest.approx(times * quiet.wire_fj[settled])
        assert glitching.wire_by_instance_fj[settled] == pytest.approx(times * quiet.wire_by_instance_fj[settled])


def test_toggles_of_the_clock_are_priced_by_its_edges_alone(library):
    model = EnergyModel(circuit(library), library, {CLK}, SLEW_NS)
    ticking, still = (model.energy(activity({**TOGGLES, CLK: clock})) for clock in (2.0, 0.0))
    assert (ticking.total_fj, ticking.settled_fj, ticking.wire_fj) == (
        still.total_fj, still.settled_fj, still.wire_fj,
    )  # fmt: skip


@pytest.mark.parametrize("shares", [(1.0,), (1.5, 0.5), (0.2, 1.0, 1.8), (1.0, 1.0, 1.0)])
def test_the_standard_error_is_that_of_what_toggles_cost_in_each_cycle(library, shares):
    """Cycles with shares of the mean's toggles cost these shares of what it does, clock and hidden parts apart."""
    mean = activity()
    cycles = [(share * mean.settled, share * mean.total) for share in shares]
    energy = EnergyModel(circuit(library), library, {CLK}, SLEW_NS).energy(
        Activity(mean.settled, mean.total, mean.clocked, cycles)
    )
    toggles_fj = energy.total_fj - energy.clock_fj - energy.parts_fj["hidden"]
    error_fj = toggles_fj * np.std(shares, ddof=1) / len(shares) ** 0.5 if len(shares) > 1 else 0.0
    assert energy.error_fj == pytest.approx(error_fj, abs=1e-12)


def test_a_register_without_a_clock_edge_spends_nothing_at_its_clock_pin(library):
    still = activity(dict.fromkeys(TOGGLES, 0.0))
    gated = Activity(still.settled, still.total, np.zeros(3), [])
    model = EnergyModel(circuit(library), library, {CLK}, SLEW_NS)
    assert model.energy(gated).total_fj == 0.0
    assert model.energy(still).total_fj == pytest.approx(2.5 * 4.0 + 8.0 + 2 * hand.SLEW_FJ * SLEW_NS)


@pytest.mark.parametrize(
    "units",
    [
        Units("1, pf", "1ps", "1V", "1uW"),
        Units("1, fF", "1ns", "1mV", "1pW"),
        Units("0.1, pF", "100ps", "10mV", "10nW"),
        Units("1, nf", "1us", "1V", "1mW"),
    ],
    ids=lambda units: " ".join(units.texts),
)
def test_the_same_cells_in_other_units_cost_the_same(tmp_path, library, units):
    (tmp_path / "other").mkdir()
    other = hand.library(tmp_path / "other", units)
    assert other.voltage_v == pytest.approx(library.voltage_v)
    energies = [EnergyModel(circuit(source), source, {CLK}, SLEW_NS).energy(activity()) for source in (library, other)]
    for name in ("total_fj", "leakage_nw", "wire_fj"):
        assert getattr(energies[1], name) == pytest.approx(getattr(energies[0], name), rel=1e-9)
