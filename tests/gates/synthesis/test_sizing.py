"""Drive strengths: variants by function, loads within their bound, worst paths made faster step by step."""

import random

import pytest

from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.synthesis.sizing import bound_loads, find_sizes, speed_up, use_inverse_outputs
from bitjoule.gates.timing.sta import Timing

LIBRARY = find_library([FREEPDK45])
SIZES = find_sizes(LIBRARY)
CELLS = LIBRARY.cells
STRENGTHS = (1, 2, 4, 8, 16, 32)


def limit_ff(instance: Instance) -> float:
    (pin,) = instance.cell.outputs
    return instance.cell.pins[pin].max_capacitance_ff


def load_ff(netlist: Netlist, net: int) -> float:
    return sum(instance.cell.pins[pin].capacitance_ff for instance, pin in netlist.sinks()[net])


def fan_out(driver: str, sink: str, count: int) -> Netlist:
    """Return a driver of net 10 that as many cells read, each of which drives a net of its own."""
    instances = [Instance("driver", CELLS[driver], {"A": 2, "ZN" if driver.startswith("INV") else "Z": 10})]
    instances += [Instance(f"sink{i}", CELLS[sink], {"A": 10, "ZN": 11 + i}) for i in range(count)]
    return Netlist("top", {"a": [2]}, {"y": list(range(11, 11 + count))}, instances)


def names(netlist: Netlist) -> list[str]:
    return [instance.cell.name for instance in netlist.instances]


BUFFERS = [f"BUF_X{strength}" for strength in STRENGTHS]
VARIANTS = {
    "INV_X1": [f"INV_X{strength}" for strength in STRENGTHS],
    "BUF_X1": [*BUFFERS, "CLKBUF_X1", "CLKBUF_X2", "CLKBUF_X3"],
    "NAND2_X1": ["NAND2_X1", "NAND2_X2", "NAND2_X4"],
    "DFF_X1": ["DFF_X1", "DFF_X2"],
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_the_cells_of_one_function_and_pins_weakest_first(name):
    found = SIZES.variants[name]
    assert sorted(cell.name for cell in found) == sorted(VARIANTS[name])
    drives_ff = [min(cell.pins[pin].max_capacitance_ff for pin in cell.outputs) for cell in found]
    assert drives_ff == sorted(drives_ff)
    assert all(SIZES.variants[cell] == found for cell in VARIANTS[name])


def test_of_buffers_of_one_strength_the_smallest_is_taken():
    drives_ff = [cell.pins["Z"].max_capacitance_ff for cell in SIZES.buffers]
    assert drives_ff == sorted(set(drives_ff))
    for cell in SIZES.variants["BUF_X1"]:
        (taken,) = [buffer for buffer in SIZES.buffers if buffer.pins["Z"].max_capacitance_ff
                    == cell.pins["Z"].max_capacitance_ff]  # fmt: skip
        assert taken.area_um2 <= cell.area_um2


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_no_driver_has_a_sink_more_to_drive_than_its_share_and_every_sink_keeps_its_value(seed, share):
    draw = random.Random(seed)
    netlist = fan_out(draw.choice(["INV_X1", "INV_X4", "BUF_X1"]), draw.choice(["INV_X1", "INV_X8"]), 10 * 3**seed)
    sinks = netlist.instances[1:]
    bound_loads(netlist, SIZES, set(), share)
    for instance in netlist.instances:
        (pin,) = instance.cell.outputs
        largest_ff = max(
            (sink.cell.pins[at].capacitance_ff for sink, at in netlist.sinks()[instance.nets[pin]]), default=0
        )
        assert load_ff(netlist, instance.nets[pin]) < share * limit_ff(instance) + largest_ff
    drivers = netlist.drivers()
    for sink in sinks:
        net = sink.nets["A"]
        while net != 10:
            buffer, _ = drivers[net]
            assert buffer.cell in SIZES.buffers
            net = buffer.nets["A"]
    assert netlist.instances[0].cell.name[:3] == drivers[10][0].cell.name[:3]


def test_a_load_within_the_share_changes_nothing():
    netlist = fan_out("INV_X1", "INV_X1", 5)
    share = load_ff(netlist, 10) / limit_ff(netlist.instances[0])
    before = names(netlist)
    bound_loads(netlist, SIZES, set(), 1.0001 * share)
    assert names(netlist) == before
    bound_loads(netlist, SIZES, {10}, 0.5 * share)  # a clock net
    assert names(netlist) == before
    bound_loads(netlist, SIZES, set(), 0.9999 * share)
    assert names(netlist) == ["INV_X2", *before[1:]]


@pytest.mark.parametrize("count", [2, 8, 40, 200])
def test_the_cheaper_of_a_stronger_cell_and_buffers_is_taken(count):
    netlist = fan_out("INV_X1", "INV_X32", count)
    share, load = 0.5, load_ff(netlist, 10)
    able = [cell for cell in SIZES.variants["INV_X1"] if share * cell.pins["ZN"].max_capacitance_ff >= load]
    added_um2 = min((cell.area_um2 for cell in able), default=float("inf")) - CELLS["INV_X1"].area_um2
    leaves_um2 = min(-(-load // (share * cell.pins["Z"].max_capacitance_ff)) * cell.area_um2 for cell in SIZES.buffers)
    bound_loads(netlist, SIZES, set(), share)
    assert (len(netlist.instances) == count + 1) == (added_um2 <= leaves_um2)


def test_buffers_share_the_load_evenly():
    netlist = fan_out("INV_X1", "INV_X32", 120)
    bound_loads(netlist, SIZES, set(), 0.5)
    loads = [load_ff(netlist, cell.nets["Z"]) for cell in netlist.instances if cell.cell in SIZES.buffers]
    leaves = [load for load in loads if load > 5 * CELLS["INV_X32"].pins["A"].capacitance_ff]
    assert max(leaves) - min(leaves) <= CELLS["INV_X32"].pins["A"].capacitance_ff * 1.001


def path(periods_ns: dict[str, float], netlist: Netlist):
    """Return timing by the cell of the first instance, which alone is on the worst path."""

    def analyse() -> Timing:
        period_ns = periods_ns[netlist.instances[0].cell.name]
        return Timing(period_ns, 0.0, 0.0, 0.0, ("driver/ZN",), (0,))

    return analyse


@pytest.mark.parametrize(("period_ns", "cell"), [(9.0, "INV_X1"), (8.0, "INV_X2"), (7.5, "INV_X4"), (1.0, "INV_X8")])
def test_a_cell_on_the_worst_path_becomes_one_step_stronger_until_the_period_is_met_or_nothing_helps(period_ns, cell):
    netlist = fan_out("INV_X1", "INV_X1", 150)
    periods_ns = {"INV_X1": 9.0, "INV_X2": 8.0, "INV_X4": 7.0, "INV_X8": 6.0, "INV_X16": 6.0}
    timing = speed_up(netlist, SIZES, path(periods_ns, netlist), period_ns)
    assert names(netlist) == [cell, *["INV_X1"] * 150]
    assert timing.period_ns == periods_ns[cell]


@pytest.mark.parametrize(("load_share", "cell"), [(0.02, "INV_X1"), (0.05, "INV_X2"), (0.2, "INV_X8")])
def test_a_cell_that_drives_little_is_left(load_share, cell):
    """The last step takes cells that drive more than 0.03 of what they may; twice the strength halves the share."""
    sinks = round(load_share * CELLS["INV_X1"].pins["ZN"].max_capacitance_ff / CELLS["INV_X1"].pins["A"].capacitance_ff)
    netlist = fan_out("INV_X1", "INV_X1", sinks)
    periods_ns = {f"INV_X{strength}": 9.0 - strength / 32 for strength in STRENGTHS}
    speed_up(netlist, SIZES, path(periods_ns, netlist), 1.0)
    assert names(netlist)[0] == cell


@pytest.mark.parametrize("taken", [False, True])
def test_an_inverter_behind_a_register_goes_where_the_register_has_an_inverse_output_that_is_free(taken):
    register = Instance("register", CELLS["DFF_X1"], {"D": 2, "CK": 3, "Q": 10, "QN": 11})
    inverter = Instance("inverter", CELLS["INV_X1"], {"A": 10, "ZN": 12})
    reader = Instance("reader", CELLS["BUF_X1"], {"A": 11 if taken else 12, "Z": 13})
    netlist = Netlist("top", {"d": [2], "clk": [3]}, {"y": [12, 13]}, [register, inverter, reader])
    use_inverse_outputs(netlist)
    assert [instance.name for instance in netlist.instances] == (
        ["register", "inverter", "reader"] if taken else ["register", "reader"]
    )
    assert register.nets["QN"] == (11 if taken else 12)
