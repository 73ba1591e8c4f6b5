"""Tables are weighed by which input toggled and how likely their condition is."""

import numpy as np
import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.conditions import States
from bitjoule.gates.liberty.libraries import default_liberty
from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Activity
from bitjoule.gates.power.energy import EnergyModel
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
