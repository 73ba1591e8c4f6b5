"""OpenSTA, where it is installed, agrees with our static timing and, by its own weights, with our power."""

import shutil

import pytest

from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import clock_tree
from bitjoule.gates.power.crosscheck import as_opensta, opensta_power
from bitjoule.gates.synthesis.yosys import liberty_file
from bitjoule.gates.timing.opensta import analyse as opensta_timing
from bitjoule.gates.timing.sta import analyse
from tests.sampling import drawing_seed

ACTIVITY, PERIOD_NS = 0.2, 10.0
LARGE = () if drawing_seed("netlists of OpenSTA") % 4 == 0 else (pytest.mark.dear,)
CASES = [
    ("tiny_8x4", "45nm"),
    pytest.param("tiny_8x4", "7nm", marks=pytest.mark.slow),
    *(pytest.param("decode_64x5", node, marks=[pytest.mark.slow, *LARGE]) for node in ("45nm", "7nm")),
]

pytestmark = pytest.mark.skipif(shutil.which("sta") is None, reason="no OpenSTA (sta): apt-get install opensta")


def prepared(configuration, node, open_node, mapped):
    library = open_node(node)
    design, folder = mapped(configuration, node)
    netlist = design.netlist
    clock_nets = set(clock_tree(netlist, set(netlist.inputs["clk"])))
    # OpenSTA applies the wire load that a library selects; to a library without one (ASAP7) it is told of none.
    wires = library.own_wire_load(netlist.area_um2)
    return netlist, library, clock_nets, analyse(netlist, library, clock_nets, wires), folder


@pytest.mark.parametrize(("configuration", "node"), CASES)
def test_delays_are_those_of_opensta_within_a_percent(configuration, node, open_node, mapped):
    netlist, library, _, analysis, folder = prepared(configuration, node, open_node, mapped)
    theirs = opensta_timing(netlist, liberty_file(library), "clk", library, folder)
    for name in ("period_ns", "input_ns", "output_ns", "through_ns"):
        assert getattr(analysis.timing, name) == pytest.approx(getattr(theirs, name), rel=0.01), name


@pytest.mark.parametrize(("configuration", "node"), CASES)
def test_power_by_opensta_s_weights_is_opensta_s(configuration, node, open_node, mapped):
    netlist, library, clock_nets, analysis, folder = prepared(configuration, node, open_node, mapped)
    theirs = opensta_power(netlist, library, "clk", ACTIVITY, PERIOD_NS, folder)
    ours = as_opensta(netlist, library, analysis, clock_nets, ACTIVITY, PERIOD_NS)
    assert ours.total == pytest.approx(theirs.total, rel=0.01)
    assert ours.internal == pytest.approx(theirs.internal, rel=0.01)
    assert ours.switching == pytest.approx(theirs.switching, rel=0.002)
    if node == "45nm":  # ASAP7 states no mean, and OpenSTA forgets a pin of each condition
        assert ours.leakage == pytest.approx(theirs.leakage, rel=0.001)


@pytest.mark.parametrize(
    ("node", "register", "clock", "state", "inverter", "output"),
    [
        ("45nm", "DFF_X1", "CK", "Q", "INV_X1", "ZN"),
        pytest.param("7nm", "DFFHQNx1_ASAP7_75t_R", "CLK", "QN", "INVx1_ASAP7_75t_R", "Y", marks=pytest.mark.slow),
    ],
)
def test_cells_at_the_ports_are_read_at_the_slew_of_the_ports(
    node, register, clock, state, inverter, output, open_node, tmp_path
):
    """Nothing is in front of them, so that the slew that OpenSTA is told counts in full."""
    library = open_node(node)
    register, inverter = library.cells[register], library.cells[inverter]
    unused = {pin: 6 for pin in register.outputs if pin != state}
    instances = [
        Instance("inverter", inverter, {"A": 3, output: 5}),
        Instance("register", register, {"D": 3, clock: 2, state: 4, **unused}),
    ]
    netlist = Netlist("top", {"clk": [2], "d": [3]}, {"q": [4], "n": [5]}, instances)
    analysis = analyse(netlist, library, {2}, library.own_wire_load(netlist.area_um2))
    theirs = opensta_power(netlist, library, "clk", ACTIVITY, PERIOD_NS, tmp_path)
    ours = as_opensta(netlist, library, analysis, {2}, ACTIVITY, PERIOD_NS)
    assert ours.internal == pytest.approx(theirs.internal, rel=0.001)


@pytest.mark.parametrize("activity", [0.2, 0.7])
@pytest.mark.parametrize(("gate", "clock", "data"), [("NAND2_X1", "A2", "A1"), ("OR2_X1", "A1", "A2")])
def test_a_gate_between_clock_and_data_is_charged_as_often_as_each_of_them_toggles(
    gate, clock, data, activity, open_node, tmp_path
):
    library = open_node("45nm")
    instance = Instance("gate", library.cells[gate], {clock: 2, data: 3, "ZN": 4})
    netlist = Netlist("top", {"clk": [2], "d": [3]}, {"q": [4]}, [instance])
    clock_nets = {2, 4}  # to OpenSTA the output is a clock, too
    analysis = analyse(netlist, library, clock_nets, library.own_wire_load(netlist.area_um2))
    theirs = opensta_power(netlist, library, "clk", activity, PERIOD_NS, tmp_path)
    ours = as_opensta(netlist, library, analysis, clock_nets, activity, PERIOD_NS)
    assert ours.internal == pytest.approx(theirs.internal, rel=0.01)
