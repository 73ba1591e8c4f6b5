"""Other ways to write a Liberty file: each reads as its twin in plain words does, or says what the format says."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.conditions import States
from bitjoule.gates.liberty.libraries import default_liberty, fingerprints
from bitjoule.gates.liberty.requirements import check_cells, check_library, lacking, smallest_flip_flop
from bitjoule.gates.liberty.text import LibertyError, numbers
from bitjoule.gates.power.internal import Members, Prices
from tests.gates import hand_made as hand

CASES = Path(__file__).parent / "cases"
PLAIN = (CASES / "plain.lib").read_text()


def written(tmp_path, text, name="cells.lib"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Library([path])


def facts(library):
    """Return all that is read of a library."""
    found = {}
    for cell in library.cells.values():
        tables = {}
        for pin in cell.pins:
            powers = [(power.related, power.rise.values.tolist(), power.fall.values.tolist())
                      for power in cell.powers(pin)]  # fmt: skip
            arcs = [(arc.related, arc.type, {name: table.values.tolist() for name, table in arc.tables.items()})
                    for arc in cell.arcs(pin)]  # fmt: skip
            tables[pin] = (powers, arcs, cell.pins[pin].capacitance_ff, cell.pins[pin].direction)
        found[cell.name] = (cell.area_um2, cell.leakage_nw, tables)
    return found


@pytest.mark.parametrize("name", ["continued_crlf", "pins_listed"])
def test_continued_lines_and_lists_of_pins_read_as_plain(name):
    found, plain = (Library([CASES / f"{file}.lib"]) for file in (name, "plain"))
    check_library(found)
    check_cells(found, found.cells.values())
    assert facts(found) == facts(plain)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pin (A, B) {", 'pin ("A B") {'),
        ("pin (A, B) {", 'pin ( "A", "B" ) {'),
        ("pin (A, B) {", "pin(A B){"),
        ("library (made_up)", "/* \xe9t\xe9 */ library (made_up)"),
        ("library (made_up)", "// a { comment\nlibrary (made_up)"),
        ("nom_process : 1;", 'comment : "http://x.org"; nom_process : 1;'),
        ("nom_process : 1;", "nom_process : 1; \\   \n"),
    ],
)
def test_other_ways_to_write_the_same_read_as_plain(tmp_path, old, new):
    text = (CASES / "pins_listed.lib").read_text()
    assert old in text
    assert facts(written(tmp_path, text.replace(old, new).encode("latin-1"))) == facts(Library([CASES / "plain.lib"]))


def test_axes_are_known_by_name_not_by_place():
    by_clock, by_data = (Library([CASES / f"setup_{file}_first.lib"]) for file in ("clock", "data"))
    for library in (by_clock, by_data):
        (setup,) = library.cells["DFF"].arcs("D")
        for table in setup.tables.values():  # as both files say: 0.1, 0.2 and 4.9 at data slews of 0.01, 0.02 and 0.5
            assert table.slew_ns.tolist() == [0.01, 0.02, 0.5]
            assert table.load_ff.tolist() == [0.01, 0.5]
            assert [table.at(slew, clock) for slew in (0.01, 0.02, 0.5) for clock in (0.01, 0.5)] == pytest.approx(
                [0.1, 0.1, 0.2, 0.2, 4.9, 4.9]
            )


@pytest.mark.parametrize("axes", ["input, load", "load, input", "load", "input"])
def test_axes_of_a_delay_in_any_order_and_alone(tmp_path, axes):
    names = {"input": "input_net_transition", "load": "total_output_net_capacitance"}
    points = {"input": [0.01, 0.03, 0.05], "load": [1.0, 11.0]}
    order = axes.split(", ")
    # 1 + 2 x slew + 3 x load, where each is an axis
    weights = {"input": 2.0, "load": 3.0}
    grid = np.meshgrid(*(points[axis] for axis in order), indexing="ij")
    values = 1.0 + sum(weights[axis] * at for axis, at in zip(order, grid, strict=True))
    template = "lu_table_template (t) {"
    for place, axis in enumerate(order, 1):
        template += f' variable_{place} : {names[axis]}; index_{place} ("{", ".join(map(str, points[axis]))}");'
    table = f'cell_rise (t) {{ values ("{", ".join(map(str, values.ravel()))}"); }}'
    text = PLAIN.replace(" cell (INV)", f" {template} }}\n cell (INV)", 1)
    text = text.replace('cell_rise (scalar) { values ("0.02"); }', table, 1)
    (arc,) = written(tmp_path, text).cells["INV"].arcs("Y")
    for slew, load in ((0.01, 1.0), (0.02, 4.0), (0.07, 20.0)):
        expected = 1.0 + 2.0 * slew * ("input" in order) + 3.0 * load * ("load" in order)
        assert arc.tables["cell_rise"].at(slew, load) == pytest.approx(expected)


SLEW = 'variable_1 : input_net_transition; index_1 ("1, 2");'
LOAD = ' variable_2 : total_output_net_capacitance; index_2 ("3, 4");'


@pytest.mark.parametrize(
    ("axes", "values", "wrong"),
    [
        ('variable_1 : time; index_1 ("1, 2");', "1, 2", "variable_1 is time; expected constrained_pin_transition, "
         "input_net_transition, input_transition_time, related_pin_transition or total_output_net_capacitance"),
        (SLEW + ' variable_2 : input_transition_time; index_2 ("3, 4");', "1, 2, 3, 4", "axes input_net_transition and "
         "input_transition_time; expected a transition time and one other axis at most"),
        (SLEW + ' variable_2 : total_output_net_capacitance; index_2 ("3, 4, 5");', "1, 2, 3, 4, 5",
         "5 values over axes of [2, 3] points"),
        ('variable_1 : input_net_transition; index_1 ("2, 1");', "1, 2", "2 values over axes of [2] points"),
        ('variable_1 : input_net_transition; index_1 ("1, 1");', "1, 2", "2 values over axes of [2] points"),
        (LOAD.replace("_2", "_1") + LOAD, "1, 2, 3, 4", "axes total_output_net_capacitance and "
         "total_output_net_capacitance; expected a transition time and one other axis at most"),
    ],
)  # fmt: skip
def test_a_table_whose_axes_do_not_fit_is_refused_by_kind_and_template(tmp_path, axes, values, wrong):
    text = PLAIN.replace(" cell (INV)", f" lu_table_template (t) {{ {axes} }}\n cell (INV)", 1)
    text = text.replace('cell_rise (scalar) { values ("0.02"); }', f'cell_rise (t) {{ values ("{values}"); }}', 1)
    library = written(tmp_path, text)
    with pytest.raises(LibertyError) as error:
        library.cells["INV"].arcs("Y")
    assert str(error.value) == f"{tmp_path}/cells.lib: cell INV: cell_rise (t): {wrong}"


def test_a_power_table_over_three_axes_is_read_at_the_first_entry_of_the_other_outputs_load(tmp_path):
    template = """power_lut_template (t) {
      variable_1 : input_transition_time; variable_2 : equal_or_opposite_output_net_capacitance;
      variable_3 : total_output_net_capacitance; index_1 ("0.1, 0.2"); index_2 ("5, 6, 7"); index_3 ("1, 2"); }"""
    values = ", ".join(str(100 * slew + 10 * other + load) for slew in (1, 2) for other in (5, 6, 7) for load in (1, 2))
    text = PLAIN.replace(" cell (INV)", f" {template}\n cell (INV)", 1)
    text = text.replace('rise_power (scalar) { values ("1.0"); }', f'rise_power (t) {{ values ("{values}"); }}', 1)
    (power,) = written(tmp_path, text).cells["INV"].powers("Y")
    assert power.rise.values.tolist() == [[151.0, 152.0], [251.0, 252.0]]


def output_fj(library, name, toggles):
    """Return the internal energy of a toggle of a cell's output Y, its inputs toggling so often."""
    cell = library.cells[name]
    nets = {pin: np.array([2 + place]) for place, pin in enumerate((*cell.inputs, *cell.outputs))}
    size = 2 + len(nets)
    prices = Prices(Members(cell, np.zeros(1, dtype=np.intp), nets), np.zeros((2, size)), np.zeros(size), set())
    return float(prices.output_fj("Y", np.array([0.0, 0.0, *toggles, 1.0]))[0])


@pytest.mark.parametrize("name", ["INV", "NAND2", "XOR2"])
def test_an_output_without_related_pin_costs_at_every_toggle(name):
    library = Library([CASES / "power_without_related_pin.lib"])
    toggles = [0.5, 0.25][: len(library.cells[name].inputs)]
    assert output_fj(library, name, toggles) == pytest.approx(1.0)  # as its table says, whichever input is the cause


def test_tables_with_and_without_a_related_pin_add_up(tmp_path):
    more = (
        'internal_power () { rise_power (scalar) { values ("4.0"); } fall_power (scalar) { values ("6.0"); } }\n  }\n'
    )
    start = PLAIN.index("cell (NAND2)")
    text = PLAIN[:start] + PLAIN[start:].replace("  }\n", more, 1)
    assert output_fj(written(tmp_path, text), "NAND2", [0.5, 0.25]) == pytest.approx(1.0 + (4.0 + 6.0) / 2)


def test_leakage_by_default_and_by_density(tmp_path):
    library = Library([CASES / "default_leakage.lib"])
    assert {cell.leakage_nw for cell in library.cells.values()} == {2.0}
    text = (CASES / "default_leakage.lib").read_text()
    density = written(tmp_path, text.replace("default_cell_leakage_power : 2.0", "default_leakage_power_density : 0.5"))
    assert {name: cell.leakage_nw for name, cell in density.cells.items()} == {
        "INV": 0.5, "BUF": 0.5, "NAND2": 0.75, "XOR2": 0.75, "DFF": 2.0
    }  # fmt: skip
    own = written(tmp_path, text.replace("area : 4.0;", "area : 4.0; cell_leakage_power : 7;"))
    assert own.cells["DFF"].leakage_nw == 7.0


def test_the_default_capacitance_of_an_input(tmp_path):
    text = PLAIN.replace("nom_process : 1;", "nom_process : 1; default_input_pin_cap : 1.25;")
    text = text.replace("pin (A) { direction : input; capacitance : 1.0; }", "pin (A) { direction : input; }", 1)
    library = written(tmp_path, text)
    check_cells(library, library.cells.values())
    assert library.cells["INV"].pins["A"].edge_capacitance_ff == (1.25, 1.25)
    assert library.cells["BUF"].pins["A"].edge_capacitance_ff == (1.0, 1.0)


def test_a_file_includes_others_relative_to_itself(tmp_path):
    start, end = PLAIN.index(" cell (NAND2)"), PLAIN.index(" cell (XOR2)")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "nand.inc").write_bytes(gzip.compress(b'include_file ("rest/inner.inc");'))
    (tmp_path / "more" / "rest").mkdir()
    (tmp_path / "more" / "rest" / "inner.inc").write_text(PLAIN[start:end])
    library = written(tmp_path, PLAIN[:start] + " include_file (more/nand.inc);\n" + PLAIN[end:])
    assert facts(library) == facts(Library([CASES / "plain.lib"]))
    before = fingerprints(library)
    assert list(before) == ["cells.lib", "nand.inc", "inner.inc"]  # results depend on each
    (tmp_path / "more" / "rest" / "inner.inc").write_text(PLAIN[start:end].replace("area : 1.5", "area : 1.6"))
    changed = fingerprints(library)
    assert [name for name in before if before[name] != changed[name]] == ["inner.inc"]


def test_includes_that_lead_nowhere_or_back_are_refused(tmp_path):
    (tmp_path / "other.inc").write_text("include_file (cells.lib);")
    with pytest.raises(LibertyError) as error:
        written(tmp_path, PLAIN.replace(" cell (INV)", " include_file (other.inc);\n cell (INV)", 1))
    assert str(error.value) == (
        f"{tmp_path}/other.inc: include_file (cells.lib) includes cells.lib recursively; expected another file"
    )
    with pytest.raises(LibertyError) as error:
        written(tmp_path, PLAIN.replace(" cell (INV)", " include_file (none.inc);\n cell (INV)", 1))
    assert str(error.value) == (
        f"{tmp_path}/cells.lib: include_file (none.inc): {tmp_path}/none.inc: file not found; expected a Liberty file"
    )


def test_files_of_two_voltages_are_told_apart_with_a_way_on(tmp_path):
    (tmp_path / "first.lib").write_text(hand.text(leave_out=("DFF",)))
    (tmp_path / "second.lib").write_text(hand.text().replace("nom_voltage : 2;", "nom_voltage : 1.8;"))
    with pytest.raises(LibertyError) as error:
        Library([tmp_path / "first.lib", tmp_path / "second.lib"])
    assert str(error.value) == (
        f"{tmp_path}/second.lib: states 1.8 V, but first.lib states 2 V; expected files of one library and corner: "
        "leave second.lib out, or, if its nom_voltage is a slip, correct that in a copy"
    )
    (tmp_path / "second.lib").write_text(hand.text(hand.Units("1, pf", "1ns", "1V", "1nW")))
    with pytest.raises(LibertyError) as error:
        Library([tmp_path / "first.lib", tmp_path / "second.lib"])
    assert str(error.value) == (
        f"{tmp_path}/second.lib: capacitive_load_unit is 1, pf, but 1, ff in first.lib; expected files of one library "
        "and corner"
    )


def test_a_cell_in_two_files_is_refused_by_name(tmp_path):
    """Two corners at one voltage, or a file given twice: the last would count, in silence."""
    for name in ("typical", "slow"):
        (tmp_path / f"{name}.lib").write_text(hand.text())
    with pytest.raises(LibertyError) as error:
        Library([tmp_path / "typical.lib", tmp_path / "slow.lib"])
    assert str(error.value) == (
        f"{tmp_path}/slow.lib: cell INV is in typical.lib too; expected each cell in one file: of several corners or "
        "variants of a library, give one"
    )


def test_what_a_library_lacks_for_smaller_netlists_is_named_with_what_would_do(tmp_path):
    """Any cell whose outputs are parity and majority is a full adder, unless it is not to be used."""
    adder, gate = lacking(written(tmp_path, PLAIN))
    assert re.match("no full adder, .*; expected a cell of three inputs whose two outputs are their parity and", adder)
    assert re.match("no clock gate, .*; expected a cell with clock_gating_integrated_cell", gate)
    pins = " ".join(f"pin ({pin}) {{ direction : input; capacitance : 1.0; }}" for pin in "ABC")
    outputs = (
        'pin (S) { direction : output; function : "A ^ B ^ C"; } pin (CO) { direction : output; function : "%s"; }'
    )
    added = f"cell (FA) {{ area : 3; cell_leakage_power : 1; %s {pins} {outputs} }}\n cell (INV)"
    for attribute, carry, count in (
        ("", "A B + C (A + B)", 1),
        ("dont_use : true;", "A B + C (A + B)", 2),
        ("", "A B", 2),
    ):
        text = PLAIN.replace("cell (INV)", added % (attribute, carry), 1)
        assert len(lacking(written(tmp_path, text))) == count
    complete = Library([default_liberty()])
    assert lacking(complete) == ()


@pytest.mark.parametrize("number", ["nan", "inf", "1e999"])
def test_numbers_that_are_not_finite_are_refused(tmp_path, number):
    library = written(tmp_path, PLAIN.replace('values ("0.02")', f'values ("{number}")', 1))
    with pytest.raises(LibertyError, match=f'cell INV: not a list of finite numbers: "{number}"'):
        library.cells["INV"].arcs("Y")
    with pytest.raises(LibertyError, match=rf"cell \(INV\): area is not a number: '{number}'"):
        written(tmp_path, PLAIN.replace("area : 1.0", f"area : {number}", 1))


def test_of_a_long_list_that_is_not_finite_the_beginning_and_the_number_are_named():
    begin, says = '"0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 77.5', "not a list of finite numbers: "
    for values, shown in (
        (f"{begin}, 8.5, -inf, nan", f"{begin}..., which holds -inf"),  # the beginning has forty characters
        (begin.replace("77.5", "-inf"), begin.replace("77.5", "-inf")),
    ):
        with pytest.raises(LibertyError) as refused:
            numbers(f"  {values} ")
        assert str(refused.value) == says + shown


@pytest.mark.parametrize(
    ("resets", "idle"),
    [
        ('clear : "!RN";', {"RN": 1}),
        ('clear : "RN\'";', {"RN": 1}),
        ('preset : "RN";', {"RN": 0}),
        ('clear : "!RN"; preset : "!SN";', {"RN": 1, "SN": 1}),
    ],
)
def test_a_flip_flop_with_resets_alone_is_usable_with_them_tied_off(tmp_path, resets, idle):
    pins = "".join(f" pin ({pin}) {{ direction : input; capacitance : 1.0; }}\n" for pin in idle)
    text = PLAIN.replace('clocked_on : "CK";', f'clocked_on : "CK"; {resets}')
    library = written(tmp_path, text.replace("  pin (CK)", f"{pins}  pin (CK)"))
    check_library(library)
    cell = smallest_flip_flop(library)
    assert cell.state.idle == idle
    tied = {"D": 5, "CK": 6, **idle}
    assert cell.state.is_plain(tied)
    for pin in idle:
        assert not cell.state.is_plain({**tied, pin: 1 - idle[pin]})
        assert not cell.state.is_plain({**tied, pin: 7})
    values = States(cell).values  # what a reset would do is no state of it
    assert {pin: set(values[pin].tolist()) for pin in idle} == {pin: {value} for pin, value in idle.items()}


def test_a_plain_flip_flop_has_precedence_over_a_smaller_one_with_a_reset(tmp_path):
    reset = (CASES / "reset_only.lib").read_text()
    smaller = reset[reset.index(" cell (DFF)") : reset.rindex("}")].replace("(DFF)", "(DFFR)").replace("4.0", "3.0")
    library = written(tmp_path, PLAIN[: PLAIN.rindex("}")] + smaller + "}\n")
    assert smallest_flip_flop(library).name == "DFF"


def test_a_reset_that_no_constant_turns_off_is_refused(tmp_path):
    text = (CASES / "reset_only.lib").read_text().replace('clear : "!RN";', 'clear : "!RN"; preset : "RN";')
    with pytest.raises(LibertyError) as error:
        check_library(written(tmp_path, text))
    assert str(error.value) == (
        f"{tmp_path}/cells.lib: no usable flip-flop; expected a cell with ff (...), a data pin, a rising clock, no "
        "other input except resets and presets that can be tied off, and no dont_use"
    )


def test_cells_of_buses_bundles_and_banks_are_not_used(tmp_path):
    bundle = "cell (WIDE) { area : 0.1; bundle (D) { members (D0, D1); direction : input; capacitance : 1; } }"
    library = written(tmp_path, PLAIN.replace(" cell (INV)", f" {bundle}\n cell (INV)", 1))
    assert [cell.name for cell in library.cells.values() if cell.avoid] == ["WIDE"]
