"""What a cell or a pin leaves out is what the library, or else Liberty, says of it."""

import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.timing.paths import turns
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
