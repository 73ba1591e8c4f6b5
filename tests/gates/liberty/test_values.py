"""Tables, wires, conditions and names of a library: against SciPy, and by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from bitjoule.gates.liberty.boolean import BooleanFunction
from bitjoule.gates.liberty.conditions import States
from bitjoule.gates.liberty.libraries import short_name
from bitjoule.gates.liberty.tables import LookupTable, Stack
from bitjoule.gates.liberty.text import Group
from bitjoule.gates.liberty.unread import unread
from bitjoule.gates.liberty.wires import WireLoad

SIZES = [(2, 3), (5, 2), (1, 4), (3, 1), (1, 1), (4, 4)]


def tables():
    """Return tables of several sizes; no two differences of an axis are equal."""
    draw = np.random.default_rng(14)
    return [
        LookupTable(*(np.cumsum(draw.uniform(0.1, 2, size)) for size in sizes), draw.uniform(1, 9, sizes))
        for sizes in SIZES
    ]


def expected(table, slew, load):
    """Return what SciPy interpolates, by the same slope beyond the ends; an axis of one entry says nothing."""
    axes, point, values = [], [], table.values
    for axis, (entries, at) in enumerate(((table.slew_ns, slew), (table.load_ff, load))):
        if len(entries) == 1:
            values = np.repeat(values, 2, axis=axis)
            entries, at = np.array([0.0, 1.0]), 0.0
        axes.append(entries)
        point.append(at)
    return RegularGridInterpolator(axes, values, bounds_error=False, fill_value=None)([point])[0]


def test_tables_of_different_sizes_that_are_looked_up_together_are_those_looked_up_alone():
    made = tables()
    stack = Stack(made)
    draw = np.random.default_rng(15)
    number = draw.integers(0, len(made), 300)
    slew, load = draw.uniform(-3, 12, 300), draw.uniform(-3, 12, 300)
    slew[:6], load[:6] = made[5].slew_ns[[0, 1, 2, 3, 3, 0]], made[5].load_ff[[0, 3, 1, 3, 0, 2]]
    number[:6] = 5  # at the entries themselves
    found = stack.at(number, slew, load)
    wanted = [expected(made[n], s, at) for n, s, at in zip(number, slew, load, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found[:6], made[5].values[[0, 1, 2, 3, 3, 0], [0, 3, 1, 3, 0, 2]])
    assert made[1].at(slew[7], load[7]) == pytest.approx(expected(made[1], slew[7], load[7]))


def test_a_wire_is_as_long_as_its_sinks_say_and_further_ones_add_the_slope():
    rule = WireLoad("w", 0.25, (1.0, 3.0, 4.0), (10.0, 16.0, 30.0), 7.0)
    fanout = np.array([0.0, 1, 2, 3, 4, 5, 8])
    assert rule.length_um(fanout).tolist() == [0, 10, 13, 16, 30, 37, 58]
    assert rule.capacitance_ff(fanout).tolist() == [0, 2.5, 3.25, 4, 7.5, 9.25, 14.5]


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["a_tt_1.lib", "a_tt_2.lib"], "a_tt"), (["my45_base.lib.gz", "my45_fast.v2.lib"], "my45"),
        (["same.lib", "same.lib"], "same"), (["x.lib", "y.lib"], ""), (["one.lib"], "as it calls itself"),
        (["ab.lib", "abc.lib"], "ab"),
    ],
)  # fmt: skip
def test_a_library_of_several_files_is_called_what_their_names_have_in_common(names, name):
    library = SimpleNamespace(paths=[Path("folder") / each for each in names], name="as it calls itself")
    assert short_name(library) == name


def cell(inputs, conditions, **functions):
    """Return a cell without a state; its powers have these conditions."""
    pins = {name: SimpleNamespace(function=None) for name in inputs}
    pins |= {name: SimpleNamespace(function=BooleanFunction(text)) for name, text in functions.items()}
    powers = [SimpleNamespace(when=BooleanFunction(text) if text else None) for text in conditions]
    return SimpleNamespace(
        flip_flop=None, inputs=list(inputs), outputs=list(functions), pins=pins, powers=lambda _: powers,
        function=lambda pin: pins[pin].function,
    )  # fmt: skip


def test_tables_that_compete_are_as_likely_as_their_states_and_one_without_condition_has_the_rest():
    """Of eight states: A&B in two, !A in four; neither in two. Of those in which C is 1: one, two and one."""
    made = cell("ABC", ["A & B", "!A", ""], Y="A ^ C")
    states = States(made)
    everywhere = states.holds(None)
    assert len(everywhere) == 8
    assert everywhere.all()
    powers = tuple(made.powers("A"))
    assert states.selects(powers, everywhere).tolist() == [0.25, 0.5, 0.25]
    assert states.selects(powers[:2], everywhere).tolist() == [0.25, 0.5]
    assert states.selects(powers[2:], everywhere).tolist() == [1.0]
    within = states.holds(BooleanFunction("C"))
    assert states.selects(powers, within).tolist() == [0.125, 0.25, 0.125]
    assert states.holds(BooleanFunction("1")).all()
    assert not states.holds(BooleanFunction("0")).any()


def test_a_toggle_that_passes_and_whether_the_output_follows():
    states = States(cell("AB", [], AND="A & B", NOT="!A", XOR="A ^ B"))
    a, b = states.values["A"].astype(bool), states.values["B"].astype(bool)
    for output, passes, follows in (("AND", b, (a & b) == a), ("NOT", ~(a & ~a), a & ~a), ("XOR", ~(a & ~a), ~b)):
        flips, same = states.flipped(output, "A")
        assert flips.tolist() == passes.tolist()
        assert same.tolist() == follows.tolist()
    assert not states.flipped("NOT", "B")[0].any()


def group(kind, arguments="", groups=(), **attributes):
    made = Group(kind, arguments)
    made.attributes.update(attributes)
    made.groups.extend(groups)
    return made


def test_what_is_not_read_is_told_whole_and_in_one_order():
    bus = [group("cell", f"B{i}", [group("bus", "D")]) for i in range(5)]
    library = group(
        "library", "l", [group("operating_conditions", "slow", voltage="0.9"), group("cell", "INV"), *bus],
        nom_voltage="1.10", default_operating_conditions="slow",
    )  # fmt: skip
    texts = ['rise_power (scalar) { } cell_rise ("mine") {', "fall_power(other) { rise_power (mine) {"]
    assert unread(library, texts) == [
        "default_operating_conditions slow are at 0.9 V, the tables at nom_voltage 1.1 V: values are not scaled, all "
        "are those at 1.1 V",
        "cells with buses, bundles or banks are not used: B0, B1, B2 and 2 more",
        "no template names the axes of mine, other: assumed to be a transition time, then a load",
    ]


@pytest.mark.parametrize(("count", "told"), [(1, "B0"), (3, "B0, B1, B2"), (4, "B0, B1, B2 and 1 more")])
def test_three_names_are_shown_and_the_others_counted(count, told):
    cells = [group("cell", f"B{i}", [group("ff_bank", "q")]) for i in range(count)]
    assert unread(group("library", "l", cells), []) == [f"cells with buses, bundles or banks are not used: {told}"]


@pytest.mark.parametrize("voltage", ["0.9", "1.3"])
def test_conditions_below_and_above_the_voltage_of_the_tables_are_told(voltage):
    library = group("library", "l", [group("operating_conditions", "other", voltage=voltage)], nom_voltage="1.1",
                    default_operating_conditions="other")  # fmt: skip
    (told,) = unread(library, [])
    assert told.startswith(f"default_operating_conditions other are at {voltage} V, the tables at nom_voltage 1.1 V: ")


@pytest.mark.parametrize("voltage", ["1.1", "1.10", None])
def test_conditions_at_the_voltage_of_the_tables_are_no_remark(voltage):
    own = {} if voltage is None else {"voltage": voltage}
    library = group("library", "l", [group("operating_conditions", "slow", **own)], nom_voltage="1.1",
                    default_operating_conditions="slow")  # fmt: skip
    assert unread(library, []) == []
