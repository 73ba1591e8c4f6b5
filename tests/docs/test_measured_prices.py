"""What docs/measured-prices.md works out by hand is what the library says and the code gives."""

import re
from pathlib import Path

import numpy as np
import pytest

from bitjoule.energy_models.prices.technology import technologies
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import default_liberty
from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Activity
from bitjoule.gates.power.energy import EnergyModel

PAGE = (Path(__file__).parents[2] / "docs" / "measured-prices.md").read_text()
CLK, A, B, Z, Q, QN = range(2, 8)


@pytest.fixture(scope="module")
def library():
    return Library([default_liberty()])


@pytest.fixture(scope="module")
def energy(library):
    cells = library.cells
    instances = [
        Instance("xor", cells["XOR2_X1"], {"A": A, "B": B, "Z": Z}),
        Instance("dff", cells["DFF_X1"], {"D": Z, "CK": CLK, "Q": Q, "QN": QN}),
    ]
    netlist = Netlist("top", {"clk": [CLK], "a": [A], "b": [B]}, {}, instances)
    toggles = np.zeros(QN + 1)
    toggles[[A, B, Z]] = 0.25, 0.25, 0.5
    return EnergyModel(netlist, library, {CLK}).energy(Activity(toggles, toggles, np.array([0.0, 1.0]), []))


def rows(first):
    """Return the cells of the rows of a table that begin with a text."""
    found = [line for line in PAGE.splitlines() if line.startswith(f"| {first}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


def test_the_rows_are_the_library_s(library):
    cell = library.cells["XOR2_X1"]
    shown = [*rows("A, when"), *rows("B, when")]
    assert len(shown) == len(cell.powers("Z")) == 4
    for row, power in zip(shown, cell.powers("Z"), strict=True):
        assert row[0] == f"{power.related[0]}, when {power.when.text}"
        place = list(power.rise.slew_ns).index(0.0171859)
        assert list(power.rise.load_ff[1:3]) == [0.79155, 1.5831]
        values = [*power.rise.values[place, 1:3], *power.fall.values[place, 1:3]]
        assert [float(text) for text in row[1:5]] == pytest.approx(values, abs=1e-9)
        mean = (power.rise.at(0.0171859, 1.101316) + power.fall.at(0.0171859, 1.101316)) / 2
        assert float(row[5]) == pytest.approx(mean, abs=1e-6)
    assert f"{library.voltage_v:g} V" in PAGE
    assert library.cells["DFF_X1"].pins["D"].edge_capacitance_ff == (1.14029, 1.062342)
    assert pytest.approx(1.101316) == (1.14029 + 1.062342) / 2
    assert library.slew_ns == 0.0171859


def test_the_sum_is_what_the_code_gives(energy):
    internal, charge, toggle, cycle = (
        float(row[2])
        for row in [*rows("internal energy per"), *rows("charge per"), *rows("total per t"), *rows("total per c")]
    )
    parts = [float(text) for text in re.search(r"\((4\.\d+) \+ ([\d.]+) \+ ([\d.]+) \+ ([\d.]+)\) / 4", PAGE).groups()]
    assert parts == [float(row[5]) for row in [*rows("A, when"), *rows("B, when")]]
    assert internal == pytest.approx(sum(parts) / 4, abs=1e-6)
    assert charge == pytest.approx(0.5 * 1.101316 * 1.1**2, abs=1e-6)
    assert toggle == pytest.approx(internal + charge, abs=2e-6)
    assert cycle == pytest.approx(0.5 * toggle, abs=1e-6)
    assert energy.by_instance_fj[1][0] == pytest.approx(cycle, abs=1e-6)


def test_wire_and_leakage_are_what_the_code_gives(library, energy):
    wire_ff, wire_fj = map(float, re.search(r"One wire of ([\d.]+) fF adds ([\d.]+) fJ", PAGE).groups())
    assert library.wire_load(100.0, 10).capacitance_ff(np.ones(1)) == pytest.approx(wire_ff, abs=1e-5)
    assert energy.wire_by_instance_fj[1][0] == pytest.approx(wire_fj, abs=1e-6)
    leakage_nw = float(re.search(r"Leakage, ([\d.]+) nW", PAGE)[1])
    assert library.cells["XOR2_X1"].leakage_nw == leakage_nw


TERMS = ("nonzero", "zero", "load", "column", "lane", "cycle", "fanout")


@pytest.mark.parametrize("node", ["45nm", "7nm"])
def test_the_terms_of_each_array_are_those_of_the_shipped_technology(node):
    technology = technologies()[f"{node}-measured"]
    lines = [line.strip("|").split("|") for line in PAGE.splitlines() if f", {node} " in line and line[0] == "|"]
    found = {cells[0].strip(): [float(cell) for cell in cells[1:]] for cells in lines}
    assert len(found) == len(technology.macs)
    for mac in technology.macs:
        told = found[f"{mac.weights} x {mac.activations} + {mac.accumulation}, {mac.datapath}, {node}"]
        terms = [1e3 * getattr(mac, f"{name}_pj").nominal for name in TERMS]
        low, nominal, high = mac.price(64, 16, technology.zero_share if mac.weights == "ternary" else 0.0)
        expected = [*terms, 100 * mac.worst_fit, *(1e3 * pj for pj in (nominal, low, high))]
        assert told == pytest.approx(expected, rel=0.0006)
