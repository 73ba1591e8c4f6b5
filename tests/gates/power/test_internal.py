"""Tables are weighed by which input toggled and how likely their condition is."""

import numpy as np
import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.conditions import States
from bitjoule.gates.liberty.libraries import default_liberty
from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Activity
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.power.internal import Members, Prices
from tests.gates import hand_made as hand

A, B, N = 2, 3, 4
SLEW_NS = 0.02


def toggle_fj(library, a, b):
    """Return the internal energy of an output toggle of a NAND with nothing to drive whose inputs toggle so often."""
    netlist = Netlist(
        "top", {"a": [A], "b": [B]}, {}, [Instance("nand", library.cells["NAND"], {"A": A, "B": B, "Y": N})]
    )
    toggles = np.zeros(N + 1)
    toggles[[A, B, N]] = a, b, a + b  # no input toggle is hidden
    energy = EnergyModel(netlist, library, set(), SLEW_NS).energy(Activity(toggles, toggles, np.zeros(1), []))
    return energy.by_instance_fj[1][0] / (a + b)


def test_the_tables_are_those_of_the_input_that_toggles(tmp_path):
    library = hand.library(tmp_path)
    of_a, of_b = ((hand.RISE_FJ[f"NAND/Y/{pin}"] + hand.FALL_FJ[f"NAND/Y/{pin}"]) / 2 for pin in "AB")
    slew_fj = hand.SLEW_FJ * SLEW_NS
    assert toggle_fj(library, 0.4, 0.0) == pytest.approx(of_a + slew_fj)
    assert toggle_fj(library, 0.0, 0.4) == pytest.approx(of_b + slew_fj)
    assert toggle_fj(library, 0.1, 0.3) == pytest.approx((of_a + 3 * of_b) / 4 + slew_fj)


RISES_NS, FALLS_NS = 0.02, 0.05  # slews of an input's two edges


def prices_of(tmp_path, function, powers, slews_ns=(RISES_NS, FALLS_NS)):
    """Return the prices of a cell of three inputs with these tables at its output, and nothing to drive."""
    nand = hand.cells()["NAND"]
    pins = "".join(f"pin ({pin}) {{ direction : input; capacitance : 1; }}" for pin in "ABC")
    output = hand._output(hand.USUAL, "Y", function, "".join(powers))
    cell = f"cell (NAND) {{ area : 1; cell_leakage_power : 1; {pins} {output} }}\n"
    cells = hand.library(tmp_path, content=hand.text().replace(nand, cell)).cells
    nets = {pin: np.array([place]) for place, pin in enumerate("ABCY", 2)}
    members = Members(cells["NAND"], np.zeros(1, dtype=np.intp), nets)
    return Prices(members, np.repeat([[slew] for slew in slews_ns], 6, axis=1), np.zeros(6), set())


def of_output(fj, when=""):
    return hand._power(hand.USUAL, fj, "A").replace(
        "{ related", f'{{ when : "{when}"; related' if when else "{ related"
    )


@pytest.mark.parametrize(
    ("function", "follows"),
    [("A ^ (B & C)", True), ("!(A ^ (B & C))", False), ("A ^ (B | C)", False), ("A & B", True), ("!A", False)],
)
def test_the_tables_of_an_edge_are_read_at_the_slew_of_the_edge_that_causes_it_in_most_states(
    tmp_path, function, follows
):
    """Only the rise's table depends on the slew: A's rise causes it if Y follows A, else A's fall."""
    flat = hand._table("fall_power", hand.USUAL, 1.0, 3.0, 0.0, hand.LOAD_FJ)
    sloped = hand._table("rise_power", hand.USUAL, 1.0, 7.0, hand.SLEW_FJ, hand.LOAD_FJ)
    prices = prices_of(tmp_path, function, [f'internal_power () {{ related_pin : "A"; {sloped} {flat} }}'])
    toggles = np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.5])
    slew_ns = RISES_NS if follows else FALLS_NS
    assert prices.output_fj("Y", toggles) == pytest.approx([(7.0 + hand.SLEW_FJ * slew_ns + 3.0) / 2])


def test_a_toggle_whose_cause_has_no_table_costs_what_tables_cost_by_their_states(tmp_path):
    """Of the four states of B and C one selects the first table: a quarter of its energy, three of the other's."""
    powers = [of_output((8.0, 8.0), "B & C"), of_output((4.0, 4.0), "!(B & C)")]
    prices = prices_of(tmp_path, "A ^ B ^ C", powers, (0.0, 0.0))
    by_b = np.array([0.0, 0.0, 0.0, 0.5, 0.0, 0.5])
    assert prices.output_fj("Y", by_b) == pytest.approx([8.0 / 4 + 4.0 * 3 / 4])
    by_a = np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.5])
    assert prices.output_fj("Y", by_a) == pytest.approx([8.0 / 4 + 4.0 * 3 / 4])


def test_what_instances_and_inputs_spend_is_the_whole():
    """Of a full adder, both of whose outputs drive an inverter, and of these."""
    library = Library([default_liberty()])
    cells = library.cells
    adder = dict(zip((*cells["FA_X1"].inputs, *cells["FA_X1"].outputs), range(2, 7), strict=True))
    instances = [Instance("adder", cells["FA_X1"], adder)]
    for place, pin in enumerate(cells["FA_X1"].outputs):
        instances.append(Instance(pin, cells["INV_X1"], {"A": adder[pin], "ZN": 10 + place}))
    netlist = Netlist("top", {"a": [2, 3, 4]}, {"y": [10, 11]}, instances)
    toggles = np.zeros(12)
    toggles[[2, 3, 4, 5, 6, 10, 11]] = 0.5, 0.25, 0.375, 0.3, 0.7, 0.3, 0.7
    energy = EnergyModel(netlist, library, set(), SLEW_NS).energy(Activity(toggles / 2, toggles, np.zeros(3), []))
    for by_instance, total in zip(energy.by_instance_fj, (energy.settled_fj, energy.total_fj), strict=True):
        share = total / energy.total_fj  # half of the toggles
        assert by_instance.sum() + share * energy.parts_fj["input"] == pytest.approx(total)
    assert sum(energy.parts_fj.values()) == pytest.approx(energy.total_fj)
    wires = [part.sum() for part in energy.wire_by_instance_fj]
    assert all(0 < wire <= whole for wire, whole in zip(wires, energy.wire_fj, strict=True))


def test_a_table_without_a_condition_is_for_all_other_states(tmp_path):
    cell = hand.library(tmp_path).cells["DFF"]
    text = hand.text().replace('when : "D ^ Q"; ', "")
    assert text != hand.text()
    other = hand.library(tmp_path, content=text).cells["DFF"]
    for one in (cell, other):
        everywhere = States(one).holds(None)
        assert States(one).selects(one.powers("CK"), everywhere) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(
    ("cell", "pin", "follows"),
    [
        ("BUF_X1", "A", lambda _: True),
        ("INV_X1", "A", lambda _: False),
        ("AND2_X1", "A1", lambda values: values["A2"] == 1),  # where A2 is 0 the output is 0, as A1 may be
        ("XOR2_X1", "B", lambda values: values["A"] == 0),
    ],
)
def test_an_output_follows_an_input_where_both_are_high_or_low_together(cell, pin, follows):
    states = States(Library([default_liberty()]).cells[cell])
    (output,) = states.cell.outputs
    toggles, along = states.flipped(output, pin)
    expected = np.broadcast_to(follows(states.values), toggles.shape)
    np.testing.assert_array_equal(along[toggles], expected[toggles])


def test_conditions_of_a_full_adder_are_as_likely_as_their_input_decides_the_output():
    cell = Library([default_liberty()]).cells["FA_X1"]
    states = States(cell)
    # The sum always follows an input; the carry where the two others differ.
    for output, decided in (("S", 1.0), ("CO", 0.5)):
        for pin in cell.inputs:
            toggles, _ = states.flipped(output, pin)
            powers = tuple(power for power in cell.powers(output) if power.related == (pin,))
            shares = states.selects(powers, toggles)
            assert toggles.mean() == decided
            assert shares == pytest.approx([0.25] * len(powers))
            assert shares.sum() == pytest.approx(decided)


@pytest.mark.parametrize(("when", "follows"), [("B", False), ("!B", True), ("B & C", False), ("B | !C", True)])
def test_which_edge_causes_a_rise_is_asked_in_the_states_of_the_table(tmp_path, when, follows):
    """Of an exclusive or: it follows A where B is 0. Where B is 1 or C is 0, as often as not."""
    flat = hand._table("fall_power", hand.USUAL, 1.0, 3.0, 0.0, hand.LOAD_FJ)
    sloped = hand._table("rise_power", hand.USUAL, 1.0, 7.0, hand.SLEW_FJ, hand.LOAD_FJ)
    function = "(A ^ B) & C" if "|" not in when else "A ^ (B & C)"
    stated = f'related_pin : "A"; when : "{when}";'
    prices = prices_of(tmp_path, function, [f"internal_power () {{ {stated} {sloped} {flat} }}"])
    toggles = np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.5])
    slew_ns = RISES_NS if follows else FALLS_NS
    assert prices.output_fj("Y", toggles) == pytest.approx([(7.0 + hand.SLEW_FJ * slew_ns + 3.0) / 2])


@pytest.mark.parametrize("load_ff", [0.0, 8.0])
def test_a_table_of_an_input_has_no_load(tmp_path, load_ff):
    """Also if it has an axis of it: the load of an output is not that of an input's net."""
    tables = "".join(
        hand._table(f"{edge}_power", hand.USUAL, 1.0, fj, 0.0, hand.LOAD_FJ)
        for edge, fj in zip(("rise", "fall"), (6.0, 4.0), strict=True)
    )
    usual = hand._power(hand.USUAL, hand.HIDDEN_FJ, when="!B & Y")
    text = hand.text().replace(usual, f'internal_power () {{ when : "!B & Y"; {tables} }}')
    assert usual in hand.text()
    cell = hand.library(tmp_path, content=text).cells["NAND"]
    nets = {pin: np.array([place]) for pin, place in (("A", A), ("B", B), ("Y", N))}
    members = Members(cell, np.zeros(1, dtype=np.intp), nets)
    prices = Prices(members, np.zeros((2, N + 1)), np.full(N + 1, load_ff), set())
    toggles = np.zeros(N + 1)
    toggles[A] = 0.5
    assert prices.hidden_fj(toggles) == pytest.approx([0.5 * (6.0 + 4.0) / 2])


def test_a_registers_output_costs_what_its_tables_do_however_often_their_inputs_toggle(tmp_path):
    """Its state changes at the clock, whichever input a table names: the two tables are as likely as their states."""
    register = hand.cells()["DFF"]
    of_clock = hand._power(hand.USUAL, (hand.RISE_FJ["DFF/Q"], hand.FALL_FJ["DFF/Q"]), "CK")
    more = hand._power(hand.USUAL, (2.0, 4.0), "D")
    assert of_clock in register
    text = hand.text().replace(register, register.replace(of_clock, of_clock + more))
    cell = hand.library(tmp_path, content=text).cells["DFF"]
    nets = {pin: np.array([place]) for pin, place in (("D", A), ("CK", B), ("Q", N))}
    prices = Prices(Members(cell, np.zeros(1, dtype=np.intp), nets), np.zeros((2, N + 1)), np.zeros(N + 1), {B})
    toggles = np.zeros(N + 1)
    toggles[[A, N]] = 0.75, 0.5
    assert prices.output_fj("Q", toggles) == pytest.approx([((20.0 + 24.0) / 2 + (2.0 + 4.0) / 2) / 2])
