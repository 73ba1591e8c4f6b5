"""Energy of a gated register by hand, and of a run in which cycles differ."""

import math

import numpy as np
import pytest

from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Activity, Simulator
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.power.internal import Members, Prices
from bitjoule.gates.power.parts import energy_by_part_fj
from bitjoule.gates.power.sequential import Register
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


@pytest.mark.parametrize(("opened", "enabled"), [(0.25, 0.3), (0.75, 0.3), (0.75, 0.6), (0.125, 0.5), (0.5, 1.0)])
def test_an_enable_turns_no_oftener_than_the_gate_is_open_or_shut(library, opened, enabled):
    """A fall of the enable closes a gate that was open, so that it is shut; a rise opens one that was shut."""
    toggles = np.zeros(Q + 1)
    toggles[E] = enabled
    made = Activity(toggles, toggles, np.array([0.0, opened]), [])
    energy = EnergyModel(circuit(library), library, {CLK, G}, SLEW_NS).energy(made)
    falls = min(enabled / 2, opened, 1 - opened)
    (rise, fall), (_, closing) = clock_gate.OUTPUT_FJ["E"], clock_gate.OUTPUT_FJ["!E"]
    open_fj = opened * (rise + fall + 2 * (SLEW_FJ + hand.LOAD_FJ * 2.5)) + falls * (closing - fall)
    shut_fj = (1 - opened) * (sum(clock_gate.SHUT_FJ) + 2 * SLEW_FJ)
    assert energy.clock_by_instance_fj[0] == pytest.approx(clock_gate.CLOCK_FF * V2 + shut_fj + open_fj)


def test_a_test_pin_that_is_tied_low_changes_nothing(library, tmp_path):
    """It would open the gate as the enable does."""
    pin = (
        'pin (TE) { direction : input; capacitance : 1; internal_power () { rise_power (scalar) { values ("90"); } } }'
    )
    text = hand.text().rstrip().removesuffix("}") + clock_gate.cell().replace("pin (E)", f"{pin}\npin (E)") + "}\n"
    other = hand.library(tmp_path, content=text)
    tested = circuit(other)
    tested.instances[0].nets["TE"] = 0
    found, usual = (
        EnergyModel(netlist, cells, {CLK, G}, SLEW_NS).energy(activity())
        for netlist, cells in ((tested, other), (circuit(library), library))
    )
    assert found.clock_by_instance_fj == pytest.approx(usual.clock_by_instance_fj)
    assert found.parts_fj["hidden"] == pytest.approx(usual.parts_fj["hidden"])


@pytest.mark.parametrize(
    ("nets", "at_one"), [((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (0.5, 0.5)), ((0, 7), (0.5, 0.5))]
)
def test_a_pin_that_is_tied_in_all_registers_has_no_other_state(tmp_path, nets, at_one):
    """The tables of the clock are those of a second pin's states; where instances differ, its states are alike likely.

    No register changes, so that each edge is a rise and a fall of the clock with the state kept.
    """
    low_fj, high_fj = (3.0, 5.0), (30.0, 50.0)
    register = hand.cells()["DFF"]
    clock = register[register.index("pin (CK)") : register.index("pin (Q)")]
    inside = "clock : true;" + hand._power(hand.USUAL, low_fj, when="!S") + hand._power(hand.USUAL, high_fj, when="S")
    pins = hand._input(hand.USUAL, "DFF", "CK", inside) + "pin (S) { direction : input; capacitance : 1; }\n"
    cells = hand.library(tmp_path, content=hand.text().replace(clock, pins)).cells
    numbers, places = np.arange(2), {"D": [D, D], "CK": [CLK, CLK], "S": nets, "Q": [Q, Q + 1]}
    members = Members(cells["DFF"], numbers, {pin: np.array(found) for pin, found in places.items()})
    still = np.zeros(Q + 2)
    prices = Prices(members, np.full((2, len(still)), SLEW_NS), still, {CLK})
    found = Register(prices).clock_fj(still, np.ones(2))
    each = [sum(low_fj) * (1 - share) + sum(high_fj) * share + 2 * SLEW_FJ for share in at_one]
    assert found == pytest.approx(each)


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
    each_fj = sum(clock_gate.ENABLE_FJ) / 2 + SLEW_FJ
    assert energy.parts_fj["hidden"] == pytest.approx(2 * ENABLED * each_fj)  # with the glitches


def test_the_standard_error_is_that_of_the_cycles_mean(library):
    toggles = [np.bincount([D], minlength=Q + 1) * count for count in (0.0, 1.0, 2.0, 5.0)]
    mean = np.mean(toggles, axis=0)
    activity = Activity(mean, mean, np.zeros(2), [(one / 2, one) for one in toggles])  # of all toggles, with glitches
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


WHILE_OPEN, WHILE_SHUT, WHILE_LOW = (1.5, 2.5), (0.25, 0.75), (90.0, 90.0)


def test_a_toggle_of_the_enable_pays_the_tables_of_a_gate_that_lets_the_high_clock_through_or_not(tmp_path):
    """In a quarter of the cycles the output is high, in the others it is low; data change while the clock is high."""
    usual = clock_gate._power("", clock_gate.ENABLE_FJ, load=False)
    conditions = (("CK & GCK", WHILE_OPEN), ("CK & !GCK", WHILE_SHUT), ("!CK", WHILE_LOW))
    tables = "".join(clock_gate._power(f'when : "{when}";', fj, load=False) for when, fj in conditions)
    text = clock_gate.cell()
    assert text.count(usual) == 1
    content = hand.text().rstrip().removesuffix("}") + text.replace(usual, tables) + "}\n"
    cells = hand.library(tmp_path, content=content)
    energy = EnergyModel(circuit(cells), cells, {CLK, G}, SLEW_NS).energy(activity())
    mean_fj = OPEN * np.mean(WHILE_OPEN) + (1 - OPEN) * np.mean(WHILE_SHUT)
    assert energy.parts_fj["hidden"] == pytest.approx(ENABLED * (mean_fj + SLEW_FJ))


def test_a_gate_with_two_enables_is_shut_where_neither_asks(tmp_path):
    """A test pin that toggles opens it too, so that of the tables of the clock pin those of both low are a shut gate's.

    The shut gate's own fall is no mean over states in which it is open.
    """
    both, other = (1.0, 2.0), (40.0, 60.0)
    usual = clock_gate._power('when : "!E";', clock_gate.SHUT_FJ, load=False)
    conditions = (("!E & !TE", both), ("!(!E & !TE)", other))
    tables = "".join(clock_gate._power(f'when : "{when}";', fj, load=False) for when, fj in conditions)
    text = clock_gate.cell()
    assert text.count(usual) == 1
    text = text.replace(usual, tables).replace("pin (E)", "pin (TE) { direction : input; capacitance : 1; }\npin (E)")
    cells = hand.library(tmp_path, content=hand.text().rstrip().removesuffix("}") + text + "}\n")
    netlist = circuit(cells)
    netlist.instances[0].nets["TE"] = Q + 1
    toggles = np.zeros(Q + 2)
    energy = EnergyModel(netlist, cells, {CLK, G}, SLEW_NS).energy(Activity(toggles, toggles, np.zeros(2), []))
    shut_fj = sum(both) + 2 * SLEW_FJ
    assert energy.clock_by_instance_fj[0] == pytest.approx(clock_gate.CLOCK_FF * V2 + shut_fj)


@pytest.mark.parametrize(("edges", "changed"), [(0.25, 0.5), (0.5, 0.25)])
def test_a_register_changes_no_oftener_than_it_gets_an_edge(library, edges, changed):
    toggles = np.zeros(Q + 1)
    toggles[Q] = changed
    made = Activity(toggles, toggles, np.array([0.0, edges]), [])
    energy = EnergyModel(circuit(library), library, {CLK, G}, SLEW_NS).energy(made)
    rise, fall = (energy_fj + SLEW_FJ for energy_fj in hand.CLOCK_KEEPS_FJ)
    expected = edges * hand.CAPACITANCE_FF["DFF/CK"] * V2 + (edges - min(edges, changed)) * rise + edges * fall
    assert energy.clock_by_instance_fj[1] == pytest.approx(expected)
