"""The data pin of a flip-flop: its charge is its driver's net's, its internal energy the flip-flop's, each once.

A table of an input states what the cell takes from its supply when the input toggles. The charge of the pin comes
through the driver and is half C V squared of the driver's net. If a table held it too, the mean over a rise and a fall
would be at least that; where the pin toggles nothing inside, it is next to nothing.
"""

import re
import shutil

import numpy as np
import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import default_liberty
from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Activity
from bitjoule.gates.power.crosscheck import opensta_power
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.timing.sta import analyse
from tests.gates import hand_made as hand

CLK, A, M, Q = 2, 3, 4, 5
SLEW_NS = 0.02
SHUT_FJ, OPEN_FJ = (3.0, 5.0), (-0.6, 0.8)  # rise and fall of D while the clock is low, and high


def table(when, energies):
    """Return internal power of an input, the same at every slew."""
    edges = "".join(
        f'{edge}_power (hidden) {{ index_1 ("0.01, 0.05"); values ("{energy}, {energy}"); }}'
        for edge, energy in zip(("rise", "fall"), energies, strict=True)
    )
    return f'internal_power () {{ when : "{when}"; {edges} }}\n'


def library(folder, name, data_ff=hand.CAPACITANCE_FF["DFF/D"], tables=True):
    """Return the hand-made library with internal energy of D, or without, and a capacitance of D."""
    text, cell, register = hand.text().partition("cell (DFF)")
    old = f"pin (D) {{ direction : input; capacitance : {hand.CAPACITANCE_FF['DFF/D']:.12g};\n"
    assert old in register
    inside = table("!CK", SHUT_FJ) + table("CK", OPEN_FJ) if tables else ""
    register = register.replace(old, f"pin (D) {{ direction : input; capacitance : {data_ff:.12g};\n{inside}")
    (folder / name).mkdir()
    return hand.library(folder / name, content=text + cell + register)


def driven(cells, inverter="INV", register="DFF", pins=("A", "Y", "D", "CK", "Q")):
    """INV(A=a) -> m -> DFF -> q."""
    gate_in, gate_out, data, clock, output = pins
    rest = {pin: Q + 1 for pin in cells.cells[register].outputs if pin != output}
    instances = [
        Instance("inv", cells.cells[inverter], {gate_in: A, gate_out: M}),
        Instance("dff", cells.cells[register], {data: M, clock: CLK, output: Q, **rest}),
    ]
    return Netlist("top", {"clk": [CLK], "a": [A]}, {"q": [Q]}, instances)


def spent_fj(cells, data, out, edges):
    """Return what the inverter and the flip-flop spend in a cycle in which nets toggle so often."""
    toggles = np.zeros(Q + 1)
    toggles[[A, M, Q]] = data, data, out
    model = EnergyModel(driven(cells), cells, {CLK}, SLEW_NS)
    return model.energy(Activity(toggles, toggles, np.array([0.0, edges]), [])).by_instance_fj[1]


@pytest.mark.parametrize("edges", [1.0, 0.5, 0.0])
@pytest.mark.parametrize(("data", "out"), [(0.8, 0.3), (0.5, 0.5), (0.4, 0.0), (0.0, 0.0)])
def test_the_charge_is_the_drivers_and_the_tables_are_the_flip_flops(tmp_path, data, out, edges):
    """Every toggle of D pays D's tables, whether it reaches the state or not, at the level that the clock then has.

    The clock is high when data change, if there is an edge in the period. A value that is new when the clock falls pays
    for that fall instead, in `plain` as well.
    """
    plain = library(tmp_path, "plain", tables=False)
    inverter, register = spent_fj(plain, data, out, edges)
    more, with_tables = spent_fj(library(tmp_path, "tables"), data, out, edges)
    assert more == pytest.approx(inverter)
    expected = data * (edges * sum(OPEN_FJ) + (1.0 - edges) * sum(SHUT_FJ)) / 2
    assert with_tables - register == pytest.approx(expected)
    larger, same = spent_fj(library(tmp_path, "larger", data_ff=2.5, tables=False), data, out, edges)
    assert same == pytest.approx(register)
    # a fF more: half C V squared, and what the inverter's table takes for it
    assert larger - inverter == pytest.approx(data * (0.5 * 1.0 * hand.VOLTAGE_V**2 + hand.LOAD_FJ))
    _, still = spent_fj(plain, 0.0, out, edges)
    new_fj = edges * data * (hand.CLOCK_CHANGES_FJ[1] - hand.CLOCK_KEEPS_FJ[1])
    assert register - still == pytest.approx(new_fj)


REGISTERS = [
    ("45nm", "DFF_X1", "CK"),
    ("45nm", "DFF_X2", "CK"),
    pytest.param("7nm", "DFFHQNx1_ASAP7_75t_R", "CLK", marks=pytest.mark.slow),
    pytest.param("7nm", "DFFHQNx2_ASAP7_75t_R", "CLK", marks=pytest.mark.slow),
]


def tables_of(library, register, pin, level):
    """Return the rises and falls in fJ of a pin's tables whose conditions are possible at some values of other pins."""
    found = []
    for power in library.cells[register].powers(pin):
        values = {name: np.uint64(0) for name in library.cells[register].pins}
        pins = sorted(set(power.when.pins))
        states = [dict(zip(pins, map(int, f"{i:0{len(pins)}b}"), strict=True)) for i in range(1 << len(pins))]
        states = [state for state in states if state.get("QN") is None or state.get("Q") != state["QN"]]
        if any(level(state) and int(power.when({**values, **words(state)})) & 1 for state in states):
            found.append((power.rise.at(library.slew_ns, 1.0), power.fall.at(library.slew_ns, 1.0)))
    return np.array(found)


def words(state):
    return {name: np.uint64(value) for name, value in state.items()}


@pytest.mark.parametrize(("node", "register", "clock"), REGISTERS)
def test_the_tables_of_d_leave_out_the_charge_of_the_pin(node, register, clock, open_node):
    """With the clock high D ends at an open switch: what is left of a rise and a fall together is a tenth of C V^2."""
    library = open_node(node)
    charge_fj = library.cells[register].pins["D"].mean_capacitance_ff * library.voltage_v**2
    high = tables_of(library, register, "D", lambda state: state[clock] == 1)
    assert len(high)
    assert np.abs(high.sum(axis=1)).max() < 0.1 * charge_fj
    # the charge itself passes the supply twice, there and back
    assert (high[:, 0] < 0).all()
    assert (high[:, 1] > 0).all()


@pytest.mark.parametrize(("node", "register", "clock"), REGISTERS)
def test_a_new_value_costs_about_as_much_at_d_as_at_the_clocks_fall(node, register, clock, open_node):
    """A master latch takes a new value once: at D's toggle if the clock is low, or else at the clock's next fall."""
    library = open_node(node)
    state_of = (lambda state: state["Q"]) if "Q" in library.cells[register].outputs else (lambda s: 1 - s["QN"])
    low = tables_of(library, register, "D", lambda state: state[clock] == 0).mean()
    new = tables_of(library, register, clock, lambda state: state["D"] != state_of(state))[:, 1].mean()
    kept = tables_of(library, register, clock, lambda state: state["D"] == state_of(state))[:, 1].mean()
    assert new - kept == pytest.approx(low, rel=0.15)


def freepdk45(folder, name, tables=True, factor=1.0):
    """Return two cells of FreePDK45, with the tables of D or without, and its capacitance times a factor."""
    head, *cells = re.split(r"(?m)^(?=\s*cell \()", default_liberty().read_text())
    text = head + "".join(cell for cell in cells if re.match(r"\s*cell \((INV_X1|DFF_X1)\)", cell)) + "}\n"
    start = text.index("pin (D)", text.index("cell (DFF_X1)"))
    end = text.index("pin (", start + 1)
    pin = text[start:end]
    if not tables:
        pin = pin[: pin.index("internal_power")].rstrip() + "\n    }\n    "
    pin = re.sub(r"(capacitance\s*:\s*)([\d.]+)", lambda match: f"{match[1]}{float(match[2]) * factor:.9g}", pin)
    path = folder / f"{name}.lib"
    path.write_text(text[:start] + pin + text[end:])
    return Library([path])


@pytest.mark.skipif(shutil.which("sta") is None, reason="no OpenSTA (sta): apt-get install opensta")
def test_opensta_counts_them_apart_too(tmp_path):
    """Internal power without and with D's tables, switching power without and with twice the capacitance of D.

    For each toggle this OpenSTA charges a rise and a fall, takes the three pins of a condition for independent, and of
    the capacitances for rise and fall the greater (see `bitjoule.gates.power.crosscheck`).
    """
    activity, period_ns = 0.2, 10.0
    libraries = {
        "whole": freepdk45(tmp_path, "whole"),
        "plain": freepdk45(tmp_path, "plain", tables=False),
        "larger": freepdk45(tmp_path, "larger", factor=2.0),
    }
    pins = ("A", "ZN", "D", "CK", "Q")
    watts, netlists = {}, {}
    for name, cells in libraries.items():
        netlists[name] = driven(cells, "INV_X1", "DFF_X1", pins)
        watts[name] = opensta_power(netlists[name], cells, "clk", activity, period_ns, tmp_path)
    whole = libraries["whole"]
    netlist = netlists["whole"]
    slews = analyse(netlist, whole, {CLK}, whole.own_wire_load(netlist.area_um2)).slew_ns[:, M]
    tables = whole.cells["DFF_X1"].powers("D")
    assert len(tables) == 4
    both_edges = [power.rise.at(slews[0], 0.0) + power.fall.at(slews[1], 0.0) for power in tables]
    per_toggle_fj = period_ns / activity * 1e6
    internal = (watts["whole"].internal - watts["plain"].internal) * per_toggle_fj
    assert internal == pytest.approx(sum(both_edges) / 8, rel=0.01)
    assert watts["whole"].switching == pytest.approx(watts["plain"].switching, rel=1e-6)
    switching = (watts["larger"].switching - watts["whole"].switching) * per_toggle_fj
    charge_fj = 0.5 * max(whole.cells["DFF_X1"].pins["D"].edge_capacitance_ff) * whole.voltage_v**2
    assert switching == pytest.approx(charge_fj, rel=0.01)
