"""What OpenSTA's report says of a path, against the cells that the netlist was made of."""

import re
import shutil

import numpy as np
import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import default_liberty
from bitjoule.gates.liberty.wires import WireLoad
from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.synthesis.yosys import merged_liberty
from bitjoule.gates.timing.opensta import analyse
from bitjoule.gates.timing.sta import Resistance
from bitjoule.gates.timing.sta import analyse as own_analysis
from tests.gates import hand_made as hand

pytestmark = pytest.mark.skipif(shutil.which("sta") is None, reason="no OpenSTA (sta): apt-get install opensta")

CLK, D, A, Q = 2, 3, 4, 5


@pytest.fixture(scope="module")
def library():
    return Library([default_liberty()])


class WithPorts(WireLoad):
    """A rule for wires that takes a port for a sink, as OpenSTA does: here nets without a sink are those of ports."""

    def length_um(self, fanout):
        return super().length_um(np.maximum(fanout, 1.0))


def with_ports(library, netlist):
    """Return this rule with the wires that the library has."""
    own = library.wire_load(netlist.area_um2, len(netlist.instances))
    return WithPorts(own.name, own.ff_per_um, own.fanouts, own.lengths_um, own.slope_um)


def between_registers(library):
    """Return a netlist whose path from input to output has other cells than the one between its registers."""
    cell = library.cells
    instances = [
        Instance("first", cell["DFF_X1"], {"D": D, "CK": CLK, "Q": Q, "QN": 100}),
        Instance("other", cell["BUF_X2"], {"A": A, "Z": 11}),
        Instance("buffer", cell["BUF_X1"], {"A": Q, "Z": 6}),
        Instance("inverter", cell["INV_X1"], {"A": 6, "ZN": 7}),
        Instance("last", cell["DFF_X1"], {"D": 7, "CK": CLK, "Q": 8, "QN": 101}),
    ]
    return Netlist("both", {"clk": [CLK], "d": [D], "a": [A]}, {"q": [8], "z": [11]}, instances)


def test_the_path_of_a_clocked_netlist_is_the_one_between_its_registers(library, tmp_path):
    netlist = between_registers(library)
    theirs = analyse(netlist, default_liberty(), "clk", library, tmp_path)
    assert theirs.path == ("DFF_X1/Q", "BUF_X1/Z", "INV_X1/ZN")
    assert theirs.instances == (0, 2, 3)
    ours = own_analysis(netlist, library, {CLK}).timing
    assert (theirs.path, theirs.instances) == (ours.path, ours.instances)


def test_a_path_from_an_input_is_none_between_registers(library, tmp_path):
    cell = library.cells
    chain = [Instance(f"slow{i}", cell["INV_X1"], {"A": 20 + i, "ZN": 21 + i}) for i in range(16)]
    instances = [
        Instance("first", cell["DFF_X1"], {"D": D, "CK": CLK, "Q": Q, "QN": 100}),
        Instance("inverter", cell["INV_X1"], {"A": Q, "ZN": 7}),
        Instance("last", cell["DFF_X1"], {"D": 7, "CK": CLK, "Q": 8, "QN": 101}),
        *chain,
        Instance("slowest", cell["DFF_X1"], {"D": 36, "CK": CLK, "Q": 9, "QN": 102}),
    ]
    netlist = Netlist("slow", {"clk": [CLK], "d": [D], "a": [20]}, {"q": [8], "y": [9]}, instances)
    theirs = analyse(netlist, default_liberty(), "clk", library, tmp_path)
    wires = library.wire_load(netlist.area_um2, len(netlist.instances))
    resistance = Resistance(*library.ohm_per_um(netlist.area_um2))
    ours = own_analysis(netlist, library, {CLK}, wires, resistance=resistance).timing
    assert theirs.path == ours.path == ("DFF_X1/Q", "INV_X1/ZN")
    assert theirs.instances == ours.instances == (0, 1)
    assert theirs.period_ns < theirs.input_ns
    assert theirs.period_ns == pytest.approx(ours.period_ns, rel=1e-3)


def test_the_path_of_a_netlist_without_a_clock_is_the_one_through_it(library, tmp_path):
    cell = library.cells
    instances = [
        Instance("first", cell["INV_X1"], {"A": A, "ZN": 6}),
        Instance("second", cell["BUF_X1"], {"A": 6, "Z": 7}),
    ]
    netlist = Netlist("through", {"a": [A]}, {"y": [7]}, instances)
    theirs = analyse(netlist, default_liberty(), None, library, tmp_path)
    assert (theirs.path, theirs.instances) == (("INV_X1/ZN", "BUF_X1/Z"), (0, 1))
    wires, resistance = with_ports(library, netlist), Resistance(*library.ohm_per_um(netlist.area_um2))
    ours = own_analysis(netlist, library, set(), wires, resistance=resistance).timing
    assert (theirs.path, theirs.instances) == (ours.path, ours.instances)
    assert theirs.through_ns == pytest.approx(ours.through_ns, rel=3e-3)


def test_delays_of_single_cells_are_ours_once_a_port_is_a_sink(library, tmp_path):
    """The slew of the inputs is a tenth of such delays."""
    cell = library.cells
    instances = [
        Instance("in", cell["INV_X1"], {"A": D, "ZN": 6}),
        Instance("first", cell["DFF_X1"], {"D": 6, "CK": CLK, "Q": Q, "QN": 100}),
        Instance("between", cell["INV_X1"], {"A": Q, "ZN": 7}),
        Instance("last", cell["DFF_X1"], {"D": 7, "CK": CLK, "Q": 8, "QN": 101}),
        Instance("out", cell["BUF_X1"], {"A": 8, "Z": 9}),
        Instance("other", cell["BUF_X2"], {"A": A, "Z": 11}),
    ]
    netlist = Netlist("all", {"clk": [CLK], "d": [D], "a": [A]}, {"q": [9], "z": [11]}, instances)
    theirs = analyse(netlist, default_liberty(), "clk", library, tmp_path)
    wires = with_ports(library, netlist)
    resistance = Resistance(*library.ohm_per_um(netlist.area_um2))
    ours = own_analysis(netlist, library, {CLK}, wires, resistance=resistance).timing
    for name in ("period_ns", "input_ns", "output_ns", "through_ns"):
        assert getattr(theirs, name) == pytest.approx(getattr(ours, name), rel=2e-3), name


def test_opensta_adds_as_much_less_what_shielding_takes_off(tmp_path):
    """OpenSTA's driver sees the resistance as well, which shields part of the load: there it takes a little off."""
    text = default_liberty().read_text()
    resistance = re.compile(r"resistance : 3\.571429e-03")
    assert resistance.search(text)
    periods = []
    for kohm_per_um in (0.0, 0.3):
        path = tmp_path / "cells.lib"
        path.write_text(resistance.sub(f"resistance : {kohm_per_um}", text))
        library = Library([path])
        merged_liberty(library, tmp_path / "sta.lib")
        netlist = hand.chain(library, 6, "DFF_X1", "INV_X1", "ZN")
        theirs = analyse(netlist, tmp_path / "sta.lib", "clk", library, tmp_path)
        wires = library.wire_load(netlist.area_um2, len(netlist.instances))
        ours = own_analysis(netlist, library, {2}, wires, resistance=Resistance(*library.ohm_per_um(netlist.area_um2)))
        periods.append((theirs.period_ns, ours.timing.period_ns))
    (before, ours_before), (after, ours_after) = periods
    assert ours_before == pytest.approx(before, rel=1e-3)
    assert after - before > 0.002
    assert 0.75 < (after - before) / (ours_after - ours_before) < 1.0
