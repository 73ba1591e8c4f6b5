"""What OpenSTA's report says of a path, against the cells that the netlist was made of."""

import shutil

import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import default_liberty
from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.timing.opensta import analyse
from bitjoule.gates.timing.sta import analyse as own_analysis

pytestmark = pytest.mark.skipif(shutil.which("sta") is None, reason="no OpenSTA (sta): apt-get install opensta")

CLK, D, A, Q = 2, 3, 4, 5


@pytest.fixture(scope="module")
def library():
    return Library([default_liberty()])


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


def test_the_path_of_a_netlist_without_a_clock_is_the_one_through_it(library, tmp_path):
    cell = library.cells
    instances = [
        Instance("first", cell["INV_X1"], {"A": A, "ZN": 6}),
        Instance("second", cell["BUF_X1"], {"A": 6, "Z": 7}),
    ]
    netlist = Netlist("through", {"a": [A]}, {"y": [7]}, instances)
    theirs = analyse(netlist, default_liberty(), None, library, tmp_path)
    assert (theirs.path, theirs.instances) == (("INV_X1/ZN", "BUF_X1/Z"), (0, 1))
    ours = own_analysis(netlist, library, set()).timing
    assert (theirs.path, theirs.instances) == (ours.path, ours.instances)
