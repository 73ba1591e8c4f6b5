"""What a Liberty file says of pins and tables in less usual ways, by hand."""

import numpy as np
import pytest

from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Activity
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.timing.paths import edge_loads_ff
from bitjoule.gates.timing.sta import analyse
from tests.gates import hand_made as hand

A, B, Y, Z = 2, 3, 4, 5
SLEW_NS = 0.02
FF, PF = hand.USUAL, hand.Units("1, pf", "1ns", "1V", "1nW")


def changed(tmp_path, old, new, units=FF):
    """Return the library with a part of its text replaced."""
    text = hand.text(units)
    assert text.count(old) >= 1
    return hand.library(tmp_path, units, text.replace(old, new, 1))


@pytest.mark.parametrize(("units", "ff"), [(FF, 1.0), (PF, 0.001)])
def test_a_net_loads_each_edge_by_its_own_capacitance_energy_by_the_mean_and_cells_by_the_greater(tmp_path, units, ff):
    edges = f"rise_capacitance : {3.5 * ff}; fall_capacitance : {4.25 * ff};"
    library = changed(tmp_path, f"capacitance : {2 * ff:.12g};", f"capacitance : {5 * ff:.12g}; {edges}", units)
    pin = library.cells["NAND"].pins["A"]
    assert pin.capacitance_ff == pytest.approx(5.0)
    assert pin.edge_capacitance_ff == pytest.approx((3.5, 4.25))
    assert library.cells["NAND"].pins["B"].edge_capacitance_ff == pytest.approx((3.0, 3.0))
    netlist = Netlist(
        "top", {"a": [A]}, {"y": [Y]}, [Instance("nand", library.cells["NAND"], {"A": A, "B": A, "Y": Y})]
    )
    assert edge_loads_ff(netlist, None)[:, A] == pytest.approx([6.5, 7.25])
    assert analyse(netlist, library, set()).load_ff[A] == pytest.approx(6.875)


RISE_FF, FALL_FF = 2.0, 5.0  # of the pins that follow; the stated ``capacitance`` is the greater


def unequal(tmp_path, pin):
    """Return the library with a pin whose rise and fall charge it differently."""
    usual = f"capacitance : {hand.CAPACITANCE_FF[pin]:.12g};"
    cell = hand.cells(FF)[pin.partition("/")[0]]
    place = cell.index(usual, cell.index(f"pin ({pin.partition('/')[2]})"))
    edges = f"capacitance : {FALL_FF}; rise_capacitance : {RISE_FF}; fall_capacitance : {FALL_FF};"
    text = hand.text(FF)
    assert text.count(cell) == 1
    return hand.library(tmp_path, content=text.replace(cell, cell[:place] + edges + cell[place + len(usual) :]))


def test_energy_goes_by_the_mean_of_rise_and_fall_and_delay_by_each_edge_s_own(tmp_path):
    """An inverter drives a pin of 2 fF when it rises and 5 fF when it falls; its other pins are alike for both."""
    library = unequal(tmp_path, "NAND/A")
    cells = library.cells
    instances = [
        Instance("inv", cells["INV"], {"A": A, "Y": B}),
        Instance("nand", cells["NAND"], {"A": B, "B": 1, "Y": Y}),
    ]
    netlist = Netlist("top", {"a": [A]}, {"y": [Y]}, instances)
    model = EnergyModel(netlist, library, set(), SLEW_NS)

    toggles = np.zeros(Y + 1)
    toggles[B] = 0.5
    bill = model.pins.bill(toggles, Activity(toggles, toggles, np.zeros(2), []))
    # Half of the toggles are rises, 2 fF each, half falls of 5 fF: 3.5 fF, and 2 V.
    assert bill.switching[B] == pytest.approx(0.5 * (0.5 * RISE_FF + 0.5 * FALL_FF) / 2 * 2.0**2)
    internal = (hand.RISE_FJ["INV/Y"] + hand.FALL_FJ["INV/Y"]) / 2 + hand.SLEW_FJ * SLEW_NS
    assert bill.internal[B] == pytest.approx(0.5 * (internal + hand.LOAD_FJ * (RISE_FF + FALL_FF) / 2))

    # The inverter's fall is the slower though its table is the faster: it has 5 fF to discharge.
    delays = dict(zip(("rise", "fall"), (RISE_FF, FALL_FF), strict=True))
    falls_ns, rises_ns = (
        hand.DELAY_NS[edge] + hand.DELAY_NS_PER_NS * SLEW_NS + hand.DELAY_NS_PER_FF * delays[edge]
        for edge in ("fall", "rise")
    )
    nand_ns = {  # the NAND's output has no load, and its input the slew that the inverter gave
        edge: hand.DELAY_NS[edge] + hand.DELAY_NS_PER_NS * (hand.SLEW_NS[source] + hand.SLEW_NS_PER_FF * delays[source])
        for edge, source in (("rise", "fall"), ("fall", "rise"))
    }
    through = analyse(netlist, library, set(), slew_ns=SLEW_NS).timing.through_ns
    assert through == pytest.approx(max(falls_ns + nand_ns["rise"], rises_ns + nand_ns["fall"]))


def test_a_clock_pin_is_charged_by_the_mean_of_rise_and_fall(tmp_path):
    library = unequal(tmp_path, "DFF/CK")
    register = Instance("dff", library.cells["DFF"], {"D": A, "CK": B, "Q": Y})
    model = EnergyModel(Netlist("top", {"clk": [B], "a": [A]}, {"q": [Y]}, [register]), library, {B}, SLEW_NS)
    still = np.zeros(Y + 1)
    kept_fj = sum(hand.CLOCK_KEEPS_FJ) + 2 * hand.SLEW_FJ * SLEW_NS
    energy = model.energy(Activity(still, still, np.ones(1), []))
    assert energy.clock_fj == pytest.approx((RISE_FF + FALL_FF) / 2 * 2.0**2 + kept_fj)


@pytest.mark.parametrize("units", [FF, PF])
def test_a_library_states_the_greatest_load_of_outputs_that_state_none(tmp_path, units):
    text = hand.text(units)
    limit = f"max_capacitance : {60 * units.farad:.12g};"
    text = text.replace(limit, "", 1).replace("  nom_voltage", f"  default_{limit.replace('60', '45')} nom_voltage")
    text = text.replace(f"default_{limit}", f"default_max_capacitance : {45 * units.farad:.12g};")
    library = hand.library(tmp_path, units, text)
    loads = {name: cell.pins[cell.outputs[0]].max_capacitance_ff for name, cell in library.cells.items()}
    assert loads == pytest.approx({"INV": 45.0, "BUF": 60.0, "NAND": 60.0, "DFF": 60.0})


def test_tables_of_the_ground_rail_are_the_same_charge_again(tmp_path):
    text = hand.text().replace("  nom_voltage", '  voltage_map ("VDD", 2); voltage_map ("VSS", 0); nom_voltage')
    power = hand._power(FF, (4.0, 2.0), "A")
    rails = [power.replace("{", f"{{ related_pg_pin : {rail};", 1) for rail in ("VDD", "VSS")]
    assert power in text
    cell = hand.library(tmp_path, content=text.replace(power, "".join(rails), 1)).cells["INV"]
    assert [found.rail for found in cell.powers("Y")] == ["VDD"]
    assert [found.rail for found in cell.powers("Y", grounds=True)] == ["VDD", "VSS"]


def test_a_table_whose_first_axis_is_the_load_is_read_at_the_same_slew_and_load(tmp_path):
    other = (
        "lu_table_template (turned) { variable_1 : total_output_net_capacitance; variable_2 : input_net_transition; }"
    )
    slews, loads = (0.01, 0.03), (1.0, 6.0, 11.0)
    rows = ", ".join('"' + ", ".join(f"{4 + 20 * slew + 0.25 * load:g}" for slew in slews) + '"' for load in loads)
    axes = f'index_1 ("{", ".join(map(str, loads))}"); index_2 ("{", ".join(map(str, slews))}");'
    turned = f"rise_power (turned) {{ {axes} values ({rows}); }}"
    usual = hand._table("rise_power", FF, 1.0, hand.RISE_FJ["INV/Y"], hand.SLEW_FJ, hand.LOAD_FJ)
    text = hand.text().replace("  lu_table_template", f"  {other}\n  lu_table_template", 1)
    assert usual in text
    table = hand.library(tmp_path, content=text.replace(usual, turned, 1)).cells["INV"].powers("Y")[0].rise
    for slew_ns, load_ff in ((0.01, 1.0), (0.02, 4.0), (0.05, 20.0)):
        assert table.at(slew_ns, load_ff) == pytest.approx(4 + 20 * slew_ns + 0.25 * load_ff)


def test_a_cell_of_two_outputs_that_toggle_together_hides_what_neither_shows(tmp_path):
    both = 'pin (Z) { direction : output; function : "A & B"; max_capacitance : 60; }'
    start = hand.text().index("cell (NAND)")
    text = hand.text()
    place = text.index("pin (Y)", start)
    library = hand.library(tmp_path, content=text[:place] + both + text[place:])
    nets = {"A": A, "B": B, "Y": Y, "Z": Z}
    netlist = Netlist("top", {"a": [A], "b": [B]}, {}, [Instance("nand", library.cells["NAND"], nets)])
    toggles = np.zeros(Z + 1)
    toggles[[A, B, Y, Z]] = 0.8, 0.4, 0.3, 0.3
    energy = EnergyModel(netlist, library, set(), SLEW_NS).energy(Activity(toggles, toggles, np.zeros(1), []))
    each_fj = sum(hand.HIDDEN_FJ) / 2 + hand.SLEW_FJ * SLEW_NS
    assert energy.parts_fj["hidden"] == pytest.approx((1 - 0.3 / (0.8 + 0.4)) * 0.8 * each_fj)


@pytest.mark.parametrize("last", "YZ")
def test_a_toggle_is_hidden_where_none_of_several_outputs_shows_it(tmp_path, last):
    """Toggles of A show at Y where B is 1, at Z where C is 1: tables of those states are not the hidden toggle's."""
    of_z = 'pin (C) { direction : input; capacitance : 1; } pin (Z) { direction : output; function : "A & C"; '
    of_z += "max_capacitance : 60; }"
    shown = hand._power(FF, (2.5, 4.5), when="B & !C") + hand._power(FF, (1.5, 3.5), when="!B & C")
    cell = hand.cells(FF)["NAND"]
    pin_a = "pin (A) { direction : input; capacitance : 2;\n"
    assert pin_a in cell
    cell = cell.replace(pin_a, pin_a + shown)
    place = cell.index("pin (Y)") if last == "Y" else cell.rindex("}")
    cell = cell[:place] + of_z + cell[place:]
    library = hand.library(tmp_path, content=hand.text(FF, leave_out=("NAND",)).rstrip().removesuffix("}") + cell + "}")
    assert library.cells["NAND"].outputs[-1] == last
    c = Z + 1
    nets = {"A": A, "B": B, "C": c, "Y": Y, "Z": Z}
    netlist = Netlist("top", {"a": [A], "b": [B], "c": [c]}, {}, [Instance("nand", library.cells["NAND"], nets)])
    toggles = np.zeros(c + 1)
    toggles[A] = 0.8
    energy = EnergyModel(netlist, library, set(), SLEW_NS).energy(Activity(toggles, toggles, np.zeros(1), []))
    each_fj = sum(hand.HIDDEN_FJ) / 2 + hand.SLEW_FJ * SLEW_NS
    assert energy.parts_fj["hidden"] == pytest.approx(0.8 * each_fj)
