"""What is wrong with a Liberty file is told: which file, what is missing, what was expected."""

import contextlib
import gzip
import re
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.gates.liberty.requirements import check_cells, check_library
from bitjoule.gates.liberty.text import LibertyError
from tests.gates import hand_made as hand

TEXT = hand.text()
UNITS = {
    "capacitive_load_unit": "(1, ff)",
    "time_unit": '"1ns"',
    "voltage_unit": '"1nV"',
    "leakage_power_unit": '"1nW"',
}


def refusal(tmp_path, content):
    """Return what is said about a file, which is named in it."""
    path = tmp_path / "wrong.lib"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LibertyError) as error:
        library = Library([path])
        check_library(library)
        check_cells(library, library.cells.values())
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("Dear reader,\nthis is no library.\n", "expected a Liberty file"),
        ("module top (a); input a; endmodule\n", "expected a Liberty file"),
        (b"\x00\xff\xfe\x80" * 64, "not text"),
        (b"\x1f\x8b" + b"\x00" * 64, "cannot be read"),
        (gzip.compress(TEXT.encode())[:-30], "cannot be read"),
        (TEXT[: TEXT.index("cell (NAND)") + 200], "truncated"),
        (TEXT[: len(TEXT) // 2], "truncated"),
        (TEXT.rstrip().removesuffix("}"), "file ends inside library (hand_made)"),
        (TEXT[: TEXT.index("cell (NAND)")] + "cell (C) { pin (A) { area : 1;", "file ends inside pin (A): truncated"),
        (TEXT + "}\n", "unmatched closing brace: not a Liberty file, or damaged"),
        (hand.head() + "}\n", "no cell"),
    ],
)
def test_a_file_that_is_no_liberty_is_refused(tmp_path, content, named):
    assert named in refusal(tmp_path, content)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(LibertyError, match=r"nowhere\.lib: cannot be read"):
        Library([tmp_path / "nowhere.lib"])
    with pytest.raises(LibertyError, match="cannot be read"):
        Library([tmp_path])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("time_unit", ["1volt", "ns", "one ns", "1"]),
        ("voltage_unit", ["1ns", "V"]),
        ("leakage_power_unit", ["1n", "1nJ"]),
        ("capacitive_load_unit", ["1", "ff", "1, ns"]),
    ],
)
def test_a_unit_that_is_missing_or_none_is_named(tmp_path, name, wrong):
    lines = TEXT.replace("; ", ";\n").splitlines()
    (place,) = [number for number, line in enumerate(lines) if name in line]
    assert name in refusal(tmp_path, "\n".join(lines[:place] + lines[place + 1 :]))
    for text in wrong:
        written = f"{name} ({text});" if name == "capacitive_load_unit" else f'{name} : "{text}";'
        said = refusal(tmp_path, "\n".join([*lines[:place], written, *lines[place + 1 :]]))
        assert said.endswith(f"library (hand_made): {name} is {text!r}; expected a unit such as {UNITS[name]}")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("nom_voltage : 2;", "", "nom_voltage"),
        ("nom_voltage : 2;", "nom_voltage : two;", "nom_voltage is not a number: 'two'"),
        ("area : 1.5;", "", "cell (NAND) has no area"),
        ("area : 1.5;", "area : 0;", "cell NAND has no area above zero"),
        ("direction : input; capacitance : 2;", "capacitance : 2;", "pin (A) has no direction"),
        ("capacitance : 3;", "", "cell NAND has no capacitance of pin B"),
        ("max_capacitance : 60;", "", "no max_capacitance"),
        ('function : "!(A & B)"', 'function : "!(A & B"', "unbalanced parentheses"),
        ('function : "!(A & B)"', 'function : "A ? B"', "'A ? B' is not a Boolean function in Liberty syntax"),
        ('function : "!(A & B)"', 'function : "A & & B"', "'A & & B': expected a pin, got &"),
        ('function : "!(A & B)"', 'function : "A | "', "expected a pin, got the end of the function"),
        ('function : "!(A & B)"', 'function : "(A & ) B"', "'(A & ) B': expected a pin, got )"),
        (
            'default_wire_load : "short";',
            'default_wire_load : "long";',
            "the library selects wire_load (long) but does not define it",
        ),
    ],
)
def test_what_a_file_lacks_is_named(tmp_path, old, new, named):
    assert old in TEXT
    assert named in refusal(tmp_path, TEXT.replace(old, new))


def test_all_that_a_cell_lacks_is_named(tmp_path):
    text = TEXT.replace("area : 1.5;", "area : 0;").replace("capacitance : 3;", "")
    assert "cell NAND has no area above zero, no capacitance of pin B" in refusal(tmp_path, text)


@pytest.mark.parametrize("group", ["timing", "internal_power"])
def test_a_cell_without_its_tables_is_named(tmp_path, group):
    said = refusal(tmp_path, TEXT.replace(f"{group} ()", "other ()"))
    assert "cell INV has no" in said
    assert group in said


def test_a_table_of_another_size_than_its_axes_is_named(tmp_path):
    said = refusal(tmp_path, TEXT.replace('index_2 ("1, 11")', 'index_2 ("1, 5, 11")'))
    assert said == f"{tmp_path}/wrong.lib: cell INV: rise_power (both): 6 values over axes of [3, 3] points"


def test_a_cell_whose_braces_close_too_early_and_too_late_is_named(tmp_path):
    """Braces are as many as before, and the cell ends where it ended, but one pin ends within another's table."""
    keeps, changes = 'when : "(D & Q) | (!D & !Q)";', 'when : "D ^ Q";'
    assert keeps in TEXT
    assert changes in TEXT
    path = tmp_path / "cells.lib"
    path.write_text(TEXT.replace(keeps, keeps + "}", 1).replace(changes, "{" + changes, 1))
    flip_flop = Library([path]).cells["DFF"]
    with pytest.raises(LibertyError) as error:
        flip_flop.powers("Q")
    assert str(error.value) == f"{path}: cell DFF: unbalanced braces in its tables"


@pytest.mark.parametrize(
    ("cell", "named"),
    [("DFF", "flip-flop"), ("INV", "inverter"), ("BUF", "buffer"), ("NAND", "two-input gate (NAND, NOR, AND or OR)")],
)
def test_a_library_that_lacks_a_cell_the_flow_needs_says_which(tmp_path, cell, named):
    said = refusal(tmp_path, hand.text(leave_out=(cell,)))
    assert (f"no {named}" if cell != "DFF" else "no usable flip-flop") in said
    assert "expected" in said
    kept = TEXT.replace(f"cell ({cell}) {{", f"cell ({cell}) {{ dont_use : true;")
    assert named in refusal(tmp_path, kept)


def test_a_gate_with_a_second_output_is_none_that_the_flow_can_use(tmp_path):
    """A half adder's first output is AND, but ABC takes cells of one output."""
    gate = hand.cells()["NAND"]
    output = gate[gate.index("pin (Y)") : gate.rindex("}")]
    wrong = TEXT.replace(gate, gate.replace(output, output + output.replace("pin (Y)", "pin (Z)")))
    path = tmp_path / "two_outputs.lib"
    path.write_text(wrong)
    assert tuple(Library([path]).cells["NAND"].outputs) == ("Y", "Z")
    assert "no two-input gate (NAND, NOR, AND or OR)" in refusal(tmp_path, wrong)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    begin=st.integers(0, len(TEXT)),
    length=st.sampled_from([0, 1, 3, 10, 50, 400]),
    inserted=st.sampled_from(["", "x", "}", "{", '"', ";", "-1", "( "]),
)
def test_a_damaged_file_is_read_or_refused_never_an_error_of_ours(tmp_path_factory, begin, length, inserted):
    path = tmp_path_factory.mktemp("damaged") / "damaged.lib"
    path.write_text(TEXT[:begin] + inserted + TEXT[begin + length :])
    with contextlib.suppress(LibertyError):
        library = Library([path])
        check_library(library)
        check_cells(library, library.cells.values())


@pytest.mark.parametrize("units", [hand.Units("1, pf", "1ns", "1V", "1nW"), hand.Units("1, ff", "1ps", "1V", "1nW")])
def test_files_of_different_units_are_refused(tmp_path, units):
    first, second = tmp_path / "first.lib", tmp_path / "second.lib"
    first.write_text(TEXT)
    second.write_text(hand.text(units))
    with pytest.raises(LibertyError, match=r"second\.lib: .*expected files of one library"):
        Library([first, second])


@pytest.mark.parametrize("volts", [1.1, 2.2])
def test_files_of_different_voltages_are_refused(tmp_path, volts):
    first, second = tmp_path / "first.lib", tmp_path / "second.lib"
    first.write_text(TEXT)
    second.write_text(TEXT.replace("nom_voltage : 2;", f"nom_voltage : {volts};"))
    said = f"second.lib: states {volts} V, but first.lib states 2 V; expected files of one library and corner: "
    with pytest.raises(LibertyError, match=re.escape(said)):
        Library([first, second])


def test_several_files_and_gzipped_ones_are_one_library(tmp_path):
    whole = hand.library(tmp_path)
    first, second = tmp_path / "first.lib", tmp_path / "second.lib.gz"
    first.write_text(hand.text(leave_out=("DFF",)))
    rest = hand.text(leave_out=("INV", "BUF", "NAND")).replace("library (hand_made)", "library (of_registers)")
    second.write_bytes(gzip.compress(rest.encode()))
    both = Library([first, second])
    assert (both.name, Library([second, first]).name) == ("hand_made", "of_registers")  # the first file's
    assert list(both.cells) == list(whole.cells)
    check_library(both)


def test_the_hand_made_library_has_all_that_is_needed(tmp_path):
    library = hand.library(tmp_path)
    check_library(library)
    check_cells(library, library.cells.values())
    shutil.rmtree(tmp_path)  # power and timing tables are read when asked for, but not from the file again
    assert library.cells["DFF"].arcs("D")


def test_tables_are_linear_between_and_beyond_their_entries(tmp_path):
    table = hand.library(tmp_path).cells["INV"].powers("Y")[0].rise
    for slew_ns, load_ff in ((0.01, 1.0), (0.02, 4.0), (0.0, 0.0), (0.2, 40.0)):
        expected = hand.RISE_FJ["INV/Y"] + hand.SLEW_FJ * slew_ns + hand.LOAD_FJ * load_ff
        assert table.at(slew_ns, load_ff) == pytest.approx(expected)


@pytest.mark.parametrize(("text", "verilog"), [
    ("!(!(!A))", "~A"), ("(A B)''", "(A & B)"), ("!(!A' + 0)", "~(A | 1'b0)"),
])  # fmt: skip
def test_verilog_has_no_two_inversions_in_a_row_which_it_does_not_allow(text, verilog):
    assert BooleanFunction(text).verilog == verilog


def test_gates_are_told_from_cells_with_a_state_and_from_cells_without_an_output():
    cells = find_library([FREEPDK45]).cells
    assert all(cells[name].is_combinational for name in ("INV_X1", "AOI21_X1", "FA_X1", "TBUF_X1") if name in cells)
    stateful = [name for name in cells if name.startswith(("DFF", "SDFF", "DLH", "DLL", "TLAT", "CLKGATE"))]
    assert stateful
    assert not any(cells[name].is_combinational for name in stateful)
    assert not any(cell.is_combinational for cell in cells.values() if not cell.outputs)
