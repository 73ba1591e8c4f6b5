"""What of a Liberty file is not read is named, and energies that no cell can have are refused."""

import re

import numpy as np
import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.requirements import check_cells
from bitjoule.gates.liberty.text import LibertyError
from bitjoule.gates.synthesis.flow import resistance_ns
from bitjoule.gates.timing.sta import Resistance
from tests.gates import hand_made as hand
from tests.gates.liberty.test_liberty_cases import PLAIN, written

THREE_AXES = """power_lut_template (t3) {
  variable_1 : input_transition_time; variable_2 : equal_or_opposite_output_net_capacitance;
  variable_3 : total_output_net_capacitance; index_1 ("0.1, 0.2"); index_2 ("5, 6"); index_3 ("1, 2"); }"""
SWAPPED = (
    THREE_AXES.replace("variable_2", "variable_4")
    .replace("variable_3", "variable_2")
    .replace("variable_4", "variable_3")
)
CONDITIONS = """operating_conditions (slow) { process : 1; temperature : 125; voltage : 0.9; }
  default_operating_conditions : slow;"""


def inserted(tmp_path, header, *replacements):
    text = PLAIN.replace(" cell (INV)", f" {header}\n cell (INV)", 1)
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return written(tmp_path, text)


def test_a_plain_file_leaves_nothing_unread(tmp_path):
    assert written(tmp_path, PLAIN).unread == ()
    assert hand.library(tmp_path).unread == ()


@pytest.mark.parametrize(
    ("header", "replacements", "said"),
    [
        (
            THREE_AXES,
            [('rise_power (scalar) { values ("1.0"); }', 'rise_power (t3) { values ("1,1,1,1,1,1,1,1"); }')],
            "tables of template t3 are read only at the first entry of equal_or_opposite_output_net_capacitance",
        ),
        (
            SWAPPED,
            [('rise_power (scalar) { values ("1.0"); }', 'rise_power (t3) { values ("1,1,1,1,1,1,1,1"); }')],
            "tables of template t3 are read only at the first entry of equal_or_opposite_output_net_capacitance",
        ),
        (
            "",
            [("cell_rise (scalar)", "cell_rise (gone)")],
            "no template names the axes of gone: assumed to be a transition time, then a load",
        ),
        (
            " ".join(f"cell (W{i}) {{ area : 1; bundle (D) {{ members (D0, D1); }} }}" for i in range(5)),
            [],
            "cells with buses, bundles or banks are not used: W0, W1, W2 and 2 more",
        ),
        (
            CONDITIONS,
            [],
            "default_operating_conditions slow are at 0.9 V, the tables at nom_voltage 1 V: values are not scaled, "
            "all are those at 1 V",
        ),
    ],
)
def test_what_is_not_read_is_named_once_for_a_library(tmp_path, header, replacements, said):
    assert inserted(tmp_path, header, *replacements).unread == (said,)


def test_the_operating_conditions_have_a_name(tmp_path):
    assert inserted(tmp_path, CONDITIONS).conditions == "slow, 1 V, 25 C, process 1"
    assert written(tmp_path, PLAIN).conditions == "1 V, 25 C, process 1"


def test_energies_that_no_cell_can_have_are_refused(tmp_path):
    library = inserted(tmp_path, "", ("capacitive_load_unit (1, ff)", "capacitive_load_unit (1, ff)"))
    check_cells(library, library.cells.values())
    # two input pins of 1 fF at 1 V: 200 x 2 fJ
    wrong = inserted(tmp_path, "", ('values ("3.0")', 'values ("399")'))
    check_cells(wrong, wrong.cells.values())
    wrong = inserted(tmp_path, "", ('values ("3.0")', 'values ("-401")'))
    with pytest.raises(LibertyError) as error:
        check_cells(wrong, wrong.cells.values())
    assert str(error.value) == (
        f"{tmp_path}/cells.lib: cell DFF: an internal energy of 401 fJ at pin Q; expected at most 400 fJ, 200 "
        "times the charge of its input pins times 1 V: capacitive_load_unit and voltage_unit set the unit of energy"
    )


@pytest.mark.parametrize("volts", [0.7, 1.8])
def test_the_largest_energy_of_a_cell_goes_with_the_square_of_the_voltage(tmp_path, volts):
    bound_fj = 200 * volts**2 * (1.0 + 1.0)  # of DFF, whose two input pins have 1 fF each
    supply = ("nom_voltage : 1.0", f"nom_voltage : {volts}")
    fine = inserted(tmp_path, "", supply, ('values ("3.0")', f'values ("{0.99 * bound_fj}")'))
    check_cells(fine, fine.cells.values())
    wrong = inserted(tmp_path, "", supply, ('values ("3.0")', f'values ("{1.01 * bound_fj}")'))
    with pytest.raises(LibertyError, match=re.escape(f"expected at most {bound_fj:.3g} fJ, 200 times")):
        check_cells(wrong, wrong.cells.values())


def with_resistance(tmp_path, kohm_per_um, tree):
    conditions = f"operating_conditions (typical) {{ voltage : 2; tree_type : {tree}; }}"
    text = hand.text().replace('wire_load ("short") {', f'wire_load ("short") {{ resistance : {kohm_per_um};')
    conditions += " default_operating_conditions : typical;"
    text = text.replace("  default_wire_load", f"  {conditions}\n  default_wire_load")
    return hand.library(tmp_path, content=text)


@pytest.mark.parametrize(("unit", "ohm"), [(None, 1e3), ("1kohm", 1e3), ("1ohm", 1.0), ("10ohm", 10.0)])
def test_resistance_is_in_the_unit_that_the_file_states_or_else_in_kohm(tmp_path, unit, ohm):

    text = hand.text().replace('wire_load ("short") {', 'wire_load ("short") { resistance : 0.2;')
    if unit:
        text = text.replace("  nom_voltage", f'  pulling_resistance_unit : "{unit}"; nom_voltage')
    assert hand.library(tmp_path, content=text).ohm_per_um(1.0)[0] == pytest.approx(0.2 * ohm)


@pytest.mark.parametrize(("tree", "far"), [("balanced_tree", 1.0), ("worst_case_tree", 1.0), ("best_case_tree", 0.0)])
def test_the_resistance_of_wires_adds_an_elmore_delay_to_each(tmp_path, tree, far):
    library = with_resistance(tmp_path, 0.2, tree)
    netlist = hand.chain(library, 3)
    ohm = 0.2e3 * hand.WIRE_UM
    wire_ff = hand.WIRE_FF_PER_UM * hand.WIRE_UM
    pins_ff = [hand.CAPACITANCE_FF["INV/A"]] * 3 + [hand.CAPACITANCE_FF["DFF/D"]]
    expected_ns = far * sum(ohm * (wire_ff + pin_ff) * 1e-6 for pin_ff in pins_ff)  # one sink each
    assert library.ohm_per_um(1.0) == (pytest.approx(200.0), tree)
    assert resistance_ns(netlist, library, {2}) == pytest.approx(expected_ns, rel=1e-9, abs=1e-15)


def test_a_wire_to_several_sinks_is_shared_in_a_balanced_tree_and_not_in_a_worst_case(tmp_path):
    wires = with_resistance(tmp_path, 0.2, "balanced_tree").wire_load(1.0, 1)
    um = hand.WIRE_UM + 2 * hand.WIRE_SLOPE_UM
    ohm, wire_ff = 200.0 * um, hand.WIRE_FF_PER_UM * um
    fanout, pins_ff = np.array([3.0]), np.array([6.0])
    balanced = Resistance(200.0, "balanced_tree").delay_ns(wires, fanout, pins_ff, 1.5)
    assert balanced == pytest.approx(ohm / 3 * (wire_ff / 3 + 1.5) * 1e-6)
    worst = Resistance(200.0, "worst_case_tree").delay_ns(wires, fanout, pins_ff, 1.5)
    assert worst == pytest.approx(ohm * (wire_ff + 6.0) * 1e-6)


def test_of_several_files_what_each_has_unread_is_told_once(tmp_path):
    first = PLAIN.replace(" cell (INV)", f" {CONDITIONS}\n cell (INV)", 1)
    names = re.findall(r"cell \((\w+)\)", PLAIN)
    second = re.sub(r"cell \((\w+)\)", r"cell (\1_2)", PLAIN)
    third = re.sub(r"cell \((\w+)\)", r"cell (\1_3)", first)
    paths = []
    for i, text in enumerate((first, second, third)):
        paths.append(tmp_path / f"part{i}.lib")
        paths[-1].write_text(text)
    one, two = Library(paths[:1]), Library(paths[1:2])
    assert any("default_operating_conditions slow" in text for text in one.unread)
    assert not any("default_operating_conditions slow" in text for text in two.unread)
    for order in (paths, paths[::-1], paths[:2], paths[1::-1]):
        together = Library(order)
        assert set(together.unread) == {*one.unread, *two.unread}
        assert len(together.unread) == len(set(together.unread))
        assert len(together.cells) == len(names) * len(order)
