"""Leakage of a cell: its own figure, else the entry without a condition, else the mean of its states."""

import pytest

from tests.gates import hand_made as hand

STATED = "cell_leakage_power : 20;"  # of the NAND
STATES = 'leakage_power () { when : "!A"; value : 3; } leakage_power () { when : "A"; value : 9; }'
OVERALL = "leakage_power () { value : 7; }"
GROUND = (
    'voltage_map ("VDD", 2); voltage_map ("VSS", 0);',
    "leakage_power () { related_pg_pin : VSS; value : 100; } leakage_power () { related_pg_pin : VDD; value : 5; }",
)


@pytest.mark.parametrize(
    ("entries", "nw"),
    [
        (STATES + OVERALL, 7.0),
        (OVERALL + STATES, 7.0),
        (STATES, 6.0),
        (OVERALL + STATED, 20.0),
        (GROUND[1], 5.0),
        ("", 0.0),
    ],
)
@pytest.mark.parametrize(("unit", "nw_each"), [("1nW", 1.0), ("100pW", 0.1), ("1uW", 1000.0)])
def test_leakage_is_what_holds_whatever_the_state(tmp_path, entries, nw, unit, nw_each):
    text = hand.text().replace(STATED, entries).replace('leakage_power_unit : "1nW"', f'leakage_power_unit : "{unit}"')
    text = text.replace("  nom_voltage", f"  {GROUND[0]} nom_voltage")
    assert hand.library(tmp_path, content=text).cells["NAND"].leakage_nw == pytest.approx(nw * nw_each)
