"""Wire-load rules: the library's own by area or default, else the data file's."""

import csv

import numpy as np
import pytest

from bitjoule.gates.liberty.wires import DATA, default_wire_load
from tests.gates import hand_made as hand

SELECTION = """
  wire_load ("long") { capacitance : 0.4; slope : 10; fanout_length (1, 20); fanout_length (3, 50); }
  wire_load_selection (sizes) { wire_load_from_area (0, 100, "short"); wire_load_from_area (100, 10000, "long"); }
"""


def test_the_default_rule_of_a_library_is_used(tmp_path):
    rule = hand.library(tmp_path).wire_load(1e6, 100)
    fanout = np.array([0.0, 1.0, 2.0, 4.0])
    um = [0.0, hand.WIRE_UM, hand.WIRE_UM + hand.WIRE_SLOPE_UM, hand.WIRE_UM + 3 * hand.WIRE_SLOPE_UM]
    assert rule.capacitance_ff(fanout) == pytest.approx(hand.WIRE_FF_PER_UM * np.array(um))


def test_a_rule_is_selected_by_area(tmp_path):
    text = hand.text().replace("  default_wire_load", SELECTION + "  default_wire_load")
    library = hand.library(tmp_path, content=text)
    assert library.wire_load(50.0, 10).name == "short"
    assert library.wire_load(100.0, 10).name == "long"
    fanout = np.array([1.0, 2.0, 3.0, 5.0])
    assert library.wire_load(100.0, 10).capacitance_ff(fanout) == pytest.approx(0.4 * np.array([20, 35, 50, 70]))


def test_without_a_rule_wires_are_cell_pitches_long(tmp_path):
    text = hand.text()
    text = text[: text.index("  wire_load")] + text[text.index("  lu_table_template") :]
    rule = hand.library(tmp_path, content=text).wire_load(400.0, 100)
    assert rule == default_wire_load(4.0)
    with DATA.open(newline="") as file:
        rows = {row["quantity"]: float(row["value"]) for row in csv.DictReader(file)}
    pitch_um = 2.0  # the root of 400 um2 over 100 cells
    first, further = rows["first-sink"] * pitch_um, rows["further-sink"] * pitch_um
    expected = rows["capacitance"] * np.array([0.0, first, first + further, first + 4 * further])
    assert rule.capacitance_ff(np.array([0.0, 1.0, 2.0, 5.0])) == pytest.approx(expected)
