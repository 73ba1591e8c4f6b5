"""Axes of tables: each is in the file's unit of what it is, with and without a template that names it."""

import pytest

from tests.gates import hand_made as hand

PER_DATA, PER_CLOCK = 3.0, 5.0  # ns of set-up a ns of slew
DATA_NS, CLOCK_NS = (0.01, 0.05), (0.02, 0.04, 0.1)


def setup_ns(data_ns, clock_ns):
    return 0.1 + PER_DATA * data_ns + PER_CLOCK * clock_ns


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("units", [hand.USUAL, hand.Units("1, pf", "1ps", "1V", "1nW")], ids=["ns", "ps"])
def test_both_axes_of_a_set_up_time_are_times(tmp_path, units, named):
    """Without a template, or with one that names no axes: a transition time, then that of the related pin."""
    scalar = f'rise_constraint (scalar) {{ values ("{hand.SETUP_NS["rise"] * units.second:.12g}"); }}'
    axes = [", ".join(f"{at * units.second:.12g}" for at in points) for points in (DATA_NS, CLOCK_NS)]
    rows = ", ".join(
        f'"{", ".join(f"{setup_ns(data, clock) * units.second:.12g}" for clock in CLOCK_NS)}"' for data in DATA_NS
    )
    table = f'rise_constraint (slews) {{ index_1 ("{axes[0]}"); index_2 ("{axes[1]}"); values ({rows}); }}'
    text = hand.text(units)
    assert text.count(scalar) == 1
    text = text.replace(scalar, table)
    if named:
        names = "variable_1 : constrained_pin_transition; variable_2 : related_pin_transition;"
        text = text.replace("  lu_table_template", f"  lu_table_template (slews) {{ {names} }}\n  lu_table_template", 1)
    (arc,) = hand.library(tmp_path, units, text).cells["DFF"].arcs("D")
    found = arc.tables["rise_constraint"]
    for data, clock in ((0.01, 0.02), (0.03, 0.05), (0.1, 0.2)):
        assert found.at(data, clock) == pytest.approx(setup_ns(data, clock))
