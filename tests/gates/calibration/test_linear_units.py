"""What an element of a BitLinear takes, and that the operands of the measurement give what the unit computes."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from bitjoule.gates.calibration import linear_units
from bitjoule.gates.calibration.linear_units import Elements, measure_unit
from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.stimuli.stimulus import NetlistError
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.elements.units import UNITS, unit, unit_verilog
from tests.gates import hand_made as hand
from tests.gates.cache_names import namer, two_libraries
from tests.rtl.test_verilog import operators

CONFIG = LinearConfig(AcceleratorConfig(8, 4, 64, 64), "fp16")


@pytest.mark.parametrize("name", UNITS)
def test_the_operands_of_a_measurement_give_what_numpy_expects(name):
    elements = Elements(name, CONFIG, 3, np.random.default_rng(0))
    m = Module()
    m.submodules.dut = dut = unit(name, CONFIG)
    wanted, found = [], []
    mask = (1 << len(dut.result)) - 1

    async def bench(ctx):
        for cycle in range(20 + dut.latency):
            inputs, expected = elements.draw()
            wanted.append(int(expected[0]))
            for port, values in inputs.items():
                value = int(values[0])
                ctx.set(getattr(dut, port), value - (1 << 64) if value >> 63 else value)  # a negative one, as bits
            if cycle >= dut.latency:
                found.append(ctx.get(dut.result) & mask)
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [value & mask for value in wanted[: len(found)]]
    assert len(set(found)) > (1 if name == "absmax" else 5)


def test_a_unit_is_one_verilog_top_without_a_multiplication():
    text = unit_verilog("quantise", CONFIG)
    assert "module bitjoule_unit(" in text
    assert "*" not in operators(text)
    with pytest.raises(ValueError, match="unit 'div': expected one of absmax, quantise, rescale, rms_norm"):
        unit_verilog("div", CONFIG)


@pytest.mark.dear
@pytest.mark.parametrize("name", UNITS)
def test_a_units_netlist_computes_what_numpy_does_and_glitches(name, freepdk45):
    found = measure_unit(name, CONFIG, freepdk45, Effort(cycles=2))
    assert 0 < found.settled_fj < found.total_fj
    assert found.cells > 80


def test_whatever_decides_a_measurement_is_in_its_name_in_the_cache(monkeypatch, tmp_path):
    name = namer(monkeypatch, linear_units, measure_unit)
    monkeypatch.setattr(linear_units, "unit_verilog", lambda *_: "the same Verilog")
    library, other = two_libraries(tmp_path)
    effort = Effort()
    asked = [
        ("absmax", CONFIG, library, effort),
        ("quantise", CONFIG, library, effort),
        ("absmax", LinearConfig(CONFIG.array, "bf16"), library, effort),
        ("absmax", LinearConfig(AcceleratorConfig(8, 4, 128, 64), "fp16"), library, effort),
        ("absmax", CONFIG, other, effort),
        *(("absmax", CONFIG, library, replace(effort, **{key: getattr(effort, key) + 1}))
          for key in ("cycles", "words", "seed")),
    ]  # fmt: skip
    names = [name(*arguments) for arguments in asked]
    monkeypatch.setattr(linear_units, "unit_verilog", lambda *_: "another Verilog")
    names.append(name(*asked[0]))
    assert len(set(names)) == len(names)


def test_a_measurement_says_of_each_quantity_what_was_found(monkeypatch, tmp_path):
    """Each from where it is known, all of them different."""
    energy = SimpleNamespace(settled_fj=1.0, total_fj=2.0, wire_fj=(3.0, 4.0), error_fj=5.0, leakage_nw=6.0)
    timing = SimpleNamespace(timing=SimpleNamespace(period_ns=7.0, through_ns=70.0))
    netlist = SimpleNamespace(area_um2=8.0, instances=range(9))
    model = SimpleNamespace(wired=SimpleNamespace(analysis=timing), energy=lambda _: energy)
    measured = []

    def measure(stimulus, warm_up):
        measured.append((list(stimulus), warm_up))

    simulator = SimpleNamespace(clock_nets={2}, measure=measure)
    monkeypatch.setattr(linear_units, "EnergyModel", lambda *_: model)
    monkeypatch.setattr(linear_units, "Simulator", lambda *_: simulator)
    monkeypatch.setattr(linear_units, "arc_delays", lambda *_: [])
    monkeypatch.setattr(linear_units, "_checked", lambda *given: [(given[1].name, given[3])])
    monkeypatch.setattr(linear_units, "stored_netlist", lambda *_: netlist)
    monkeypatch.setattr(linear_units, "unit_verilog", lambda *_: "some Verilog")
    monkeypatch.setenv("BITJOULE_CACHE", str(tmp_path / "cache"))
    found = measure_unit("absmax", CONFIG, hand.library(tmp_path), Effort(cycles=3))
    assert asdict(found) == {
        "settled_fj": 1.0, "total_fj": 2.0, "wire_settled_fj": 3.0, "wire_fj": 4.0, "error_fj": 5.0, "leakage_nw": 6.0,
        "area_um2": 8.0, "delay_ns": 7.0, "cells": 9,
    }  # fmt: skip
    ((cycles, warm_up),) = measured
    assert cycles == [("absmax", warm_up + 3)]


@pytest.mark.parametrize("wrong", [None, 0, 4])
def test_each_result_of_a_netlist_is_compared_as_it_comes(wrong):
    """After as many cycles as the unit takes; one that differs is an error."""
    latency, cycles, drawn = 2, 7, []

    def draw():
        drawn.append(np.arange(64, dtype=np.uint64) + len(drawn))
        return {"word": drawn[-1]}, drawn[-1]

    def output(_):
        place = len(drawn) - 1 - latency
        return linear_units._words(drawn[place] ^ np.uint64(place == wrong), 8)

    simulator = SimpleNamespace(
        words=1, netlist=SimpleNamespace(inputs={"word": range(8)}, outputs={"result": range(8)}), output=output
    )
    elements = SimpleNamespace(name="absmax", draw=draw)
    given = linear_units._checked(simulator, elements, latency, cycles)
    if wrong is None:
        assert len(list(given)) == cycles
    else:
        with pytest.raises(NetlistError, match=r"^the netlist of unit absmax does not compute what NumPy computes$"):
            list(given)
        assert len(drawn) == wrong + latency + 1


@pytest.mark.parametrize(("encoding", "zeros"), [("binary1", False), ("ternary2", True)])
def test_sums_are_of_the_weights_that_the_array_has(encoding, zeros):
    """A sum of codes times +1 and -1 alone is even or odd as the sum of the codes is, whatever the signs are."""
    config = LinearConfig(replace(CONFIG.array, weight_encoding=encoding), "fp16")
    elements = Elements("rescale", config, 16, np.random.default_rng(0))
    odd = np.array([elements.draw()[0]["total"] & np.uint64(1) for _ in range(12)])
    assert bool((odd != odd[0]).any()) == zeros
