"""Glitches by real delays: hand-made chains in closed form, NumPy, static timing, and Icarus Verilog as second tool."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.activity import Simulator, clock_tree
from bitjoule.gates.power.delays import OutputDelays, arc_delays, equal_delays, truth
from bitjoule.gates.stimuli.stimulus import Stimulus
from bitjoule.gates.stimuli.texts import parse_operands
from bitjoule.gates.timing.sta import analyse
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration
from tests.gates import hand_made as hand
from tests.gates.power import icarus

ALL = ~np.uint64(0)
WARM_UP = 12
INT8 = AcceleratorConfig(lanes=8, columns=1, max_k=64, weight_bus_bits=64, weight_encoding="int8")


def port(value):
    return np.full((1, 1), ALL if value else 0, dtype=np.uint64)


def chain(cells, *after):
    """Return NAND(A=a, B=INV(a)) -> n and, behind it, gates of one input: a rise of `a` makes a low pulse at n."""
    a, inverse, n = 2, 3, 4
    instances = [
        Instance("inv", cells["INV"], {"A": a, "Y": inverse}),
        Instance("nand", cells["NAND"], {"A": a, "B": inverse, "Y": n}),
    ]
    for place, name in enumerate(after):
        instances.append(Instance(f"u{place}", cells[name], {"A": n + place, "Y": n + place + 1}))
    return Netlist("chain", {"a": [a]}, {"y": [n + len(after)]}, instances)


def with_delays(netlist, delays_fs):
    """Return delays of each instance's output: rise and fall."""
    groups = []
    for number, instance in enumerate(netlist.instances):
        inputs = len(instance.cell.inputs)
        choices = np.tile(1 - truth(instance.cell, "Y").astype(np.uint16), (inputs, 1))
        column = np.array(delays_fs[number], dtype=np.uint32)[:, None]
        groups.append(OutputDelays(instance.cell, "Y", np.array([number]), choices, column))
    return groups


def toggles(netlist, delays, values):
    """Return each net's toggles when input `a` takes some values, one in each cycle after a first 0."""
    simulator = Simulator(netlist, None, 1, delays)
    activity = simulator.measure(({"a": port(value)} for value in (0, *values)), 1)
    return np.rint(activity.total * len(values)).astype(int)


@pytest.fixture
def cells(tmp_path):
    return hand.library(tmp_path).cells


INVERTER_FS, NAND_RISE_FS, NAND_FALL_FS = 50, 30, 20


@pytest.mark.parametrize(
    ("rise_fs", "fall_fs", "passes"), [(90, 60, True), (90, 61, False), (10, 60, True), (200, 1, True)]
)
def test_a_pulse_passes_if_it_is_no_shorter_than_the_delay_of_its_first_edge(cells, rise_fs, fall_fs, passes):
    # n falls at 20, and rises at 50 + 30: 60 low. A buffer's fall is its first edge.
    netlist = chain(cells, "BUF")
    delays = with_delays(netlist, [(50, 50), (NAND_RISE_FS, NAND_FALL_FS), (rise_fs, fall_fs)])
    assert toggles(netlist, delays, [1]).tolist()[2:] == [1, 1, 2, 2 if passes else 0]
    # When `a` falls, the NAND's output stays 1.
    assert toggles(netlist, delays, [1, 0]).tolist()[2:] == [2, 2, 2, 2 if passes else 0]


@pytest.mark.parametrize(("nand_fall_fs", "passes"), [(50, True), (51, False)])
def test_a_gate_swallows_the_pulse_that_its_own_inputs_would_make(cells, nand_fall_fs, passes):
    netlist = chain(cells, "BUF")
    delays = with_delays(netlist, [(7, 50), (1, nand_fall_fs), (1, 1)])
    assert toggles(netlist, delays, [1]).tolist()[2:] == [1, 1, 2 * passes, 2 * passes]


def test_unequal_edges_make_a_pulse_shorter_until_it_is_swallowed(cells):
    # 60 low at n; each buffer takes 30 more to fall than to rise: low for 60, 30, then shorter than a fall takes.
    netlist = chain(cells, *["BUF"] * 4)
    delays = with_delays(netlist, [(50, 50), (30, 20), *[(1, 31)] * 4])
    assert toggles(netlist, delays, [1]).tolist()[2:] == [1, 1, 2, 2, 0, 0, 0]
    # Buffers that take longer to rise make it longer instead.
    longer = with_delays(netlist, [(50, 50), (30, 20), *[(31, 1)] * 4])
    assert toggles(netlist, longer, [1]).tolist()[2:] == [1, 1, 2, 2, 2, 2, 2]


def test_inverters_take_turns_in_which_edge_of_a_pulse_is_first(cells):
    # Low for 60 at n. Each inverter rises in 40 and falls in 10: 60 - 40 + 10 high, + 40 - 10 low, and so on.
    netlist = chain(cells, *["INV"] * 6)
    delays = with_delays(netlist, [(50, 50), (30, 20), *[(40, 10)] * 6])
    assert toggles(netlist, delays, [1]).tolist()[2:] == [1, 1, 2, 2, 2, 2, 2, 2, 2]
    shorter = with_delays(netlist, [(50, 50), (30, 20), (61, 10), *[(40, 10)] * 5])
    assert toggles(netlist, shorter, [1]).tolist()[2:] == [1, 1, 2, 0, 0, 0, 0, 0, 0]


def test_inputs_that_change_at_once_make_no_pulse(cells):
    instances = [Instance("nand", cells["NAND"], {"A": 2, "B": 3, "Y": 4})]
    netlist = Netlist("pair", {"a": [2], "b": [3]}, {"y": [4]}, instances)
    simulator = Simulator(netlist, None, 1, with_delays(netlist, [(5, 1)]))
    inputs = [{"a": port(0), "b": port(1)}, {"a": port(1), "b": port(0)}, {"a": port(1), "b": port(1)}]
    activity = simulator.measure(inputs, 1)
    assert np.rint(2 * activity.total).astype(int).tolist()[2:] == [1, 2, 1]


def test_trials_are_on_their_own(cells):
    netlist = chain(cells, "BUF")
    delays = with_delays(netlist, [(50, 50), (30, 20), (90, 60)])
    some = np.array([[0b1011]], dtype=np.uint64)
    simulator = Simulator(netlist, None, 1, delays)
    simulator.settle()
    _, total, _ = simulator.cycle({"a": some})
    assert total.tolist()[2:] == [3, 3, 6, 6]


def test_delays_are_the_tables_of_each_input_at_its_slew_and_load(tmp_path):
    library = hand.library(tmp_path)
    netlist = chain(library.cells, "BUF")
    slew_ns = 0.02
    groups = arc_delays(netlist, analyse(netlist, library, set(), None, slew_ns))
    delays = {(group.cell.name, group.pin): group for group in groups}
    nand = delays["NAND", "Y"]
    load_ff = hand.CAPACITANCE_FF["BUF/A"]
    inverter_load_ff = hand.CAPACITANCE_FF["NAND/B"]
    inverter_slew_ns = {edge: hand.SLEW_NS[edge] + hand.SLEW_NS_PER_FF * inverter_load_ff for edge in ("rise", "fall")}
    for edge, state, opposite in (("fall", 0b11, "rise"), ("rise", 0b01, "fall")):
        expected = hand.DELAY_NS[edge] + hand.DELAY_NS_PER_NS * slew_ns + hand.DELAY_NS_PER_FF * load_ff
        assert nand.delay_fs[nand.choices[0, state], 0] == pytest.approx(expected * 1e6, abs=0.5)
        state = {0b01: 0b10}.get(state, state)
        expected += hand.DELAY_NS_PER_NS * (inverter_slew_ns[opposite] - slew_ns)
        assert nand.delay_fs[nand.choices[1, state], 0] == pytest.approx(expected * 1e6, abs=0.5)


def wired(netlist, library):
    clocks = set(clock_tree(netlist, set(netlist.inputs["clk"])))
    return analyse(netlist, library, clocks, library.wire_load(netlist.area_um2, len(netlist.instances)))


def stimulus(config):
    return Stimulus(config, parse_operands("gaussian:32"), 1, 1)


def latest_from_registers_fs(netlist, groups):
    """Return when the last rise and fall of each net that registers cause has come, by the slowest of all choices."""
    latest = np.full((2, netlist.nets), -np.inf)
    waiting = {}
    for group in groups:
        for place, number in enumerate(group.numbers.tolist()):
            if group.choices is None:
                latest[:, netlist.instances[number].nets[group.pin]] = group.delay_fs[:, place]
            else:
                waiting[number, group.pin] = group, place
    driven = {netlist.instances[number].nets[pin] for number, pin in waiting}
    while waiting:
        for number, pin in list(waiting):
            nets, (group, place) = netlist.instances[number].nets, waiting[number, pin]
            inputs = group.cell.inputs
            if driven & {nets[name] for name in inputs}:
                continue
            values = truth(group.cell, pin)
            for input_place, name in enumerate(inputs):
                bit = 1 << (len(inputs) - 1 - input_place)
                for state, value in enumerate(values):
                    if value != values[state ^ bit]:
                        come = latest[0 if state & bit else 1, nets[name]]
                        come = come + group.delay_fs[group.choices[input_place, state], place]
                        latest[1 - value, nets[pin]] = max(latest[1 - value, nets[pin]], come)
            del waiting[number, pin]
            driven.discard(nets[pin])
    return latest


def test_the_longest_path_by_these_delays_is_static_timings(synthesised, library):
    netlist = synthesised(read_configuration("tiny_8x4"))
    analysis = wired(netlist, library)
    latest = latest_from_registers_fs(netlist, arc_delays(netlist, analysis))
    outputs = [net for nets in netlist.outputs.values() for net in nets]
    assert latest[:, outputs].max() * 1e-6 == pytest.approx(analysis.timing.output_ns, rel=1e-4)


def test_settled_values_are_those_without_delays_on_every_net(synthesised, library):
    config = read_configuration("tiny_8x4")
    netlist = synthesised(config)
    plain = Simulator(netlist, "clk", 1)
    real = Simulator(netlist, "clk", 1, arc_delays(netlist, wired(netlist, library)))
    plain.settle()
    real.settle()
    glitches = 0
    for inputs in stimulus(config).steady(plain, 30):
        settled, _, _ = plain.cycle(inputs)
        with_delays_settled, total, _ = real.cycle(inputs)
        assert np.array_equal(plain.values, real.values)
        assert np.array_equal(settled, with_delays_settled)
        assert (total >= settled).all()
        assert ((total - settled) % 2 == 0).all()
        glitches += int((total - settled).sum())
    assert glitches


def in_steps(netlist, before, after):
    """Return the toggles of each net when every gate takes one step: each reads what the step before left."""
    total = np.bitwise_count(before ^ after).sum(axis=1, dtype=np.int64)
    now = after.copy()
    while True:
        following = now.copy()
        for instance in netlist.instances:
            if instance.cell.is_combinational:
                pins = {pin: now[instance.nets[pin]] for pin in instance.cell.inputs}
                for pin in instance.cell.outputs:
                    following[instance.nets[pin]] = instance.cell.function(pin)(pins)
        changed = np.bitwise_count(now ^ following).sum(axis=1, dtype=np.int64)
        if not changed.any():
            return total, now
        total += changed
        now = following


def test_gates_of_one_delay_toggle_as_step_by_step(synthesised):
    config = read_configuration("tiny_8x4")
    netlist = synthesised(config)
    simulator = Simulator(netlist, "clk", 1, equal_delays(netlist, 1))
    sources = np.ones(netlist.nets, dtype=np.bool_)
    for instance in netlist.instances:
        if instance.cell.is_combinational:
            sources[[instance.nets[pin] for pin in instance.cell.outputs]] = False
    simulator.settle()
    for number, inputs in enumerate(stimulus(config).steady(simulator, WARM_UP + 3)):
        before = simulator.values.copy()
        _, total, _ = simulator.cycle(inputs)
        if number >= WARM_UP:
            expected, values = in_steps(netlist, before, np.where(sources[:, None], simulator.values, before))
            assert np.array_equal(total.astype(np.int64), expected)
            assert np.array_equal(simulator.values, values)


def by_edge(groups):
    """Return delays of which each output has two, the slowest rise and the slowest fall, as Icarus's expressions do."""
    found = []
    for group in groups:
        if group.choices is None:
            found.append(group)
            continue
        values = truth(group.cell, group.pin)
        chosen = group.delay_fs[group.choices]
        slowest = np.stack([chosen[:, values == value].max(axis=(0, 1)) for value in (1, 0)])
        choices = np.tile(1 - values.astype(np.uint16), (len(group.cell.inputs), 1))
        found.append(replace(group, choices=choices, delay_fs=slowest))
    return found


def one_trial(netlist, config, delays, cycles):
    """Return each net's toggles in a trial, and the inputs of each cycle as numbers."""
    simulator = Simulator(netlist, "clk", 1, delays)
    ports = {name: 0 for name in netlist.inputs if name != "clk"}
    recorded = []

    def inputs():
        for given in stimulus(config).steady(simulator, WARM_UP + cycles):
            same = {name: np.uint64(0) - (words & np.uint64(1)) for name, words in given.items()}
            for name, words in same.items():
                ports[name] = sum(1 << bit for bit, word in enumerate(words[:, 0]) if word)
            recorded.append(dict(ports))
            yield same

    return np.rint(simulator.measure(inputs(), WARM_UP).total * cycles).astype(np.int64), recorded


@pytest.mark.slow
@pytest.mark.skipif(not icarus.PROGRAM, reason="Icarus Verilog (iverilog) is not installed")
@pytest.mark.parametrize("config", [read_configuration("tiny_8x4"), INT8], ids=["tiny_8x4", "int8"])
def test_icarus_counts_the_same_toggles(synthesised, library, config, tmp_path):
    netlist = synthesised(config)
    delays = by_edge(arc_delays(netlist, wired(netlist, library)))
    ours, inputs = one_trial(netlist, config, delays, 8)
    theirs = icarus.toggles(netlist, "clk", delays, inputs, WARM_UP, tmp_path)
    assert ours.sum() > 1000
    assert np.array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.skipif(not icarus.PROGRAM, reason="Icarus Verilog (iverilog) is not installed")
@pytest.mark.parametrize("config", [read_configuration("tiny_8x4"), INT8], ids=["tiny_8x4", "int8"])
def test_icarus_counts_about_the_same_with_delays_of_each_input_and_state(synthesised, library, config, tmp_path):
    # A change of mind while a change is under way Icarus answers at the first one's time if it is by a path delay, a
    # gate after a delay of its own: single nets differ, their sum hardly.
    netlist = synthesised(config)
    delays = arc_delays(netlist, wired(netlist, library))
    ours, inputs = one_trial(netlist, config, delays, 8)
    theirs = icarus.toggles(netlist, "clk", delays, inputs, WARM_UP, tmp_path, by_path=True)
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.02)


@pytest.mark.parametrize(("name", "output"), [("XOR2_X1", "Z"), ("FA_X1", "S"), ("FA_X1", "CO"), ("AOI21_X1", "ZN")])
def test_choices_follow_the_condition_of_each_arc(freepdk45, name, output):
    cell = freepdk45.cells[name]
    nets = {pin: 2 + place for place, pin in enumerate((*cell.inputs, *cell.outputs))}
    ports = {pin: [nets[pin]] for pin in (*cell.inputs, *cell.outputs)}
    inputs, outputs = ({pin: ports[pin] for pin in pins} for pins in (cell.inputs, cell.outputs))
    netlist = Netlist("alone", inputs, outputs, [Instance("alone", cell, nets)])
    groups = arc_delays(netlist, analyse(netlist, freepdk45, set()))
    (group,) = (group for group in groups if group.pin == output)
    function, compared = cell.function(output), 0
    for bits in product((0, 1), repeat=len(cell.inputs)):
        state = {pin: np.uint64(bit) for pin, bit in zip(cell.inputs, bits, strict=True)}
        number = int("".join(map(str, bits)), 2)
        value = int(function(state)) & 1
        for place, pin in enumerate(cell.inputs):
            if int(function(state | {pin: state[pin] ^ np.uint64(1)})) & 1 == value:
                continue
            arcs = [arc for arc in cell.arcs(output) if arc.related == (pin,)]
            (arc,) = (arc for arc in arcs if arc.when is None or int(arc.when(state)) & 1)
            expected = arc.tables["cell_rise" if value else "cell_fall"].at(freepdk45.slew_ns, 0.0)
            assert group.delay_fs[group.choices[place, number], 0] == pytest.approx(expected * 1e6, abs=0.51)
            compared += 1
    assert compared >= 8


def test_an_output_may_toggle_as_often_as_all_inputs_together(cells):
    """The exclusive or, of fast NANDs, of all taps of a slow delay line."""
    slow, fast, steps = (1000, 1000), (1, 1), 8
    taps = list(range(2, 3 + steps))
    instances = [Instance("slow", cells["BUF"], {"A": first, "Y": second}) for first, second in pairwise(taps)]
    total, net = taps[0], taps[-1] + 1
    for tap in taps[1:]:
        both, left, right, differ = range(net, net + 4)
        for first, second, out in ((total, tap, both), (total, both, left), (tap, both, right), (left, right, differ)):
            instances.append(Instance("fast", cells["NAND"], {"A": first, "B": second, "Y": out}))
        total, net = differ, net + 4
    netlist = Netlist("parity", {"a": [2]}, {"y": [total]}, instances)
    delays = with_delays(netlist, [slow if instance.name == "slow" else fast for instance in instances])
    assert toggles(netlist, delays, [1])[total] == steps + 1


def test_a_cell_without_inputs_never_toggles(freepdk45):
    cells = freepdk45.cells
    instances = [
        Instance("one", cells["LOGIC1_X1"], {"Z": 3}),
        Instance("nand", cells["NAND2_X1"], {"A1": 2, "A2": 3, "ZN": 4}),
    ]
    netlist = Netlist("tied", {"a": [2]}, {"y": [4]}, instances)
    delays = arc_delays(netlist, analyse(netlist, freepdk45, set()))
    assert toggles(netlist, delays, [1, 0, 1]).tolist()[2:] == [3, 0, 3]


def test_a_delay_is_that_of_the_load_of_the_edge_that_the_output_makes(tmp_path):
    """An inverter drives a pin of 2 fF when it rises, and of 5 fF when it falls; one that drives nothing is alike."""
    rise_ff, fall_ff, slew_ns = 2.0, 5.0, 0.02
    usual = hand._input(hand.USUAL, "BUF", "A")
    edges = f"capacitance : {fall_ff}; rise_capacitance : {rise_ff}; fall_capacitance : {fall_ff};"
    buffer = hand.cells()["BUF"]
    assert buffer.count(usual) == 1
    unequal = buffer.replace(usual, f"pin (A) {{ direction : input; {edges} }}\n")
    library = hand.library(tmp_path, content=hand.text().replace(buffer, unequal))
    cells = library.cells
    instances = [Instance("inv", cells["INV"], {"A": 2, "Y": 3}), Instance("buf", cells["BUF"], {"A": 3, "Y": 4})]
    netlist = Netlist("top", {"a": [2]}, {"y": [4]}, instances)
    (inverter,) = (
        group
        for group in arc_delays(netlist, analyse(netlist, library, set(), None, slew_ns))
        if group.cell.name == "INV"
    )
    for state, edge, load_ff in ((0, "rise", rise_ff), (1, "fall", fall_ff)):
        expected_ns = hand.DELAY_NS[edge] + hand.DELAY_NS_PER_NS * slew_ns + hand.DELAY_NS_PER_FF * load_ff
        assert inverter.delay_fs[inverter.choices[0, state], 0] == pytest.approx(expected_ns * 1e6, abs=0.5)


@pytest.mark.parametrize(("delay_ns", "fs"), [(0.0, 1), (-0.5, 1), (4e-7, 1), (2.6e-6, 3), (1e9, 2**32 - 1)])
def test_a_delay_is_a_femtosecond_at_least_and_at_most_what_is_counted(tmp_path, monkeypatch, delay_ns, fs):
    for key in ("DELAY_NS_PER_FF", "DELAY_NS_PER_NS"):
        monkeypatch.setattr(hand, key, 0.0)
    monkeypatch.setattr(hand, "DELAY_NS", dict.fromkeys(("rise", "fall"), delay_ns))
    library = hand.library(tmp_path)
    netlist = Netlist("top", {"a": [2]}, {"y": [3]}, [Instance("inv", library.cells["INV"], {"A": 2, "Y": 3})])
    (found,) = arc_delays(netlist, analyse(netlist, library, set(), None, 0.02))
    assert set(found.delay_fs.ravel().tolist()) == {fs}
