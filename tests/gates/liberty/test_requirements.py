"""What a library must have, and which cells of it can be used: each kind alone is enough, its neighbours are not."""

import pytest

from bitjoule.gates.liberty.requirements import check_cells, check_library
from bitjoule.gates.liberty.text import LibertyError
from tests.gates import clock_gate
from tests.gates.liberty.test_liberty_cases import PLAIN, written

NAND = 'function : "!(A&B)"'


def of_one_gate(tmp_path, function):
    """Return the plain library whose only gate of two inputs beside the exclusive or has another function."""
    assert NAND in PLAIN
    return written(tmp_path, PLAIN.replace(NAND, f'function : "{function}"'))


@pytest.mark.parametrize("function", ["!(A&B)", "!(A|B)", "A&B", "A|B"])
def test_any_of_the_four_gates_is_enough(tmp_path, function):
    check_library(of_one_gate(tmp_path, function))


@pytest.mark.parametrize("function", ["A^B", "!(A^B)", "A", "A&!B"])
def test_a_gate_of_another_function_is_not(tmp_path, function):
    with pytest.raises(LibertyError, match=r"no two-input gate \(NAND, NOR, AND or OR\)"):
        check_library(of_one_gate(tmp_path, function))


def test_a_flip_flop_with_a_second_data_pin_is_not_one_that_can_be_used(tmp_path):
    text = PLAIN.replace('next_state : "D"', 'next_state : "D E"')
    text = text.replace("  pin (CK)", "  pin (E) { direction : input; capacitance : 1.0; }\n  pin (CK)")
    with pytest.raises(LibertyError, match="no usable flip-flop; expected a cell with ff"):
        check_library(written(tmp_path, text))


def test_a_clock_gate_needs_no_delays_and_a_gate_does(tmp_path):
    """A clock gate's output carries the clock, which is ideal."""
    library = clock_gate.library(tmp_path)
    assert not library.cells["ICG"].arcs("GCK")
    check_cells(library, library.cells.values())


@pytest.mark.parametrize("pin", ["A", "Y"])
def test_internal_power_may_stand_at_an_input_or_at_an_output(tmp_path, pin):
    cell = PLAIN[PLAIN.index(" cell (BUF)") : PLAIN.index(" cell (NAND2)")]
    start = cell.index("    internal_power ()")
    power = cell[start : cell.index("\n", start) + 1]
    without = cell.replace(power, "")
    with pytest.raises(LibertyError, match=r"cell BUF has no internal_power \(\)"):
        bare = written(tmp_path, PLAIN.replace(cell, without))
        check_cells(bare, bare.cells.values())
    moved = without.replace("capacitance : 1.0; }", f"capacitance : 1.0; {power.strip()} }}") if pin == "A" else cell
    library = written(tmp_path, PLAIN.replace(cell, moved))
    assert [bool(library.cells["BUF"].powers(name)) for name in "AY"] == [pin == "A", pin == "Y"]
    check_cells(library, library.cells.values())
