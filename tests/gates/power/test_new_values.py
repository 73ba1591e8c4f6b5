"""Every event at the pins of registers and clock gates, in the order of time, at the table of the state it meets.

Icarus Verilog says when each net toggles. The clock rises as a period begins and falls in its middle. When data come,
which clocks are gated off and how that goes together, is not assumed here but seen, so each energy is found once and
where it is spent. What is tested takes data to settle while the clock is high: so it is if a period is twice the
critical path. At the shortest period some toggles come later, and each of these turns a latch over.
"""

from bisect import bisect_left
from collections import Counter
from functools import cache

import numpy as np
import pytest

from bitjoule.gates.power.activity import Activity, clock_tree
from bitjoule.gates.power.delays import arc_delays
from bitjoule.gates.power.energy import Meter
from bitjoule.sim.accelerator.configurations import read_configuration
from tests.gates.power import icarus
from tests.gates.power.test_events import INT8, WARM_UP, by_edge, one_trial, wired
from tests.sampling import one_of_each

CYCLES = 40
TINY = read_configuration("tiny_8x4")
CLOCKS = [(2.0, 0.01), (1.0, 0.02)]  # periods in critical paths: a slow clock, the fastest
RISE, DATA, FALL = range(3)  # of what happens at the same time, in this order


@cache
def bit(function, values):
    return int(function({name: np.uint64(value) for name, value in values})) & 1


@cache
def table_of(cell, pin, edge, values):
    """Return the table of a rise (1) or fall (0) of a pin, if the library has one for the values of the others."""
    fits = [power for power in cell.powers(pin) if power.when is None or bit(power.when, values)]
    return (fits[0].rise if edge else fits[0].fall) if fits else None


def outputs_of(cell, state):
    inner = (cell.state.state, state), (cell.state.inverse, 1 - state)
    return {out: bit(cell.function(out), inner) for out in cell.outputs}, inner


def events_of(cell, nets, waves, period_fs, edges):
    """Return how often each pin rises and falls, and at which table; at the times of `edges` the cell's clock rises."""
    clock, gate = cell.clock_pin(), cell.roles.get("clock_gate_out_pin")
    happens = [(time, RISE, clock, 1) for time in edges]
    happens += [(time + period_fs // 2, FALL, clock, 0) for time, *_ in happens]
    happens += [(time, DATA, pin, value) for pin in cell.inputs if pin != clock for time, value in waves[nets[pin]]]
    values, state, found = dict.fromkeys(cell.inputs, 0), 0, Counter()
    values |= {gate: 0} if gate else outputs_of(cell, 0)[0]
    for time, when, pin, value in sorted(happens):
        toggled = {}
        if gate and when != DATA:
            asks = any(values[name] for name in cell.inputs if name != clock) if when == RISE else values[gate]
            toggled = {gate: value} if asks else {}
        elif when == RISE:
            following = bit(cell.state.next_state, (*values.items(), *outputs_of(cell, state)[1]))
            toggled, state = outputs_of(cell, following)[0] if following != state else {}, following
        for name, edge in (toggled or {pin: value}).items():
            found[name, edge, table_of(cell, name, edge, tuple(values.items()))] += time >= (1 + WARM_UP) * period_fs
        values |= {pin: value, **toggled}
    return found


def before(wave, time):
    """Return what a net was just before a time."""
    place = bisect_left(wave, (time,))
    return wave[place - 1][1] if place else 0


@pytest.mark.slow
@pytest.mark.skipif(not icarus.PROGRAM, reason="Icarus Verilog (iverilog) is not installed")
@pytest.mark.parametrize(
    ("config", "paths", "within"),
    one_of_each([[(config, *clock) for clock in CLOCKS] for config in (TINY, INT8)], "clocks of registers"),
    ids=lambda value: {TINY: "tiny_8x4", INT8: "int8"}.get(value),
)
def test_registers_and_clock_gates_cost_what_their_events_do(synthesised, library, config, tmp_path, paths, within):
    netlist = synthesised(config)
    analysis, clocks = wired(netlist, library), clock_tree(netlist, set(netlist.inputs["clk"]))
    delays, period_fs = by_edge(arc_delays(netlist, analysis)), int(paths * analysis.timing.period_ns * 1e6)
    _, inputs = one_trial(netlist, config, delays, CYCLES)
    waves = icarus.waves(icarus.run(netlist, "clk", delays, inputs, tmp_path, period_fs), netlist.nets)
    first, end = ((1 + WARM_UP + cycle) * period_fs for cycle in (0, CYCLES))
    times = range(first, end + 1, period_fs)
    total = np.array([sum(time >= first for time, _ in wave) for wave in waves]) / CYCLES
    settled = np.array([np.abs(np.diff([before(wave, time) for time in times])).sum() for wave in waves]) / CYCLES
    meter = Meter(netlist, library, set(clocks), None, None)
    slew_ns, load_ff = meter.analysis.slew_ns, meter.analysis.load_ff
    clocked, events_fj, inside = np.zeros(len(netlist.instances)), 0.0, np.zeros(len(netlist.instances), dtype=bool)
    for number, item in enumerate(netlist.instances):
        cell, nets = item.cell, item.nets
        if cell.is_combinational:
            continue
        clock = cell.clock_pin()
        enable = clocks[nets[clock]]
        edges = {time for time in range(period_fs, end, period_fs) if enable is None or before(waves[enable], time)}
        inside[number], clocked[number] = True, sum(time >= first for time in edges) / CYCLES
        for (pin, edge, table), count in events_of(cell, nets, waves, period_fs, edges).items():
            at = slew_ns[1 - edge, nets[pin if pin in cell.inputs else clock]], load_ff[nets[pin]]
            events_fj += count / CYCLES * float(table.at(*at)) if table else 0.0
        charges = 1.0 if cell.clock_gate else clocked[number]
        events_fj += charges * cell.pins[clock].mean_capacitance_ff * library.voltage_v**2
    bill = meter.bill(total, Activity(settled, total, clocked, []))
    outputs = [item.nets[pin] for item in netlist.instances if item.cell.flip_flop for pin in item.cell.outputs]
    priced_fj = bill.hidden[inside].sum() + bill.clock[inside].sum() + bill.internal[outputs].sum()
    assert priced_fj == pytest.approx(events_fj, abs=within * bill.total_fj)
