"""What a cell or a pin leaves out is what the library, or else Liberty, says of it."""

from types import SimpleNamespace

import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.timing.paths import turns
from tests.gates import clock_gate
from tests.gates import hand_made as hand
from tests.gates.liberty.test_liberty_cases import CASES, PLAIN, written

EDGES = ("rise", "fall")
EVERY = {(before, after) for before in EDGES for after in EDGES}


@pytest.mark.parametrize(("unit", "nw"), [("1nW", 1.0), ("1pW", 1e-3), ("10uW", 1e4)])
@pytest.mark.parametrize(
    ("stated", "each"), [("default_cell_leakage_power : 2.0", 2.0), ("default_leakage_power_density : 0.5", 0.5 * 4.0)]
)
def test_a_default_of_leakage_is_in_the_units_of_the_file(tmp_path, unit, nw, stated, each):
    text = (CASES / "default_leakage.lib").read_text()
    text = text.replace("default_cell_leakage_power : 2.0", stated)
    text = text.replace('leakage_power_unit : "1nW"', f'leakage_power_unit : "{unit}"')
    assert written(tmp_path, text).cells["DFF"].leakage_nw == pytest.approx(each * nw)


def test_inputs_and_outputs_have_defaults_of_their_own(tmp_path):
    defaults = "default_input_pin_cap : 1.25; default_output_pin_cap : 0.5; default_inout_pin_cap : 7.5;"
    text = PLAIN.replace("nom_process : 1;", f"nom_process : 1; {defaults}")
    pins = written(tmp_path, text.replace("capacitance : 1.0; }", "}", 1)).cells["INV"].pins
    assert {name: pin.capacitance_ff for name, pin in pins.items()} == {"A": 1.25, "Y": 0.5}


def test_power_without_an_edge_is_that_of_each_edge_that_is_not_stated(tmp_path):
    usual = 'rise_power (scalar) { values ("1.0"); } fall_power (scalar) { values ("1.0"); }'
    tables = {
        edge: f'{edge}power (scalar) {{ values ("{fj}"); }}' for edge, fj in (("", 7), ("rise_", 2), ("fall_", 3))
    }
    for given, expected in (
        (["", "rise_", "fall_"], (2, 3)), (["", "rise_"], (2, 7)), (["fall_", ""], (7, 3)), ([""], (7, 7)),
        (["rise_"], (2, None)),
    ):  # fmt: skip
        text = PLAIN.replace(usual, " ".join(tables[edge] for edge in given), 1)
        (power,) = written(tmp_path, text).cells["INV"].powers("Y")
        assert tuple(table and table.at(0.0, 0.0) for table in (power.rise, power.fall)) == expected


@pytest.mark.parametrize(
    ("sense", "through"),
    [
        ("positive_unate", {("rise", "rise"), ("fall", "fall")}),
        ("negative_unate", {("rise", "fall"), ("fall", "rise")}),
        ("non_unate", EVERY),
        (None, EVERY),
    ],
)
@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        ("combinational", set(EDGES)),
        ("combinational_rise", {"rise"}),
        ("combinational_fall", {"fall"}),
        ("three_state_enable", set()),
        (None, set(EDGES)),
    ],
)
def test_an_arc_goes_from_edge_to_edge_as_its_sense_and_type_say(tmp_path, sense, through, kind, ends):
    stated = [f"timing_sense : {sense};"] * (sense is not None) + [f"timing_type : {kind};"] * (kind is not None)
    library = written(tmp_path, PLAIN.replace("timing () {", f"timing () {{ {' '.join(stated)}", 1))
    cell = library.cells["INV"]
    (arc,) = cell.arcs("Y")
    found = {(EDGES[before], EDGES[after]) for before, after in turns(cell, arc)}
    assert found == {pair for pair in through if pair[1] in ends}


def test_an_output_of_a_flip_flop_follows_the_rising_clock_alone():
    cell = Library([CASES / "plain.lib"]).cells["DFF"]
    (arc,) = cell.arcs("Q")
    assert {(EDGES[before], EDGES[after]) for before, after in turns(cell, arc)} == {("rise", after) for after in EDGES}
    (setup,) = cell.arcs("D")
    assert turns(cell, setup) == ()


@pytest.mark.parametrize(("stated", "avoid"), [("", False), ("dont_use : false;", False), ("dont_use : true;", True)])
def test_a_cell_is_left_out_only_where_the_file_says_so(tmp_path, stated, avoid):
    text = PLAIN.replace("cell (INV) {", f"cell (INV) {{ {stated}", 1)
    library = written(tmp_path, text)
    assert library.cells["INV"].avoid == avoid
    assert (library.smallest([library.cells["INV"]]) is None) == avoid


def test_roles_of_a_clock_gate_are_those_that_hold(tmp_path):
    gate = clock_gate.cell()
    for pin in ("CK", "E", "GCK"):
        said = "".join(f"clock_gate_{role}_pin : false; " for role in ("test", "obs"))
        gate = gate.replace(f"pin ({pin}) {{", f"pin ({pin}) {{ {said}", 1)
    text = hand.text().rstrip().removesuffix("}") + gate + "}\n"
    roles = hand.library(tmp_path, content=text).cells["ICG"].roles
    assert roles == {"clock_gate_clock_pin": "CK", "clock_gate_enable_pin": "E", "clock_gate_out_pin": "GCK"}


def test_a_function_of_an_input_is_none(tmp_path):
    """Some files state one, of another pin."""
    text = PLAIN.replace("direction : input;", 'direction : input; function : "Y";', 1)
    library = written(tmp_path, text)
    assert {name: pin.function is None for name, pin in library.cells["INV"].pins.items()} == {"A": True, "Y": False}


@pytest.mark.parametrize("order", [(1.5, 1.0, 2.0), (1.0, 2.0, 1.5), (2.0, 1.5, 1.0)])
def test_the_smallest_cell_is_one_that_may_be_used(order):
    """The smallest of all is to be left out."""
    cells = [SimpleNamespace(area_um2=area, avoid=area == 1.0) for area in order]
    found = Library.smallest(None, cells)
    assert found.area_um2 == 1.5
    assert Library.smallest(None, [cell for cell in cells if cell.avoid]) is None
    assert Library.smallest(None, []) is None
