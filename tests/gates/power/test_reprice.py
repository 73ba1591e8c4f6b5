"""The price of each kind of array, worked out anew: toggles times the tables of the Liberty file's text, cell by cell.

No reader, table, condition, capacitance or sum of what is tested is used. Slews are of our static timing, which OpenSTA
confirms elsewhere (docs/measured-prices.md), toggles of our simulator, which Verilator and Icarus Verilog confirm.
"""

from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from bitjoule.gates.calibration.measurement import CLOCK, WARM_UP_CYCLES, Effort, measure, netlist_of
from bitjoule.gates.power.activity import Simulator
from bitjoule.gates.power.delays import arc_delays
from bitjoule.gates.stimuli.stimulus import Stimulus
from bitjoule.gates.stimuli.texts import parse_operands
from bitjoule.gates.timing.sta import analyse
from bitjoule.sim.accelerator.configurations import read_configuration
from tests.gates.power.liberty_text import liberty, table_fj
from tests.sampling import sampled

STIMULUS, EFFORT = "gaussian:32", Effort()
TINY = read_configuration("tiny_8x4")


def column(name):
    """Return a shipped configuration with one column, a tile a beat."""
    config = read_configuration(name)
    bus_bits = config.lanes * config.encoding.row_bits(1) + (16 if config.scaled else 0)
    return replace(config, columns=1, tokens=1, weight_bus_bits=bus_bits)


KINDS = {
    "ternary": TINY,
    "binary": replace(TINY, columns=1, tokens=1, weight_encoding="binary1", weight_bus_bits=8),
    "ternary lookup_table": column("lookup_8x4"),
    "ternary fp16": column("ternary_fp16_8x4"),
    "binary fp16": column("binary_fp16_8x4"),
    "int2": column("int2_8x4"),
    "int4": column("int4_8x4"),
    "int8 weight_digits": column("int8_weights_8x4"),
    "int8 activation_digits": column("int8_8x4"),
    "fp16 fused": column("fp16_fused_8x4"),
    "fp16 rounding_tree": column("fp16_8x4"),
}


DEAR = [kind for kind in KINDS if "fp16" in kind]  # a minute and more each to synthesise


def states(*pins):
    return [dict(zip(pins, values, strict=True)) for values in product((0, 1), repeat=len(pins))]


def holds(expression, state):
    return eval(expression.replace("!", "~"), {}, state) & 1  # noqa: S307  # Liberty's operators bind as Python's do


def mean_fj(powers, among, slews_ns, *load_ff, edges=(0, 1)):
    chosen = [tables for state in among for _, when, tables in powers if holds(when, state)]
    return sum(np.mean([table_fj(tables[edge], slews_ns[edge], *load_ff) for tables in chosen]) for edge in edges)


@cache
def causes(name):
    """Return in how many states of a cell an edge of an input makes an edge of an output, by the tables for it."""
    found, cell = Counter(), liberty()[2][name]
    inputs = [pin for pin, (function, *_) in cell.items() if function is None]
    assert not any(cell[pin][2] for pin in inputs)  # nothing is stated of inputs that toggle without effect
    for output, state, pin in product(cell.keys() - set(inputs), states(*inputs), inputs):
        function, _, powers = cell[output]
        edge = holds(function, state)
        if edge != holds(function, state | {pin: 1 - state[pin]}):
            places = [place for place, (of, when, _) in enumerate(powers) if of == pin and holds(when, state)]
            found.update((output, pin, state[pin], edge, place) for place in places)
    return found


def gate_fj(name, nets, slews_ns, load_ff, toggles, _):
    weighed, weights = defaultdict(float), defaultdict(float)
    for (output, pin, source, edge, place), count in causes(name).items():
        tables, weight = liberty()[2][name][output][2][place][2], count * toggles[:, nets[pin]]
        weights[nets[output]] += weight
        weighed[nets[output]] += weight * table_fj(tables[edge], slews_ns[source, nets[pin]], load_ff[nets[output]])
    return sum(toggles[:, net] * weighed[net] / np.maximum(weights[net], 1e-99) for net in weighed)


def shared_fj(powers, every, slews_ns, pin, share):
    return sum(abs(1 - v - share) * mean_fj(powers, [s for s in every if s[pin] == v], slews_ns) for v in (0, 1))


def register_fj(name, nets, slews_ns, load_ff, toggles, edges):
    cell, share, clock_ns = liberty()[2][name], edges[nets["CK"]], slews_ns[:, nets["CK"]]
    every, changes = [state | {"QN": 1 - state["Q"]} for state in states("D", "CK", "Q")], toggles[:, nets["Q"]]
    kept, new = ([state for state in every if (state["D"] == state["Q"]) == same] for same in (True, False))
    data_fj = toggles[:, nets["D"]] / 2 * shared_fj(cell["D"][2], every, slews_ns[:, nets["D"]], "CK", share)
    output_fj = changes / 2 * sum(mean_fj(cell[pin][2], every, clock_ns, load_ff[nets[pin]]) for pin in ("Q", "QN"))
    rise_fj, fall_fj = (mean_fj(cell["CK"][2], kept, clock_ns, edges=[edge]) for edge in (1, 0))
    fall_fj += toggles[0, nets["D"]] * (mean_fj(cell["CK"][2], new, clock_ns, edges=[0]) - fall_fj)
    return data_fj + output_fj + (share - changes) * rise_fj + share * fall_fj


def clock_gate_fj(name, nets, slews_ns, load_ff, toggles, edges):
    cell, share, toggled = liberty()[2][name], edges.get(nets["GCK"], 0), toggles[:, nets["E"]] / 2
    every = [state for state in states("CK", "E", "GCK") if state["CK"] >= state["GCK"]]
    total_fj = toggled * shared_fj(cell["E"][2], [s for s in every if s["CK"]], slews_ns[:, nets["E"]], "GCK", share)
    for pin, asked, part in (("CK", 0, 1 - share), ("GCK", 1, share)):
        among = [[state for state in every if (state["E"] == asked) == stays] for stays in (True, False)]
        point = slews_ns[:, nets["CK"]], load_ff[nets[pin]]
        usual_fj, new_fj = (mean_fj(cell[pin][2], each, *point, edges=[0]) for each in among)
        total_fj = total_fj + part * mean_fj(cell[pin][2], among[0], *point) + toggled[0] * (new_fj - usual_fj)
    return total_fj


def price_fj(netlist, slews_ns, has_wires, toggles, clocked):
    """Return the energy of a cycle by each row of toggles; slews are of falls and rises."""
    (volts, wire_ff, cells), (load_ff, sinks) = liberty(), (counted := np.zeros((2, netlist.nets)))
    for name, pin, net in ((item.cell.name, *pair) for item in netlist.instances for pair in item.nets.items()):
        counted[:, net] += cells[name][pin][1], cells[name][pin][1] > 0
    edges = {item.nets["CK"]: clocked[number] for number, item in enumerate(netlist.instances) if "D" in item.nets}
    data = np.setdiff1d(np.arange(netlist.nets), [*edges, *netlist.inputs[CLOCK]])  # the clock has no wires
    load_ff[data] += has_wires * wire_ff(sinks[data])
    total_fj = volts**2 / 2 * toggles[:, data] @ load_ff[data]
    for name, nets in ((item.cell.name, item.nets) for item in netlist.instances):
        cell_fj = gate_fj if "CK" not in nets else register_fj if "D" in nets else clock_gate_fj
        total_fj += cell_fj(name, nets, slews_ns, load_ff, toggles, edges)
        total_fj += volts**2 * cells[name]["CK"][1] * edges.get(nets["CK"], 1) if "CK" in nets else 0
    return total_fj


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        *sampled([kind for kind in KINDS if kind not in DEAR], 1, "kinds priced anew"),
        *(pytest.param(kind, marks=pytest.mark.dear) for kind in DEAR),
    ],
)
def test_another_way_of_counting_finds_the_same_price(kind, freepdk45):
    config = KINDS[kind]
    found, netlist = measure(config, freepdk45, STIMULUS, EFFORT), netlist_of(config, freepdk45)
    clocks = {*netlist.inputs[CLOCK], *(item.nets["GCK"] for item in netlist.instances if "GCK" in item.nets)}
    rule = freepdk45.wire_load(netlist.area_um2, len(netlist.instances))
    bare, wired = (analyse(netlist, freepdk45, clocks, wires) for wires in (None, rule))
    simulator = Simulator(netlist, CLOCK, EFFORT.words, arc_delays(netlist, wired))
    source = Stimulus(config, parse_operands(STIMULUS), EFFORT.words, EFFORT.seed, config.tokens > 1)
    activity = simulator.measure(source.steady(simulator, WARM_UP_CYCLES + EFFORT.cycles), WARM_UP_CYCLES)
    toggles = np.array([activity.settled, activity.total])
    pins_fj = price_fj(netlist, bare.slew_ns[::-1], False, toggles, activity.clocked)
    wires_fj = price_fj(netlist, wired.slew_ns[::-1], True, toggles, activity.clocked) - pins_fj
    assert [found.settled_fj, found.total_fj] == pytest.approx(pins_fj, rel=1e-6)  # a clock gate is less than 1 %
    assert [found.wire_settled_fj, found.wire_fj] == pytest.approx(wires_fj, rel=0.01)
